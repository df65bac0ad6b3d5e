// SPDX-License-Identifier: BSD-3-Clause
#include "bench/process_facts.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

namespace adrastea::bench {

namespace {

std::filesystem::path home(pid_t pid) { return "/proc/" + std::to_string(pid); }

/// The number after `name` in a file of names and numbers; nothing where the process or thread has ended.
std::optional<long> number_after(const std::filesystem::path& file, const std::string& name) {
  std::ifstream text(file);
  for (std::string word; text >> word;)
    if (long number = 0; word == name && text >> number) return number;
  return std::nullopt;
}

/// In bytes.
std::size_t kilobytes_after(const std::filesystem::path& file, const std::string& name) {
  if (const auto number = number_after(file, name)) return 1024 * static_cast<std::size_t>(*number);
  throw std::runtime_error("there is no " + name + " in " + file.string() + ": has the kernel ended?");
}

/// The sum of what `of_task` says of each thread.
template <class OfTask>
auto over_threads(pid_t pid, OfTask&& of_task) {
  decltype(of_task(std::filesystem::path())) sum{};
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator(home(pid) / "task", ignored)) sum += of_task(task.path());
  return sum;
}

}  // namespace

std::size_t resident_bytes(pid_t pid) { return kilobytes_after(home(pid) / "smaps_rollup", "Rss:"); }

std::size_t peak_bytes(pid_t pid) { return kilobytes_after(home(pid) / "status", "VmHWM:"); }

void forget_peak(pid_t pid) { std::ofstream(home(pid) / "clear_refs") << "5"; }

long wake_ups(pid_t pid) {
  return over_threads(pid, [](const std::filesystem::path& task) {
    return number_after(task / "status", "voluntary_ctxt_switches:").value_or(0);
  });
}

double processor_ms(pid_t pid) {
  return over_threads(pid, [](const std::filesystem::path& task) {
    double nanoseconds = 0;
    std::ifstream(task / "schedstat") >> nanoseconds;
    return nanoseconds / 1e6;
  });
}

}  // namespace adrastea::bench
