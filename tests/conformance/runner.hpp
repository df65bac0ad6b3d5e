// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "samples.hpp"
#include "target.hpp"
#include "verdict.hpp"

#include <functional>
#include <string>
#include <vector>

namespace adrastea::conformance {

struct RunOptions {
  std::vector<testing::Transport> launches{testing::Transport::tcp};
  std::string only = "*";
  std::string skip;
  int repeat = 1;
  unsigned seed = 1;
  unsigned jobs = 1;
  Patience patience{};
  /// After each case, from any thread, one at a time: what came of it, how many are done and how many there are.
  std::function<void(const Outcome&, std::size_t done, std::size_t all)> progress{};
};

/// Tries every selected case on the kernel, each on a process of its own, and judges the standing rules over all of them.
/// A kernel that starts in no launch mode has nothing but these starts in its report. Errors: Failure when no case is
/// selected, or a sample of the user's own is of no use.
[[nodiscard]] Report run_cases(const Target& target, Samples samples, const RunOptions& options);

}  // namespace adrastea::conformance
