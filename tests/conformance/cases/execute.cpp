// SPDX-License-Identifier: BSD-3-Clause
// execute_request and what it causes.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace adrastea::conformance {
namespace {

// ---- print and result ----

void prints(Trial& trial) {
  const std::string text = trial.word();
  const Exchange cell = trial.observe(trial.sample("print", {{"text", text}}));
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "stdout is " + quote(cell.text("stdout")) + ", without " + text);
}

void succeeds(Trial& trial) {
  const Exchange cell = trial.run(trial.sample("print", {{"text", trial.word()}}));
  check_status(trial, cell, "ok");
}

void expect_result(Trial& trial, const Exchange& cell, const std::string& text) {
  const auto results = Trial::of_type(cell, "execute_result");
  trial.expect(!results.empty(), "execute_result", "there is no execute_result");
  trial.expect(plain_text(results.front()).find(text) != std::string::npos, "execute_result",
               "the result's text/plain is " + quote(plain_text(results.front())) + ", without " + text);
}

void shows_result(Trial& trial) {
  const std::string text = trial.word();
  expect_result(trial, trial.observe(trial.sample("result", {{"text", text}})), text);
}

void shows_result_after_statements(Trial& trial) {
  const std::string text = trial.word();
  const std::string assign = trial.sample("assign", {{"name", trial.word()}, {"text", trial.word()}});
  expect_result(trial, trial.observe(trial.cell({assign, trial.sample("result", {{"text", text}})})), text);
}

void shows_nothing_of_statements(Trial& trial) {
  const Exchange cell = trial.observe(trial.sample("nothing"));
  trial.check(Trial::of_type(cell, "execute_result").empty(), "a statement has an execute_result");
}

void accepts_empty_code(Trial& trial) {
  const Exchange cell = trial.run("");
  check_status(trial, cell, "ok");
}

// ---- execute_input ----

void announces(Trial& trial, const std::string& code) {
  const Exchange cell = trial.observe(code, {.stop_on_error = false});
  const auto inputs = Trial::of_type(cell, "execute_input");
  if (inputs.empty()) Trial::not_applicable("there was no execute_input: see order.input.sent");
  const std::string announced = testing::text_of(inputs.front().content, "code");
  trial.expect(announced == code, "execute_input", "execute_input has the code " + quote(announced));
}

void announces_code(Trial& trial) { announces(trial, trial.sample("print", {{"text", trial.word()}})); }
void announces_unicode(Trial& trial) { announces(trial, "äµ€𝄞 \u202e\u200d \U0001F469\u200d\U0001F52C e\u0301"); }
void announces_controls(Trial& trial) {
  announces(trial,
            "a\x01"
            "b\x1b\x7f");
}
void announces_nul(Trial& trial) { announces(trial, std::string("a\0b", 3)); }
void announces_line_ends(Trial& trial) { announces(trial, "\r\n a\r\n\r\tb \n\n"); }
void announces_long_code(Trial& trial) {
  announces(trial, trial.sample("print", {{"text", std::string(std::size_t{1} << 20, 'x')}}));
}

// ---- silent, store_history, the counter ----

std::string print_of(Trial& trial) { return trial.sample("print", {{"text", trial.word()}}); }

void hides_result_when_silent(Trial& trial) {
  const Exchange cell = trial.observe(trial.sample("result", {{"text", trial.word()}}), {.silent = true});
  trial.check(Trial::of_type(cell, "execute_result").empty(), "a silent cell has an execute_result");
}

void runs_when_silent(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  const std::string show = trial.sample("show", {{"name", name}});
  trial.run(trial.sample("assign", {{"name", name}, {"text", text}}), {.silent = true});
  const Exchange cell = trial.observe(show);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream", "what a silent cell assigned is not there");
}

void succeeds_when_silent(Trial& trial) {
  const Exchange cell = trial.run(print_of(trial), {.silent = true});
  check_status(trial, cell, "ok");
}

void check_count(Trial& trial, std::int64_t count, std::int64_t expected) {
  trial.check(count == expected,
              "the execution_count is " + std::to_string(count) + ", and not " + std::to_string(expected));
}

