// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/interrupts.hpp"
#include "server/request_server.hpp"
#include "server/timer.hpp"
#include "server/wakeup.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace adrastea::server {

/// The interpreter's loop: takes shell requests one by one, and nobody else has an opinion about when one starts or ends.
///
/// Threads: interpreter, but for current(), which output() calls on it too. Errors: none.
class ShellLoop {
 public:
  /// Work that no client waits for, done between requests. due(): in how long, nothing where there is none.
  struct Chore {
    std::function<std::optional<std::chrono::nanoseconds>()> due;
    std::function<void()> run;
  };

  ShellLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
            const std::atomic<bool>& stopping, std::chrono::milliseconds stop_on_error_gap, Chore chore);

  /// Blocks until there is something for step(), or the wakeup is signalled. Only after step(), which left the socket
  /// empty.
  void wait();
  /// Readable when it is time for the chore; for those who wait by themselves.
  [[nodiscard]] int timer_fd() const noexcept { return timer_.fd(); }
  /// Serves what waits. False once the kernel is stopping.
  bool step();
  /// The kernel ends: what waits is answered, since nobody will run it.
  void abort_rest();

  /// The request that runs now, or the latest one; before the first, one that has no header.
  [[nodiscard]] const Context& current() const noexcept { return stack_.empty() ? latest_ : stack_.back(); }
  [[nodiscard]] bool running() const noexcept { return !stack_.empty(); }

 private:
  [[nodiscard]] std::optional<wire::Message> next();
  void rest();
  [[nodiscard]] std::optional<std::chrono::nanoseconds> do_chore();
  void serve(wire::Message& request);
  void abort_waiting(std::chrono::steady_clock::time_point begun);
  [[nodiscard]] bool arrives_within(std::chrono::milliseconds gap);

  transport::Router& socket_;
  RequestServer server_;
  Interrupts& interrupts_;
  const Wakeup& wakeup_;
  const std::atomic<bool>& stopping_;
  std::vector<Context> stack_;  ///< subshells run nested, at safepoints
  Context latest_ = std::make_shared<RequestContext>();
  std::deque<wire::Message> pending_;  ///< taken from the socket when an error aborted the queue
  std::size_t to_abort_ = 0;           ///< how many of pending_ were sent before that error was known
  const std::chrono::milliseconds stop_on_error_gap_;
  const Chore chore_;
  Timer timer_;
  bool woken_ = true;   ///< perhaps; false: wait() has seen that the wakeup was not signalled
  bool rested_ = true;  ///< nothing was served, and no time has come, since rest()
};

}  // namespace adrastea::server
