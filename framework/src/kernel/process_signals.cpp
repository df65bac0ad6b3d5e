// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/process_signals.hpp"

#include "support/exit_cleanup.hpp"
#include "support/fork_guard.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace adrastea::kernel {

namespace {

// Signal handlers are the process's, so what they read is too.
std::atomic<const server::Wakeup*> wakeup_of_process{nullptr};
std::atomic<int> terminations{0};

void terminate(int signal) {
  const int saved = errno;
  const server::Wakeup* const wakeup = wakeup_of_process;
  if (support::fork_guard::in_newborn_child() || wakeup == nullptr) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  } else if (terminations.fetch_add(1) > 0) {
    support::ExitFile::unlink_all();
    ::_exit(128 + signal);
  } else {
    wakeup->signal();
  }
  errno = saved;
}

// A handler, not SIG_IGN, which programs started by user code would inherit: `yes | head` has to end.
void ignore(int /*signal*/) {}

void set(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

ProcessSignals::ProcessSignals(const server::Wakeup& wakeup) {
  terminations = 0;
  wakeup_of_process = &wakeup;
  set(SIGTERM, &terminate);
  // Whoever started us with nohup wants us to go on.
  struct sigaction inherited {};
  ::sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) set(SIGHUP, &terminate);
  set(SIGPIPE, &ignore);
  unblock_here();
}

ProcessSignals::~ProcessSignals() {
  // What comes now ends a process that is ending.
  wakeup_of_process = nullptr;
}

void ProcessSignals::unblock_here() noexcept {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
}

bool ProcessSignals::terminated() noexcept { return terminations > 0; }

}  // namespace adrastea::kernel
