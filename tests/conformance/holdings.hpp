// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::conformance {

/// What a process has of the system, as many of each kind. The rule abuse.resources stands on it.
/// Threads: any. Errors: none.
struct Holdings {
  static constexpr std::array<std::string_view, 4> k_kinds{"open file descriptors", "threads", "zombie children",
                                                           "KiB of resident memory"};
  static constexpr std::size_t k_memory = 3;
  /// So many more are more. Allocators take memory in larger pieces than they are asked for.
  static constexpr std::array<std::size_t, k_kinds.size()> k_steps{1, 1, 1, 4096};
  std::array<std::size_t, k_kinds.size()> counts{};

  [[nodiscard]] bool within(const Holdings& others) const;
  /// The same of what can be counted: memory that a process need not have any more it may keep.
  [[nodiscard]] bool counts_within(const Holdings& others) const;
};

/// Nothing where there is no /proc that tells, or the process has ended.
[[nodiscard]] std::optional<Holdings> holdings_of(pid_t process);

/// Waits until the process holds no more than `most`, but for memory, and not longer than `time`: what it gives back, it
/// may give back later. Returns the least that it held meanwhile, of each kind.
[[nodiscard]] std::optional<Holdings> settled_holdings(pid_t process, const Holdings& most, std::chrono::milliseconds time);

/// What it held after each of several repetitions of the same: of which kinds more with each.
class Growth {
 public:
  explicit Growth(const Holdings& first) : levels_{first} { grows_.fill(true); }

  void add(const Holdings& next);
  [[nodiscard]] const Holdings& first() const { return levels_.front(); }
  [[nodiscard]] const Holdings& last() const { return levels_.back(); }
  [[nodiscard]] bool goes_on() const;
  /// Once there has been time to give back: a finding for each kind of which as many steps are left as there were
  /// repetitions.
  [[nodiscard]] std::vector<std::string> findings(const Holdings& left) const;

 private:
  std::vector<Holdings> levels_;
  std::array<bool, Holdings::k_kinds.size()> grows_{};
};

}  // namespace adrastea::conformance
