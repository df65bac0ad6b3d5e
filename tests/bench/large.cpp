// SPDX-License-Identifier: BSD-3-Clause
// Large messages: text out, code in, buffers both ways; and how their cost grows with their size.
#include "bench/process_facts.hpp"
#include "bench/scenario.hpp"

#include <algorithm>

namespace adrastea::bench {

namespace {

constexpr std::size_t k_huge = 100'000'000;

/// Fewer times what takes longer.
int times_for(const Stage& stage, std::size_t bytes) {
  return stage.times(static_cast<int>(std::clamp<std::size_t>(20'000'000 / (bytes + 1), 10, 500)));
}

/// Runs `prepare` and `call` once in a kernel of its own; bytes a second of `call`, and how many times `k_huge` its memory
/// grew in both.
template <class Prepare, class Call>
std::vector<double> speed_and_peak(Running& running, Prepare&& prepare, Call&& call) {
  const pid_t pid = running.process().pid();
  forget_peak(pid);
  const std::size_t resident = resident_bytes(pid);
  prepare();
  const auto before = Clock::now();
  call();
  const double megabytes_per_second = static_cast<double>(k_huge) / 1e6 / seconds_since(before);
  return {megabytes_per_second, static_cast<double>(peak_bytes(pid) - resident) / static_cast<double>(k_huge)};
}

std::vector<Figure> huge_figures(const std::string& id, const std::string& title) {
  return {{.id = id, .title = title, .unit = "MB/s", .more_is_better = true, .targets = {{"lua", 0.7}}},
          {.id = id + "/peak",
           .title = title + ": memory at the peak",
           .unit = "× its size",
           .targets = {{"lua", 2, Target::Compared::absolute}}}};
}

/// What it takes to have the text is the language's matter, not the kernel's.
void make_text(BenchClient& client, const Stage& stage, std::size_t bytes) {
  if (!stage.language().make_text.empty()) client.execute(with_number(stage.language().make_text, bytes));
}

std::optional<std::vector<double>> huge_text(Stage& stage) {
  if (stage.language().text.empty()) return std::nullopt;
  Running fresh(stage.subject(), testing::Transport::ipc);
  fresh.client().execute(stage.language().one);
  const std::string text = with_number(stage.language().text, k_huge);
  return speed_and_peak(
      fresh, [&] { make_text(fresh.client(), stage, k_huge); }, [&] { fresh.client().execute(text).require_text(k_huge); });
}

const std::string& buffer_memory() {
  static const std::string bytes(k_huge, 'b');
  return bytes;
}

void make_comm(BenchClient& client, const Stage& stage) {
  client.execute(stage.language().comm);
  client.open_comm();
}

std::optional<std::vector<double>> huge_buffer(Stage& stage) {
  if (stage.language().comm.empty()) return std::nullopt;
  const std::string& buffer = buffer_memory();
  Running fresh(stage.subject(), testing::Transport::ipc);
  make_comm(fresh.client(), stage);
  const auto nothing = [] {};
  return speed_and_peak(fresh, nothing, [&] {
    if (fresh.client().comm_round_trip(buffer).bytes < k_huge) throw std::runtime_error("the buffer did not come back");
  });
}

Scenario growing(const std::string& series, const std::string& title, std::size_t size,
                 std::function<std::optional<std::vector<double>>(Stage&)> measure) {
  const std::string id = series + "/" + std::to_string(size);
  return {.id = id,
          .figures = {{.id = id, .title = title, .unit = "µs", .series = series, .size = size}},
          .measure = std::move(measure)};
}

void add_growth(Scenarios& all, std::size_t size) {
  all.push_back(growing("input", "code of that many bytes that does nothing", size,
                        [size](Stage& stage) -> std::optional<std::vector<double>> {
                          if (stage.language().comment.empty()) return std::nullopt;
                          BenchClient& client = stage.kernel().client();
                          const std::string code = std::string(stage.language().comment) + std::string(size, 'x');
                          return std::vector{
                              median(microseconds_each(times_for(stage, size), [&] { client.execute(code); }))};
                        }));
  all.push_back(growing("echo", "code of that many bytes, printed as it is", size,
                        [size](Stage& stage) -> std::optional<std::vector<double>> {
                          if (!stage.language().echoes) return std::nullopt;
                          BenchClient& client = stage.kernel().client();
                          const std::string code(size, 'x');
                          return std::vector{
                              median(microseconds_each(times_for(stage, size), [&] { client.execute(code); }))};
                        }));
  all.push_back(growing(
      "text", "text of that many bytes, in one go", size, [size](Stage& stage) -> std::optional<std::vector<double>> {
        if (stage.language().text.empty()) return std::nullopt;
        BenchClient& client = stage.kernel().client();
        const std::string code = with_number(stage.language().text, size);
        make_text(client, stage, size);
        return std::vector{median(microseconds_each(times_for(stage, size), [&] { client.execute(code); }))};
      }));
  all.push_back(growing("buffer", "a comm message with a buffer of that many bytes, there and back", size,
                        [size](Stage& stage) -> std::optional<std::vector<double>> {
                          if (stage.language().comm.empty()) return std::nullopt;
                          BenchClient& client = stage.kernel().client();
                          make_comm(client, stage);
                          const std::string_view buffer = std::string_view(buffer_memory()).substr(0, size);
                          return std::vector{
                              median(microseconds_each(times_for(stage, size), [&] { client.comm_round_trip(buffer); }))};
                        }));
}

}  // namespace

void add_large_messages(Scenarios& all) {
  all.push_back(
      {.id = "huge/text", .figures = huge_figures("huge/text", "100 MB of text in one go"), .measure = huge_text});
  all.push_back({.id = "huge/buffer",
                 .figures = huge_figures("huge/buffer", "a buffer of 100 MB, there and back"),
                 .measure = huge_buffer});
  for (const std::size_t size : {10U, 100U, 1'000U, 10'000U, 100'000U, 1'000'000U}) add_growth(all, size);
}

}  // namespace adrastea::bench
