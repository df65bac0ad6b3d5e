// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace adrastea::support {

/// How many lines a log may still write in this second, and how many it had to leave out.
///
/// A peer that can make us log (bad messages, say) must not be able to fill the server's terminal or disk.
/// Threads: one, or under the owner's lock. Errors: none. The caller brings the time, so that tests need not wait for it.
class LineBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t k_lines_per_second = 20;

  /// Nothing: leave this line out. A number: write it, after saying that so many lines were left out since the last one.
  [[nodiscard]] std::optional<std::size_t> admit(Time now) noexcept {
    if (!began_ || now - *began_ >= std::chrono::seconds{1}) {
      began_ = now;
      written_ = 0;
    }
    if (written_ == k_lines_per_second) {
      ++left_out_;
      return std::nullopt;
    }
    ++written_;
    const std::size_t before = left_out_;
    left_out_ = 0;
    return before;
  }

  /// Lines that were admitted but could not be written.
  void lost(std::size_t lines) noexcept { left_out_ += lines; }

 private:
  std::optional<Time> began_;
  std::size_t written_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace adrastea::support
