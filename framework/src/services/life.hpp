// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace adrastea::services {

/// How requests and user code end or interrupt the kernel. The kernel layer implements it.
class Life {
 public:
  virtual ~Life() = default;
  /// The kernel is to end now: what runs is interrupted. Threads: any.
  virtual void shut_down(bool restart) = 0;
  /// The kernel is to end when the current request has been answered. Threads: interpreter.
  virtual void exit(int status) = 0;
  /// Whether user code has called exit().
  [[nodiscard]] virtual bool exiting() const noexcept = 0;
  /// Threads: any.
  virtual void interrupt() noexcept = 0;
  [[nodiscard]] virtual bool interrupted() const noexcept = 0;
};

}  // namespace adrastea::services
