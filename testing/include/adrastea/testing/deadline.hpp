// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

namespace adrastea::testing {

/// When a wait gives up: only ever to fail, never part of what a test asserts. ADRASTEA_PATIENCE multiplies all of them,
/// for machines that are slow or loaded.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds patience = std::chrono::seconds(30));
  /// One that ADRASTEA_PATIENCE does not multiply: for waits that are no limits.
  static Deadline exactly(std::chrono::milliseconds time);
  /// Not negative; 0 once it has passed.
  [[nodiscard]] std::chrono::milliseconds left() const;
  [[nodiscard]] bool passed() const { return left().count() == 0; }

 private:
  explicit Deadline(std::chrono::steady_clock::time_point end) : end_(end) {}
  std::chrono::steady_clock::time_point end_;
};

}  // namespace adrastea::testing
