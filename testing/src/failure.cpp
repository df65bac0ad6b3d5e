// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/failure.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace adrastea::testing {
namespace {

Reporter& reporter() {
  static Reporter current = [](const std::string& finding) {
    std::fprintf(stderr, "%s\nThis ends the program, for nobody has called adrastea::testing::set_reporter().\n",
                 finding.c_str());
    std::abort();
  };
  return current;
}

}  // namespace

void set_reporter(Reporter new_reporter) { reporter() = std::move(new_reporter); }

void report(const std::string& finding) { reporter()(finding); }

}  // namespace adrastea::testing
