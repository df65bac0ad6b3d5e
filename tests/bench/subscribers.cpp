// SPDX-License-Identifier: BSD-3-Clause
// Many clients at once, and one that does not keep up.
#include "bench/process_facts.hpp"
#include "bench/scenario.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <thread>
#include <tuple>

namespace adrastea::bench {

namespace {

/// Every client sends a cell; done when each has its reply, and has seen everybody's idle.
std::optional<std::vector<double>> many_clients(Stage& stage, std::size_t count) {
  if (stage.language().one.empty()) return std::nullopt;
  Running& running = stage.kernel();
  std::vector<std::unique_ptr<BenchClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<BenchClient>(running.process().connection()));
    clients.back()->await_subscription();
  }
  // What the others' subscriptions brought.
  for (auto& client : clients) client->drain();
  const auto times = microseconds_each(stage.times(100), [&] {
    for (auto& client : clients) client->send_execute(stage.language().one);
    for (auto& client : clients) {
      client->await_replies(1);
      client->await_idles(static_cast<int>(count));
    }
  });
  return std::vector{median(times) / static_cast<double>(count)};
}

/// One that has read a message, and then reads none, or one in `pause_ms`.
class Laggard {
 public:
  Laggard(Running& running, const Stage& stage, long pause_ms) : subscriber_(running.process().connection()) {
    do {
      running.client().execute(stage.language().one);
    } while (!subscriber_.read());
    if (pause_ms > 0) reader_ = std::jthread([this, pause_ms](const std::stop_token& stop) { read(stop, pause_ms); });
  }

 private:
  void read(const std::stop_token& stop, long pause_ms) {
    const std::timespec pause{.tv_sec = 0, .tv_nsec = pause_ms * 1'000'000};
    while (!stop.stop_requested()) {
      subscriber_.read();
      nanosleep(&pause, nullptr);
    }
  }

  StoppedSubscriber subscriber_;
  std::jthread reader_;
};

/// How fast a client gets through `work`, alone and beside a laggard, several times by turns: the median of these ratios;
/// and by how many MB memory grew beside the first.
template <class Work>
std::vector<double> beside_laggard(Stage& stage, long pause_ms, Work&& work) {
  constexpr int turns = 3;
  Running fresh(stage.subject(), testing::Transport::ipc);
  const pid_t pid = fresh.process().pid();
  const auto seconds = [&] {
    const auto before = Clock::now();
    work(fresh.client());
    return seconds_since(before);
  };
  work(fresh.client());
  std::vector<double> ratios;
  std::optional<double> grown;
  for (int turn = 0; turn < turns; ++turn) {
    const double alone = seconds();
    const Laggard laggard(fresh, stage, pause_ms);
    forget_peak(pid);
    const std::size_t resident = resident_bytes(pid);
    ratios.push_back(alone / seconds());
    if (!grown) grown = static_cast<double>(peak_bytes(pid) - resident) / 1e6;
  }
  return {median(ratios), *grown};
}

std::vector<Figure> laggard_figures(const std::string& id, const std::string& title, std::vector<std::string> subjects,
                                    double most_megabytes = 0) {
  std::vector<Figure> figures{{.id = id, .title = title + ": the others' speed", .unit = "× alone", .more_is_better = true},
                              {.id = id + "/memory", .title = title + ": memory grows by", .unit = "MB"}};
  for (const auto& subject : subjects) {
    figures[0].targets.push_back({subject, 0.9, Target::Compared::absolute});
    if (most_megabytes > 0) figures[1].targets.push_back({subject, most_megabytes, Target::Compared::absolute});
  }
  return figures;
}

std::optional<std::vector<double>> executes_beside(Stage& stage, long pause_ms) {
  if (stage.language().one.empty()) return std::nullopt;
  const int count = stage.times(4000);
  return beside_laggard(stage, pause_ms, [&](BenchClient& client) {
    for (int i = 0; i < count; ++i) client.execute(stage.language().one);
  });
}

std::optional<std::vector<double>> flood_beside(Stage& stage, long pause_ms) {
  if (stage.language().pieces.empty()) return std::nullopt;
  // More than may be kept for a laggard.
  constexpr std::size_t pieces = 1500;
  return beside_laggard(stage, pause_ms, [&](BenchClient& client) {
    client.execute(with_number(stage.language().pieces, pieces)).require_text(pieces * 65536);
  });
}

}  // namespace

void add_subscribers(Scenarios& all) {
  for (const std::size_t count : {1U, 5U, 20U}) {
    const std::string id = "clients/" + std::to_string(count);
    all.push_back({.id = id,
                   .figures = {{.id = id,
                                .title = "that many clients, a cell of each at once: a cell",
                                .unit = "µs",
                                .series = "clients",
                                .size = count}},
                   .measure = [count](Stage& stage) { return many_clients(stage, count); }});
  }
  // What docs/threads.md says of each of the two: 256 messages in ZeroMQ, of 128 KiB at most; for the laggard 16 MiB more,
  // and sixteen messages on their way.
  constexpr double bound_mb = (2 * 256 + 128 + 16) * 0.131072;
  const std::string cells = "cells beside a subscriber that ";
  const std::string flood = "64 KiB of text again and again, beside a subscriber that ";
  for (const auto& [name, does, pause_ms] :
       {std::tuple{"stopped", "has stopped", 0L}, std::tuple{"slow", "reads a message in 5 ms", 5L}}) {
    const std::string id = name;
    all.push_back({.id = id + "/executes",
                   .figures = laggard_figures(id + "/executes", cells + does, {"echo", "lua"}),
                   .measure = [pause = pause_ms](Stage& stage) { return executes_beside(stage, pause); }});
    all.push_back({.id = id + "/flood",
                   .figures = laggard_figures(id + "/flood", flood + does, {"lua"}, bound_mb),
                   .measure = [pause = pause_ms](Stage& stage) { return flood_beside(stage, pause); }});
  }
}

}  // namespace adrastea::bench