void counts_from_one(Trial& trial) {
  if (!trial.owns_kernel()) Trial::not_applicable("the kernel was started by somebody else, and may have run cells");
  check_count(trial, count_of(trial.observe(print_of(trial))), 1);
}

void counts_each_cell(Trial& trial) {
  const std::int64_t first = count_of(trial.observe(print_of(trial)));
  for (int more = 1; more < 20; ++more) check_count(trial, count_of(trial.observe(print_of(trial))), first + more);
}

/// The number of a cell that follows another. NotApplicable when cells are not counted one by one at all.
std::int64_t count_of_second(Trial& trial) {
  const std::int64_t first = count_of(trial.observe(print_of(trial)));
  const std::int64_t second = count_of(trial.observe(print_of(trial)));
  if (second != first + 1) Trial::not_applicable("cells are not counted one by one: see execute.count.increments");
  return second;
}

void counts_errors(Trial& trial) {
  const std::string failing = trial.sample("error", {{"text", trial.word()}});
  const std::int64_t first = count_of_second(trial);
  trial.observe(failing);
  check_count(trial, count_of(trial.observe(print_of(trial))), first + 2);
}

void check_not_counted(Trial& trial, const ExecuteOptions& options) {
  const std::int64_t first = count_of_second(trial);
  trial.observe(print_of(trial), options);
  check_count(trial, count_of(trial.observe(print_of(trial))), first + 1);
}

void does_not_count_silent(Trial& trial) { check_not_counted(trial, {.silent = true}); }
void does_not_count_unstored(Trial& trial) { check_not_counted(trial, {.store_history = false}); }

/// The inputs of the newest cells, as one text.
std::string newest_inputs(Trial& trial) {
  const Exchange asked = trial.ask(Channel::shell, "history_request",
                                   {{"hist_access_type", "tail"}, {"n", 10}, {"raw", true}, {"output", false}});
  const auto history = Trial::reply(asked).content.find("history");
  return history == Trial::reply(asked).content.end() ? "" : history->dump();
}

void check_not_stored(Trial& trial, const ExecuteOptions& options) {
  const std::string stored = trial.word();
  const std::string hidden = trial.word();
  trial.run(trial.sample("print", {{"text", hidden}}), options);
  trial.run(trial.sample("print", {{"text", stored}}));
  const std::string inputs = newest_inputs(trial);
  if (inputs.find(stored) == std::string::npos) Trial::not_applicable("the kernel keeps no history: see history.*");
  trial.check(inputs.find(hidden) == std::string::npos, "the history has the cell: " + inputs);
}

void does_not_store_silent(Trial& trial) { check_not_stored(trial, {.silent = true}); }
void does_not_store_unstored(Trial& trial) { check_not_stored(trial, {.store_history = false}); }

// ---- user_expressions ----

ExecuteOptions asking_for(const std::string& name, const std::string& expression) {
  return {.user_expressions = {{name, expression}}};
}

/// The answer to a user expression; an empty object without any.
Json answer_of(const Exchange& cell, const std::string& name) {
  return object_of(object_of(Trial::reply(cell).content, "user_expressions"), name);
}

void check_value(Trial& trial, const Exchange& cell, const std::string& text) {
  const Json answer = answer_of(cell, "wanted");
  const bool there = testing::text_of(object_of(answer, "data"), "text/plain").find(text) != std::string::npos;
  trial.expect(there, "execute_reply", "the expression's answer is " + answer.dump() + ", without " + text);
}

void evaluates_expressions(Trial& trial) {
  const std::string text = trial.word();
  check_value(trial, trial.run(print_of(trial), asking_for("wanted", trial.sample("result", {{"text", text}}))), text);
}

void evaluates_after_the_code(Trial& trial) {
  const std::string text = trial.word();
  const std::string name = trial.word();
  const std::string assign = trial.sample("assign", {{"name", name}, {"text", text}});
  check_value(trial, trial.run(assign, asking_for("wanted", trial.sample("value", {{"name", name}}))), text);
}

/// Ends the case unless the kernel evaluates user expressions at all.
void need_expressions(Trial& trial) {
  const std::string expression = trial.sample("result", {{"text", trial.word()}});
  if (answer_of(trial.run(print_of(trial), asking_for("wanted", expression)), "wanted").empty())
    Trial::not_applicable("the kernel does not evaluate user expressions: see execute.user-expressions.value");
}

