// SPDX-License-Identifier: BSD-3-Clause
// complete_request, inspect_request and is_complete_request.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <algorithm>

namespace adrastea::conformance {
namespace {

using testing::integer_of;
using testing::text_of;

/// By code points, as the protocol counts.
std::vector<std::string> code_points(const std::string& text) {
  std::vector<std::string> points;
  for (const char byte : text) {
    const bool continues = (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
    if (!continues || points.empty()) points.emplace_back();
    points.back() += byte;
  }
  return points;
}

std::int64_t length(const std::string& text) { return static_cast<std::int64_t>(code_points(text).size()); }

std::string part(const std::string& text, std::int64_t begin, std::int64_t end) {
  const auto points = code_points(text);
  std::string joined;
  for (std::int64_t i = std::max<std::int64_t>(begin, 0); i < std::min(end, length(text)); ++i)
    joined += points.at(static_cast<std::size_t>(i));
  return joined;
}

std::string repeated(const std::string& text, int count) {
  std::string joined;
  for (int i = 0; i < count; ++i) joined += text;
  return joined;
}

/// A variable that exists, and its first letters.
struct Variable {
  std::string name;
  std::string prefix;
};

Variable make_variable(Trial& trial) {
  const std::string name = trial.word() + "tail";
  const Exchange made = trial.run(trial.sample("assign", {{"name", name}, {"text", trial.word()}}));
  if (text_of(Trial::reply(made).content, "status") != "ok") Trial::not_applicable("the sample assign does not work");
  return {name, name.substr(0, name.size() - 3)};
}

std::string prefix_code(const Trial& trial, const std::string& letters) {
  return trial.sample("prefix", {{"text", letters}});
}

/// The content of complete_reply. NotApplicable when it is not ok, or is not of the form that it must have.
Json complete(Trial& trial, const std::string& code, std::int64_t cursor) {
  Json content =
      Trial::reply(trial.ask(Channel::shell, "complete_request", {{"code", code}, {"cursor_pos", cursor}})).content;
  if (text_of(content, "status") != "ok") Trial::not_applicable("complete_reply is not ok: see completion.status");
  const auto matches = content.find("matches");
  if (matches == content.end() || !matches->is_array() || !integer_of(content, "cursor_start") ||
      !integer_of(content, "cursor_end"))
    Trial::not_applicable("complete_reply is not what it must be: see schema.complete_reply");
  return content;
}

/// What accepting a completion makes of the code, and what it should.
struct Accepted {
  std::string made;
  std::string wanted;
};

/// Completes a variable's name between `before` and `after`.
Accepted complete_between(Trial& trial, const std::string& before, const std::string& after) {
  const Variable variable = make_variable(trial);
  const std::string typed = before + prefix_code(trial, variable.prefix);
  const std::string code = typed + after;
  const Json content = complete(trial, code, length(typed));
  const auto& matches = content.at("matches");
  const auto found = std::find_if(matches.begin(), matches.end(), [&](const Json& match) {
    return match.is_string() && match.get<std::string>().find(variable.name) != std::string::npos;
  });
  if (found == matches.end()) Trial::not_applicable("the variable is not among the matches: see completion.variable");
  std::string accepted = part(code, 0, *integer_of(content, "cursor_start")) + found->get<std::string>() +
                         part(code, *integer_of(content, "cursor_end"), length(code));
  return {std::move(accepted), before + prefix_code(trial, variable.name) + after};
}

void completes_between(Trial& trial, const std::string& before, const std::string& after) {
  const Accepted code = complete_between(trial, before, after);
  trial.check(code.made == code.wanted, "accepting the match makes '" + code.made + "', not '" + code.wanted + "'");
}

std::string line_with(const Trial& trial, const std::string& text) {
  return trial.sample("print", {{"text", text}}) + "\n";
}

void is_ok(Trial& trial) {
  const std::string code = prefix_code(trial, "a");
  const Exchange completed = trial.ask(Channel::shell, "complete_request", {{"code", code}, {"cursor_pos", length(code)}});
  const std::string status = text_of(Trial::reply(completed).content, "status");
  trial.check(status == "ok", "the status is '" + status + "'");
}

void finds_a_variable(Trial& trial) {
  const Variable variable = make_variable(trial);
  const std::string code = prefix_code(trial, variable.prefix);
  const Json content = complete(trial, code, length(code));
  trial.check(content.at("matches").dump().find(variable.name) != std::string::npos,
              "the matches " + content.at("matches").dump() + " lack " + variable.name);
}

void replaces_the_range(Trial& trial) { completes_between(trial, line_with(trial, "abc"), ""); }

/// The same where only the units of a position differ.
void counts(Trial& trial, const std::string& text) {
  const Accepted plain = complete_between(trial, line_with(trial, "abc"), "");
  if (plain.made != plain.wanted) Trial::not_applicable("the range is wrong after ASCII, too: see completion.range");
  completes_between(trial, line_with(trial, text), "");
}

void counts_code_points(Trial& trial) { counts(trial, "äµ€"); }
void counts_astral_once(Trial& trial) { counts(trial, "𝄞"); }
void leaves_what_follows(Trial& trial) { completes_between(trial, "", "\n" + line_with(trial, "äµ€𝄞")); }

void stays_inside(Trial& trial) {
  const Variable variable = make_variable(trial);
  const std::string code = prefix_code(trial, variable.prefix);
  const Json content = complete(trial, code, length(code));
  const std::int64_t start = *integer_of(content, "cursor_start");
  const std::int64_t end = *integer_of(content, "cursor_end");
  trial.check(
      0 <= start && start <= end && end <= length(code),
      "the range is " + std::to_string(start) + " to " + std::to_string(end) + " of " + std::to_string(length(code)));
}

Json complete_nothing(Trial& trial) {
  const std::string code = prefix_code(trial, "zq" + trial.word());
  return Trial::reply(trial.ask(Channel::shell, "complete_request", {{"code", code}, {"cursor_pos", length(code)}}))
      .content;
}

void is_ok_without_matches(Trial& trial) {
  const std::string status = text_of(complete_nothing(trial), "status");
  trial.check(status == "ok", "the status is '" + status + "'");
}

void has_no_matches(Trial& trial) {
  const Json content = complete_nothing(trial);
  if (!content.contains("matches")) Trial::not_applicable("there are no matches: see completion.none.status");
  trial.expect(content.at("matches") == Json::array(), "complete_reply", "the matches are " + content.at("matches").dump());
}

void types_its_matches(Trial& trial) {
  const Variable variable = make_variable(trial);
  const std::string code = prefix_code(trial, variable.prefix);
  const Json content = complete(trial, code, length(code));
  const Json metadata = content.value("metadata", Json());
  if (!metadata.is_object() || !metadata.contains("_jupyter_types_experimental"))
    Trial::not_applicable("the kernel does not type its matches");
  const Json types = metadata.at("_jupyter_types_experimental");
  trial.expect(types.is_array() && types.size() == content.at("matches").size(), "complete_reply",
               std::to_string(content.at("matches").size()) + " matches have " + std::to_string(types.size()) + " types");
}

/// That a reply comes, whatever it says.
void is_answered(Trial& trial, std::string_view type, const Json& content) {
  trial.check(trial.try_ask(Channel::shell, type, content).has_value(), "there was no reply");
}

void answers_complete(Trial& trial, const Json& cursor) {
  is_answered(trial, "complete_request", {{"code", prefix_code(trial, "a")}, {"cursor_pos", cursor}});
}

void answers_empty_code(Trial& trial) { is_answered(trial, "complete_request", {{"code", ""}, {"cursor_pos", 0}}); }
void answers_negative(Trial& trial) { answers_complete(trial, -1); }
void answers_beyond(Trial& trial) { answers_complete(trial, 1000000); }
void answers_null(Trial& trial) { answers_complete(trial, nullptr); }
void answers_text(Trial& trial) { answers_complete(trial, "1"); }
void answers_float(Trial& trial) { answers_complete(trial, 1.0); }
void answers_missing(Trial& trial) { is_answered(trial, "complete_request", {{"code", prefix_code(trial, "a")}}); }

// ---- inspect ----

Json inspect(Trial& trial, const std::string& code, std::int64_t cursor, const Json& detail = 0) {
  Json request{{"code", code}, {"cursor_pos", cursor}};
  if (!detail.is_null()) request["detail_level"] = detail;
  return Trial::reply(trial.ask(Channel::shell, "inspect_request", request)).content;
}

bool is_found(const Json& content) { return content.value("found", Json()) == true; }

Json inspect_documented(Trial& trial, const Json& detail = 0) {
  const std::string code = trial.sample("documented");
  return inspect(trial, code, length(code), detail);
}

void need_inspection(Trial& trial) {
  if (!is_found(inspect_documented(trial))) Trial::not_applicable("nothing is found: see inspect.found");
}

void finds_documented(Trial& trial) {
  const Json content = inspect_documented(trial);
  trial.check(is_found(content), "inspect_reply is " + content.dump().substr(0, 200));
}

void shows_plain_text(Trial& trial) {
  const Json content = inspect_documented(trial);
  if (!is_found(content)) Trial::not_applicable("nothing is found: see inspect.found");
  const Json data = content.value("data", Json());
  trial.check(data.is_object() && data.contains("text/plain"), "the data have no text/plain");
}

void finds_in_detail(Trial& trial) {
  need_inspection(trial);
  trial.check(is_found(inspect_documented(trial, 1)), "nothing is found with detail_level 1");
}

void finds_without_detail(Trial& trial) {
  need_inspection(trial);
  const std::string code = trial.sample("documented");
  const auto reply = trial.try_ask(Channel::shell, "inspect_request", {{"code", code}, {"cursor_pos", length(code)}});
  trial.check(reply && is_found(reply->content), "nothing is found without detail_level");
}

void finds_in_the_middle(Trial& trial) {
  need_inspection(trial);
  const std::string code = trial.sample("documented");
  trial.check(is_found(inspect(trial, code, length(code) - 1)), "nothing is found one letter before the end of the name");
}

void finds_after(Trial& trial, const std::string& text) {
  need_inspection(trial);
  const std::string code = line_with(trial, text) + trial.sample("documented");
  trial.check(is_found(inspect(trial, code + "\n" + repeated("\n", 200), length(code))), "nothing is found after " + text);
}

void finds_after_unicode(Trial& trial) { finds_after(trial, repeated("äµ€", 10)); }
void finds_after_astral(Trial& trial) { finds_after(trial, repeated("𝄞", 30)); }

Json inspect_unknown(Trial& trial) {
  const std::string code = prefix_code(trial, "zq" + trial.word());
  return inspect(trial, code, length(code));
}

void is_ok_when_unknown(Trial& trial) {
  const Json content = inspect_unknown(trial);
  trial.check(text_of(content, "status") == "ok" && content.value("found", Json()) == false,
              "inspect_reply is " + content.dump().substr(0, 200));
}

void has_no_data_when_unknown(Trial& trial) {
  const Json content = inspect_unknown(trial);
  if (content.value("found", Json()) != false) Trial::not_applicable("see inspect.unknown");
  trial.check(content.value("data", Json()) == Json::object(), "the data are " + content.value("data", Json()).dump());
}

void answers_inspection_of_nothing(Trial& trial) {
  is_answered(trial, "inspect_request", {{"code", ""}, {"cursor_pos", 0}, {"detail_level", 0}});
}

void answers_inspection_beyond(Trial& trial) {
  is_answered(trial, "inspect_request", {{"code", "a"}, {"cursor_pos", 1000000}, {"detail_level", 0}});
}

void answers_inspection_null(Trial& trial) {
  is_answered(trial, "inspect_request", {{"code", "a"}, {"cursor_pos", nullptr}, {"detail_level", 0}});
}

// ---- is_complete ----

void is_called(Trial& trial, const std::string& sample, const std::string& name) {
  const Exchange asked = trial.ask(Channel::shell, "is_complete_request", {{"code", trial.sample(sample)}});
  const std::string status = text_of(Trial::reply(asked).content, "status");
  trial.check(status == name || status == "unknown", "the status is '" + status + "'");
}

void knows_complete(Trial& trial) { is_called(trial, "complete", "complete"); }
void knows_incomplete(Trial& trial) { is_called(trial, "incomplete", "incomplete"); }
void knows_invalid(Trial& trial) { is_called(trial, "invalid", "invalid"); }

void runs_nothing(Trial& trial) {
  const std::string code = trial.sample("print", {{"text", trial.word()}});
  const Exchange asked = trial.ask(Channel::shell, "is_complete_request", {{"code", code}});
  trial.check(asked.published.empty(), "it published " + std::to_string(asked.published.size()) + " messages");
}

void answers_without_code(Trial& trial) { is_answered(trial, "is_complete_request", Json::object()); }

std::vector<Case> complete_cases() {
  constexpr std::string_view section = "Messaging, Completion";
  constexpr std::string_view cursor = "Messaging, cursor_pos is in unicode code points";
  constexpr std::string_view completes = "completes the first letters of a variable's name";
  constexpr std::string_view whole = "the match in place of the range gives the whole name; no such match is right, too";
  constexpr std::string_view any = "complete_reply, whatever its status";
  return {
      {"completion.status", section, Level::must, "complete_request succeeds.", "completes one letter",
       "a reply with status ok", is_ok},
      {"completion.variable", section, Level::should, "A variable's name is completed.", completes, "a match with the name",
       finds_a_variable},
      {"completion.range", section, Level::must, "The matches replace the text from cursor_start to cursor_end.",
       "completes the first letters of a variable's name on the line after another", whole, replaces_the_range},
      {"completion.range.inside", section, Level::must, "The range that the matches replace is one of the code.", completes,
       "0 <= cursor_start <= cursor_end <= the code's length in code points", stays_inside},
      {"completion.unicode", cursor, Level::must, "Positions count code points, not bytes.",
       "completes a variable's name on the line after one with äµ€", whole, counts_code_points},
      {"completion.unicode.astral", cursor, Level::must, "Positions count code points, not UTF-16 units.",
       "completes a variable's name on the line after one with 𝄞", whole, counts_astral_once},
      {"completion.rest", section, Level::must, "What follows the cursor stays as it is.",
       "completes a variable's name on the line before another", whole, leaves_what_follows},
      {"completion.none.status", section, Level::must, "A completion without matches succeeds.",
       "completes a name that nothing has", "a reply with status ok", is_ok_without_matches},
      {"completion.none.matches", section, Level::should, "A name that nothing begins with has no matches.",
       "completes a name that nothing has", "matches []; a completer that guesses may have some", has_no_matches},
      {"completion.types", "JupyterLab, _jupyter_types_experimental", Level::should, "Every match has a type, or none has.",
       completes, "as many types as matches; metadata without types are right, too", types_its_matches},
      {"completion.empty", section, Level::should, "Empty code is completed.", "completes the code ''", any,
       answers_empty_code},
      {"completion.cursor.negative", section, Level::should, "A cursor_pos before the code is answered.",
       "sends cursor_pos -1", any, answers_negative},
      {"completion.cursor.beyond", section, Level::should, "A cursor_pos behind the code is answered.",
       "sends cursor_pos 1000000", any, answers_beyond},
      {"completion.cursor.null", section, Level::should,
       "A cursor_pos of null, which some clients send for the end, is answered.", "sends cursor_pos null", any,
       answers_null},
      {"completion.cursor.text", section, Level::should, "A cursor_pos that is text is answered.", "sends cursor_pos '1'",
       any, answers_text},
      {"completion.cursor.float", section, Level::should,
       "A cursor_pos written with a fraction of 0, as some JSON writers do, is answered.", "sends cursor_pos 1.0", any,
       answers_float},
      {"completion.cursor.missing", section, Level::should, "A request without cursor_pos is answered.",
       "sends no cursor_pos", any, answers_missing},
  };
}

std::vector<Case> inspect_cases() {
  constexpr std::string_view section = "Messaging, Introspection";
  constexpr std::string_view cursor = "Messaging, cursor_pos is in unicode code points";
  constexpr std::string_view inspects = "inspects the sample documented, with the cursor at its end";
  constexpr std::string_view found = "found is true; a kernel that finds nothing with detail_level 0 is not judged";
  constexpr std::string_view any = "inspect_reply, whatever its status";
  return {
      {"inspect.found", section, Level::should, "What the standard library documents is found.", inspects, "found is true",
       finds_documented},
      {"inspect.found.plain", section, Level::must, "What is found has a plain text.", inspects,
       "data with text/plain, or found is false", shows_plain_text},
      {"inspect.detail", section, Level::must, "detail_level 1 finds what detail_level 0 finds.",
       "inspects the sample documented with each", found, finds_in_detail},
      {"inspect.detail.missing", section, Level::should, "detail_level is 0 when it is missing.",
       "inspects the sample documented without detail_level", found, finds_without_detail},
      {"inspect.middle", section, Level::should, "A name is found wherever the cursor is in it.",
       "inspects the sample documented with the cursor before its last letter", found, finds_in_the_middle},
      {"inspect.unicode", cursor, Level::must, "cursor_pos counts code points, not bytes.",
       "inspects the sample documented on the line after one with äµ€, ten times", found, finds_after_unicode},
      {"inspect.unicode.astral", cursor, Level::must, "cursor_pos counts code points, not UTF-16 units.",
       "inspects the sample documented on the line after one with 30 𝄞", found, finds_after_astral},
      {"inspect.unknown", section, Level::must, "An inspection that finds nothing succeeds.",
       "inspects a name that nothing has", "status ok and found false", is_ok_when_unknown},
      {"inspect.unknown.data", section, Level::should, "What is not found has no data.", "inspects a name that nothing has",
       "data {}", has_no_data_when_unknown},
      {"inspect.empty", section, Level::should, "Empty code is inspected.", "inspects the code ''", any,
       answers_inspection_of_nothing},
      {"inspect.cursor.beyond", section, Level::should, "A cursor_pos behind the code is answered.",
       "sends cursor_pos 1000000", any, answers_inspection_beyond},
      {"inspect.cursor.null", section, Level::should,
       "A cursor_pos of null, which some clients send for the end, is answered.", "sends cursor_pos null", any,
       answers_inspection_null},
  };
}

}  // namespace

std::vector<Case> completion_cases() {
  constexpr std::string_view section = "Messaging, Code completeness";
  std::vector<Case> cases = complete_cases();
  for (const auto& one : inspect_cases()) cases.push_back(one);
  const std::vector<Case> completeness{
      {"is_complete.complete", section, Level::must, "Whole code is complete.", "asks about the sample complete",
       "complete or unknown", knows_complete},
      {"is_complete.incomplete", section, Level::should, "Code that lacks its end is incomplete.",
       "asks about the sample incomplete", "incomplete or unknown", knows_incomplete},
      {"is_complete.invalid", section, Level::should, "Code that can never be right is invalid.",
       "asks about the sample invalid", "invalid or unknown", knows_invalid},
      {"is_complete.runs-nothing", section, Level::must, "Code that is asked about is not executed.",
       "asks about the sample print", "nothing is published but busy and idle", runs_nothing},
      {"is_complete.missing", section, Level::should, "A request without code is answered.", "sends {}",
       "is_complete_reply, whatever its status", answers_without_code},
  };
  cases.insert(cases.end(), completeness.begin(), completeness.end());
  return cases;
}

}  // namespace adrastea::conformance
