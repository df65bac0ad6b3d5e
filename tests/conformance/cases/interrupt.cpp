// SPDX-License-Identifier: BSD-3-Clause
// Interrupts, by message and by signal.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <csignal>

namespace adrastea::conformance {
namespace {

using testing::text_of;

constexpr const char* k_long = "600";

std::string sleep_code(const Trial& trial) { return trial.sample("sleep", {{"seconds", k_long}}); }

/// Interrupts a cell that runs; it must end.
void ends(Trial& trial, const std::string& code, void (*interrupt)(Trial&)) {
  const std::string id = trial.begin(trial.client(), code);
  interrupt(trial);
  const bool ended = trial.until_ended(trial.client(), id);
  trial.check(ended, "the cell goes on");
  if (!ended) trial.abandon();
}

void as_specified(Trial& trial) { trial.interrupt(); }
void by_message(Trial& trial) { trial.interrupt_by_message(); }
void by_signal(Trial& trial) { trial.kernel().signal(SIGINT); }

void ends_a_loop(Trial& trial) { ends(trial, trial.sample("loop"), as_specified); }
void ends_a_sleep(Trial& trial) { ends(trial, sleep_code(trial), as_specified); }
void ends_a_print_loop(Trial& trial) { ends(trial, trial.sample("print_loop"), as_specified); }

void need_signals(const Trial& trial) {
  if (!trial.interrupts_by_signal()) Trial::not_applicable("the kernel is not interrupted by signals");
}

/// A kernel for signals may leave control to shutdown_request alone; one that answers anything there answers this, too.
void need_control(const Trial& trial) {
  if (trial.interrupts_by_signal() && !trial.abilities().control_info)
    Trial::not_applicable(
        "the kernelspec asks for signals, and the kernel answers nothing of the kind on control: see info.control");
}

void ends_a_loop_by_message(Trial& trial) {
  need_signals(trial);
  ends(trial, trial.sample("loop"), by_message);
}

void ends_a_sleep_by_message(Trial& trial) {
  need_signals(trial);
  ends(trial, sleep_code(trial), by_message);
}

void ends_a_loop_by_signal_to_the_process(Trial& trial) {
  need_signals(trial);
  ends(trial, trial.sample("loop"), by_signal);
}

/// As nohup and the shells' & without job control start a program.
void ends_a_loop_though_started_deaf(Trial& trial) {
  need_signals(trial);
  trial.start({.argv = {"sh", "-c", R"(trap '' INT; exec "$0" "$@")"}});
  ends(trial, trial.sample("loop"), by_signal);
}

/// A loop that has been interrupted and is over. NotApplicable when it is not.
Exchange interrupted_loop(Trial& trial, const ExecuteOptions& options = {}) {
  const std::string id = trial.begin(trial.client(), trial.sample("loop"), options);
  trial.interrupt();
  if (!trial.until_ended(trial.client(), id)) {
    trial.abandon();
    Trial::not_applicable("the cell goes on: see interrupt.loop");
  }
  return trial.client().collect(id);
}

void is_an_error(Trial& trial) {
  const std::string status = text_of(Trial::reply(interrupted_loop(trial)).content, "status");
  trial.check(status == "error", "the status is '" + status + "'");
}

/// The sample print does what it does.
void expect_print(Trial& trial) {
  const std::string text = trial.word();
  const Exchange cell = trial.observe(trial.sample("print", {{"text", text}}));
  trial.check(text_of(Trial::reply(cell).content, "status") == "ok", "the next cell ends with " + cell.status());
  trial.expect(!trial.abilities().prints || cell.text("stdout").find(text) != std::string::npos, "stream",
               "the next cell prints '" + cell.text("stdout") + "'");
}

void leaves_the_next_cell(Trial& trial) {
  interrupted_loop(trial);
  expect_print(trial);
}

void leaves_the_state(Trial& trial) {
  const std::string name = trial.word();
  const std::string text = trial.word();
  trial.run(trial.sample("assign", {{"name", name}, {"text", text}}));
  const std::string show = trial.sample("show", {{"name", name}});
  if (trial.observe(show).text("stdout").find(text) == std::string::npos)
    Trial::not_applicable("the sample show does not work");
  interrupted_loop(trial);
  const Exchange next = trial.run(trial.sample("print", {{"text", trial.word()}}));
  if (text_of(Trial::reply(next).content, "status") != "ok")
    Trial::not_applicable("the next cell does not run: see interrupt.next");
  trial.expect(trial.observe(show).text("stdout").find(text) != std::string::npos, "stream",
               "the variable has not its value any more");
}

struct Two {
  Exchange loop;
  Exchange print;
};

/// Interrupts a loop while a print of `client` waits; returns what comes of both.
Two waits_behind_a_loop(Trial& trial, KernelClient& client, bool stop_on_error) {
  const std::string loop = trial.begin(trial.client(), trial.sample("loop"), {.stop_on_error = stop_on_error});
  const std::string waiting = client.execute(trial.sample("print", {{"text", trial.word()}}));
  // What is answered now was sent after the cell: the kernel has that, too.
  if (trial.abilities().control_info) client.fence(Channel::control);
  trial.interrupt();
  if (!trial.until_ended(trial.client(), loop)) {
    trial.abandon();
    Trial::not_applicable("the cell goes on: see interrupt.loop");
  }
  Exchange ended = trial.client().collect(loop);
  return {std::move(ended), client.collect(waiting)};
}

void ends_one_cell(Trial& trial) {
  const Exchange cell = waits_behind_a_loop(trial, trial.client(), false).print;
  trial.check(text_of(Trial::reply(cell).content, "status") == "ok", "the cell that waited ends with " + cell.status());
}

void ends_no_cell_of_others(Trial& trial) {
  KernelClient& other = trial.connect();
  const Exchange cell = waits_behind_a_loop(trial, other, false).print;
  trial.check(text_of(Trial::reply(cell).content, "status") == "ok",
              "the other client's cell that waited ends with " + cell.status());
}

void aborts_the_queue(Trial& trial) {
  const Two cells = waits_behind_a_loop(trial, trial.client(), true);
  if (text_of(Trial::reply(cells.loop).content, "status") != "error")
    Trial::not_applicable("the interrupt is no error that could stop anything: see interrupt.error");
  const std::string status = text_of(Trial::reply(cells.print).content, "status");
  trial.check(status == "aborted" || status == "error", "the cell that waited ends with " + status);
}

/// Interrupts so often while the kernel has nothing to do.
void interrupts_when_idle(Trial& trial, int count) {
  KernelClient& client = trial.client();
  expect_print(trial);  // its idle has come: nothing runs
  for (int i = 0; i < count; ++i) trial.interrupt();
  // By message: until the last of them has been handled.
  if (!trial.interrupts_by_signal() && trial.abilities().control_info) client.fence(Channel::control);
  expect_print(trial);
}

void is_harmless_when_idle(Trial& trial) { interrupts_when_idle(trial, 1); }
void are_harmless_when_idle(Trial& trial) { interrupts_when_idle(trial, 100); }

void a_message_is_harmless_when_idle(Trial& trial) {
  need_control(trial);
  need_signals(trial);
  expect_print(trial);
  trial.try_ask(Channel::control, "interrupt_request");
  expect_print(trial);
}

void are_one(Trial& trial) {
  KernelClient& client = trial.client();
  const std::string loop = trial.begin(client, trial.sample("loop"));
  for (int i = 0; i < 100; ++i) trial.interrupt();
  if (!trial.until_ended(client, loop)) {
    trial.abandon();
    Trial::not_applicable("the cell goes on: see interrupt.loop");
  }
  if (!trial.interrupts_by_signal() && trial.abilities().control_info) client.fence(Channel::control);
  expect_print(trial);
}

void is_answered(Trial& trial) {
  need_control(trial);
  const auto reply = trial.try_ask(Channel::control, "interrupt_request");
  trial.expect(reply && text_of(reply->content, "status") == "ok", "interrupt_reply",
               "interrupt_request is not answered with status ok");
}

void is_answered_when_busy(Trial& trial) {
  need_control(trial);
  trial.begin(trial.client(), trial.sample("loop"));
  KernelClient& client = trial.client();
  const std::string id = client.request(Channel::control, "interrupt_request", Json::object(), {.reply_due = false});
  trial.check(client.wait_until([&] { return client.waiting(Channel::control); }), "interrupt_request is not answered");
  if (client.waiting(Channel::control)) {
    const Message reply = client.take(Channel::control);
    trial.expect(reply.parent_id() == id && text_of(reply.content, "status") == "ok", "interrupt_reply",
                 "the reply is " + summary(reply));
  }
  trial.abandon();
}

}  // namespace

std::vector<Case> interrupt_cases() {
  constexpr std::string_view section = "Messaging, Kernel interrupt";
  constexpr std::string_view mode = "Kernels, interrupt_mode";
  constexpr std::string_view legal = "the cell's idle or reply";
  return {
      {"interrupt.loop", mode, Level::must, "An interrupt ends a cell that computes.",
       "executes the samples print and loop, and interrupts as the kernelspec says when the print has come", legal,
       ends_a_loop},
      {"interrupt.sleep", mode, Level::must, "An interrupt ends a cell that waits.",
       "executes the samples print and sleep, which would take 10 minutes, and interrupts as the kernelspec says when the "
       "print "
       "has come",
       legal, ends_a_sleep},
      {"interrupt.print-loop", mode, Level::must, "An interrupt ends a cell that prints.",
       "executes the samples print and print_loop, and interrupts as the kernelspec says when the print has come", legal,
       ends_a_print_loop},
      {"interrupt.message.loop", section, Level::should,
       "An interrupt_request ends a cell that computes, also in a kernel for signals.",
       "executes the samples print and loop, and sends interrupt_request on control", legal, ends_a_loop_by_message},
      {"interrupt.message.sleep", section, Level::should,
       "An interrupt_request ends a cell that waits, also in a kernel for signals.",
       "executes the samples print and sleep, which would take 10 minutes, and sends interrupt_request on control", legal,
       ends_a_sleep_by_message},
      {"interrupt.signal.process", mode, Level::should, "SIGINT need not come to the whole process group.",
       "executes the samples print and loop, and sends SIGINT to the kernel's process alone", legal,
       ends_a_loop_by_signal_to_the_process},
      {"interrupt.inherited", mode, Level::should, "A kernel that is started where SIGINT is ignored hears it.",
       "starts the kernel by a shell that ignores SIGINT, executes print and loop, and sends SIGINT", legal,
       ends_a_loop_though_started_deaf},
      {"interrupt.reply", section, Level::must, "An interrupt_request is answered.", "sends interrupt_request on control",
       "interrupt_reply with status ok", is_answered},
      {"interrupt.reply.busy", section, Level::must, "An interrupt_request is answered while a cell runs.",
       "executes the samples print and loop, and sends interrupt_request on control", "interrupt_reply with status ok",
       is_answered_when_busy},
      {"interrupt.error", section, Level::should, "A cell that was interrupted ends with an error.",
       "interrupts the sample loop", "execute_reply with status error", is_an_error},
      {"interrupt.next", section, Level::must, "The next cell runs as ever.",
       "interrupts the sample loop, then executes the sample print", "the print's text and status ok",
       leaves_the_next_cell},
      {"interrupt.state", section, Level::must, "Variables survive an interrupt.",
       "executes the sample assign, interrupts the sample loop, executes the sample show", "the variable's text",
       leaves_the_state},
      {"interrupt.one-cell", section, Level::must, "An interrupt ends the cell that runs, and no other.",
       "interrupts the sample loop with stop_on_error false while the sample print waits", "status ok for the print",
       ends_one_cell},
      {"interrupt.others", section, Level::must, "An interrupt ends no cell of another client.",
       "interrupts the sample loop with stop_on_error false while another client's print waits", "status ok for the print",
       ends_no_cell_of_others},
      {"interrupt.queue", "Messaging, Execute", Level::should,
       "With stop_on_error the cells that wait are not executed after an interrupt.",
       "interrupts the sample loop with stop_on_error true while the sample print waits",
       "status aborted or error for the print", aborts_the_queue},
      {"interrupt.idle", section, Level::must, "An interrupt of an idle kernel does nothing to the next cell.",
       "interrupts when nothing runs, then executes the sample print", "the print's text and status ok",
       is_harmless_when_idle},
      {"interrupt.idle.hundred", section, Level::should, "Interrupts of an idle kernel do nothing to the next cell.",
       "interrupts 100 times when nothing runs, then executes the sample print", "the print's text and status ok",
       are_harmless_when_idle},
      {"interrupt.idle.message", section, Level::must,
       "An interrupt_request to an idle kernel for signals does nothing to the next cell.",
       "sends interrupt_request when nothing runs, then executes the sample print", "the print's text and status ok",
       a_message_is_harmless_when_idle},
      {"interrupt.storm", section, Level::should, "Many interrupts of a cell do nothing to the next one.",
       "interrupts the sample loop 100 times, then executes the sample print", "the print's text and status ok", are_one},
  };
}

}  // namespace adrastea::conformance
