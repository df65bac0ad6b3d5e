// SPDX-License-Identifier: BSD-3-Clause
// How much gets through in a time.
#include "bench/scenario.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace adrastea::bench {

namespace {

using testing::Transport;

Scenario pipelined(Transport transport) {
  const std::string id = std::string("pipelined/") + to_string(transport);
  Scenario scenario{.id = id,
                    .figures = {{.id = id,
                                 .title = std::string("pipelined executes, ") + to_string(transport),
                                 .unit = "1/s",
                                 .more_is_better = true,
                                 .targets = {{"echo", 0.8}, {"lua", 0.8}}}},
                    .measure = {}};
  scenario.measure = [transport](Stage& stage) -> std::optional<std::vector<double>> {
    if (stage.language().one.empty()) return std::nullopt;
    BenchClient& client = stage.kernel(transport).client();
    const int count = stage.times(5000);
    for (int i = 0; i < count / 10; ++i) client.execute(stage.language().one);
    const auto before = Clock::now();
    for (int i = 0; i < count; ++i) client.send_execute(stage.language().one);
    client.await_execute(count);
    return std::vector{count / seconds_since(before)};
  };
  return scenario;
}

/// The language's own program, printing into `cat`.
double plain_program_seconds(const Subject& subject, const std::string& code) {
  const std::string command = subject.program.string() + " -e '" + code + "' | cat >/dev/null";
  const auto before = Clock::now();
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  return seconds_since(before);
}

/// Of the lines "1" … "count", with their ends.
std::size_t bytes_of_lines(std::size_t count) {
  std::size_t bytes = 0;
  for (std::size_t first = 1; first <= count; first *= 10) bytes += count - first + 1;
  return bytes + count;
}

std::optional<std::vector<double>> prints(Stage& stage, std::size_t count) {
  const Language& language = stage.language();
  if (language.prints.empty() || count > language.most_prints) return std::nullopt;
  const std::string code = with_number(language.prints, count);
  if (language.one.empty()) return std::vector{plain_program_seconds(stage.subject(), code) * 1e3, not_applicable};
  BenchClient& client = stage.kernel().client();
  client.execute(language.one);
  Seen seen;
  // A few prints are over before they can be timed once.
  const int repetitions = stage.times(static_cast<int>(std::clamp<std::size_t>(100'000 / count, 1, 200)));
  const auto times = microseconds_each(repetitions, [&] { seen = client.execute(code); });
  seen.require_text(bytes_of_lines(count));
  return std::vector{median(times) / 1e3, static_cast<double>(seen.messages)};
}

Scenario prints_of(std::size_t count) {
  const std::string id = "prints/" + std::to_string(count);
  const std::string title = in_words(count) + " × print(i) in one cell";
  Scenario scenario{
      .id = id,
      .figures = {{.id = id, .title = "that many print(i) in one cell", .unit = "ms", .series = "prints", .size = count},
                  {.id = id + "/messages",
                   .title = "messages on IOPub for that many print(i)",
                   .unit = "1",
                   .series = "prints/messages",
                   .size = count}},
      .measure = [count](Stage& stage) { return prints(stage, count); }};
  if (count < 1'000'000) return scenario;
  scenario.figures[0].title = title + " until idle";
  scenario.figures[0].targets = {{.subject = "lua", .limit = 1, .with_subject = "lua5.4"}};
  scenario.figures[1].title = title + ": messages on IOPub";
  scenario.figures[1].targets = {{"lua", 99, Target::Compared::absolute}};
  return scenario;
}

}  // namespace

void add_throughput(Scenarios& all) {
  all.push_back(pipelined(Transport::tcp));
  all.push_back(pipelined(Transport::ipc));
  for (const std::size_t count : {10U, 1'000U, 100'000U, 1'000'000U}) all.push_back(prints_of(count));
}

}  // namespace adrastea::bench
