// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/comm.hpp>
#include <adrastea/messages.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace lua_kernel {

/// What the language core needs from the notebook: the seam between it and Adrastea, so that it is tested without sockets.
///
/// Threads: interpreter thread. Errors: what is noexcept does not throw; the rest throws what Adrastea's functions of the
/// same name do.
class Frontend {
 public:
  Frontend() = default;
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;
  virtual ~Frontend() = default;

  virtual void write_stdout(std::string_view text) noexcept = 0;
  virtual void write_stderr(std::string_view text) noexcept = 0;

  virtual void display(adrastea::MimeBundle data, adrastea::Json metadata, std::string_view display_id) = 0;
  virtual void update_display(std::string_view display_id, adrastea::MimeBundle data, adrastea::Json metadata) = 0;
  virtual void clear_output(bool wait) = 0;

  /// One line without its newline, or nothing at end of input.
  virtual std::optional<std::string> input(std::string_view prompt, bool password) = 0;

  virtual adrastea::Comms& comms() = 0;

  /// What is written and shown from here on belongs to the request that runs now: for code that no cell starts.
  virtual void enter_request() = 0;

  [[nodiscard]] virtual bool interrupted() const noexcept = 0;
  /// The kernel ends after the current request.
  virtual void exit(int status) noexcept = 0;
};

}  // namespace lua_kernel
