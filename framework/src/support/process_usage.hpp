// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace adrastea::support {

/// Since this process was forked, to 10 ms or so, as the system counts it; nothing where it does not tell.
[[nodiscard]] std::optional<std::chrono::milliseconds> process_age();

/// What this process, its descendants and the machine use, as Linux's /proc tells it.
///
/// Percentages cover the time since the last sample(); in the first they are 0. 100 is one core used fully.
/// Threads: one. Errors: none; what /proc does not tell is left out.
class ProcessUsage {
 public:
  /// The content of ipykernel's `usage_reply` (psutil's words): hostname, pid, kernel_cpu, kernel_memory, cpu_count,
  /// host_cpu_percent, host_virtual_memory.
  [[nodiscard]] nlohmann::json sample();

 private:
  struct HostTicks {
    std::uint64_t busy = 0;
    std::uint64_t all = 0;
  };
  [[nodiscard]] double tree_cpu_percent(const std::map<pid_t, std::uint64_t>& ticks);
  [[nodiscard]] std::optional<double> host_cpu_percent();
  [[nodiscard]] static std::optional<HostTicks> host_ticks();

  std::map<pid_t, std::uint64_t> last_ticks_;
  std::optional<std::chrono::steady_clock::time_point> last_time_;
  std::optional<HostTicks> last_host_;
};

}  // namespace adrastea::support
