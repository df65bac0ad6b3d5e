// SPDX-License-Identifier: BSD-3-Clause
// kernel_info_request. Its fields and their types are the business of schema.kernel_info_reply.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>

namespace adrastea::conformance {
namespace {

using testing::text_of;

Json language_info(const Trial& trial) {
  const Json& info = trial.abilities().kernel_info;
  const auto found = info.find("language_info");
  if (found == info.end() || !found->is_object())
    Trial::not_applicable("there is no language_info: see schema.kernel_info_reply");
  return *found;
}

void is_ok(Trial& trial) {
  const Exchange info = trial.ask(Channel::shell, "kernel_info_request");
  const std::string status = text_of(Trial::reply(info).content, "status");
  trial.check(status == "ok", "the status is '" + status + "'");
}

/// What jupyter_client reads as a date; of another it makes local time, or leaves it a text.
void has_a_readable_date(Trial& trial) {
  const std::string date = text_of(Trial::reply(trial.ask(Channel::shell, "kernel_info_request")).header, "date");
  if (date.empty()) Trial::not_applicable("there is no date: see wire.header.date");
  static const std::regex readable(R"([^.Z+]*(\.\d{1,6})?(Z|[+-]\d\d:?\d\d))");
  trial.check(std::regex_match(date, readable), "the date is '" + date + "'");
}

void control_answers(Trial& trial) {
  trial.check(trial.abilities().control_info, "kernel_info_request on control was not answered");
}

void is_the_same_on_control(Trial& trial) {
  if (!trial.abilities().control_info) Trial::not_applicable("see info.control");
  Json shell = Trial::reply(trial.ask(Channel::shell, "kernel_info_request")).content;
  Json control = Trial::reply(trial.ask(Channel::control, "kernel_info_request")).content;
  for (const char* changing : {"banner", "execution_state"}) {
    shell.erase(changing);
    control.erase(changing);
  }
  trial.check(shell == control, "shell says " + shell.dump() + ", control says " + control.dump());
}

void has_its_headers_version(Trial& trial) {
  const Message reply = Trial::reply(trial.ask(Channel::shell, "kernel_info_request"));
  const std::string of_content = text_of(reply.content, "protocol_version");
  const std::string of_header = text_of(reply.header, "version");
  if (of_content.empty() || of_header.empty())
    Trial::not_applicable("a version is missing: see schema.kernel_info_reply and wire.header.fields");
  const auto major = [](const std::string& version) { return version.substr(0, version.find('.')); };
  trial.check(major(of_content) == major(of_header),
              "protocol_version is " + of_content + ", and the header's version is " + of_header);
}

void has_a_mimetype(Trial& trial) {
  const std::string mimetype = text_of(language_info(trial), "mimetype");
  const std::size_t slash = mimetype.find('/');
  trial.check(slash != std::string::npos && slash > 0 && slash + 1 < mimetype.size(),
              "language_info.mimetype is '" + mimetype + "'");
}

void has_a_language_version(Trial& trial) {
  trial.check(!text_of(language_info(trial), "version").empty(), "language_info.version is empty");
}

void has_an_implementation_version(Trial& trial) {
  trial.check(!text_of(trial.abilities().kernel_info, "implementation_version").empty(), "implementation_version is empty");
}

void agrees_about_the_debugger(Trial& trial) {
  const Json& info = trial.abilities().kernel_info;
  const auto flag = info.find("debugger");
  if (flag == info.end() || !info.contains("supported_features"))
    Trial::not_applicable("it does not say both debugger and supported_features");
  trial.check(*flag == trial.has_feature("debugger"),
              "debugger is " + flag->dump() + ", supported_features are " + info.at("supported_features").dump());
}

void names_a_feature_once(Trial& trial) {
  const Json features = trial.abilities().kernel_info.value("supported_features", Json());
  if (!features.is_array()) Trial::not_applicable("there are no supported_features");
  for (const auto& feature : features) {
    trial.check(std::count(features.begin(), features.end(), feature) == 1, feature.dump() + " is there twice");
  }
}

void links_to_help(Trial& trial) {
  const Json links = trial.abilities().kernel_info.value("help_links", Json());
  if (!links.is_array() || links.empty()) Trial::not_applicable("there are no help_links");
  for (const auto& link : links) {
    const std::string url = link.is_object() ? text_of(link, "url") : "";
    trial.check(url.find("://") != std::string::npos, "a help link has the url '" + url + "'");
  }
}

void accepts_more_fields(Trial& trial) {
  const auto reply = trial.try_ask(Channel::shell, "kernel_info_request", {{"unknown", {{"kept", true}}}});
  trial.check(reply && text_of(reply->content, "status") == "ok", "it was not answered with status ok");
}

/// The days between a date's day and today; nothing for a text that has no day.
std::optional<long> days_from_today(const std::string& date) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  if (std::sscanf(date.c_str(), "%4d-%2u-%2u", &year, &month, &day) != 3) return std::nullopt;
  const std::chrono::year_month_day when{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!when.ok()) return std::nullopt;
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  return (std::chrono::sys_days(when) - today).count();
}

/// To a day, since the text asks for no zone: where there is none it may be the local time of anywhere.
void has_the_date_of_today(Trial& trial) {
  const std::string date = text_of(Trial::reply(trial.ask(Channel::shell, "kernel_info_request")).header, "date");
  const auto days = days_from_today(date);
  if (!days) Trial::not_applicable("there is no date that has a day: see wire.header.date");
  trial.check(std::abs(*days) <= 1, "the date is '" + date + "', and today is " + testing::iso_now());
}

}  // namespace

