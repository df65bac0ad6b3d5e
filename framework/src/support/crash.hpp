// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// One line about a crash, on the server's terminal, before the process dies of its signal as it would have done.
namespace adrastea::support::crash {

/// From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT of this process write the banner to `fd`, remove the ipc files
/// and then take their default course, core dump included. Threads: once, at start. Errors: none; what cannot be had is
/// left out. The calling thread gets a stack of its own for it, so that a stack overflow is told too.
void install(int fd, std::string_view kernel_name) noexcept;

/// Which request runs, for the banner. Threads: interpreter. Cut when long; holds no user data.
void set_activity(std::string_view msg_type, std::string_view msg_id) noexcept;

}  // namespace adrastea::support::crash
