// SPDX-License-Identifier: BSD-3-Clause
// How long a client waits: starts and round trips.
#include "bench/scenario.hpp"

#include <csignal>
#include <ctime>

namespace adrastea::bench {

namespace {

using testing::Transport;

void warm(BenchClient& client, const Stage& stage) {
  for (int i = 0; i < stage.times(50); ++i) client.execute(stage.language().one);
}

Scenario round_trip(Transport transport) {
  const std::string id = std::string("round-trip/") + to_string(transport);
  const std::string title = std::string("execute → reply and idle, ") + to_string(transport);
  Scenario scenario{
      .id = id,
      .figures = {{.id = id + "/p50", .title = title + ", p50", .unit = "µs", .targets = {{"echo", 1.25}, {"lua", 1.35}}},
                  {.id = id + "/p99", .title = title + ", p99", .unit = "µs", .targets = {{"echo", 1.5}}}},
      .measure = {}};
  scenario.measure = [transport](Stage& stage) -> std::optional<std::vector<double>> {
    if (stage.language().one.empty()) return std::nullopt;
    BenchClient& client = stage.kernel(transport).client();
    warm(client, stage);
    const auto times = microseconds_each(stage.times(2000), [&] { client.execute(stage.language().one); });
    return std::vector{quantile(times, 0.5), quantile(times, 0.99)};
  };
  return scenario;
}

/// The cell runs and has said so.
void start_spinning(BenchClient& client, const Stage& stage) {
  client.send_execute(stage.language().spin);
  client.await_stream();
}

/// As Jupyter's launcher does.
void stop_spinning(Running& running, const Stage& stage) {
  if (stage.language().signalled)
    running.process().signal_group(SIGINT);
  else
    running.client().interrupt();
}

std::optional<std::vector<double>> control_while_busy(Stage& stage) {
  if (stage.language().spin.empty()) return std::nullopt;
  Running& running = stage.kernel();
  BenchClient& client = running.client();
  start_spinning(client, stage);
  const std::string kept = client.last_request();
  const auto times = microseconds_each(stage.times(1000), [&] { client.await_control_info(); });
  client.wait_for(kept);
  stop_spinning(running, stage);
  client.await_execute();
  return std::vector{quantile(times, 0.5), quantile(times, 0.99)};
}

std::optional<std::vector<double>> interrupt_to_idle(Stage& stage) {
  if (stage.language().spin.empty()) return std::nullopt;
  Running& running = stage.kernel();
  std::vector<double> times;
  for (int i = 0; i < stage.times(100); ++i) {
    start_spinning(running.client(), stage);
    const auto before = Clock::now();
    stop_spinning(running, stage);
    running.client().await_idle();
    times.push_back(milliseconds_since(before));
    running.client().await_replies(1);
  }
  return std::vector{quantile(times, 0.5), quantile(times, 0.99)};
}

double seconds_now() {
  std::timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Adds the age, in µs, of each time that a stream message's text holds.
void add_ages(const Received& message, std::vector<double>& ages) {
  const double now = seconds_now();
  const std::string_view content = message.content();
  const std::size_t text = content.find("\"text\"");
  for (std::size_t at = content.find_first_of("0123456789", text); at != std::string_view::npos;
       at = content.find_first_of("0123456789", at)) {
    const std::size_t end = content.find_first_not_of("0123456789.", at);
    ages.push_back((now - std::stod(std::string(content.substr(at, end - at)))) * 1e6);
    at = end;
  }
}

std::optional<std::vector<double>> first_byte(Stage& stage, std::size_t gap_ms) {
  if (stage.language().stamps.empty()) return std::nullopt;
  BenchClient& client = stage.kernel().client();
  constexpr std::size_t prints = 20;
  std::vector<double> ages;
  client.send_execute(with_number(stage.language().stamps, gap_ms));
  while (ages.size() < prints) {
    client.await_stream();
    add_ages(client.received(), ages);
  }
  client.await_execute();
  return std::vector{median(ages)};
}

}  // namespace

void add_start(Scenarios& all) {
  Scenario scenario{
      .id = "start",
      .figures = {{.id = "start",
                   .title = "spawn → kernel_info_reply, ipc",
                   .unit = "ms",
                   .targets = {{"echo", 1.25}, {"lua", 1.25}}},
                  {.id = "start/memory",
                   .title = "resident memory after start",
                   .unit = "MB",
                   .targets = {{"echo", 4, Target::Compared::difference}, {"lua", 4, Target::Compared::difference}}}},
      .measure = {}};
  scenario.measure = [](Stage& stage) -> std::optional<std::vector<double>> {
    if (stage.language().one.empty()) return std::nullopt;
    std::vector<double> times;
    std::vector<double> memory;
    for (int i = 0; i < stage.times(20); ++i) {
      const Running fresh(stage.subject(), Transport::ipc);
      times.push_back(fresh.start_ms());
      memory.push_back(static_cast<double>(fresh.bytes_after_start()) / 1e6);
    }
    return std::vector{median(times), median(memory)};
  };
  all.push_back(std::move(scenario));
}

void add_round_trips(Scenarios& all) {
  all.push_back(round_trip(Transport::tcp));
  all.push_back(round_trip(Transport::ipc));
}

void add_waits(Scenarios& all) {
  all.push_back({.id = "control",
                 .figures = {{.id = "control/p50",
                              .title = "kernel_info on control while the interpreter computes, p50",
                              .unit = "µs"},
                             {.id = "control/p99",
                              .title = "kernel_info on control while the interpreter computes, p99",
                              .unit = "µs",
                              .targets = {{.subject = "lua", .limit = 3, .with_figure = "control/p50"}}}},
                 .measure = control_while_busy});
  all.push_back({.id = "interrupt",
                 .figures = {{.id = "interrupt/p50", .title = "interrupt → idle, p50", .unit = "ms"},
                             {.id = "interrupt/p99",
                              .title = "interrupt → idle, p99",
                              .unit = "ms",
                              .targets = {{.subject = "lua", .limit = 20, .compared = Target::Compared::absolute}}}},
                 .measure = interrupt_to_idle});
  all.push_back({.id = "first-byte",
                 .figures = {{.id = "first-byte",
                              .title = "print in a running cell → the client's eyes, after a pause",
                              .unit = "µs",
                              .targets = {{.subject = "lua", .limit = 2}}}},
                 .measure = [](Stage& stage) { return first_byte(stage, 50); }});
  all.push_back({.id = "next-byte",
                 .figures = {{.id = "next-byte", .title = "the same, of prints 2 ms apart", .unit = "µs"}},
                 .measure = [](Stage& stage) { return first_byte(stage, 2); }});
}

}  // namespace adrastea::bench