std::vector<Case> info_cases() {
  constexpr std::string_view section = "Messaging, Kernel info";
  constexpr std::string_view asks = "sends kernel_info_request on shell";
  return {
      {"info.status", section, Level::must, "kernel_info_request succeeds.", asks, "a reply with status ok", is_ok},
      {"info.control", "JEP 80", Level::should, "kernel_info_request is answered on control, too.",
       "sends kernel_info_request on control", "kernel_info_reply on control", control_answers},
      {"info.control.same", "JEP 80", Level::should, "kernel_info_reply is the same on shell and on control.",
       "sends kernel_info_request on both",
       "equal contents; the banner, which may have a tip of the day, and execution_state may differ",
       is_the_same_on_control},
      {"info.version", section, Level::should, "protocol_version and the version of the headers are of one major version.",
       asks, "equal first numbers", has_its_headers_version},
      {"info.date.now", "Messaging, Message header", Level::must, "The date is that of when the message was made.", asks,
       "a date that is at most a day from today's", has_the_date_of_today},
      {"info.date", "Messaging, Message header; jupyter_client, parse_date", Level::should,
       "The date of a header has a time zone and at most six digits of a second's fraction.", asks,
       "a date as 2026-01-31T23:59:59.123456Z, or with another zone, or without the fraction", has_a_readable_date},
      {"info.language.mimetype", section, Level::should, "language_info.mimetype is a mime type.", asks, "type/subtype",
       has_a_mimetype},
      {"info.language.version", section, Level::should, "language_info.version says which version of the language it is.",
       asks, "a text that is not empty", has_a_language_version},
      {"info.implementation.version", section, Level::should,
       "implementation_version says which version of the kernel it is.", asks, "a text that is not empty",
       has_an_implementation_version},
      {"info.debugger", "JEP 92", Level::should, "debugger and supported_features say the same.", asks,
       "debugger is true exactly when supported_features has 'debugger'; one of them alone is right, too",
       agrees_about_the_debugger},
      {"info.features.once", "JEP 92", Level::should, "supported_features names a feature once.", asks,
       "no feature is there twice", names_a_feature_once},
      {"info.help-links", section, Level::should, "A help link leads somewhere.", asks, "absolute URLs", links_to_help},
      {"info.more-fields", "Messaging, General Message Format", Level::must,
       "Fields that a kernel does not know are ignored.", "sends kernel_info_request with an unknown field",
       "kernel_info_reply with status ok", accepts_more_fields},
  };
}

}  // namespace adrastea::conformance
