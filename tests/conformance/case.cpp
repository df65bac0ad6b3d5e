// SPDX-License-Identifier: BSD-3-Clause
#include "case.hpp"

#include "cases/cases.hpp"
#include "verdict.hpp"

#include <adrastea/testing/oracle.hpp>

#include <algorithm>

namespace adrastea::conformance {
namespace {

bool matches(std::string_view text, std::string_view glob) {
  if (glob.empty()) return text.empty();
  if (glob.front() == '*') return matches(text, glob.substr(1)) || (!text.empty() && matches(text.substr(1), glob));
  if (text.empty()) return false;
  return (glob.front() == '?' || glob.front() == text.front()) && matches(text.substr(1), glob.substr(1));
}

}  // namespace

const char* to_string(Level level) noexcept {
  switch (level) {
    case Level::must:
      return "MUST";
    case Level::should:
      return "SHOULD";
    case Level::may:
      return "MAY";
  }
  return "?";
}

const char* to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "FAIL";
    case Verdict::warning:
      return "warning";
    case Verdict::not_applicable:
      return "n/a";
    case Verdict::error:
      return "ERROR";
  }
  return "?";
}

bool matches_any(std::string_view id, std::string_view globs) {
  while (!globs.empty()) {
    const std::string_view glob = globs.substr(0, globs.find(','));
    if (matches(id, glob)) return true;
    globs.remove_prefix(std::min(globs.size(), glob.size() + 1));
  }
  return false;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> joined;
    for (const auto group :
         {start_cases,       curve_cases,          handshake_cases,       welcome_cases,         info_cases,
          offers_cases,      execute_cases,        output_cases,          errors_cases,          abort_cases,
          stdin_cases,       comm_cases,           completion_cases,      history_cases,         interrupt_cases,
          shutdown_cases,    control_cases,        heartbeat_cases,       abuse_signature_cases, abuse_framing_cases,
          abuse_json_cases,  abuse_messages_cases, abuse_transport_cases, abuse_network_cases,   abuse_iopub_cases,
          abuse_stdin_cases, abuse_signals_cases,  abuse_end_cases}) {
      const std::vector<Case> some = group();
      joined.insert(joined.end(), some.begin(), some.end());
    }
    return joined;
  }();
  return cases;
}

Rule rule_of(const Case& subject) {
  Rule rule;
  rule.id = subject.id;
  rule.section = subject.section;
  rule.level = subject.level;
  rule.requirement = subject.requirement;
  rule.action = subject.action;
  rule.legal = subject.legal;
  return rule;
}

std::vector<Rule> watched_rules() {
  std::vector<Rule> rules;
  for (const auto& rule : testing::standing_rules()) {
    rules.push_back({rule.id, rule.section, Level::must, rule.requirement, "watches every message of every case",
                     "no message that breaks it"});
  }
  rules.push_back({std::string(k_resources_rule), "Robustness", Level::should,
                   "What abuse made a kernel take of the system it gives back.",
                   "counts its file descriptors, threads, zombie children and memory after every abuse.* case; when there "
                   "are more than a kernel has that served some requests, repeats the case with the same kernel",
                   "as many as before once the clients have gone, or no more (4 MiB, of memory) with each repetition"});
  return rules;
}

std::string as_utf8(const std::string& text) {
  using testing::Json;
  // The JSON library knows what to replace.
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::map<Verdict, int> Report::count() const {
  std::map<Verdict, int> sum;
  for (const auto& outcome : outcomes) ++sum[outcome.verdict];
  return sum;
}

bool Report::conforms() const {
  auto sum = count();
  return judged && sum[Verdict::fail] == 0 && sum[Verdict::error] == 0 && (!strict || sum[Verdict::warning] == 0);
}

}  // namespace adrastea::conformance
