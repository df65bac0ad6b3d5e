// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// One line about a crash, on the server's terminal, before the process dies of its signal as it would have done.
namespace adrastea::support::crash {

/// From now on every signal that would end this process (a fault, abort(), SIGQUIT, SIGALRM…) writes the banner to `fd`,
/// removes the ipc files and then takes its default course, core dump included. Signals that somebody handles or ignores
/// already are left alone. Threads: once, at start. Errors: none; what cannot be had is
/// left out. The calling thread gets a stack of its own for it, so that a stack overflow is told too.
void install(int fd, std::string_view kernel_name) noexcept;

/// Where the banner goes from now on. Threads: any.
void set_fd(int fd) noexcept;

/// Which request runs, for the banner. Threads: interpreter. Cut when long; holds no user data.
void set_activity(std::string_view msg_type, std::string_view msg_id) noexcept;

}  // namespace adrastea::support::crash
