// SPDX-License-Identifier: BSD-3-Clause
#include "bench/scenario.hpp"

#include <algorithm>

namespace adrastea::bench {

int Stage::times(int usual) const {
  const int wanted = extent_ == Extent::quick ? usual / 5 : usual;
  return std::max(1, wanted / language().slowness);
}

Running& Stage::kernel(testing::Transport transport) {
  auto& running = kernels_[transport];
  if (!running) running = std::make_unique<Running>(subject_, transport);
  return *running;
}

Scenarios all_scenarios() {
  Scenarios all;
  add_start(all);
  add_round_trips(all);
  add_waits(all);
  add_throughput(all);
  add_large_messages(all);
  add_subscribers(all);
  add_resources(all);
  return all;
}

double quantile(std::vector<double> values, double part) {
  const auto at = std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

std::string in_words(std::size_t number) {
  if (number == 1'000'000) return "10⁶";
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ' ';
    text += digits[i];
  }
  return text;
}

}  // namespace adrastea::bench
