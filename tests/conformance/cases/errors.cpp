// SPDX-License-Identifier: BSD-3-Clause
// What a cell that fails causes.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <set>

namespace adrastea::conformance {
namespace {

using testing::text_of;

std::string error_with(Trial& trial, const std::string& text) { return trial.sample("error", {{"text", text}}); }

Exchange fail(Trial& trial) { return trial.observe(error_with(trial, trial.word())); }

void expect_error(Trial& trial, const Exchange& cell) {
  trial.expect(!Trial::of_type(cell, "error").empty(), "error", "there is no error on iopub");
}

void replies_error(Trial& trial) { check_status(trial, fail(trial), "error"); }

void publishes_error(Trial& trial) { expect_error(trial, fail(trial)); }

/// An error reply's content. NotApplicable when it is none.
Json error_reply(const Exchange& cell) {
  const Json& content = Trial::reply(cell).content;
  if (text_of(content, "status") != "error") Trial::not_applicable("it is no error reply: see errors.reply.status");
  return content;
}

void check_evalue(Trial& trial, const std::string& text) {
  const std::string evalue = text_of(error_reply(trial.observe(error_with(trial, text))), "evalue");
  trial.expect(evalue.find(text) != std::string::npos, "execute_reply",
               "the reply's evalue is " + quote(evalue) + ", without " + text);
}

void replies_evalue(Trial& trial) { check_evalue(trial, trial.word()); }
void replies_unicode_evalue(Trial& trial) { check_evalue(trial, "äµ€𝄞" + trial.word()); }

void publishes_what_it_replies(Trial& trial) {
  const Exchange cell = fail(trial);
  const auto errors = Trial::of_type(cell, "error");
  const Json reply = error_reply(cell);
  if (errors.empty()) Trial::not_applicable("there is no error: see errors.published");
  for (const char* key : {"ename", "evalue", "traceback"}) {
    const Json& error = errors.front().content;
    // Where one lacks it, its schema is broken.
    if (!error.contains(key) || !reply.contains(key)) continue;
    trial.expect(error.at(key) == reply.at(key), "error", std::string("error and reply have different ") + key);
  }
}

void publishes_error_alone(Trial& trial) {
  std::string others;
  // A message of a type that the protocol does not know shows nothing.
  const std::set<std::string> outputs{"stdout", "stderr", "display_data", "update_display_data", "execute_result"};
  for (const auto& shown : fail(trial).shown()) {
    if (outputs.contains(shown.kind)) others += " " + shown.kind + " " + quote(shown.text);
  }
  trial.check(others.empty(), "beside the error comes" + others);
}

void tells_all_in_traceback(Trial& trial) {
  const std::string text = trial.word();
  const auto errors = Trial::of_type(trial.observe(error_with(trial, text)), "error");
  if (errors.empty()) Trial::not_applicable("there is no error: see errors.published");
  std::string joined;
  const auto traceback = errors.front().content.find("traceback");
  if (traceback == errors.front().content.end()) Trial::not_applicable("the error has no traceback: see schema.error");
  for (const auto& line : *traceback) joined += line.is_string() ? line.get<std::string>() : "";
  trial.check(joined.find(text) != std::string::npos, "the traceback lacks " + text + ": " + quote(joined));
}

void has_count(Trial& trial) {
  const Json reply = error_reply(fail(trial));
  trial.check(testing::integer_of(reply, "execution_count").has_value(), "an error reply has no execution_count");
}

void keeps_earlier_output(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.cell({trial.sample("print", {{"text", text}}), error_with(trial, trial.word())});
  const Exchange cell = trial.observe(code);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "stdout is " + quote(cell.text("stdout")) + ", without what was printed before the error");
}

void stops_cell(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.cell({error_with(trial, trial.word()), trial.sample("print", {{"text", text}})});
  const Exchange cell = trial.observe(code);
  trial.check(cell.text("stdout").find(text) == std::string::npos, "the cell went on after the error");
}

void keeps_state(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  const std::string show = trial.sample("show", {{"name", name}});
  trial.observe(trial.cell({trial.sample("assign", {{"name", name}, {"text", text}}), error_with(trial, trial.word())}));
  const Exchange cell = trial.observe(show);
  trial.expect(cell.text("stdout").find(text) != std::string::npos, "stream",
               "what was assigned before the error is not there any more");
}

void runs_next_cell(Trial& trial) {
  const std::string print = trial.sample("print", {{"text", trial.word()}});
  fail(trial);
  check_status(trial, trial.observe(print), "ok");
}

void replies_syntax_error(Trial& trial) { check_status(trial, trial.observe(trial.sample("syntax_error")), "error"); }

void publishes_syntax_error(Trial& trial) { expect_error(trial, trial.observe(trial.sample("syntax_error"))); }

void replies_silent_error(Trial& trial) {
  const std::string failing = error_with(trial, trial.word());
  check_status(trial, trial.observe(failing, {.silent = true}), "error");
}

constexpr auto k_errors = "Messaging, Execution errors";
constexpr auto k_reply = "Messaging, Request-Reply";
constexpr auto k_try = "executes the sample error";

}  // namespace

std::vector<Case> errors_cases() {
  return {
      {"errors.reply.status", k_reply, Level::must, "A cell that fails is answered with status error.", k_try,
       "a reply with status error", replies_error},
      {"errors.reply.evalue", k_reply, Level::must, "The reply's evalue is the error's message.", k_try,
       "an evalue with the message", replies_evalue},
      {"errors.reply.unicode", k_reply, Level::must, "The reply's evalue has text of any script.",
       "executes the sample error with characters of one to four bytes", "an evalue with the message",
       replies_unicode_evalue},
      {"errors.reply.count", k_reply, Level::should, "Every execute_reply has the execution_count.", k_try,
       "a reply with an execution_count", has_count},
      {"errors.reply.silent", "Messaging, Execute", Level::must, "A silent cell that fails is answered with status error.",
       "executes the sample error silently", "a reply with status error", replies_silent_error},
      {"errors.published", k_errors, Level::must, "An error is published.", k_try, "an error on iopub", publishes_error},
      {"errors.published.equal", k_errors, Level::must, "The published error is that of the reply.", k_try,
       "equal ename, evalue and traceback", publishes_what_it_replies},
      {"errors.published.alone", k_errors, Level::should, "An error is shown once.", k_try, "no output but the error",
       publishes_error_alone},
      {"errors.published.traceback", k_errors, Level::should, "The traceback has the message, for frontends show it alone.",
       k_try, "a traceback with the message", tells_all_in_traceback},
      {"errors.output-before", k_errors, Level::must, "What a cell printed before its error is published.",
       "executes print and error as one cell", "stream stdout with the text", keeps_earlier_output},
      {"errors.ends-cell", k_errors, Level::must, "An error ends its cell.", "executes error and print as one cell",
       "nothing printed", stops_cell},
      {"errors.state", k_errors, Level::must, "What a cell assigned before its error is there in later cells.",
       "executes assign and error as one cell, then show", "show prints the value", keeps_state},
      {"errors.next-cell", k_errors, Level::must, "A cell that is sent after an error was answered runs.",
       "executes error, and when it is over print", "a reply with status ok", runs_next_cell},
      {"errors.syntax.reply", k_reply, Level::must, "Code that cannot be parsed is answered with status error.",
       "executes the sample syntax_error", "a reply with status error", replies_syntax_error},
      {"errors.syntax.published", k_errors, Level::must, "That code cannot be parsed is published as an error.",
       "executes the sample syntax_error", "an error on iopub", publishes_syntax_error},
  };
}

}  // namespace adrastea::conformance
