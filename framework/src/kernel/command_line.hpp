// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/log.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// The words behind a kernel's name, taken apart. Pure: reads no file, writes nothing.
namespace adrastea::kernel {

/// Where kernelspecs go; as `jupyter kernelspec install` has it.
enum class Location { system, user, sys_prefix, prefix };

struct Command {
  enum class Action { serve, install, uninstall, version };
  Action action = Action::serve;

  std::filesystem::path connection_file;  ///< serve; empty: an own one
  std::string ip;                         ///< serve without a file; empty: this machine only
  bool keep_history = true;               ///< serve; false: in memory only
  std::vector<std::string> ignored;       ///< serve: words that launchers append and that mean nothing here
  support::log::Level log_level = support::log::Level::warning;

  Location location = Location::system;  ///< install, uninstall
  std::filesystem::path prefix;          ///< with Location::prefix
  std::string name;                      ///< empty: the kernel's own
  std::string display_name;              ///< install; empty: the kernel's own
};

/// A command, or text to print and the status to end with: 0 for help (stdout), 2 for a wrong command line (stderr).
struct ParsedCommand {
  std::optional<Command> command;
  std::string text;
  int status = 0;
};

/// `words` are argv without argv[0]. Threads: one. Errors: none but std::bad_alloc.
[[nodiscard]] ParsedCommand parse_command(const std::string& program, const std::vector<std::string>& words);

}  // namespace adrastea::kernel
