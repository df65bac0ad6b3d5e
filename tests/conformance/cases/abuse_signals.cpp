// SPDX-License-Identifier: BSD-3-Clause
// Signals at any time.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <csignal>

namespace adrastea::conformance {
namespace {

/// The kernel has handled everything that was sent to it, and runs nothing.
KernelClient& idle_client(Trial& trial) {
  trial.kernel();
  trial.client().fence(Channel::shell);
  return trial.client();
}

void needs_sigint(const Trial& trial) {
  if (!trial.takes_sigint()) Trial::not_applicable("the kernelspec wants interrupt_request instead of SIGINT");
}

void sigint_idle(Trial& trial) {
  needs_sigint(trial);
  idle_client(trial);
  for (int i = 0; i < 100; ++i) trial.kernel().signal_group(SIGINT);
  trial.expect_alive();
}

/// A cell that has printed. A signal between execute_input and the first statement is nobody's.
std::string begin_in_round(Trial& trial, int round, const std::string& code) {
  try {
    return trial.begin(trial.client(), code, {.stop_on_error = false});
  } catch (const NotApplicable&) {
    Trial::require(round == 0, "after the signals for one cell, what the next one prints is not seen");
    throw;
  }
}

void storm(Trial& trial, const std::string& code) {
  needs_sigint(trial);
  KernelClient& client = idle_client(trial);
  for (int round = 0; round < 3; ++round) {
    const std::string id = begin_in_round(trial, round, code);
    for (int i = 0; i < 50; ++i) trial.kernel().signal_group(SIGINT);
    client.collect(id);
  }
  trial.expect_alive();
}

void sigint_computing(Trial& trial) { storm(trial, trial.sample("loop")); }
void sigint_printing(Trial& trial) { storm(trial, trial.sample("print_loop")); }
void sigint_sleeping(Trial& trial) { storm(trial, trial.sample("sleep", {{"seconds", "600"}})); }

void sigint_between(Trial& trial) {
  needs_sigint(trial);
  KernelClient& client = idle_client(trial);
  const std::string code = trial.sample("print", {{"text", trial.word()}});
  for (int i = 0; i < 50; ++i) {
    const std::string id = client.execute(code, {.stop_on_error = false});
    trial.kernel().signal_group(SIGINT);
    client.collect(id);
  }
  trial.expect_alive();
}

void harmless(Trial& trial, const std::vector<int>& signals) {
  idle_client(trial);
  for (const int number : signals) {
    for (int i = 0; i < 20; ++i) trial.kernel().signal(number);
  }
  trial.expect_alive();
}

void ignored(Trial& trial) { harmless(trial, {SIGCHLD, SIGWINCH, SIGURG, SIGCONT}); }
void broken_pipe(Trial& trial) { harmless(trial, {SIGPIPE}); }

/// All of a cell that prints much. How fast it does is no matter here: it is given time as long as more comes.
Exchange print_all(KernelClient& client, const std::string& id) {
  constexpr std::uint64_t enough = 500;
  bool ended = false;
  while (!ended) {
    const std::uint64_t before = client.arrived();
    const bool goes_on = client.wait_until([&] {
      ended = Trial::has_ended(client, id);
      return ended || client.arrived() >= before + enough;
    });
    Trial::require(goes_on || client.arrived() > before, "a cell that prints has come to a stop");
  }
  return client.collect(id);
}

void ignored_busy(Trial& trial) {
  KernelClient& client = idle_client(trial);
  const std::string id = trial.begin(client, trial.sample("flood", {{"count", "5000"}}));
  for (const int number : {SIGCHLD, SIGWINCH, SIGURG, SIGCONT}) {
    for (int i = 0; i < 20; ++i) trial.kernel().signal(number);
  }
  const Exchange cell = print_all(client, id);
  trial.check(Trial::reply(cell).content.value("status", Json()) == "ok",
              "a cell was ended by a signal that says nothing: " + Trial::reply(cell).content.dump());
  trial.expect_alive();
}

void stopped(Trial& trial) {
  KernelClient& client = idle_client(trial);
  trial.kernel().signal(SIGSTOP);
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(client.request(Channel::shell, "kernel_info_request"));
  trial.kernel().signal(SIGCONT);
  for (const auto& id : ids)
    trial.check(client.collect(id).reply.has_value(), "a request that came meanwhile is not answered");
  trial.expect_alive();
}

void stopped_busy(Trial& trial) {
  KernelClient& client = idle_client(trial);
  const std::string id = trial.begin(client, trial.sample("flood", {{"count", "5000"}}));
  for (int i = 0; i < 20; ++i) {
    trial.kernel().signal_group(SIGSTOP);
    trial.kernel().signal_group(SIGCONT);
  }
  print_all(client, id);
  trial.expect_alive();
}

void sigterm_idle(Trial& trial) {
  idle_client(trial);
  trial.kernel().signal(SIGTERM);
  trial.expect_end();
}

void sigterm_busy(Trial& trial) {
  trial.begin(idle_client(trial), trial.sample("loop"));
  trial.kernel().signal(SIGTERM);
  trial.expect_end();
}

void sigterm_often(Trial& trial) {
  idle_client(trial);
  for (int i = 0; i < 20; ++i) trial.kernel().signal(SIGTERM);
  trial.expect_end();
}

// ---- code that takes signals from the kernel ----

/// Runs code that does something to the process's signals.
KernelClient& run_first(Trial& trial, const std::string& sample) {
  const std::string code = trial.sample(sample);
  KernelClient& client = idle_client(trial);
  if (trial.run(code).status() != "ok") Trial::not_applicable("the sample '" + sample + "' fails in this kernel");
  return client;
}

void sigint_taken(Trial& trial) {
  needs_sigint(trial);
  run_first(trial, "take_sigint");
  for (int i = 0; i < 20; ++i) trial.kernel().signal_group(SIGINT);
  trial.expect_alive();
}

void interrupted_by_message(Trial& trial, const std::string& sample) {
  if (trial.may_ignore_interrupts())
    Trial::not_applicable("the kernelspec does not want interrupt_request, and SIGINT is the code's now");
  KernelClient& client = run_first(trial, sample);
  const std::string id = trial.begin(client, trial.sample("loop"));
  trial.interrupt_by_message();
  const bool ended = trial.until_ended(client, id);
  if (!ended) trial.abandon();
  trial.require(ended, "a cell goes on after an interrupt_request");
  client.collect(id);
  trial.expect_alive();
}

void ended_by_sigterm(Trial& trial, const std::string& sample) {
  trial.begin(run_first(trial, sample), trial.sample("loop"));
  trial.kernel().signal(SIGTERM);
  trial.expect_end();
}

void sigint_taken_message(Trial& trial) { interrupted_by_message(trial, "take_sigint"); }
void sigint_taken_sigterm(Trial& trial) { ended_by_sigterm(trial, "take_sigint"); }
void blocked_message(Trial& trial) { interrupted_by_message(trial, "block_signals"); }
void blocked_sigterm(Trial& trial) { ended_by_sigterm(trial, "block_signals"); }

constexpr std::string_view k_manager = "jupyter_client, KernelManager.shutdown_kernel";
constexpr std::string_view k_interrupt = "Messaging, Kernel interrupt";
constexpr std::string_view k_alive = "the cells end in any way; the kernel serves as before";

}  // namespace

std::vector<Case> abuse_signals_cases() {
  return {
      {"abuse.signals.sigint.idle", k_interrupt, Level::must, "SIGINT does nothing to a kernel that runs nothing.",
       "sends 100 of them to the process group", "nothing; the kernel serves as before", sigint_idle},
      {"abuse.signals.sigint.computing", k_interrupt, Level::must, "A kernel survives many SIGINTs while a cell computes.",
       "executes print and loop three times, and sends 50 of them when the print has come", k_alive, sigint_computing},
      {"abuse.signals.sigint.printing", k_interrupt, Level::must, "A kernel survives many SIGINTs while a cell prints.",
       "executes print and print_loop three times, and sends 50 of them when the print has come", k_alive, sigint_printing},
      {"abuse.signals.sigint.sleeping", k_interrupt, Level::must, "A kernel survives many SIGINTs while a cell sleeps.",
       "executes print and sleep three times, and sends 50 of them when the print has come", k_alive, sigint_sleeping},
      {"abuse.signals.sigint.moments", k_interrupt, Level::must, "A kernel survives SIGINT at any moment of a short cell.",
       "sends one with each of 50 cells", k_alive, sigint_between},
      {"abuse.signals.ignored", "POSIX, default actions", Level::must,
       "Signals that do nothing by default do nothing to a kernel.", "sends SIGCHLD, SIGWINCH, SIGURG and SIGCONT",
       "nothing", ignored},
      {"abuse.signals.ignored.busy", "POSIX, default actions", Level::must,
       "Signals that do nothing by default do nothing to a cell that prints.",
       "sends SIGCHLD, SIGWINCH, SIGURG and SIGCONT while 5000 lines are printed", "a reply with status ok", ignored_busy},
      {"abuse.signals.sigpipe", "Messaging, Introduction", Level::should,
       "A kernel does not end of SIGPIPE, which a client that leaves may cause.", "sends SIGPIPE", "nothing", broken_pipe},
      {"abuse.signals.stopped", "POSIX, SIGSTOP", Level::must,
       "A kernel that was stopped serves, once it goes on, what came.", "sends 10 requests between SIGSTOP and SIGCONT",
       "a reply to each", stopped},
      {"abuse.signals.stopped.busy", "POSIX, SIGSTOP", Level::must, "A kernel may be stopped while it prints.",
       "sends SIGSTOP and SIGCONT 20 times while 5000 lines are printed", "the cell ends; the kernel serves as before",
       stopped_busy},
      {"abuse.signals.taken", k_interrupt, Level::must,
       "A kernel whose code has a handler of SIGINT of its own survives it.",
       "executes the sample take_sigint and sends 20 SIGINTs", "the kernel serves as before", sigint_taken},
      {"abuse.signals.taken.interrupt", k_interrupt, Level::should,
       "interrupt_request ends a cell, also when code has a handler of SIGINT of its own.",
       "executes the samples take_sigint, print and loop, and sends interrupt_request", k_alive, sigint_taken_message},
      {"abuse.signals.taken.sigterm", k_manager, Level::should,
       "A kernel ends of SIGTERM, also when code has a handler of SIGINT of its own.",
       "executes the samples take_sigint, print and loop, and sends SIGTERM", "the process ends, in whatever way",
       sigint_taken_sigterm},
      {"abuse.signals.blocked.interrupt", k_interrupt, Level::should,
       "interrupt_request ends a cell, also when code has blocked all signals.",
       "executes the samples block_signals, print and loop, and sends interrupt_request", k_alive, blocked_message},
      {"abuse.signals.blocked.sigterm", k_manager, Level::should,
       "A kernel ends of SIGTERM, also when code has blocked all signals.",
       "executes the samples block_signals, print and loop, and sends SIGTERM", "the process ends, in whatever way",
       blocked_sigterm},
      {"abuse.signals.sigterm", k_manager, Level::should, "A kernel that runs nothing ends of SIGTERM.", "sends SIGTERM",
       "the process ends, in whatever way", sigterm_idle},
      {"abuse.signals.sigterm.busy", k_manager, Level::should, "A kernel whose cell never ends ends of SIGTERM.",
       "sends SIGTERM to an endless loop", "the process ends, in whatever way", sigterm_busy},
      {"abuse.signals.sigterm.often", k_manager, Level::should,
       "A kernel does not hang of a second SIGTERM while it ends of the first.", "sends 20 of them",
       "the process ends, in whatever way", sigterm_often},
  };
}

}  // namespace adrastea::conformance
