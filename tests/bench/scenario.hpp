// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "bench/running.hpp"

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace adrastea::bench {

/// What a figure shall reach, and what it is compared with.
struct Target {
  enum class Compared { ratio, difference, absolute };
  std::string subject;
  double limit = 0;
  Compared compared = Compared::ratio;
  std::string with_subject = "floor";
  std::string with_figure = "";  ///< another figure's id; empty: the same
};

/// A row of the table.
struct Figure {
  std::string id;
  std::string title;
  std::string unit;
  bool more_is_better = false;
  std::vector<Target> targets{};
  std::string series = "";  ///< how a cost grows: figures of one series stand in one line, by their sizes
  std::size_t size = 0;
};

enum class Extent { quick, usual, full };

/// One subject's turn: its kernels, which stay for all rounds of the scenario.
class Stage {
 public:
  Stage(const Subject& subject, Extent extent) : subject_(subject), extent_(extent) {}

  [[nodiscard]] const Subject& subject() const noexcept { return subject_; }
  [[nodiscard]] const Language& language() const noexcept { return *subject_.language; }
  [[nodiscard]] Extent extent() const noexcept { return extent_; }
  /// A number of repetitions: a fifth of it for --quick, and fewer for slow kernels.
  [[nodiscard]] int times(int usual) const;
  /// The subject's kernel, started at the first call.
  [[nodiscard]] Running& kernel(testing::Transport transport = testing::Transport::ipc);

 private:
  const Subject& subject_;
  const Extent extent_;
  std::map<testing::Transport, std::unique_ptr<Running>> kernels_;
};

/// Something to measure. To add a row, add a Scenario to one of the lists below.
struct Scenario {
  std::string id;  ///< what --only is compared with
  std::vector<Figure> figures;
  /// One value a figure, in their order; nothing when this subject's language cannot do it. Called once a round.
  std::function<std::optional<std::vector<double>>(Stage&)> measure;
  int most_rounds = 1000;
};

using Scenarios = std::vector<Scenario>;

void add_start(Scenarios& all);
void add_round_trips(Scenarios& all);
void add_throughput(Scenarios& all);
void add_waits(Scenarios& all);
void add_large_messages(Scenarios& all);
void add_subscribers(Scenarios& all);
void add_resources(Scenarios& all);

/// Every scenario there is, in the order of the table.
[[nodiscard]] Scenarios all_scenarios();

// ---- what scenarios share ----

/// For a figure that a subject does not have, where it has the scenario's others.
constexpr double not_applicable = std::numeric_limits<double>::quiet_NaN();

/// The value below which `part` (0 … 1) of them are.
[[nodiscard]] double quantile(std::vector<double> values, double part);
[[nodiscard]] inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }
/// How long each of `count` calls takes, in µs.
template <class Call>
[[nodiscard]] std::vector<double> microseconds_each(int count, Call&& call) {
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto before = Clock::now();
    call();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  }
  return times;
}
[[nodiscard]] inline double seconds_since(Clock::time_point before) {
  return std::chrono::duration<double>(Clock::now() - before).count();
}
/// "10", "1 000", "10⁶" as a reader of a table wants it.
[[nodiscard]] std::string in_words(std::size_t number);

}  // namespace adrastea::bench
