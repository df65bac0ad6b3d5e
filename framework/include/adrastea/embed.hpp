// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>
#include <adrastea/interpreter.hpp>
#include <adrastea/limits.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

/// A kernel inside a program that has a life of its own. Programs that are only a kernel use kernel.hpp.
namespace adrastea {

/// Where the history of executed cells is kept (history_request).
enum class HistoryMode {
  in_memory,   ///< this kernel's own cells, until it ends
  persistent,  ///< in <Jupyter's data directory>/adrastea/history, together with those of other kernels of the same name
};

struct KernelOptions {
  /// Read and, where ports are 0, rewritten. Empty: an own file in Jupyter's runtime directory, removed at the end.
  std::filesystem::path connection_file{};
  /// Where a kernel with an own file listens: a numeric address of this machine, or 0.0.0.0 for all. Empty: 127.0.0.1.
  std::string ip{};
  /// Name in kernel_info_reply.implementation, logs and errors. Empty: the language's name.
  std::string name{};
  /// Captures file descriptors 1 and 2, so that output of C code and child processes reaches the notebook. One kernel of
  /// a process may; run() does.
  bool capture_output = false;
  /// SIGINT interrupts and SIGTERM ends the kernel. One kernel of a process may; run() does.
  bool handle_signals = false;
  /// Ends the process when the one named by JPY_PARENT_PID has ended; run() does.
  bool watch_parent = false;
  /// run() makes it persistent. A file that cannot be used costs one line in the log, and history is in memory then.
  HistoryMode history = HistoryMode::in_memory;
  Limits limits{};
};

using InterpreterFactory = std::function<std::unique_ptr<Interpreter>()>;

/// One kernel: five sockets, the threads that serve them, and an interpreter.
///
/// Usage: (1) construct: binds all five sockets or throws, then makes the interpreter; (2) either run(), or watch fd() for
///   reading in your event loop and call step() when it is readable; (3) stop() from anywhere, or a client's
///   shutdown_request, ends it; (4) destroy.
/// Threads: the thread that constructs it is the interpreter thread: run(), step() and the destructor belong to it; stop()
///   may be called from any thread. A program may hold several kernels, each with a thread of its own or all in one.
/// Errors: the constructor throws StartupError; nothing stays bound then.
/// Lifetime: the destructor delivers what was sent for at most Limits::linger, closes the sockets, removes the ipc files.
class ADRASTEA_EXPORT Kernel {
 public:
  Kernel(const InterpreterFactory& make_interpreter, KernelOptions options);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  /// Serves until the end; returns the exit status that was asked for (0 unless Host::exit said otherwise).
  int run();

  /// Readable when step() has something to do. Owned by the kernel.
  [[nodiscard]] int fd() const;
  /// Handles the requests that are waiting, without blocking for more. False once the kernel is to end.
  bool step();

  void stop();

  /// The file that clients connect with; empty for a kernel that has registered with its launcher and could make none.
  [[nodiscard]] const std::filesystem::path& connection_file() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace adrastea
