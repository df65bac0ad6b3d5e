// SPDX-License-Identifier: BSD-3-Clause
// history_request. The form of its entries is the business of schema.history_reply.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <algorithm>

namespace adrastea::conformance {
namespace {

using testing::text_of;

struct Entry {
  Json session;
  Json line;
  Json said;  ///< the input, or [input, output]
};

/// The entries of the reply. NotApplicable when it is not ok or not of its form.
std::vector<Entry> entries(const Message& reply) {
  if (text_of(reply.content, "status") != "ok") Trial::not_applicable("history_reply is not ok: see history.status");
  const auto history = reply.content.find("history");
  if (history == reply.content.end() || !history->is_array())
    Trial::not_applicable("there is no history: see schema.history_reply");
  std::vector<Entry> found;
  for (const auto& entry : *history) {
    if (!entry.is_array() || entry.size() != 3) Trial::not_applicable("an entry is no triple: see schema.history_reply");
    if (!entry[0].is_number_integer() || !entry[1].is_number_integer())
      Trial::not_applicable("a session or line is no integer: see schema.history_reply");
    found.push_back({entry[0], entry[1], entry[2]});
  }
  return found;
}

std::vector<Entry> ask(Trial& trial, Json request, bool output = false) {
  request["output"] = output;
  request["raw"] = true;
  return entries(Trial::reply(trial.ask(Channel::shell, "history_request", request)));
}

std::vector<Entry> tail(Trial& trial, int count, bool output = false) {
  return ask(trial, {{"hist_access_type", "tail"}, {"n", count}}, output);
}

std::vector<Entry> search(Trial& trial, const std::string& pattern, const Json& more = Json::object()) {
  Json request{{"hist_access_type", "search"}, {"pattern", pattern}, {"n", 10}};
  request.update(more);
  return ask(trial, request);
}

/// Whether an entry has its output, too, is what history.output and history.no-output are about.
Json inputs(const std::vector<Entry>& found) {
  Json said = Json::array();
  for (const auto& entry : found) said.push_back(entry.said.is_array() && !entry.said.empty() ? entry.said[0] : entry.said);
  return said;
}

Json said_by(const std::vector<Entry>& found) {
  Json said = Json::array();
  for (const auto& entry : found) said.push_back(entry.said);
  return said;
}

/// Executes a cell that prints a word; returns its code.
std::string run_word(Trial& trial, const ExecuteOptions& options = {}) {
  std::string code = trial.sample("print", {{"text", trial.word()}});
  trial.run(code, options);
  return code;
}

/// Some cells, the last of which is in the history. NotApplicable for a kernel that keeps none.
std::vector<std::string> run_words(Trial& trial, int count) {
  std::vector<std::string> codes;
  for (int i = 0; i < count; ++i) codes.push_back(run_word(trial));
  const Json newest = inputs(tail(trial, 1));
  if (newest.empty() || newest.back() != codes.back())
    Trial::not_applicable("the kernel keeps no history: see history.tail");
  return codes;
}

void is_ok(Trial& trial) {
  const Json request{{"hist_access_type", "tail"}, {"n", 1}, {"output", false}, {"raw", true}};
  const std::string status = text_of(Trial::reply(trial.ask(Channel::shell, "history_request", request)).content, "status");
  trial.check(status == "ok", "the status is '" + status + "'");
}

void keeps_the_last(Trial& trial) {
  const std::string code = run_word(trial);
  const Json said = inputs(tail(trial, 1));
  // How many there are is history.tail.count's business.
  trial.expect(!said.empty() && said.back() == code, "history_reply", "the tail of 1 is " + said.dump());
}

void ends_with_the_newest(Trial& trial) {
  const auto codes = run_words(trial, 3);
  const Json said = inputs(tail(trial, 2));
  if (said.size() != 2) Trial::not_applicable("there are not two entries: see history.tail.count");
  trial.check(said == Json({codes[1], codes[2]}), "the tail of 2 is " + said.dump());
}

void counts_the_tail(Trial& trial) {
  run_words(trial, 3);
  const std::size_t count = tail(trial, 2).size();
  trial.check(count == 2, "the tail of 2 has " + std::to_string(count) + " entries");
}

/// The line numbers of cells that are in the history.
Json line_of(Trial& trial, const std::string& code) {
  const auto found = tail(trial, 10);
  const Json said = inputs(found);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (said[i] == code) return found[i].line;
  }
  Trial::not_applicable("a cell is not in the tail: see history.tail");
}

Json ask_range(Trial& trial, const Json& session, const Json& start, const Json& stop) {
  return inputs(ask(trial, {{"hist_access_type", "range"}, {"session", session}, {"start", start}, {"stop", stop}}));
}

void finds_a_range(Trial& trial) {
  const auto codes = run_words(trial, 3);
  const Json line = line_of(trial, codes[1]);
  const Json said = ask_range(trial, 0, line, line.get<int>() + 1);
  trial.check(said == Json{codes[1]}, "the range of line " + line.dump() + " is " + said.dump());
}

void stops_before(Trial& trial) {
  const auto codes = run_words(trial, 3);
  const Json said = ask_range(trial, 0, line_of(trial, codes[0]), line_of(trial, codes[2]));
  trial.check(said == Json({codes[0], codes[1]}), "the range is " + said.dump());
}

void goes_to_the_end(Trial& trial) {
  const auto codes = run_words(trial, 3);
  const Json said = ask_range(trial, 0, line_of(trial, codes[1]), nullptr);
  trial.check(said == Json({codes[1], codes[2]}), "the range without stop is " + said.dump());
}

void knows_its_own_session(Trial& trial) {
  const auto codes = run_words(trial, 2);
  const Entry newest = tail(trial, 1).back();
  const Json said = ask_range(trial, newest.session, newest.line, newest.line.get<int>() + 1);
  trial.check(said == Json{codes[1]}, "the tail says session " + newest.session.dump() + ", line " + newest.line.dump() +
                                          "; there is " + said.dump());
}

void finds_a_glob(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.sample("print", {{"text", text}});
  trial.run(code);
  run_words(trial, 2);
  const Json said = inputs(search(trial, "*" + text.substr(0, 3) + "?" + text.substr(4) + "*"));
  trial.check(said == Json{code}, "the search finds " + said.dump());
}

void matches_whole_inputs(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.sample("print", {{"text", text}});
  if (code == text) Trial::not_applicable("the sample print is its text alone");
  trial.run(code);
  run_words(trial, 1);
  const Json said = inputs(search(trial, text));
  trial.check(said.empty(), "the search for a part without * finds " + said.dump());
}

void finds_nothing(Trial& trial) {
  run_words(trial, 1);
  const Json said = inputs(search(trial, "*zq" + trial.word() + "*"));
  trial.check(said.empty(), "the search finds " + said.dump());
}

void finds_the_newest(Trial& trial) {
  const auto codes = run_words(trial, 3);
  const Json said = inputs(search(trial, "*", {{"n", 2}}));
  trial.check(said == Json({codes[1], codes[2]}), "the newest 2 of all are " + said.dump());
}

void finds_once(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.sample("print", {{"text", text}});
  trial.run(code);
  trial.run(code);
  run_words(trial, 1);
  const Json said = inputs(search(trial, "*" + text + "*", {{"unique", true}}));
  trial.check(said == Json{code}, "the unique search finds " + said.dump());
}

void has_outputs(Trial& trial) {
  const auto codes = run_words(trial, 1);
  const auto found = tail(trial, 1, true);
  const Json newest = found.empty() ? Json() : found.back().said;
  trial.check(newest.is_array() && newest.size() == 2 && newest[0] == codes[0],
              "with output the tail of 1 is " + said_by(found).dump());
}

void has_no_outputs(Trial& trial) {
  run_words(trial, 1);
  const auto found = tail(trial, 1, false);
  trial.check(!found.empty() && found.back().said.is_string(), "without output the tail of 1 is " + said_by(found).dump());
}

/// What is executed with the options does not come into the history.
void does_not_keep(Trial& trial, const ExecuteOptions& options) {
  run_words(trial, 1);
  const std::string left_out = run_word(trial, options);
  const Json said = inputs(tail(trial, 3));
  trial.check(std::find(said.begin(), said.end(), Json(left_out)) == said.end(), "the history has " + left_out);
}

void does_not_keep_silent(Trial& trial) { does_not_keep(trial, {.silent = true, .store_history = false}); }
void does_not_keep_unstored(Trial& trial) { does_not_keep(trial, {.store_history = false}); }

void is_answered(Trial& trial, const Json& request) {
  trial.check(trial.try_ask(Channel::shell, "history_request", request).has_value(), "there was no reply");
}

void answers_unknown(Trial& trial) {
  is_answered(trial, {{"hist_access_type", "unknown"}, {"output", false}, {"raw", true}});
}

void answers_a_negative_count(Trial& trial) {
  is_answered(trial, {{"hist_access_type", "tail"}, {"n", -1}, {"output", false}, {"raw", true}});
}

void answers_a_wrong_type(Trial& trial) {
  is_answered(trial, {{"hist_access_type", "tail"}, {"n", "many"}, {"output", false}, {"raw", true}});
}

void answers_a_reversed_range(Trial& trial) {
  is_answered(trial,
              {{"hist_access_type", "range"}, {"session", 0}, {"start", 5}, {"stop", 1}, {"output", false}, {"raw", true}});
}

void answers_nothing(Trial& trial) { is_answered(trial, Json::object()); }

void answers_more_fields(Trial& trial) {
  is_answered(trial, {{"hist_access_type", "tail"}, {"n", 1}, {"output", false}, {"raw", true}, {"unknown", 1}});
}

}  // namespace

