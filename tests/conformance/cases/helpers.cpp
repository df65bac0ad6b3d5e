// SPDX-License-Identifier: BSD-3-Clause
#include "cases/helpers.hpp"

#include <map>

namespace adrastea::conformance {

std::string plain_text(const Message& message) {
  const Json data = object_of(message.content, "data");
  const auto plain = data.find("text/plain");
  if (plain == data.end() || !plain->is_array()) return testing::text_of(data, "text/plain");
  std::string joined;
  for (const auto& line : *plain) joined += line.is_string() ? line.get<std::string>() : "";
  return joined;
}

std::int64_t count_of(const Exchange& cell) {
  const auto inputs = Trial::of_type(cell, "execute_input");
  const auto replied = testing::integer_of(Trial::reply(cell).content, "execution_count");
  const auto announced = inputs.empty() ? replied : testing::integer_of(inputs.front().content, "execution_count");
  const auto count = announced ? announced : replied;
  if (!count) Trial::not_applicable("the cell has no execution_count");
  if (replied && replied != count) Trial::not_applicable("the cell has two execution_counts: see order.count.reply");
  return *count;
}

std::optional<Place> place_in_streams(const Exchange& cell, std::string_view text) {
  std::map<std::string, std::string> streams;
  for (std::size_t i = 0; i < cell.published.size(); ++i) {
    const Message& message = cell.published[i];
    if (message.type() != "stream") continue;
    std::string& joined = streams[testing::text_of(message.content, "name")];
    joined += testing::text_of(message.content, "text");
    const std::size_t found = joined.find(text);
    if (found != std::string::npos) return Place{i, found};
  }
  return std::nullopt;
}

std::optional<Place> place_of(const Exchange& cell, std::string_view text) {
  const std::optional<Place> printed = place_in_streams(cell, text);
  for (std::size_t i = 0; i < (printed ? printed->message : cell.published.size()); ++i) {
    const Message& message = cell.published[i];
    if (message.type() == "execute_input" || message.type() == "stream") continue;
    if (message.content_bytes.find(text) != std::string::npos) return Place{i, 0};
  }
  return printed;
}

void check_order(Trial& trial, const Exchange& cell, const std::vector<std::string>& texts) {
  std::vector<Place> places;
  for (const auto& text : texts) {
    const auto place = place_of(cell, text);
    if (!place) Trial::not_applicable(text + " was not published: other cases say so");
    places.push_back(*place);
  }
  for (std::size_t i = 1; i < texts.size(); ++i) {
    trial.check(places[i - 1] < places[i], texts[i] + " comes before " + texts[i - 1]);
  }
}

std::string quote(const std::string& text) {
  constexpr std::size_t most = 200;
  const auto dump = [](const std::string& part) { return Json(part).dump(-1, ' ', false, Json::error_handler_t::replace); };
  if (text.size() <= most) return dump(text);
  return dump(text.substr(0, most)) + "… (" + std::to_string(text.size()) + " bytes)";
}

Json object_of(const Json& object, std::string_view key) {
  if (!object.is_object()) return Json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

void check_status(Trial& trial, const Exchange& exchange, const std::string& status) {
  const std::string got = testing::text_of(Trial::reply(exchange).content, "status");
  trial.check(got == status, "the reply's status is " + quote(got) + ", and not " + status);
}

bool is_line(const std::string& printed, const std::string& line) { return printed == line || printed == line + "\n"; }

void let_arrive(const Trial& trial, KernelClient& client) {
  const auto enough = trial.timeout() / 30;
  if (!trial.abilities().control_info) {
    // One thread may do all there is: that it answers no heartbeat while a cell runs is what heartbeat.busy is about.
    if (trial.abilities().heartbeat) {
      try {
        static_cast<void>(client.ping({"let it arrive"}, testing::Deadline::exactly(enough)));
      } catch (const testing::Failure&) {
        return;
      }
    }
    return;
  }
  // A kernel may be too busy to answer, which is no matter here: then it had time enough.
  client.request(Channel::control, "kernel_info_request");
  const testing::Deadline deadline = testing::Deadline::exactly(enough);
  while (!deadline.passed() && !client.waiting(Channel::control)) client.wait(deadline.left());
}

}  // namespace adrastea::conformance
