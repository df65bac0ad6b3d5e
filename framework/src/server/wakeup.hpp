// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

namespace adrastea::server {

/// Wakes a thread that waits in poll(2). Threads: any; signal() is async-signal-safe.
class Wakeup {
 public:
  /// Errors: StartupError when the process has no descriptor left.
  Wakeup();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  void signal() const noexcept;
  /// Forgets all signals so far.
  void clear() const noexcept;

 private:
  support::UniqueFd fd_;
};

}  // namespace adrastea::server
