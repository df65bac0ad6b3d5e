// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/interrupts.hpp"
#include "server/request_server.hpp"
#include "server/wakeup.hpp"
#include "support/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>

namespace adrastea::server {

/// The thread "control": answers while user code runs, repeats interrupts that a system call missed, watches the parent
/// process, and sees to it that the kernel ends when it is asked to, whatever the interpreter does.
///
/// Usage: run() is the thread's main. Threads: run(): control; end_by() and finish(): any.
/// Errors: none leave it.
class ControlLoop {
 public:
  struct Hooks {
    std::function<void()> woken;  ///< the wakeup was signalled: signal handlers leave their requests this way
    std::function<void()> parent_gone;
    std::function<void()> deadline_passed;  ///< finish() did not come in time
  };
  /// `parent`: a pidfd, or none.
  ControlLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
              support::UniqueFd parent, Hooks hooks);

  void run() noexcept;
  /// From now on finish() is expected within `limit`; the first call counts.
  void end_by(std::chrono::milliseconds limit);
  /// The interpreter thread is done: run() returns.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void wait();
  void serve();
  [[nodiscard]] int timeout();

  transport::Router& socket_;
  RequestServer server_;
  Interrupts& interrupts_;
  const Wakeup& wakeup_;
  support::UniqueFd parent_;
  const Hooks hooks_;
  int repeats_ = 0;
  Clock::time_point last_repeat_{};  ///< of the interrupt that is on its way
  std::atomic<bool> finished_{false};
  std::atomic<Clock::rep> deadline_{0};  ///< 0: none
};

}  // namespace adrastea::server
