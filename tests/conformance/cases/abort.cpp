// SPDX-License-Identifier: BSD-3-Clause
// What an error does to the cells that wait behind it (stop_on_error).
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <optional>

namespace adrastea::conformance {
namespace {

using testing::text_of;

/// A cell that fails once all that a case wants to wait behind it waits there.
///
/// Usage: construct, send what shall wait, then go_on().
class FailingCell {
 public:
  FailingCell(Trial& trial, ExecuteOptions options);
  /// Lets it fail. Returns its exchange.
  Exchange go_on();

 private:
  Trial& trial_;
  std::string id_;
  std::optional<Message> request_;
};

/// It waits for an input, or where the language cannot ask, it sleeps.
FailingCell::FailingCell(Trial& trial, ExecuteOptions options) : trial_(trial) {
  const bool asks = trial.has_sample("input");
  const std::string wait = asks ? trial.sample("input", {{"prompt", "?"}}) : trial.sample("sleep", {{"seconds", "1"}});
  options.allow_stdin = asks;
  id_ = trial.client().execute(trial.cell({wait, trial.sample("error", {{"text", trial.word()}})}), options);
  if (!asks) return;
  request_ = trial.input_request(id_);
  if (!request_) Trial::not_applicable("the cell does not ask: see stdin.request");
}

Exchange FailingCell::go_on() {
  let_arrive(trial_, trial_.client());
  if (request_) trial_.client().input_reply("x", {.parent = request_->header});
  Exchange cell = trial_.client().collect(id_);
  if (text_of(Trial::reply(cell).content, "status") != "error")
    Trial::not_applicable("the cell does not fail: see errors.reply.status");
  return cell;
}

std::string print_of(Trial& trial, const std::string& text) { return trial.sample("print", {{"text", text}}); }

/// Prints behind a failing cell. Returns what came of it.
Exchange wait_behind(Trial& trial, const ExecuteOptions& options, const std::string& text) {
  const std::string code = print_of(trial, text);
  FailingCell failing(trial, options);
  const std::string id = trial.client().execute(code);
  failing.go_on();
  return trial.observe_request(id);
}

bool is_aborted(const Exchange& cell) {
  const std::string status = text_of(Trial::reply(cell).content, "status");
  return status == "aborted" || status == "error";
}

/// Ends the case when a waiting cell was not aborted: the first case says so.
void need_abort(const Exchange& cell) {
  if (!is_aborted(cell)) Trial::not_applicable("waiting cells are not aborted: see abort.reply");
}

void does_not_run(Trial& trial) {
  const std::string text = trial.word();
  const Exchange cell = wait_behind(trial, {}, text);
  trial.check(cell.text("stdout").find(text) == std::string::npos, "a waiting cell ran after the error");
}

void replies_aborted(Trial& trial) {
  const Exchange cell = wait_behind(trial, {}, trial.word());
  trial.check(is_aborted(cell), "the reply to a waiting cell is " + Trial::reply(cell).content.dump());
}

void aborts_by_default(Trial& trial) {
  const std::string text = trial.word();
  const Exchange cell = wait_behind(trial, {.stop_on_error = {}}, text);
  trial.check(cell.text("stdout").find(text) == std::string::npos, "a waiting cell ran after the error");
}

void does_not_announce(Trial& trial) {
  const Exchange cell = wait_behind(trial, {}, trial.word());
  need_abort(cell);
  trial.check(Trial::of_type(cell, "execute_input").empty(), "an aborted cell has an execute_input");
}

void does_not_count(Trial& trial) {
  const std::string print = print_of(trial, trial.word());
  FailingCell failing(trial, {});
  const std::string id = trial.client().execute(print);
  const std::int64_t before = count_of(failing.go_on());
  need_abort(trial.observe_request(id));
  const std::int64_t after = count_of(trial.observe(print));
  trial.check(after == before + 1,
              "the cell that failed is number " + std::to_string(before) + ", the next that ran " + std::to_string(after));
}

void aborts_all(Trial& trial) {
  const std::string text = trial.word();
  const std::string print = print_of(trial, text);
  FailingCell failing(trial, {});
  std::vector<std::string> waiting;
  for (int i = 0; i < 30; ++i) waiting.push_back(trial.client().execute(print));
  failing.go_on();
  int ran = 0;
  for (const auto& id : waiting) ran += trial.observe_request(id).text("stdout").find(text) != std::string::npos ? 1 : 0;
  trial.check(ran == 0, std::to_string(ran) + " of 30 waiting cells ran after the error");
}

void expect_run(Trial& trial, const ExecuteOptions& options) {
  check_status(trial, wait_behind(trial, options, trial.word()), "ok");
}

void runs_without_stop(Trial& trial) { expect_run(trial, {.stop_on_error = false}); }
void runs_after_silent(Trial& trial) { expect_run(trial, {.silent = true}); }

void answers_others(Trial& trial) {
  FailingCell failing(trial, {});
  const std::string info = trial.client().request(Channel::shell, "kernel_info_request");
  failing.go_on();
  check_status(trial, trial.client().collect(info), "ok");
}

void completes(Trial& trial) {
  const std::string print = print_of(trial, trial.word());
  FailingCell failing(trial, {});
  trial.client().execute(print);
  const std::string id = trial.client().request(Channel::shell, "complete_request", {{"code", "x"}, {"cursor_pos", 1}});
  failing.go_on();
  const Exchange exchange = trial.client().collect(id);
  trial.check(text_of(Trial::reply(exchange).content, "status") != "aborted", "complete_request is aborted");
}

void runs_later(Trial& trial) {
  const std::string print = print_of(trial, trial.word());
  FailingCell failing(trial, {});
  const std::string waiting = trial.client().execute(print);
  failing.go_on();
  trial.client().collect(waiting);
  check_status(trial, trial.run(print), "ok");
}

void runs_later_together(Trial& trial) {
  const std::string print = print_of(trial, trial.word());
  FailingCell failing(trial, {});
  failing.go_on();
  trial.client().fence(Channel::shell);
  const std::string first = trial.client().execute(print);
  const std::string second = trial.client().execute(print);
  check_status(trial, trial.client().collect(first), "ok");
  check_status(trial, trial.client().collect(second), "ok");
}

void serves_other_clients(Trial& trial) {
  const std::string print = print_of(trial, trial.word());
  trial.client();
  KernelClient& other = trial.connect();
  FailingCell failing(trial, {});
  const std::string waiting = other.execute(print);
  let_arrive(trial, other);
  failing.go_on();
  other.collect(waiting);
  check_status(trial, other.run(print), "ok");
}

void does_not_store(Trial& trial) {
  const std::string text = trial.word();
  const std::string stored = trial.word();
  need_abort(wait_behind(trial, {}, text));
  trial.run(print_of(trial, stored));
  const Exchange asked = trial.ask(Channel::shell, "history_request",
                                   {{"hist_access_type", "tail"}, {"n", 10}, {"raw", true}, {"output", false}});
  const std::string history = Trial::reply(asked).content.dump();
  if (history.find(stored) == std::string::npos) Trial::not_applicable("the kernel keeps no history: see history.*");
  trial.check(history.find(text) == std::string::npos, "the history has an aborted cell: " + quote(history));
}

constexpr auto k_section = "Messaging, Execute (stop_on_error)";

}  // namespace

std::vector<Case> abort_cases() {
  return {
      {"abort.not-run", k_section, Level::must, "A cell that waits behind one that fails does not run.",
       "sends print while a cell runs that fails then", "nothing printed", does_not_run},
      {"abort.reply", k_section, Level::must, "A cell that does not run for another's error is answered so.",
       "sends print while a cell runs that fails then", "a reply with status aborted or error", replies_aborted},
      {"abort.all", k_section, Level::must, "All cells that wait behind one that fails do not run.",
       "sends print 30 times while a cell runs that fails then", "nothing printed", aborts_all},
      {"abort.default", k_section, Level::should, "Without stop_on_error an error stops the cells behind it.",
       "sends print while a cell whose request lacks the field runs that fails then", "nothing printed", aborts_by_default},
      {"abort.no-input", k_section, Level::should, "An aborted cell is not announced.",
       "sends print while a cell runs that fails then", "no execute_input", does_not_announce},
      {"abort.not-counted", k_section, Level::should, "An aborted cell does not count.",
       "sends print while a cell runs that fails then, and later another", "execution_counts n and n + 1", does_not_count},
      {"abort.not-stored", k_section, Level::should, "An aborted cell does not enter the history.",
       "sends print while a cell runs that fails then, and asks for the newest history", "a history without the cell",
       does_not_store},
      {"abort.off", k_section, Level::must, "With stop_on_error false an error does not stop the cells behind it.",
       "sends print while a cell with stop_on_error false runs that fails then", "a reply with status ok",
       runs_without_stop},
      {"abort.silent", k_section, Level::should, "The error of a silent cell does not stop the cells behind it.",
       "sends print while a silent cell runs that fails then", "a reply with status ok", runs_after_silent},
      {"abort.others.kernel-info", k_section, Level::must, "Other requests behind a cell that fails are served.",
       "sends kernel_info_request while a cell runs that fails then", "a reply with status ok", answers_others},
      {"abort.others.complete", k_section, Level::must, "Other requests between aborted cells are served.",
       "sends print and complete_request while a cell runs that fails then", "a reply that is not aborted", completes},
      {"abort.ends", k_section, Level::must, "A cell that is sent after the aborted ones were answered runs.",
       "sends print while a cell runs that fails then, and print again when that is over", "a reply with status ok",
       runs_later},
      {"abort.ends.burst", k_section, Level::must, "Cells that are sent after an error was answered run.",
       "sends print twice at once when an error and a later request were answered", "replies with status ok",
       runs_later_together},
      {"abort.clients", k_section, Level::must, "An error does not stop later cells of another client.",
       "sends print from another client while a cell runs that fails then, and again when that is answered",
       "for the second print a reply with status ok", serves_other_clients},
  };
}

}  // namespace adrastea::conformance
