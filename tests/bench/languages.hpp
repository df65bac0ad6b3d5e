// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace adrastea::bench {

/// What is different from language to language: the cells that the scenarios run. Empty: a kernel of this language cannot
/// do it, and has no figure in that row. "{n}" stands for a number.
struct Language {
  std::string_view name;
  std::string_view one;                 ///< prints or shows one thing
  std::string_view comment = "";        ///< followed by any text: does nothing
  bool echoes = false;                  ///< code is printed as it is
  std::string_view prints = "";         ///< prints the lines 1 … n
  std::size_t most_prints = 1'000'000;  ///< beyond it takes minutes, or loses its idle
  std::string_view make_text = "";  ///< makes n bytes of the letter x: a cell before the one that prints them, if not empty
  std::string_view text = "";       ///< prints n bytes of the letter x, in one go
  std::string_view pieces = "";     ///< prints 64 KiB n times
  std::string_view stamps = "";     ///< 20 times: waits n ms, then prints the time in seconds since 1970
  /// Computes for 50 ms, prints "spinning", then computes until it is interrupted. In its first Limits::stop_on_error_gap a
  /// cell that fails waits for what was sent together with it, and nobody is so quick to interrupt one.
  std::string_view spin = "";
  bool signalled = false;      ///< is interrupted by SIGINT, not by interrupt_request
  std::string_view comm = "";  ///< makes the target "bench", which returns each message with its buffers
  int slowness = 1;            ///< how many times fewer repetitions are enough
};

/// Errors: std::runtime_error for one that is not there.
[[nodiscard]] const Language& language(std::string_view name);
[[nodiscard]] std::string with_number(std::string_view code, std::size_t n);

}  // namespace adrastea::bench
