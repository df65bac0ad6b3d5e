// SPDX-License-Identifier: BSD-3-Clause
#include "support/process_usage.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace adrastea::support {
namespace {

using nlohmann::json;

double one_decimal(double value) { return std::round(value * 10.0) / 10.0; }

struct ProcessStat {
  pid_t parent = 0;
  std::uint64_t ticks = 0;
  std::uint64_t started = 0;  ///< ticks after the system's start
};

/// proc(5), /proc/pid/stat: the name may hold anything, so fields count from its last parenthesis.
std::optional<ProcessStat> read_stat(const std::filesystem::path& directory) {
  std::ifstream file(directory / "stat");
  std::string text;
  if (!std::getline(file, text, '\0')) return std::nullopt;
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  ProcessStat stat;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> skipped >> stat.parent;
  for (int field = 5; field < 14; ++field) fields >> skipped;
  if (!(fields >> user >> system)) return std::nullopt;
  stat.ticks = user + system;
  for (int field = 16; field < 22; ++field) fields >> skipped;
  fields >> stat.started;
  return stat;
}

std::map<pid_t, ProcessStat> all_processes() {
  std::map<pid_t, ProcessStat> processes;
  std::error_code ended;
  for (std::filesystem::directory_iterator entry("/proc", ended), end; !ended && entry != end; entry.increment(ended)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || rest != name.data() + name.size()) continue;
    if (auto stat = read_stat(entry->path())) processes.emplace(pid, *stat);
  }
  return processes;
}

/// CPU ticks of this process and all its descendants.
std::map<pid_t, std::uint64_t> tree_ticks() {
  const auto processes = all_processes();
  std::map<pid_t, std::uint64_t> tree;
  std::vector<pid_t> open{::getpid()};
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto found = processes.find(parent);
    if (found == processes.end() || !tree.emplace(parent, found->second.ticks).second) continue;
    for (const auto& [pid, stat] : processes) {
      if (stat.parent == parent) open.push_back(pid);
    }
  }
  return tree;
}

/// "Name:   123 kB" lines, in bytes.
std::map<std::string, std::uint64_t> read_kilobytes(const std::filesystem::path& path) {
  std::map<std::string, std::uint64_t> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream rest(line.substr(colon + 1));
    if (std::uint64_t value = 0; rest >> value) values[line.substr(0, colon)] = value * 1024;
  }
  return values;
}

/// Its share of shared pages where the kernel tells that, else all it has resident.
std::uint64_t memory_of(pid_t pid) {
  const std::filesystem::path directory = "/proc/" + std::to_string(pid);
  const auto rollup = read_kilobytes(directory / "smaps_rollup");
  if (const auto share = rollup.find("Pss"); share != rollup.end()) return share->second;
  const auto status = read_kilobytes(directory / "status");
  const auto resident = status.find("VmRSS");
  return resident == status.end() ? 0 : resident->second;
}

json virtual_memory() {
  auto value = read_kilobytes("/proc/meminfo");
  const std::uint64_t total = value["MemTotal"];
  if (total == 0) return nullptr;
  const std::uint64_t available = std::min(value["MemAvailable"], total);
  const std::uint64_t cached = value["Cached"] + value["SReclaimable"];
  const std::uint64_t unused = value["MemFree"] + value["Buffers"] + cached;
  return {{"total", total},
          {"available", available},
          {"percent", one_decimal(100.0 * static_cast<double>(total - available) / static_cast<double>(total))},
          {"used", total > unused ? total - unused : total - value["MemFree"]},
          {"free", value["MemFree"]},
          {"active", value["Active"]},
          {"inactive", value["Inactive"]},
          {"buffers", value["Buffers"]},
          {"cached", cached},
          {"shared", value["Shmem"]},
          {"slab", value["Slab"]}};
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

std::optional<std::chrono::milliseconds> process_age() {
  const auto stat = read_stat("/proc/self");
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  timespec now{};
  if (!stat || stat->started == 0 || ticks_per_second <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0)
    return std::nullopt;
  const std::chrono::milliseconds uptime =
      std::chrono::seconds(now.tv_sec) + std::chrono::milliseconds(now.tv_nsec / 1'000'000);
  const std::chrono::milliseconds begin(stat->started * 1000 / static_cast<std::uint64_t>(ticks_per_second));
  if (uptime < begin) return std::nullopt;
  return uptime - begin;
}

json ProcessUsage::sample() {
  const auto ticks = tree_ticks();
  std::uint64_t memory = 0;
  for (const auto& [pid, used] : ticks) memory += memory_of(pid);

  json content{{"hostname", host_name()},
               {"pid", ::getpid()},
               {"kernel_cpu", tree_cpu_percent(ticks)},
               {"kernel_memory", memory},
               {"cpu_count", std::max(1U, std::thread::hardware_concurrency())}};
  if (const auto percent = host_cpu_percent()) content["host_cpu_percent"] = *percent;
  if (json host = virtual_memory(); !host.is_null()) content["host_virtual_memory"] = std::move(host);
  return content;
}

double ProcessUsage::tree_cpu_percent(const std::map<pid_t, std::uint64_t>& ticks) {
  const auto now = std::chrono::steady_clock::now();
  std::uint64_t used = 0;
  for (const auto& [pid, total] : ticks) {
    // A process that came since the last sample counts from its start; a reused number may stand below the old count.
    const auto before = last_ticks_.find(pid);
    used += before == last_ticks_.end() || before->second > total ? total : total - before->second;
  }
  double percent = 0.0;
  if (last_time_) {
    const double seconds = std::chrono::duration<double>(now - *last_time_).count();
    const auto ticks_a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    if (seconds > 0.0) percent = one_decimal(100.0 * static_cast<double>(used) / ticks_a_second / seconds);
  }
  last_ticks_ = ticks;
  last_time_ = now;
  return percent;
}

std::optional<ProcessUsage::HostTicks> ProcessUsage::host_ticks() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  std::array<std::uint64_t, 8> ticks{};  // user nice system idle iowait irq softirq steal
  if (!(file >> cpu) || cpu != "cpu") return std::nullopt;
  for (std::uint64_t& value : ticks) {
    if (!(file >> value)) return std::nullopt;
  }
  HostTicks sum;
  for (const std::uint64_t value : ticks) sum.all += value;
  sum.busy = sum.all - ticks[3] - ticks[4];
  return sum;
}

std::optional<double> ProcessUsage::host_cpu_percent() {
  const auto now = host_ticks();
  const auto before = last_host_;
  last_host_ = now;
  if (!now || !before || now->all <= before->all || now->busy < before->busy) return std::nullopt;
  const auto busy = static_cast<double>(now->busy - before->busy);
  const double percent = one_decimal(100.0 * busy / static_cast<double>(now->all - before->all));
  if (percent <= 0.0) return std::nullopt;  // as ipykernel: 0 would mean "unknown"
  return percent;
}

}  // namespace adrastea::support