void evaluates_when_silent(Trial& trial) {
  need_expressions(trial);
  const std::string text = trial.word();
  ExecuteOptions options = asking_for("wanted", trial.sample("result", {{"text", text}}));
  options.silent = true;
  check_value(trial, trial.run(print_of(trial), options), text);
}

void tells_failed_expressions(Trial& trial) {
  need_expressions(trial);
  const std::string failing = trial.sample("syntax_error");
  const Exchange cell = trial.run(print_of(trial), asking_for("wanted", failing));
  if (testing::text_of(Trial::reply(cell).content, "status") != "ok")
    Trial::not_applicable("the cell fails, too: see execute.user-expressions.reply");
  const Json answer = answer_of(cell, "wanted");
  trial.expect(testing::text_of(answer, "status") == "error", "execute_reply",
               "the answer to a failing expression is " + answer.dump());
}

void succeeds_with_failed_expressions(Trial& trial) {
  const std::string failing = trial.sample("syntax_error");
  const Exchange cell = trial.run(print_of(trial), asking_for("wanted", failing));
  check_status(trial, cell, "ok");
}

void skips_expressions_after_error(Trial& trial) {
  need_expressions(trial);
  const std::string failing = trial.sample("error", {{"text", trial.word()}});
  const Exchange cell = trial.run(failing, asking_for("wanted", trial.sample("result", {{"text", trial.word()}})));
  trial.check(answer_of(cell, "wanted").empty(), "an expression was evaluated although the cell failed");
}

// ---- the request's fields ----

void accepts_code_alone(Trial& trial) {
  const Exchange cell = trial.ask(Channel::shell, "execute_request", {{"code", print_of(trial)}});
  check_status(trial, cell, "ok");
}

void counts_by_default(Trial& trial) {
  const std::int64_t first = count_of_second(trial);
  trial.observe_request(trial.client().request(Channel::shell, "execute_request", {{"code", print_of(trial)}}));
  check_count(trial, count_of(trial.observe(print_of(trial))), first + 2);
}

void prints_despite(Trial& trial, const Json& more_content, const SendOptions& options) {
  const std::string text = trial.word();
  Json content{{"code", trial.sample("print", {{"text", text}})},
               {"silent", false},
               {"store_history", true},
               {"user_expressions", Json::object()},
               {"allow_stdin", false},
               {"stop_on_error", true}};
  content.update(more_content);
  const Exchange cell = trial.ask(Channel::shell, "execute_request", content, options);
  check_status(trial, cell, "ok");
}

const Json k_unknown{{"x_list", {1, 2.5, nullptr}}, {"x_object", {{"a", {{"b", true}}}}}, {"x_text", "äµ€𝄞"}};

void tolerates_unknown_content(Trial& trial) { prints_despite(trial, k_unknown, {}); }
void tolerates_unknown_header(Trial& trial) {
  prints_despite(trial, Json::object(), {.header = {{"x_text", "äµ€𝄞"}, {"x_more", ""}}});
}
void tolerates_nested_header(Trial& trial) { prints_despite(trial, Json::object(), {.header = k_unknown}); }
void tolerates_metadata(Trial& trial) {
  Json metadata = k_unknown;
  metadata.update({{"cellId", "d4f1"}, {"deletedCells", {"a", "b"}}, {"recordTiming", false}, {"trusted", true}});
  prints_despite(trial, Json::object(), {.metadata = metadata});
}

// ---- several cells, several clients ----

void keeps_state(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  const std::string show = trial.sample("show", {{"name", name}});
  trial.run(trial.sample("assign", {{"name", name}, {"text", text}}));
  const Exchange cell = trial.observe(show);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "a later cell prints " + quote(cell.text("stdout")) + ", without " + text);
}

void runs_in_order(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  const std::string show = trial.sample("show", {{"name", name}});
  for (int i = 0; i < 20; ++i) trial.client().execute(trial.sample("assign", {{"name", name}, {"text", trial.word()}}));
  trial.client().execute(trial.sample("assign", {{"name", name}, {"text", text}}));
  const Exchange cell = trial.observe(show);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "the variable is " + quote(cell.text("stdout")) + ", and not what the last assignment gave it");
}

