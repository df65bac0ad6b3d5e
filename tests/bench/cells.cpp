// SPDX-License-Identifier: BSD-3-Clause
// Starts a kernel, has it run COUNT cells one after the other, and shuts it down: always the same, for instructions.py to
// count.
//
//   adrastea-bench-cells COUNT LANGUAGE PROGRAM [ARGUMENT…]
#include "bench/running.hpp"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

using namespace adrastea;

void run(int argc, char** argv) {
  if (argc < 4) throw std::runtime_error("usage: adrastea-bench-cells COUNT LANGUAGE PROGRAM [ARGUMENT...]");
  bench::Subject subject{.name = argv[3], .language = &bench::language(argv[2]), .program = argv[3], .prefix = {}};
  subject.prefix.assign(argv + 4, argv + argc);
  bench::Running running(subject, testing::Transport::ipc);
  const int count = std::stoi(argv[1]);
  for (int i = 0; i < count; ++i) running.client().execute(subject.language->one);
  running.client().shut_down();
  const testing::Ending ending = running.process().wait();
  if (ending != testing::Ending{})
    throw std::runtime_error("the kernel " + to_string(ending) + ": " + running.process().stderr_text());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "adrastea-bench-cells: %s\n", failure.what());
    return 1;
  }
}
