// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/comm.hpp>
#include <adrastea/errors.hpp>
#include <adrastea/export.hpp>
#include <adrastea/output.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace adrastea {

/// What the framework gives back to an Interpreter: input from the user, comms, interrupts, the end.
///
/// Usage: Interpreter::host(), from start() on.
/// Threads: interpreter thread, but for interrupted() and log(), which any thread may call.
/// Lifetime: that of the kernel.
class ADRASTEA_EXPORT Host {
 public:
  virtual ~Host() = default;

  /// Asks the client that sent the current request for a line (Messaging, "stdin"). Everything published before is shown
  /// before the prompt. Returns the line without a newline, or nothing at end of input.
  /// Errors: InputUnavailable, Interrupted; let them pass, or turn them into an error of the language.
  virtual std::optional<std::string> input(std::string_view prompt, bool password = false) = 0;

  /// The output of the request that runs now; of the latest one when none does.
  virtual Output output() = 0;

  virtual Comms& comms() = 0;

  /// Whether the current request was interrupted. Stays true until it ends; never true for the next one.
  [[nodiscard]] virtual bool interrupted() const noexcept = 0;

  /// Ends the kernel politely, as a shutdown_request does, once the current request has been answered.
  virtual void exit(int status = 0) = 0;

  /// A line for the server's log, at level info (--log-level info shows it); never shown in a notebook.
  virtual void log(std::string_view line) = 0;
};

}  // namespace adrastea
