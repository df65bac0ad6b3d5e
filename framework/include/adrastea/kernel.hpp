// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/errors.hpp>
#include <adrastea/export.hpp>
#include <adrastea/host.hpp>
#include <adrastea/interpreter.hpp>
#include <adrastea/messages.hpp>
#include <adrastea/output.hpp>

#include <functional>
#include <memory>
#include <string>

/// All that a program needs that is a Jupyter kernel: derive from Interpreter, and let main() return run().
namespace adrastea {

/// How the kernel presents itself to Jupyter. Everything has a default made from Interpreter::language().
struct KernelSpec {
  std::string name{};          ///< kernelspec folder: [A-Za-z0-9._-]+; empty: the language's name
  std::string display_name{};  ///< empty: the language's name with a capital
};

/// The whole command line of a kernel: serve (`-f FILE`, or nothing for an own connection file), `install`, `uninstall`,
/// `--version`, `--help`.
///
/// Threads: call it from main(), before other threads exist: it masks signals, captures file descriptors 1 and 2 and makes
///   the calling thread the interpreter thread.
/// Errors: none leave it; a start that fails prints one line on stderr and returns 1, a wrong command line 2.
/// Returns: main()'s exit status.
ADRASTEA_EXPORT int run(int argc, char** argv, const std::function<std::unique_ptr<Interpreter>()>& make_interpreter,
                        const KernelSpec& spec = {});

template <class MyInterpreter>
int run(int argc, char** argv, const KernelSpec& spec = {}) {
  return run(
      argc, argv, [] { return std::make_unique<MyInterpreter>(); }, spec);
}

}  // namespace adrastea
