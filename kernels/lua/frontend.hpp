// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lua_kernel {

/// What the language core needs from the notebook: the seam between it and Adrastea, so that it is tested without sockets.
///
/// Threads: interpreter thread. Errors: only input() throws.
class Frontend {
 public:
  Frontend() = default;
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;
  virtual ~Frontend() = default;

  virtual void write_stdout(std::string_view text) noexcept = 0;
  virtual void write_stderr(std::string_view text) noexcept = 0;
  /// One line without its newline, or nothing at end of input. Throws what adrastea::Host::input throws.
  virtual std::optional<std::string> input() = 0;
  [[nodiscard]] virtual bool interrupted() const noexcept = 0;
  /// The kernel ends after the current request.
  virtual void exit(int status) noexcept = 0;
};

}  // namespace lua_kernel
