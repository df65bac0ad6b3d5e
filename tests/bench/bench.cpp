// SPDX-License-Identifier: BSD-3-Clause
// Measures kernels beside the floor, in turn within one run, and prints medians and ratios.
//
//   adrastea-bench [--rounds N] [--markdown] NAME=COMMAND…      the first subject is what the others are compared with
#include <adrastea/testing/kernel_process.hpp>
#include "bench/bench_client.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace adrastea;
using Clock = std::chrono::steady_clock;
using testing::Transport;

struct Subject {
  std::string name;
  std::filesystem::path program;
  std::vector<std::string> prefix;
};

struct Running {
  Running(const Subject& subject, Transport transport) {
    testing::LaunchOptions options;
    options.transport = transport;
    options.command_prefix = subject.prefix;
    const auto before = Clock::now();
    process = std::make_unique<testing::KernelProcess>(subject.program, options);
    client = std::make_unique<bench::BenchClient>(process->connection());
    client->await_kernel_info();
    start_ms = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
    client->await_subscription();
  }
  double start_ms = 0;
  std::unique_ptr<testing::KernelProcess> process;
  std::unique_ptr<bench::BenchClient> client;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A figure of all subjects, one value a round each.
class Figure {
 public:
  Figure(std::string name, std::string unit) : name_(std::move(name)), unit_(std::move(unit)) {}
  void add(const std::string& subject, double value) { values_[subject].push_back(value); }

  void print(const std::vector<Subject>& subjects) const {
    std::printf("| %s (%s) |", name_.c_str(), unit_.c_str());
    const std::vector<double>& base = values_.at(subjects.front().name);
    for (const Subject& subject : subjects) {
      const std::vector<double>& mine = values_.at(subject.name);
      std::vector<double> ratios;
      for (std::size_t round = 0; round < mine.size(); ++round)
        ratios.push_back(base[round] > 0 ? mine[round] / base[round] : 0);
      const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
      if (&subject == &subjects.front())
        std::printf(" %.4g |", median(mine));
      else
        std::printf(" %.4g, %.2f × (%.2f–%.2f) |", median(mine), median(ratios), *least, *most);
    }
    std::printf("\n");
  }

 private:
  std::string name_;
  std::string unit_;
  std::map<std::string, std::vector<double>> values_;
};

double round_trip_us(bench::BenchClient& client, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto before = Clock::now();
    client.send_execute("1");
    client.await_execute();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  }
  return median(times);
}

double pipelined_per_second(bench::BenchClient& client, int count) {
  const auto before = Clock::now();
  for (int i = 0; i < count; ++i) client.send_execute("1");
  for (int i = 0; i < count; ++i) client.await_execute();
  return count / std::chrono::duration<double>(Clock::now() - before).count();
}

/// Times that any thread of the process gave up the processor, so far.
long wake_ups(pid_t pid) {
  long sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;)
      if (word == "voluntary_ctxt_switches:") {
        long count = 0;
        status >> count;
        sum += count;
      }
  }
  return sum;
}

double idle_wake_ups_per_second(const Running& running) {
  constexpr int seconds = 3;
  const long before = wake_ups(running.process->pid());
  ::sleep(seconds);
  return static_cast<double>(wake_ups(running.process->pid()) - before) / seconds;
}

void measure(const std::vector<Subject>& subjects, int rounds) {
  constexpr double megabyte = 1024.0 * 1024.0;
  Figure start("start: spawn → kernel_info_reply, ipc", "ms");
  Figure memory("resident memory after start", "MB");
  Figure idle("wake-ups while idle", "1/s");
  std::map<Transport, Figure> trips{{Transport::tcp, {"execute → reply and idle, p50, tcp", "µs"}},
                                    {Transport::ipc, {"execute → reply and idle, p50, ipc", "µs"}}};
  std::map<Transport, Figure> piped{{Transport::tcp, {"pipelined executes, tcp", "1/s"}},
                                    {Transport::ipc, {"pipelined executes, ipc", "1/s"}}};
  for (const Transport transport : {Transport::tcp, Transport::ipc}) {
    std::vector<std::unique_ptr<Running>> running;
    for (const Subject& subject : subjects) running.push_back(std::make_unique<Running>(subject, transport));
    for (int round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < subjects.size(); ++i) {
        bench::BenchClient& client = *running[i]->client;
        round_trip_us(client, 20);  // warm
        trips.at(transport).add(subjects[i].name, round_trip_us(client, 300));
        piped.at(transport).add(subjects[i].name, pipelined_per_second(client, 1000));
        if (transport == Transport::tcp) {
          const Running fresh(subjects[i], Transport::ipc);
          start.add(subjects[i].name, fresh.start_ms);
          memory.add(subjects[i].name, static_cast<double>(fresh.process->resident_bytes()) / megabyte);
        }
      }
    if (transport == Transport::ipc)
      for (std::size_t i = 0; i < subjects.size(); ++i) idle.add(subjects[i].name, idle_wake_ups_per_second(*running[i]));
  }
  std::printf("| figure |");
  for (const Subject& subject : subjects) std::printf(" %s |", subject.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < subjects.size(); ++i) std::printf("---|");
  std::printf("\n");
  start.print(subjects);
  for (const auto& [transport, figure] : trips) figure.print(subjects);
  for (const auto& [transport, figure] : piped) figure.print(subjects);
  memory.print(subjects);
  idle.print(subjects);
}

Subject parse(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) throw std::runtime_error("expected NAME=COMMAND, got " + text);
  Subject subject;
  subject.name = text.substr(0, equals);
  std::istringstream words(text.substr(equals + 1));
  words >> subject.program;
  for (std::string word; words >> word;) subject.prefix.push_back(word);
  return subject;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    int rounds = 5;
    std::vector<Subject> subjects;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--rounds" && i + 1 < argc)
        rounds = std::stoi(argv[++i]);
      else
        subjects.push_back(parse(word));
    }
    if (subjects.empty() || rounds < 1) {
      std::fprintf(stderr, "usage: adrastea-bench [--rounds N] NAME=COMMAND...\n");
      return 2;
    }
    measure(subjects, rounds);
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "adrastea-bench: %s\n", failure.what());
    return 1;
  }
}
