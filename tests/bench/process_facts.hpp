// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace adrastea::bench {

/// What the system knows of a process. Errors: of one that has ended, memory is a std::runtime_error; the others are 0.

/// Exact, other than VmRSS, which lags behind by some hundred kilobytes.
[[nodiscard]] std::size_t resident_bytes(pid_t pid);
/// The most since the last forget_peak().
[[nodiscard]] std::size_t peak_bytes(pid_t pid);
void forget_peak(pid_t pid);
/// How often any of its threads waited and was woken.
[[nodiscard]] long wake_ups(pid_t pid);
/// Of all its threads that live.
[[nodiscard]] double processor_ms(pid_t pid);

}  // namespace adrastea::bench