void tells_all_clients(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.sample("print", {{"text", text}});
  trial.client();
  KernelClient& other = trial.connect();
  const Exchange cell = trial.observe(code);
  if (cell.text("stdout").find(text) == std::string::npos) Trial::not_applicable("nothing is printed: see execute.print");
  other.fence(Channel::shell);
  std::string seen;
  for (const auto& message : other.take_foreign()) {
    if (message.parent_id() == cell.id && message.type() == "stream") seen += testing::text_of(message.content, "text");
  }
  trial.check(seen.find(text) != std::string::npos, "another client sees " + quote(seen) + ", without " + text);
}

void shares_state(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  const std::string show = trial.sample("show", {{"name", name}});
  trial.client();
  trial.connect().run(trial.sample("assign", {{"name", name}, {"text", text}}));
  const Exchange cell = trial.observe(show);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "what another client's cell assigned is not there");
}

/// Whose output this is, by the parent of the stream message with the text; nothing when there is none.
std::optional<std::string> parent_of(const std::vector<Message>& messages, const std::string& text) {
  const auto found = std::find_if(messages.begin(), messages.end(), [&](const Message& message) {
    return message.type() == "stream" && testing::text_of(message.content, "text").find(text) != std::string::npos;
  });
  if (found == messages.end()) return std::nullopt;
  return found->parent_id();
}

void tells_whose_output_it_is(Trial& trial) {
  KernelClient& first = trial.client();
  KernelClient& other = trial.connect();
  std::vector<std::pair<std::string, std::string>> cells;  // msg_id and text
  std::vector<Message> seen;                               // by the first client, who is told of all cells
  for (KernelClient* client : {&first, &other, &first}) {
    const std::string text = trial.word();
    const Exchange cell = client->run(trial.sample("print", {{"text", text}}));
    cells.emplace_back(cell.id, text);
    if (client == &first) seen.insert(seen.end(), cell.published.begin(), cell.published.end());
  }
  first.fence(Channel::shell);
  const auto add = [&](const std::vector<Message>& more) { seen.insert(seen.end(), more.begin(), more.end()); };
  for (const auto& [id, text] : cells) add(first.published(id));
  add(first.take_foreign());
  for (const auto& [id, text] : cells) {
    const auto parent = parent_of(seen, text);
    if (!parent) Trial::not_applicable("not all that is printed is seen: see execute.print and execute.clients.output");
    trial.check(*parent == id, "what cell " + id + " printed has the parent " + quote(*parent));
  }
}

// ---- payloads ----

/// The payload of one source; an empty object without any.
Json payload_of(const Exchange& cell, const std::string& source) {
  const auto payloads = Trial::reply(cell).content.find("payload");
  if (payloads == Trial::reply(cell).content.end() || !payloads->is_array()) return Json::object();
  const auto found = std::find_if(payloads->begin(), payloads->end(), [&](const Json& payload) {
    return payload.is_object() && testing::text_of(payload, "source") == source;
  });
  return found == payloads->end() ? Json::object() : *found;
}

void opens_pager(Trial& trial) {
  const std::string text = trial.word();
  const Json payload = payload_of(trial.run(trial.sample("page", {{"text", text}})), "page");
  trial.expect(testing::text_of(object_of(payload, "data"), "text/plain").find(text) != std::string::npos, "execute_reply",
               "the payload page is " + payload.dump() + ", without " + text);
}

void sets_next_input(Trial& trial) {
  const std::string text = trial.word();
  const Json payload = payload_of(trial.run(trial.sample("next_input", {{"text", text}})), "set_next_input");
  trial.expect(testing::text_of(payload, "text") == text, "execute_reply",
               "the payload set_next_input is " + payload.dump());
}

constexpr auto k_execute = "Messaging, Execute";
constexpr auto k_input = "Messaging, Code inputs";
constexpr auto k_counter = "Messaging, Execution counter";
constexpr auto k_results = "Messaging, Execution results";
constexpr auto k_expressions = "Messaging, Execute (user_expressions)";

