// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/wakeup.hpp"

namespace adrastea::kernel {

/// SIGTERM and SIGHUP end the kernel as a shutdown_request does; the second of them ends it at once. SIGPIPE is nothing.
///
/// Usage: construct once for the process; on the wakeup, ask terminated().
/// Threads: any. Errors: none.
class ProcessSignals {
 public:
  explicit ProcessSignals(const server::Wakeup& wakeup);
  ~ProcessSignals();
  ProcessSignals(const ProcessSignals&) = delete;
  ProcessSignals& operator=(const ProcessSignals&) = delete;

  [[nodiscard]] static bool terminated() noexcept;
  /// Lets the calling thread take these signals: one is needed that user code cannot make deaf to them.
  static void unblock_here() noexcept;
};

}  // namespace adrastea::kernel
