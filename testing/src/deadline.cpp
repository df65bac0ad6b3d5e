// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/deadline.hpp>

#include <algorithm>
#include <cstdlib>

namespace adrastea::testing {
namespace {

double patience_factor() {
  const char* text = std::getenv("ADRASTEA_PATIENCE");
  if (text == nullptr) return 1.0;
  return std::max(std::strtod(text, nullptr), 0.1);
}

}  // namespace

Deadline::Deadline(std::chrono::milliseconds patience) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const Milliseconds stretched = Milliseconds(patience) * patience_factor();
  end_ = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(stretched);
}

Deadline Deadline::exactly(std::chrono::milliseconds time) { return Deadline(std::chrono::steady_clock::now() + time); }

std::chrono::milliseconds Deadline::left() const {
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
  return std::max(rest, std::chrono::milliseconds(0));
}

}  // namespace adrastea::testing
