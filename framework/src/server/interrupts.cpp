// SPDX-License-Identifier: BSD-3-Clause
#include "server/interrupts.hpp"

#include "support/fork_guard.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace adrastea::server {

namespace {

// Real-time signals below SIGRTMIN + 3 are glibc's and, by habit, debuggers'.
int private_signal() { return SIGRTMIN + 5; }

// The kernels whose requests run on this thread, the newest first. Initial-exec: a handler must not allocate thread-local
// storage.
__attribute__((tls_model("initial-exec"))) thread_local Interrupts* interrupts_of_thread = nullptr;
// The one kernel of the process that owns SIGINT.
std::atomic<Interrupts*> owner_of_sigint{nullptr};
static_assert(std::atomic<Interrupts*>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace

Interrupts::Interrupts(std::function<void()> hook, const Wakeup& wakeup, bool own_sigint)
    : hook_(std::move(hook)), wakeup_(wakeup), own_sigint_(own_sigint), thread_(::pthread_self()) {
  next_on_thread_ = interrupts_of_thread;
  interrupts_of_thread = this;
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a system call that blocks has to return.
  action.sa_handler = &handle_private;
  ::sigaction(private_signal(), &action, nullptr);
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, private_signal());
  if (own_sigint_) {
    owner_of_sigint = this;
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = &handle_sigint;
    ::sigaction(SIGINT, &action, nullptr);
    sigaddset(&wanted, SIGINT);
  }
  // A launcher may have started us with signals blocked (nohup, a shell's &).
  ::pthread_sigmask(SIG_UNBLOCK, &wanted, nullptr);
}

Interrupts::~Interrupts() {
  if (own_sigint_) {
    ::signal(SIGINT, SIG_IGN);  // the process is about to end; a late ^C must not turn its exit status into a signal
    owner_of_sigint = nullptr;
  }
  // A signal may come in between: each step leaves a list that can be walked.
  Interrupts** link = &interrupts_of_thread;
  while (*link != this) link = &(*link)->next_on_thread_;
  *link = next_on_thread_;
}

Interrupts::Scope::Scope(Interrupts& interrupts) noexcept : interrupts_(interrupts), outer_(interrupts.current_) {
  interrupts_.current_ = ++interrupts_.last_;
}

Interrupts::Scope::~Scope() { interrupts_.current_ = outer_; }

void Interrupts::request() noexcept {
  const std::uint64_t running = current_;
  if (running == 0) return;
  interrupted_ = running;
  wakeup_.signal();
  ::pthread_kill(thread_, private_signal());
  interrupt_children();
}

void Interrupts::interrupt_children() const noexcept {
  // What the cell started must stop too: a shell's children, a system() that waits. Only in a session of our
  // own, which is how Jupyter starts kernels: elsewhere the group may hold a launcher, or the rest of a shell's pipeline.
  // And only while SIGINT cannot kill ourselves: user code may have taken the handler away (system() ignores the signal
  // while it waits).
  struct sigaction now {};
  ::sigaction(SIGINT, nullptr, &now);
  const bool harmless = ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &handle_sigint) ||
                        ((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN);
  if (own_sigint_ && harmless && ::getsid(0) == ::getpid()) ::kill(0, SIGINT);
}

bool Interrupts::repeat(bool children_too) noexcept {
  if (!requested()) return false;
  if (children_too) interrupt_children();
  ::pthread_kill(thread_, private_signal());
  return true;
}

void Interrupts::interrupt_in_handler() noexcept {
  interrupted_ = current_.load();
  wakeup_.signal();
  hook_();
}

void Interrupts::handle_private(int /*signal*/) {
  const int saved = errno;
  for (Interrupts* kernel = interrupts_of_thread; kernel != nullptr; kernel = kernel->next_on_thread_)
    if (kernel->requested()) kernel->interrupt_in_handler();
  errno = saved;
}

void Interrupts::handle_sigint(int signal, siginfo_t* info, void* /*context*/) {
  const int saved = errno;
  Interrupts* const self = owner_of_sigint;
  if (self == nullptr || support::fork_guard::in_newborn_child()) {
    // A child that user code forked and that has not executed a program: it dies of ^C like any other.
    if (support::fork_guard::in_newborn_child()) {
      ::signal(signal, SIG_DFL);
      ::raise(signal);
    }
  } else if (info->si_code == SI_USER && info->si_pid == ::getpid()) {
    // Ours, for the children: request() has interrupted the right request already.
  } else if (::pthread_equal(::pthread_self(), self->thread_) == 0) {
    ::pthread_kill(self->thread_, signal);
  } else if (self->current_ != 0) {
    self->interrupt_in_handler();
  }
  errno = saved;
}

}  // namespace adrastea::server
