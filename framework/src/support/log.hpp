// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// The kernel's own log: lines on the process's original stderr, for the server's terminal; never shown in a notebook.
///
/// Threads: any. Errors: none; a line that the descriptor cannot take at once is dropped, so that nobody who does not
/// read can hold up a kernel. Lines are single: control characters inside are escaped. A process writes at most 20 lines a
/// second (LineBudget); what was left out is counted in a later line. Before open() lines go nowhere. Never log keys.
namespace adrastea::support::log {

enum class Level { debug, info, warning, error };

/// Where lines go from now on (a descriptor that outlives the process's use of the log), and the least level that is
/// written.
void open(int fd, Level least);
void set_level(Level least);
/// Only the descriptor: when the one in use moves.
void set_fd(int fd);

void write(Level level, std::string_view line);
inline void debug(std::string_view line) { write(Level::debug, line); }
inline void info(std::string_view line) { write(Level::info, line); }
inline void warning(std::string_view line) { write(Level::warning, line); }
inline void error(std::string_view line) { write(Level::error, line); }

}  // namespace adrastea::support::log
