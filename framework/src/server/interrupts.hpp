// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/wakeup.hpp"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace adrastea::server {

/// Interrupts of the request that runs, from SIGINT or from an interrupt_request.
///
/// Both end in a signal handler on the interpreter thread: only there may a language's own hook be set, and only a signal
/// makes a blocking system call return. An interrupt_request uses a private signal and names the request that ran when it
/// came, so that it can never hit the next one; SIGINT hits what runs when it is delivered. Outside a request both are
/// nothing.
///
/// Usage: construct on the interpreter thread; a Scope around each request; request() from control. One thread may have
/// several.
/// Threads: construction, Scope, the destructor: interpreter. requested(): any. request(): any.
/// Errors: none. Async-signal-safe: what runs in the handler is this class's and Interpreter::interrupt().
class Interrupts {
 public:
  /// `hook` runs in the signal handler. `wakeup` is signalled too, for who waits in poll(2). With `own_sigint` SIGINT is
  /// unblocked and handled, and an interrupt_request also reaches the child processes of a process group we lead.
  Interrupts(std::function<void()> hook, const Wakeup& wakeup, bool own_sigint);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// A request begins; requests nest.
  class Scope {
   public:
    explicit Scope(Interrupts& interrupts) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupts& interrupts_;
    const std::uint64_t outer_;
  };

  /// Interrupts the request that runs now, if one does.
  void request() noexcept;
  /// The same signal once more, if the request that was to be interrupted still runs: a system call entered, or a child
  /// started, just after the first would have missed it. False when there is nothing to repeat.
  [[nodiscard]] bool repeat(bool children_too) noexcept;
  /// Whether the request that runs was interrupted.
  [[nodiscard]] bool requested() const noexcept {
    const std::uint64_t running = current_;
    return running != 0 && interrupted_ == running;
  }

 private:
  static void handle_private(int signal);
  static void handle_sigint(int signal, siginfo_t* info, void* context);
  void interrupt_in_handler() noexcept;
  void interrupt_children() const noexcept;

  const std::function<void()> hook_;
  const Wakeup& wakeup_;
  const bool own_sigint_;
  const pthread_t thread_;
  Interrupts* next_on_thread_ = nullptr;
  std::uint64_t last_ = 0;                     // interpreter thread: serial of the newest request
  std::atomic<std::uint64_t> current_{0};      // serial of the request that runs; 0: none
  std::atomic<std::uint64_t> interrupted_{0};  // serial of the request that was last interrupted
};

}  // namespace adrastea::server