std::vector<Case> history_cases() {
  constexpr std::string_view section = "Messaging, History";
  constexpr std::string_view any = "history_reply, whatever its status";
  return {
      {"history.status", section, Level::must, "history_request succeeds, also in a kernel that keeps no history.",
       "asks for the tail of 1", "a reply with status ok", is_ok},
      {"history.tail", section, Level::should, "The tail ends with the cell that was executed last, unchanged.",
       "executes the sample print and asks for the tail of 1", "its code", keeps_the_last},
      {"history.tail.count", section, Level::must, "The tail has as many entries as were asked for.",
       "executes three cells and asks for the tail of 2", "two entries", counts_the_tail},
      {"history.tail.order", section, Level::should, "The tail is in the order of the cells.",
       "executes three cells and asks for the tail of 2", "the second, then the third", ends_with_the_newest},
      {"history.range", section, Level::must, "A range of session 0 is of the current session.",
       "asks for the line that the tail has for a cell", "this cell alone", finds_a_range},
      {"history.range.stop", section, Level::must, "A range has its start and lacks its stop.",
       "asks for the lines from the first of three cells to the third", "the first and the second", stops_before},
      {"history.range.open", section, Level::should, "A range without stop goes to the end.",
       "asks for the lines from the second of three cells to null", "the second and the third", goes_to_the_end},
      {"history.range.session", section, Level::should, "The session of an entry names its session in a range, too.",
       "asks for the session and line that the tail has for a cell", "this cell alone", knows_its_own_session},
      {"history.search", section, Level::must, "A search finds what its glob matches.",
       "searches *word* with one letter of the word as ?", "the one cell with this word", finds_a_glob},
      {"history.search.whole", section, Level::should, "A glob matches whole inputs.",
       "searches a word that is a part of a cell, without *", "nothing", matches_whole_inputs},
      {"history.search.nothing", section, Level::must, "A search that matches nothing finds nothing.",
       "searches a word that no cell has", "an empty history", finds_nothing},
      {"history.search.newest", section, Level::should, "A search finds the newest n matches, in the order of the cells.",
       "executes three cells and searches * with n 2", "the second, then the third", finds_the_newest},
      {"history.search.unique", section, Level::must, "A unique search finds equal inputs once.",
       "executes a cell twice and searches it with unique", "one entry", finds_once},
      {"history.output", section, Level::must, "With output an entry has the pair of input and output.",
       "asks for the tail of 1 with output", "[session, line, [input, output]]", has_outputs},
      {"history.no-output", section, Level::must, "Without output an entry has the input alone.",
       "asks for the tail of 1 without output", "[session, line, input]", has_no_outputs},
      {"history.silent", "Messaging, Execute", Level::must, "A silent cell is not in the history.",
       "executes a silent cell and asks for the tail of 3", "entries without it", does_not_keep_silent},
      {"history.store", "Messaging, Execute", Level::must, "A cell with store_history false is not in the history.",
       "executes such a cell and asks for the tail of 3", "entries without it", does_not_keep_unstored},
      {"history.unknown-access", section, Level::should, "An unknown hist_access_type is answered.",
       "sends hist_access_type 'unknown'", any, answers_unknown},
      {"history.negative", section, Level::should, "A negative n is answered.", "asks for the tail of -1", any,
       answers_a_negative_count},
      {"history.wrong-type", section, Level::should, "An n that is no number is answered.", "asks for the tail of 'many'",
       any, answers_a_wrong_type},
      {"history.reversed", section, Level::should, "A range that ends before it begins is answered.",
       "asks for the lines 5 to 1", any, answers_a_reversed_range},
      {"history.missing", section, Level::should, "A request without any field is answered.", "sends {}", any,
       answers_nothing},
      {"history.more-fields", "Messaging, General Message Format", Level::must,
       "Fields that a kernel does not know are ignored.", "asks for the tail of 1 with an unknown field", any,
       answers_more_fields},
  };
}

}  // namespace adrastea::conformance
