// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

#include <chrono>

namespace adrastea::server {

/// Wakes a thread that waits in poll(2), once, at a time of its own choosing. Threads: one.
class Timer {
 public:
  /// Errors: StartupError when the process has no descriptor left.
  Timer();
  /// Readable from its time on, until clear().
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Where a time is set already, and has not come, that stays.
  void start(std::chrono::nanoseconds after) noexcept;
  /// Whether the time has come since start(). No system call where none was set.
  [[nodiscard]] bool passed() const noexcept { return started_ && std::chrono::steady_clock::now() >= when_; }
  /// Forgets the time, whether it has come or not.
  void clear() noexcept;

 private:
  support::UniqueFd fd_;
  bool started_ = false;
  std::chrono::steady_clock::time_point when_;
};

}  // namespace adrastea::server
