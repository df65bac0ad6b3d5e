// SPDX-License-Identifier: BSD-3-Clause
// Faults of frames, signatures and headers. Each spoils few messages: a rule that is watched everywhere must catch one.
#include "hooks.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <utility>

namespace faulty {
namespace {

Test input() { return of_type("execute_input"); }

void name_two_topics(Message& message) { message.identities.emplace_back("second"); }

/// Writes what is signed, and keeps the signature of what it was.
void sign_before_writing(Message& message) {
  const std::string old = message.signature;
  message.erase(Part::metadata, "none");
  message.signature = std::string(old.size(), '0');
}

bool has_large_buffers(const Message& message) {
  std::size_t bytes = 0;
  for (const auto& buffer : message.buffers) bytes += buffer.size();
  return bytes > 100'000'000;
}

bool is_right(const Message& message) { return message.is_signed(); }

bool has_large_text(const Message& message) {
  return std::any_of(message.texts.begin(), message.texts.end(), [](const auto& text) { return text.size() > 5'000'000; });
}

bool has_broken_json(const Message& message) {
  return std::any_of(message.texts.begin(), message.texts.end(), [](const std::string& text) {
    const Json parsed = Json::parse(text, nullptr, false);
    return !parsed.is_object();
  });
}

bool is_of_unknown_type(const Message& message) {
  static const std::set<std::string, std::less<>> known{"execute_request",
                                                        "inspect_request",
                                                        "complete_request",
                                                        "history_request",
                                                        "is_complete_request",
                                                        "connect_request",
                                                        "comm_info_request",
                                                        "kernel_info_request",
                                                        "shutdown_request",
                                                        "interrupt_request",
                                                        "debug_request",
                                                        "create_subshell_request",
                                                        "delete_subshell_request",
                                                        "usage_request",
                                                        "list_subshell_request",
                                                        "comm_open",
                                                        "comm_msg",
                                                        "comm_close",
                                                        "input_reply"};
  const std::string type = message.type();
  const bool is_name = !type.empty() && std::all_of(type.begin(), type.end(), [](char letter) {
    return letter == '_' || (letter >= 'a' && letter <= 'z');
  });
  return is_name && !known.contains(type);
}

void forget_microseconds_and_zone(Message& message) {
  const std::string date = string_at(message.json(Part::header), "date");
  message.set(Part::header, "date", date.substr(0, std::string("2026-01-01T00:00:00").size()));
}

}  // namespace

std::vector<Fault> wire_faults() {
  return {
      {"frame-missing",
       "Sends a message that ends after the metadata, beside a whole one.",
       {"wire.frames.count"},
       follow(input(), [](Message& message) { message.texts.pop_back(); })},
      {"delimiter-missing",
       "Sends a message without a delimiter, beside a whole one.",
       {"wire.frames.count"},
       follow(input(), [](Message& message) { message.texts.clear(); })},
      {"null-metadata",
       "Writes null instead of {} for empty metadata.",
       {"wire.frames.json"},
       alter(input(), [](Message& message) { message.set_text(Part::metadata, "null"); })},
      {"empty-metadata-frame",
       "Sends an empty frame instead of {}.",
       {"wire.frames.json"},
       alter(input(), [](Message& message) { message.set_text(Part::metadata, ""); })},
      {"signature-wrong", "Signs some messages with another key.", {"wire.signature"}, alter(input(), sign_before_writing)},
      {"signature-upper-case",
       "Writes signatures in upper case.",
       {"wire.signature"},
       alter(input(),
             [](Message& message) {
               for (char& letter : message.signature) letter = static_cast<char>(std::toupper(letter));
             })},
      {"signature-missing",
       "Leaves signatures of some messages empty.",
       {"wire.signature"},
       alter(input(), [](Message& message) { message.signature.clear(); })},
      {"torn-kills",
       "Dies of a message that lacks frames.",
       {"abuse.framing.too-few", "abuse.framing.identity.delimiter", "abuse.stdin.torn"}},
      {"undelimited-kills",
       "Dies of a message without delimiter.",
       {"abuse.framing.no-delimiter", "abuse.framing.wrong-delimiter", "abuse.framing.large.unsigned"}},
      {"json-kills",
       "Dies of a message whose frames are no JSON objects.",
       {"abuse.json.broken", "abuse.framing.empty-frames", "abuse.framing.random.signed", "abuse.json.around",
        "abuse.json.deep", "abuse.json.not-numbers", "abuse.json.not-object", "abuse.json.surrogates", "abuse.json.utf8",
        "abuse.signature.moved-bytes"},
       {},
       alter(all_of({is_right, has_broken_json}), [](Message&) { std::_Exit(1); })},
      {"type-unknown-kills",
       "Dies of a message of a type that it does not know.",
       {"abuse.messages.type.unknown", "abuse.framing.random.signed", "abuse.messages.type.empty",
        "abuse.messages.type.long", "abuse.messages.type.names", "abuse.messages.type.reply", "abuse.stdin.types",
        "control.unknown-type"},
       {},
       alter(all_of({is_right, is_of_unknown_type}), [](Message&) { std::_Exit(1); })},
      {"text-large-kills",
       "Dies of a message whose JSON has more than 5 MB.",
       {"abuse.framing.large.content", "abuse.json.large.escapes"},
       {},
       alter(all_of({is_right, has_large_text}), [](Message&) { std::_Exit(1); })},
      {"buffers-large-kill",
       "Dies of a message whose buffers are more than 100 MB.",
       {"abuse.framing.buffers.bomb"},
       {},
       alter(has_large_buffers, [](Message&) { std::_Exit(1); })},
      {"username-missing",
       "Leaves the username out of headers.",
       {"wire.header.fields"},
       alter(input(), erase(Part::header, "username"))},
      {"version-a-number",
       "Writes the protocol's version as a number.",
       {"wire.header.fields"},
       alter(input(), set(Part::header, "version", 5.5))},
      {"date-missing",
       "Leaves the date out of headers.",
       {"wire.header.date"},
       alter(input(), erase(Part::header, "date"))},
      {"date-without-zone",
       "Writes dates without a time zone.",
       {"info.date"},
       alter(of_type("kernel_info_reply"), forget_microseconds_and_zone)},
      {"parent-cut",
       "Keeps only msg_id and msg_type of a parent's header.",
       {"wire.parent.fields", "wire.parent.header"},
       alter(input(),
             [](Message& message) {
               const Json parent = message.json(Part::parent);
               message.set(Part::parent, {{"msg_id", parent.at("msg_id")}, {"msg_type", parent.at("msg_type")}});
             })},
      {"parent-username-changed",
       "Puts its own username into parent headers.",
       {"wire.parent.header"},
       alter(input(),
             [](Message& message) {
               Json parent = message.json(Part::parent);
               parent["username"] = "kernel";
               message.set(Part::parent, parent);
             })},
      {"msg-id-constant",
       "Uses the same msg_id for every execute_input.",
       {"wire.msg-id.unique"},
       alter(all_of({is_state("busy"), about("execute_request")}), set(Part::header, "msg_id", "busy"))},
      {"msg-id-of-request",
       "Answers a cell under the msg_id of its request.",
       {"wire.msg-id.unique"},
       alter(of_type("execute_reply"), [](Message& message) { message.set(Part::header, "msg_id", message.parent_id()); })},
      {"reply-empty-frame",
       "Puts an empty frame before the delimiter of replies.",
       {"wire.reply.identities"},
       alter(of_type("execute_reply"), [](Message& message) { message.identities.emplace_back(); })},
      {"date-constant",
       "Always has the same date.",
       {"info.date.now"},
       alter([](const Message&) { return true; }, set(Part::header, "date", "2020-01-01T00:00:00.000000Z"))},
      {"session-per-channel",
       "Has another session on iopub than elsewhere.",
       {"wire.session.single"},
       alter(input(), set(Part::header, "session", "iopub"))},
      {"topic-twice",
       "Puts two frames before the delimiter on iopub.",
       {"wire.iopub.topic"},
       alter(input(), name_two_topics)},
  };
}

}  // namespace faulty