std::vector<Case> output_and_input_cases() {
  return {
      {"execute.print", k_execute, Level::must, "What a cell prints is published as stream stdout.",
       "executes the sample print", "stream messages named stdout with the text", prints},
      {"execute.reply.ok", k_execute, Level::must, "A cell that ran is answered with status ok.",
       "executes the sample print", "a reply with status ok", succeeds},
      {"execute.result", k_results, Level::should, "The value of a cell is an execute_result with text/plain.",
       "executes the sample result", "an execute_result whose text/plain has the value", shows_result},
      {"execute.result.after-statements", k_results, Level::should, "A cell's last expression is its value.",
       "executes the samples assign and result as one cell", "an execute_result whose text/plain has the value",
       shows_result_after_statements},
      {"execute.result.none", k_results, Level::should, "A statement has no execute_result.", "executes the sample nothing",
       "no execute_result", shows_nothing_of_statements},
      {"execute.empty", k_execute, Level::must, "Empty code is a cell like any other.", "executes an empty text",
       "a reply with status ok", accepts_empty_code},
      {"execute.input.code", k_input, Level::must, "execute_input has the code of the request, unchanged.",
       "executes the sample print", "an execute_input whose code equals the request's", announces_code},
      {"execute.input.unicode", k_input, Level::must, "execute_input has code of any script unchanged.",
       "executes text of several scripts, with characters beyond the BMP, which may fail", "an equal execute_input",
       announces_unicode},
      {"execute.input.control-characters", k_input, Level::must, "execute_input has control characters unchanged.",
       "executes text with some, which may fail", "an equal execute_input", announces_controls},
      {"execute.input.nul", k_input, Level::should,
       "execute_input has NUL unchanged, which JSON can write and some languages cannot hold.",
       "executes text with NUL, which may fail", "an equal execute_input", announces_nul},
      {"execute.input.line-ends", k_input, Level::must, "execute_input has line ends and blanks unchanged.",
       "executes text with CR LF, CR, LF, tabs and blanks at its ends", "an equal execute_input", announces_line_ends},
      {"execute.input.long", k_input, Level::must, "execute_input has long code whole.", "executes a cell of 1 MiB",
       "an equal execute_input", announces_long_code},
  };
}

std::vector<Case> history_and_counter_cases() {
  return {
      {"execute.silent.no-result", k_execute, Level::must, "A silent cell has no execute_result.",
       "executes the sample result silently", "no execute_result", hides_result_when_silent},
      {"execute.silent.runs", k_execute, Level::must, "A silent cell runs.", "executes assign silently, then show",
       "show prints the value", runs_when_silent},
      {"execute.silent.reply", k_execute, Level::must, "A silent cell that ran is answered with status ok.",
       "executes the sample print silently", "a reply with status ok", succeeds_when_silent},
      {"execute.silent.not-counted", k_counter, Level::must, "A silent cell does not count.",
       "executes a cell before and after a silent one", "execution_counts n and n + 1", does_not_count_silent},
      {"execute.silent.not-stored", k_execute, Level::must, "A silent cell does not enter the history.",
       "executes a silent cell and another, and asks for the newest history", "a history without the silent cell",
       does_not_store_silent},
      {"execute.unstored.not-counted", k_counter, Level::should, "A cell with store_history false does not count.",
       "executes a cell before and after one with store_history false", "execution_counts n and n + 1",
       does_not_count_unstored},
      {"execute.unstored.not-stored", k_execute, Level::must, "A cell with store_history false does not enter the history.",
       "executes a cell with store_history false and another, and asks for the newest history",
       "a history without the cell", does_not_store_unstored},
      {"execute.count.first", k_counter, Level::should, "The first cell is number 1.", "executes a cell in a fresh kernel",
       "execution_count 1", counts_from_one},
      {"execute.count.increments", k_counter, Level::must, "Each cell that is stored has the next number.",
       "executes twenty cells", "execution_counts n to n + 19", counts_each_cell},
      {"execute.count.errors", k_counter, Level::should, "A cell that fails has a number of its own.",
       "executes a cell before and after one that fails", "execution_counts n and n + 2", counts_errors},
  };
}

