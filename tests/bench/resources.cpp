// SPDX-License-Identifier: BSD-3-Clause
// What a kernel takes: memory, allocations, time while nothing happens, room on disk.
#include "bench/allocations.hpp"
#include "bench/process_facts.hpp"
#include "bench/scenario.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace adrastea::bench {

namespace {

using testing::Transport;

// ---- memory over many cells ----

void execute_many(BenchClient& client, const Stage& stage, int count, int at_once) {
  for (int left = count; left > 0; left -= at_once) {
    for (int i = 0; i < at_once; ++i) client.send_execute(stage.language().one);
    client.await_execute(at_once);
  }
}

std::optional<std::vector<double>> growth(Stage& stage) {
  if (stage.language().one.empty()) return std::nullopt;
  Running& running = stage.kernel();
  const int count = stage.times(stage.extent() == Extent::full ? 1'000'000 : 100'000);
  // How much waits at most depends on who else has a processor, and an allocator keeps what that took: so more waits first.
  constexpr int at_once = 100;
  execute_many(running.client(), stage, count / 10, 10 * at_once);
  // What that left unused is given back, or not, before the measurement begins.
  execute_many(running.client(), stage, count / 10, at_once);
  const auto before = static_cast<double>(resident_bytes(running.process().pid()));
  execute_many(running.client(), stage, count, at_once);
  const auto after = static_cast<double>(resident_bytes(running.process().pid()));
  return std::vector{(after - before) / 1024};
}

// ---- nothing to do ----

std::optional<std::vector<double>> idle(Stage& stage) {
  if (stage.language().one.empty()) return std::nullopt;
  Running& running = stage.kernel();
  running.client().execute(stage.language().one);
  const pid_t pid = running.process().pid();
  // What it does after its idle is not idleness yet, and no kernel announces that it is done with it.
  ::sleep(1);
  const unsigned seconds = stage.extent() == Extent::full ? 60 : stage.extent() == Extent::quick ? 3 : 10;
  const long woken = wake_ups(pid);
  const double computed = processor_ms(pid);
  ::sleep(seconds);
  const double minutes = seconds / 60.0;
  const std::vector figures{static_cast<double>(wake_ups(pid) - woken) / minutes, (processor_ms(pid) - computed) / minutes};
  running.client().execute(stage.language().one);  // nothing is idler than a kernel that has ended
  return figures;
}

// ---- what a cell costs ----

std::filesystem::path beside_program(const std::string& path) {
  return std::filesystem::canonical("/proc/self/exe").parent_path() / path;
}

/// The counters of one kernel, in a file that nobody sees.
class Counters {
 public:
  Counters() : fd_(::memfd_create("allocations", 0)) {
    if (fd_ < 0 || ::ftruncate(fd_, sizeof(AllocationCounts)) != 0) throw std::runtime_error("no memory file");
    counts_ = static_cast<AllocationCounts*>(
        ::mmap(nullptr, sizeof(AllocationCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;
  ~Counters() {
    ::munmap(counts_, sizeof(AllocationCounts));
    ::close(fd_);
  }
  [[nodiscard]] std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" + beside_program("../lib/libadrastea-bench-allocations.so").string(),
            std::string(k_allocations_variable) + "=/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_)};
  }
  [[nodiscard]] const AllocationCounts& counts() const { return *counts_; }

 private:
  int fd_;
  AllocationCounts* counts_;
};

std::optional<std::vector<double>> cost_of_a_cell(Stage& stage) {
  if (stage.language().one.empty()) return std::nullopt;
  const Counters counters;
  Running fresh(stage.subject(), Transport::ipc, counters.environment());
  const int count = stage.times(1000);
  for (int i = 0; i < count; ++i) fresh.client().execute(stage.language().one);
  const auto calls = counters.counts().calls.load();
  const auto bytes = counters.counts().bytes.load();
  const long woken = wake_ups(fresh.process().pid());
  const double computed = processor_ms(fresh.process().pid());
  if (calls == 0) throw std::runtime_error("its allocations are not counted");
  std::size_t sent = 0;
  for (int i = 0; i < count; ++i) sent += fresh.client().execute(stage.language().one).bytes;
  const double cells = count;
  return std::vector{static_cast<double>(counters.counts().calls - calls) / cells,
                     static_cast<double>(counters.counts().bytes - bytes) / cells, static_cast<double>(sent) / cells,
                     static_cast<double>(wake_ups(fresh.process().pid()) - woken) / cells,
                     (processor_ms(fresh.process().pid()) - computed) * 1000 / cells};
}

// ---- on disk ----

std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> bytes{};
  while (const std::size_t count = std::fread(bytes.data(), 1, bytes.size(), pipe)) text.append(bytes.data(), count);
  ::pclose(pipe);
  return text;
}

double stripped_kilobytes(const std::string& file) {
  const std::filesystem::path stripped =
      std::filesystem::temp_directory_path() / ("stripped-" + std::to_string(::getpid()));
  output_of("strip -o '" + stripped.string() + "' '" + file + "'");
  const auto bytes = static_cast<double>(std::filesystem::file_size(stripped));
  std::filesystem::remove(stripped);
  return bytes / 1000;
}

/// Of the libraries a program is linked with, those that exist for kernels.
double libraries_kilobytes(const std::string& program) {
  std::istringstream lines(output_of("ldd '" + program + "'"));
  double sum = 0;
  for (std::string name, arrow, path, address; lines >> name;) {
    std::string rest;
    std::getline(lines, rest);
    if (name.find("adrastea") == std::string::npos && name.find("xeus") == std::string::npos) continue;
    std::istringstream(rest) >> arrow >> path;
    sum += stripped_kilobytes(path);
  }
  return sum;
}

std::optional<std::vector<double>> size_on_disk(Stage& stage) {
  // A script has no size that could be compared.
  if (stage.language().one.empty() || !stage.subject().prefix.empty()) return std::nullopt;
  const std::string program = stage.subject().program.string();
  return std::vector{stripped_kilobytes(program), libraries_kilobytes(program)};
}

}  // namespace

void add_resources(Scenarios& all) {
  const auto absolute = [](const char* subject, double limit) {
    return Target{subject, limit, Target::Compared::absolute};
  };
  all.push_back(
      {.id = "growth",
       .figures = {{.id = "growth",
                    .title = "memory grows over 100 000 cells (--full: 10⁶, --quick: a fifth; slow kernels: fewer) by",
                    .unit = "KiB",
                    .targets = {absolute("echo", 64), absolute("lua", 64)}}},
       .measure = growth,
       .most_rounds = 1});
  all.push_back({.id = "idle",
                 .figures = {{.id = "idle/wake-ups",
                              .title = "wake-ups while idle",
                              .unit = "1/min",
                              .targets = {absolute("echo", 0), absolute("lua", 0)}},
                             {.id = "idle/processor",
                              .title = "processor time while idle",
                              .unit = "ms/min",
                              .targets = {absolute("echo", 0), absolute("lua", 0)}}},
                 .measure = idle,
                 .most_rounds = 1});
  all.push_back({.id = "cell",
                 .figures = {{.id = "cell/allocations", .title = "allocations a cell", .unit = "1"},
                             {.id = "cell/allocated", .title = "allocated a cell", .unit = "bytes"},
                             {.id = "cell/sent", .title = "IOPub frames a cell", .unit = "bytes"},
                             {.id = "cell/wake-ups", .title = "wake-ups a cell", .unit = "1"},
                             {.id = "cell/processor", .title = "processor time a cell", .unit = "µs"}},
                 .measure = cost_of_a_cell});
  all.push_back(
      {.id = "size",
       .figures = {{.id = "size/program", .title = "program, stripped", .unit = "kB"},
                   {.id = "size/libraries", .title = "its libraries that exist for kernels, stripped", .unit = "kB"}},
       .measure = size_on_disk,
       .most_rounds = 1});
}

}  // namespace adrastea::bench
