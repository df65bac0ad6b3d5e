// SPDX-License-Identifier: BSD-3-Clause
// Faults of what a kernel knows: of code, of its past and of itself.
#include "hooks.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace faulty {
namespace {

Test ok(const char* type) { return all_of({of_type(type), has_status("ok")}); }

/// Changes the content of a reply.
Change content(std::function<void(Json& content, const Json& request)> change) {
  return [change = std::move(change)](Message& message) {
    Json whole = message.json(Part::content);
    change(whole, request_of(message));
    message.set(Part::content, whole);
  };
}

void fail(Json& content) {
  content = {{"status", "error"}, {"ename", "Error"}, {"evalue", "no"}, {"traceback", Json::array()}};
}

/// How many bytes of the code are in the middle of a character, and how many characters are beyond the BMP.
int continuation_bytes(const std::string& code) {
  return static_cast<int>(std::count_if(code.begin(), code.end(),
                                        [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }));
}
int astral_characters(const std::string& code) {
  return static_cast<int>(
      std::count_if(code.begin(), code.end(), [](char byte) { return static_cast<unsigned char>(byte) >= 0xF0U; }));
}

/// The code up to the cursor of a complete_request.
std::string before_cursor(const Json& request) {
  const std::string code = string_at(request, "code");
  const Json cursor = request.value("cursor_pos", Json());
  int left = cursor.is_number_integer() ? cursor.get<int>() : 0;
  std::size_t end = 0;
  while (end < code.size() && (left > 0 || (static_cast<unsigned char>(code[end]) & 0xC0U) == 0x80U)) {
    if ((static_cast<unsigned char>(code[end]) & 0xC0U) != 0x80U) --left;
    ++end;
  }
  return code.substr(0, end);
}

/// Moves the range by so many more as the code has of something before the cursor.
Change move_range(int (*more)(const std::string&)) {
  return content([more](Json& reply, const Json& request) {
    const int step = more(before_cursor(request));
    for (const char* end : {"cursor_start", "cursor_end"}) reply[end] = reply[end].get<int>() + step;
  });
}

/// Takes the cursor_pos of an inspect_request for another unit: each character of the code is so many of it.
HookMaker misread_cursor(int (*units)(const std::string& character)) {
  return alter(of_type("inspect_request"), [units](Message& message) {
    const Json request = message.json(Part::content);
    if (!request.contains("cursor_pos") || !request["cursor_pos"].is_number_integer()) return;
    const std::string code = string_at(request, "code");
    int left = request["cursor_pos"].get<int>();
    int characters = 0;
    for (std::size_t start = 0; start < code.size() && left > 0; ++characters) {
      std::size_t end = start + 1;
      while (end < code.size() && (static_cast<unsigned char>(code[end]) & 0xC0U) == 0x80U) ++end;
      left -= units(code.substr(start, end - start));
      start = end;
    }
    message.set(Part::content, "cursor_pos", characters);
  });
}

int bytes(const std::string& character) { return static_cast<int>(character.size()); }
int utf16_units(const std::string& character) { return character.size() > 3 ? 2 : 1; }

/// An answer to a request whose cursor_pos is no position in its code.
bool has_odd_cursor(const Message& message) {
  if (message.type() != "complete_reply" && message.type() != "inspect_reply") return false;
  const Json request = request_of(message);
  const Json cursor = request.value("cursor_pos", Json());
  if (!cursor.is_number_integer()) return true;
  const auto position = cursor.get<std::int64_t>();
  return position < 0 || position > static_cast<std::int64_t>(string_at(request, "code").size());
}

bool has_matches(const Message& message) {
  const Json reply = message.json(Part::content);
  return message.type() == "complete_reply" && reply.contains("matches") && !reply["matches"].empty();
}

std::vector<Fault> completion_faults() {
  const Test complete = ok("complete_reply");
  const Test none = all_of({complete, without(has_matches)});
  return {
      {"completes-no-variables", "Does not complete variables.", {"completion.variable"}},
      {"completion-fails",
       "Has no completions but errors.",
       {"completion.status", "completion.none.status"},
       alter(complete, content([](Json& reply, const Json&) { fail(reply); }))},
      {"completion-none-fails",
       "Fails when it has no completions.",
       {"completion.none.status"},
       alter(none, content([](Json& reply, const Json&) { fail(reply); }))},
      {"completion-of-nothing",
       "Completes what nothing begins with.",
       {"completion.none.matches"},
       alter(none, content([](Json& reply, const Json&) { reply["matches"].push_back("something"); }))},
      {"completion-whole-line",
       "Replaces the whole code by a match.",
       {"completion.range"},
       alter(complete, set(Part::content, "cursor_start", 0))},
      {"completion-swallows-rest",
       "Replaces what follows the cursor, too.",
       {"completion.rest"},
       alter(complete, content([](Json& reply, const Json& request) {
               const std::string code = string_at(request, "code");
               reply["cursor_end"] = static_cast<int>(code.size()) - continuation_bytes(code);
             }))},
      {"completion-out-of-range",
       "Has a range that is not in the code.",
       {"completion.range.inside", "completion.rest"},
       alter(complete,
             content([](Json& reply, const Json&) { reply["cursor_end"] = reply["cursor_end"].get<int>() + 1000; }))},
      {"completion-counts-bytes",
       "Counts bytes in completions.",
       {"completion.unicode", "completion.unicode.astral"},
       alter(has_matches, move_range(continuation_bytes))},
      {"completion-counts-utf16",
       "Counts UTF-16 units in completions.",
       {"completion.unicode.astral"},
       alter(has_matches, move_range(astral_characters))},
      {"odd-cursor-unanswered",
       "Does not answer requests whose cursor is not in the code.",
       {"completion.cursor.negative", "completion.cursor.beyond", "completion.cursor.null", "completion.cursor.text",
        "completion.cursor.float", "completion.cursor.missing", "inspect.cursor.beyond", "inspect.cursor.null"},
       drop(has_odd_cursor)},
      {"completion-types-missing",
       "Has fewer types than matches.",
       {"completion.types"},
       alter(has_matches, content([](Json& reply, const Json&) {
               Json& types = reply["metadata"]["_jupyter_types_experimental"];
               if (types.is_array() && !types.empty()) types.erase(types.size() - 1);
             }))},
  };
}

std::vector<Fault> inspection_faults() {
  const Test inspect = ok("inspect_reply");
  const auto found = [](bool yes) {
    return [yes](const Message& message) { return message.json(Part::content).value("found", Json()) == yes; };
  };
  const Change lose = content([](Json& reply, const Json&) {
    reply["found"] = false;
    reply["data"] = Json::object();
  });
  const auto is_detailed = [](const Message& message) { return request_of(message).value("detail_level", Json(0)) == 1; };
  return {
      {"inspect-finds-nothing", "Never finds anything.", {"inspect.found"}, alter(inspect, lose)},
      {"inspect-no-plain-text",
       "Has no plain text of what it finds.",
       {"inspect.found.plain"},
       alter(all_of({inspect, found(true)}), set(Part::content, "data", {{"text/html", "<b>it</b>"}}))},
      {"inspect-no-detail", "Finds nothing in detail.", {"inspect.detail"}, alter(all_of({inspect, is_detailed}), lose)},
      {"inspect-unknown-fails",
       "Fails when it finds nothing.",
       {"inspect.unknown"},
       alter(all_of({inspect, found(false)}), content([](Json& reply, const Json&) { fail(reply); }))},
      {"inspect-unknown-data",
       "Has data of what it did not find.",
       {"inspect.unknown.data"},
       alter(all_of({inspect, found(false)}), set(Part::content, "data", {{"text/plain", "not found"}}))},
      {"inspect-needs-detail-level",
       "Finds nothing when detail_level is missing.",
       {"inspect.detail.missing"},
       alter(all_of({inspect, [](const Message& message) { return !request_of(message).contains("detail_level"); }}),
             lose)},
      {"inspect-counts-bytes",
       "Takes cursor_pos for bytes.",
       {"inspect.unicode", "inspect.unicode.astral"},
       {},
       misread_cursor(bytes)},
      {"inspect-counts-utf16",
       "Takes cursor_pos for UTF-16 units.",
       {"inspect.unicode.astral"},
       {},
       misread_cursor(utf16_units)},
      {"complete-is-invalid",
       "Takes whole code for invalid.",
       {"is_complete.complete"},
       alter(all_of({of_type("is_complete_reply"), has_status("complete")}), set(Part::content, "status", "invalid"))},
      {"incomplete-is-complete",
       "Takes half code for complete.",
       {"is_complete.incomplete"},
       alter(all_of({of_type("is_complete_reply"), has_status("incomplete")}),
             [](Message& message) {
               message.set(Part::content, {{"status", "complete"}});
             })},
      {"invalid-is-complete",
       "Takes invalid code for complete.",
       {"is_complete.invalid"},
       alter(all_of({of_type("is_complete_reply"), has_status("invalid")}), set(Part::content, "status", "complete"))},
      {"is-complete-needs-code",
       "Does not answer an is_complete_request without code.",
       {"is_complete.missing"},
       drop(all_of(
           {of_type("is_complete_reply"), [](const Message& message) { return !request_of(message).contains("code"); }}))},
      {"is-complete-runs", "Runs the code that it is only asked about.", {"is_complete.runs-nothing"}},
  };
}

// ---- history ----

Change history(std::function<void(Json& entries, const Json& request)> change) {
  return content([change = std::move(change)](Json& reply, const Json& request) { change(reply["history"], request); });
}

Test access(const char* kind) {
  return all_of({ok("history_reply"), [kind = std::string(kind)](const Message& message) {
                   return string_at(request_of(message), "hist_access_type") == kind;
                 }});
}

/// Replaces a field of history_request before the kernel sees it.
HookMaker asked(const char* kind, const char* field, Json value) {
  return alter(
      [kind = std::string(kind)](const Message& message) {
        return message.type() == "history_request" && string_at(message.json(Part::content), "hist_access_type") == kind;
      },
      set(Part::content, field, std::move(value)));
}

std::vector<Fault> history_faults() {
  const auto reverse = [](Json& entries, const Json&) { std::reverse(entries.begin(), entries.end()); };
  return {
      {"history-fails",
       "Keeps no history, and says so by errors.",
       {"history.status"},
       alter(ok("history_reply"), content([](Json& reply, const Json&) { fail(reply); }))},
      {"history-tail-empty",
       "Has no tail of its history.",
       {"history.tail"},
       alter(access("tail"), set(Part::content, "history", Json::array()))},
      {"history-tail-ignores-n", "Has the whole history for a tail.", {"history.tail.count"}, {}, asked("tail", "n", 1000)},
      {"history-tail-reversed",
       "Has the newest of the tail first.",
       {"history.tail.order"},
       alter(access("tail"), history(reverse))},
      {"history-range-empty",
       "Finds no range.",
       {"history.range", "history.range.open", "history.range.session", "history.range.stop"},
       alter(access("range"), set(Part::content, "history", Json::array()))},
      {"history-range-with-stop",
       "Has the stop in a range.",
       {"history.range.stop", "history.range"},
       {},
       alter(
           [](const Message& message) {
             const Json stop = message.json(Part::content).value("stop", Json());
             return message.type() == "history_request" && stop.is_number_integer();
           },
           [](Message& message) {
             message.set(Part::content, "stop", message.json(Part::content).at("stop").get<std::int64_t>() + 1);
           })},
      {"history-search-empty",
       "Finds nothing in its history.",
       {"history.search", "history.search.newest", "history.search.unique"},
       alter(access("search"), set(Part::content, "history", Json::array()))},
      {"history-search-all",
       "Finds everything in its history.",
       {"history.search.nothing", "history.search", "history.search.unique", "history.search.whole"},
       {},
       asked("search", "pattern", "*")},
      {"history-search-parts",
       "Finds parts of inputs.",
       {"history.search.whole"},
       {},
       alter([](const Message& message) { return message.type() == "history_request"; },
             [](Message& message) {
               message.set(Part::content, "pattern", "*" + string_at(message.json(Part::content), "pattern") + "*");
             })},
      {"history-search-reversed",
       "Has the newest match first.",
       {"history.search.newest"},
       alter(access("search"), history(reverse))},
      {"history-unique-ignored",
       "Finds equal inputs again and again.",
       {"history.search.unique"},
       {},
       asked("search", "unique", false)},
      {"history-knows-all-fields",
       "Does not answer a history_request with a field that it does not know.",
       {"history.more-fields"},
       drop(all_of(
           {of_type("history_reply"), [](const Message& message) { return request_of(message).contains("unknown"); }}))},
      {"history-outputs-missing",
       "Has no outputs.",
       {"history.output"},
       {},
       alter(of_type("history_request"), set(Part::content, "output", false))},
      {"history-outputs-always",
       "Has outputs that nobody asked for.",
       {"history.no-output"},
       {},
       alter(of_type("history_request"), set(Part::content, "output", true))},
  };
}

// ---- of itself ----

Change language(const char* field, Json value) {
  return content([field, value = std::move(value)](Json& reply, const Json&) { reply["language_info"][field] = value; });
}

Test welcomes_to(std::string topic) {
  return [topic = std::move(topic)](const Message& message) {
    return string_at(message.json(Part::content), "subscription") == topic;
  };
}

HookMaker welcome_twenty() {
  return [welcomed = std::make_shared<int>(0)]() -> Hook {
    return [welcomed](Message message, const Way& way) {
      if (message.type() == "iopub_welcome" && ++*welcomed > 20) return;
      way.on(std::move(message));
    };
  };
}

/// As of a socket without ZMQ_XPUB_VERBOSE. Each welcome has a hook of its own, and only those of iopub see any: they share
/// one thread.
HookMaker welcome_once() {
  return [welcomed = std::make_shared<std::set<std::string>>()]() -> Hook {
    return [welcomed](Message message, const Way& way) {
      const bool welcome = message.type() == "iopub_welcome";
      if (welcome && !welcomed->insert(string_at(message.json(Part::content), "subscription")).second) return;
      way.on(std::move(message));
    };
  };
}

std::vector<Fault> info_faults() {
  const Test info = ok("kernel_info_reply");
  return {
      {"info-other-on-control",
       "Is another implementation on control.",
       {"info.control.same"},
       alter(all_of({info, on_channel(Channel::control)}), set(Part::content, "implementation", "another"))},
      {"info-not-on-control",
       "Does not answer kernel_info_request on control.",
       {"info.control"},
       drop(all_of({info, on_channel(Channel::control)}))},
      {"info-version-4",
       "Says that it speaks version 4.",
       {"info.version"},
       alter(info, set(Part::content, "protocol_version", "4.1"))},
      {"info-no-mimetype",
       "Has no mime type but a word.",
       {"info.language.mimetype"},
       alter(info, language("mimetype", "faulty"))},
      {"info-no-language-version",
       "Does not know its language's version.",
       {"info.language.version"},
       alter(info, language("version", ""))},
      {"info-no-implementation-version",
       "Does not know its own version.",
       {"info.implementation.version"},
       alter(info, set(Part::content, "implementation_version", ""))},
      {"info-debugger-unsure",
       "Has a debugger and none.",
       {"info.debugger"},
       alter(info, set(Part::content, "debugger", true))},
      {"info-feature-twice",
       "Names a feature twice.",
       {"info.features.once"},
       alter(info, set(Part::content, "supported_features", Json::array({"one", "one"})))},
      {"info-links-relative",
       "Has links to nowhere.",
       {"info.help-links"},
       alter(info, set(Part::content, "help_links", Json::array({{{"text", "help"}, {"url", "help.html"}}})))},
      {"welcome-missing",
       "Welcomes nobody.",
       {"welcome.sent", "welcome.topic", "welcome.topic.unicode"},
       drop(of_type("iopub_welcome"))},
      {"welcome-once", "Welcomes the first subscriber to each topic only.", {"welcome.each"}, welcome_once()},
      {"welcome-twice", "Welcomes every subscription twice.", {"welcome.once"}, repeat(of_type("iopub_welcome"))},
      {"welcome-late",
       "Publishes something to new subscribers before it welcomes them.",
       {"welcome.first"},
       precede(all_of({of_type("iopub_welcome"), welcomes_to("")}),
               [](Message& message) {
                 become(message, "stream", {{"name", "stderr"}, {"text", "somebody is there\n"}});
               })},
      {"welcome-twenty", "Welcomes twenty subscribers.", {"welcome.many"}, welcome_twenty()},
      {"welcome-leavers", "Welcomes who leaves.", {"welcome.unsubscribe"}},
      {"welcome-two-frames",
       "Puts two frames before the delimiter of a welcome.",
       {"welcome.frame", "welcome.frame.empty"},
       alter(of_type("iopub_welcome"), [](Message& message) { message.identities.emplace_back("second"); })},
      {"welcome-parent",
       "Welcomes with a parent.",
       {"welcome.parent"},
       alter(of_type("iopub_welcome"), [](Message& message) { message.set(Part::parent, message.json(Part::header)); })},
      {"welcome-topic-wrong",
       "Welcomes to another topic.",
       {"welcome.sent", "welcome.topic", "welcome.topic.unicode"},
       alter(of_type("iopub_welcome"), set(Part::content, "subscription", "another"))},
  };
}

/// What the protocol's text lets a kernel leave alone.
std::vector<Fault> unhandled_faults() {
  return {
      {"completion-unhandled",
       "Leaves complete_request alone.",
       {"offers.completion"},
       {},
       drop(of_type("complete_request"))},
      {"inspection-unhandled",
       "Leaves inspect_request alone.",
       {"offers.inspection"},
       {},
       drop(of_type("inspect_request"))},
      {"is-complete-unhandled",
       "Leaves is_complete_request alone.",
       {"offers.is-complete"},
       {},
       drop(of_type("is_complete_request"))},
      {"history-unhandled", "Leaves history_request alone.", {"offers.history"}, {}, drop(of_type("history_request"))},
      {"comm-info-unhandled",
       "Leaves comm_info_request alone.",
       {"offers.comm-info"},
       {},
       drop(of_type("comm_info_request"))},
      {"comms-unhandled", "Leaves comm_open alone.", {"offers.comms"}, {}, drop(of_type("comm_open"))},
  };
}

}  // namespace

std::vector<Fault> knowledge_faults() {
  std::vector<Fault> all = completion_faults();
  for (const auto& more : {inspection_faults(), history_faults(), info_faults(), unhandled_faults()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace faulty