std::vector<Case> expression_cases() {
  return {
      {"execute.user-expressions.value", k_expressions, Level::should, "The reply has the values of user_expressions.",
       "executes a cell with the sample result as a user expression", "an entry whose text/plain has the value",
       evaluates_expressions},
      {"execute.user-expressions.after-code", k_expressions, Level::should,
       "user_expressions are evaluated after the code.", "executes assign with the variable as a user expression",
       "an entry with the new value", evaluates_after_the_code},
      {"execute.user-expressions.silent", k_expressions, Level::should,
       "user_expressions are evaluated for silent cells, too.", "executes a silent cell with a user expression",
       "an entry whose text/plain has the value", evaluates_when_silent},
      {"execute.user-expressions.error", k_expressions, Level::should, "The entry of an expression that fails says so.",
       "executes a cell with a user expression that cannot be parsed", "an entry with status error",
       tells_failed_expressions},
      {"execute.user-expressions.reply", k_expressions, Level::must,
       "An expression that fails does not make the cell fail.",
       "executes a cell with a user expression that cannot be parsed", "a reply with status ok",
       succeeds_with_failed_expressions},
      {"execute.user-expressions.not-after-error", k_expressions, Level::should,
       "user_expressions of a cell that fails are not evaluated.", "executes a failing cell with a user expression",
       "a reply without that entry", skips_expressions_after_error},
  };
}

std::vector<Case> request_cases() {
  return {
      {"execute.defaults.run", k_execute, Level::must, "Everything but the code is optional.",
       "sends an execute_request with code alone", "a reply with status ok", accepts_code_alone},
      {"execute.defaults.store-history", k_execute, Level::must, "A cell is stored unless the request says otherwise.",
       "executes a cell before and after a request with code alone", "execution_counts n and n + 2", counts_by_default},
      {"execute.unknown-fields.content", "Messaging, Messages", Level::must, "Unknown fields of a content are ignored.",
       "executes the sample print with more fields in the content", "a reply with status ok", tolerates_unknown_content},
      {"execute.unknown-fields.header", "Messaging, Messages", Level::must, "Unknown fields of a header are ignored.",
       "executes the sample print with more fields in the header", "a reply with status ok", tolerates_unknown_header},
      {"execute.unknown-fields.header-nested", "Messaging, Messages", Level::should,
       "Unknown fields of a header are ignored, whatever they hold.",
       "executes the sample print with lists and objects in the header", "a reply with status ok", tolerates_nested_header},
      {"execute.unknown-fields.metadata", "Messaging, Metadata", Level::must,
       "Metadata that a kernel does not know are ignored.",
       "executes the sample print with the metadata of JupyterLab and others", "a reply with status ok",
       tolerates_metadata},
      {"execute.state", k_execute, Level::must, "What a cell assigns is there in later cells.",
       "executes assign, then show", "show prints the value", keeps_state},
      {"execute.in-order", "Messaging, Request-Reply", Level::must, "Cells run in the order in which they were sent.",
       "sends 21 assignments to one variable at once, then show", "show prints what was assigned last", runs_in_order},
      {"execute.clients.output", "Messaging, IOPub", Level::must, "Every client sees what any cell prints.",
       "one client executes the sample print, another listens", "stream messages with the text at both", tells_all_clients},
      {"execute.clients.parent", "Messaging, Parent header", Level::must,
       "What a cell prints has that cell as its parent, whoever executed one before.",
       "two clients execute the sample print in turn, three times", "stream messages with their own cells as parents",
       tells_whose_output_it_is},
      {"execute.clients.state", "Messaging, Introduction", Level::must, "All clients share one kernel state.",
       "one client executes assign, another show", "show prints the value", shares_state},
      {"execute.payload.page", "Messaging, Payloads", Level::should, "The pager is a payload page with text/plain.",
       "executes the sample page", "a payload page with the text; payloads are deprecated, so that there may be none",
       opens_pager},
      {"execute.payload.next-input", "Messaging, Payloads", Level::should,
       "The next cell's text is a payload set_next_input.", "executes the sample next_input",
       "a payload set_next_input with the text; payloads are deprecated, so that there may be none", sets_next_input},
  };
}

}  // namespace

std::vector<Case> execute_cases() {
  std::vector<Case> joined = output_and_input_cases();
  for (const auto& more : {history_and_counter_cases(), expression_cases(), request_cases()}) {
    joined.insert(joined.end(), more.begin(), more.end());
  }
  return joined;
}

}  // namespace adrastea::conformance
