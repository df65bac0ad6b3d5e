// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frontend.hpp"

namespace lua_kernel {

/// As system(3), which cannot be used: it makes the process ignore SIGINT while the command runs, so the stop button
/// would be lost. Here an interrupt that the frontend reports is passed on to the shell, each time it is pressed.
///
/// Returns the wait status, or -1 with errno. Threads: interpreter.
int run_shell_command(const char* command, const Frontend& frontend) noexcept;

}  // namespace lua_kernel
