// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>

namespace adrastea::bench {

/// Names the file that holds AllocationCounts, for the library that counts.
constexpr const char* k_allocations_variable = "ADRASTEA_BENCH_ALLOCATIONS";

/// Shared by two processes.
struct AllocationCounts {
  std::atomic<std::uint64_t> calls;
  std::atomic<std::uint64_t> bytes;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace adrastea::bench
