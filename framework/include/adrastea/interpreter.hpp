// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>
#include <adrastea/host.hpp>
#include <adrastea/messages.hpp>
#include <adrastea/output.hpp>

#include <string>

namespace adrastea {

/// A language: the one class that a kernel author implements.
///
/// Usage: (1) derive, implement language() and execute(); (2) run<MyInterpreter>(argc, argv); (3) override more as the
///   language offers more.
/// Threads: every function but interrupt() is called on the interpreter thread, one call at a time; so is the
///   constructor. Sockets are bound and heartbeat and control answer before start() is called, so start() may be slow.
/// Errors: exceptions of any type may leave any function; they become the error reply of that request. Whatever happens,
///   the request gets exactly one reply and one idle.
class ADRASTEA_EXPORT Interpreter {
 public:
  Interpreter() = default;
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;
  virtual ~Interpreter() = default;

  /// Called once, before the first request, and again whenever the values are wanted: return constants.
  [[nodiscard]] virtual LanguageInfo language() const = 0;

  /// Runs a cell. execution_count, execute_input, history, the error message, stop_on_error, flushing: all done for you.
  virtual ExecuteResult execute(const ExecuteRequest& request, Output& out) = 0;

  // ---- the rest has defaults that a client can live with ----

  [[nodiscard]] virtual KernelInfo info() const;

  /// Prepares the language. host() works from here on.
  virtual void start();

  /// The last call: the kernel ends.
  virtual void shutdown(bool restart);

  /// One of execute_request.user_expressions, run after a cell that did not fail. The default calls execute() silently and
  /// takes its value.
  virtual MimeBundle evaluate(const std::string& expression);

  virtual CompleteResult complete(const CompleteRequest& request);
  virtual InspectResult inspect(const InspectRequest& request);
  virtual IsCompleteResult is_complete(const std::string& code);

  /// Stops what execute() does. Called inside a signal handler on the interpreter thread, only while a request runs:
  /// do nothing here that is not async-signal-safe (set a flag or a hook of the language). A system call that blocks
  /// returns EINTR. Code that cannot be reached this way can poll host().interrupted().
  virtual void interrupt() noexcept;

  /// Threads: as Host. Errors: std::logic_error before start().
  [[nodiscard]] Host& host() const;

  /// For the framework: connects the interpreter with its kernel.
  void attach(Host* host) noexcept { host_ = host; }

 private:
  Host* host_ = nullptr;
};

}  // namespace adrastea
