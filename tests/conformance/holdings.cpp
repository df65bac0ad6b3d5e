// SPDX-License-Identifier: BSD-3-Clause
#include "holdings.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

namespace adrastea::conformance {
namespace {

namespace fs = std::filesystem;

/// A process may end while it is looked at.
std::optional<std::size_t> entries_of(const fs::path& directory) {
  std::error_code failed;
  std::size_t count = 0;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end; entry.increment(failed)) ++count;
  if (failed) return std::nullopt;
  return count;
}

/// "PID (name) state parent …", where the name may have anything in it.
bool is_zombie_of(const fs::path& process, pid_t parent) {
  std::ifstream file(process / "stat");
  std::string text;
  std::getline(file, text, '\0');  // of a process that ends meanwhile nothing can be read, which is no error
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.substr(name_end + 1).starts_with(" Z " + std::to_string(parent) + " ");
}

std::optional<std::size_t> zombies_of(pid_t parent) {
  std::error_code failed;
  std::size_t count = 0;
  for (fs::directory_iterator entry("/proc", failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename();
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
        is_zombie_of(entry->path(), parent))
      ++count;
  }
  if (failed) return std::nullopt;
  return count;
}

std::optional<std::size_t> resident_kib_of(const fs::path& process) {
  std::ifstream file(process / "statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  if (!(file >> total >> resident)) return std::nullopt;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

std::string counts_of(const std::vector<Holdings>& levels, std::size_t kind) {
  std::string text;
  for (const auto& level : levels) text += (text.empty() ? "" : ", ") + std::to_string(level.counts.at(kind));
  return text;
}

}  // namespace

bool Holdings::counts_within(const Holdings& others) const {
  return std::equal(counts.begin(), counts.begin() + k_memory, others.counts.begin(), std::less_equal<>());
}

bool Holdings::within(const Holdings& others) const {
  return counts_within(others) && counts[k_memory] < others.counts[k_memory] + k_steps[k_memory];
}

std::optional<Holdings> holdings_of(pid_t process) {
  const fs::path directory = "/proc/" + std::to_string(process);
  const auto descriptors = entries_of(directory / "fd");
  const auto threads = entries_of(directory / "task");
  const auto zombies = zombies_of(process);
  const auto memory = resident_kib_of(directory);
  if (!descriptors || !threads || !zombies || !memory) return std::nullopt;
  return Holdings{{*descriptors, *threads, *zombies, *memory}};
}

std::optional<Holdings> settled_holdings(pid_t process, const Holdings& most, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  Holdings least;
  least.counts.fill(std::numeric_limits<std::size_t>::max());
  while (true) {
    const auto now = holdings_of(process);
    if (!now) return std::nullopt;
    std::transform(least.counts.begin(), least.counts.end(), now->counts.begin(), least.counts.begin(),
                   [](std::size_t a, std::size_t b) { return std::min(a, b); });
    if (least.counts_within(most) || std::chrono::steady_clock::now() >= end) return least;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // polled: /proc, which tells nobody of a change
  }
}

void Growth::add(const Holdings& next) {
  for (std::size_t kind = 0; kind < grows_.size(); ++kind)
    grows_.at(kind) = grows_.at(kind) && next.counts.at(kind) >= last().counts.at(kind) + Holdings::k_steps.at(kind);
  levels_.push_back(next);
}

bool Growth::goes_on() const {
  return std::any_of(grows_.begin(), grows_.end(), [](bool grows) { return grows; });
}

std::vector<std::string> Growth::findings(const Holdings& left) const {
  std::vector<std::string> found;
  const std::size_t repetitions = levels_.size() - 1;
  for (std::size_t kind = 0; kind < grows_.size(); ++kind) {
    const std::size_t steps = repetitions * Holdings::k_steps.at(kind);
    if (!grows_.at(kind) || left.counts.at(kind) < first().counts.at(kind) + steps) continue;
    found.push_back(std::string(Holdings::k_kinds.at(kind)) + ": " + counts_of(levels_, kind) +
                    " with each repetition of the same; still " + std::to_string(left.counts.at(kind)) +
                    " when all clients had gone and the kernel had had time to give them back");
  }
  return found;
}

}  // namespace adrastea::conformance
