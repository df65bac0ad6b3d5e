// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/command_line.hpp"

#include "support/printable.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string_view>

namespace adrastea::kernel {
namespace {

using support::log::Level;

/// CLI11 would take the = of `-f=FILE` for the file's first character. It also wants the words last one first.
std::vector<std::string> prepared(const std::vector<std::string>& words) {
  static constexpr std::string_view k_short = "-f=";
  std::vector<std::string> result(words.rbegin(), words.rend());
  for (std::string& word : result) {
    if (word.compare(0, k_short.size(), k_short) == 0) word = "--f=" + word.substr(k_short.size());
  }
  return result;
}

std::optional<Level> level_named(std::string_view word) {
  if (word == "debug") return Level::debug;
  if (word == "info") return Level::info;
  if (word == "warning") return Level::warning;
  if (word == "error") return Level::error;
  return std::nullopt;
}

struct LocationFlags {
  bool user = false;
  bool sys_prefix = false;
  std::string prefix;

  void add_to(CLI::App& app) {
    CLI::Option* user_option = app.add_flag("--user", user, "into your own Jupyter data directory");
    CLI::Option* sys_prefix_option =
        app.add_flag("--sys-prefix", sys_prefix, "into $VIRTUAL_ENV or $CONDA_PREFIX, else beside this program");
    CLI::Option* prefix_option =
        app.add_option("--prefix", prefix, "into DIR/share/jupyter/kernels")->type_name("DIR")->check(not_empty);
    user_option->excludes(sys_prefix_option)->excludes(prefix_option);
    sys_prefix_option->excludes(prefix_option);
  }

  [[nodiscard]] Location location() const {
    if (user) return Location::user;
    if (sys_prefix) return Location::sys_prefix;
    return prefix.empty() ? Location::system : Location::prefix;
  }

  static std::string not_empty(const std::string& word) { return word.empty() ? "must not be empty" : ""; }
};

/// CLI11's objects for the whole command line; they refer to one another, so this stays where it was made.
struct Grammar {
  explicit Grammar(const std::string& program) : app("A Jupyter kernel. Without a command it serves.", program) {
    app.allow_extras();
    app.add_option("-f,--connection-file,--f", connection_file, "serve with this connection file (default: an own one)")
        ->type_name("FILE")
        ->check(LocationFlags::not_empty);
    app.add_option("--ip", ip,
                   "without a file: listen on this address of the machine; 0.0.0.0: on all (default: 127.0.0.1)")
        ->type_name("ADDRESS")
        ->check(LocationFlags::not_empty);
    app.add_flag("--no-history", no_history, "forget executed cells when the kernel ends; so does ADRASTEA_HISTORY=off");
    app.add_flag("--version", version, "print versions");
    app.add_option("--log-level", log_level, "debug, info, warning (default) or error")
        ->type_name("LEVEL")
        ->check([](const std::string& word) {
          return level_named(word) ? std::string{} : "must be debug, info, warning or error, not " + word;
        });
    install = app.add_subcommand("install", "Tell Jupyter about this kernel: write its kernelspec.");
    uninstall = app.add_subcommand("uninstall", "Remove what install wrote, and nothing else.");
    for (CLI::App* command : {install, uninstall}) {
      command->allow_extras(false);
      location.add_to(*command);
      command->add_option("--name", name, "the kernelspec's folder")->type_name("N")->check(LocationFlags::not_empty);
    }
    install->add_option("--display-name", display_name, "the name that people see")->type_name("S");
    app.require_subcommand(0, 1);
  }

  CLI::App app;
  CLI::App* install = nullptr;
  CLI::App* uninstall = nullptr;
  std::string connection_file;
  std::string ip;
  bool no_history = false;
  bool version = false;
  std::string log_level = "warning";
  LocationFlags location;
  std::string name;
  std::string display_name;
};

Command command_of(const Grammar& grammar) {
  Command command;
  command.connection_file = grammar.connection_file;
  command.ip = grammar.ip;
  command.log_level = level_named(grammar.log_level).value_or(command.log_level);
  command.keep_history = !grammar.no_history;
  command.location = grammar.location.location();
  command.prefix = grammar.location.prefix;
  command.name = grammar.name;
  command.display_name = grammar.display_name;
  if (grammar.version) {
    command.action = Command::Action::version;
  } else if (grammar.install->parsed()) {
    command.action = Command::Action::install;
  } else if (grammar.uninstall->parsed()) {
    command.action = Command::Action::uninstall;
  } else {
    command.ignored = grammar.app.remaining();
    // A file says where to listen, and launchers append what they like.
    if (!command.connection_file.empty() && !command.ip.empty()) {
      command.ignored.push_back("--ip " + command.ip);
      command.ip.clear();
    }
  }
  return command;
}

}  // namespace

ParsedCommand parse_command(const std::string& program, const std::vector<std::string>& words) {
  Grammar grammar(program);
  try {
    grammar.app.parse(prepared(words));
    Command command = command_of(grammar);
    const bool kernelspec = command.action == Command::Action::install || command.action == Command::Action::uninstall;
    if (kernelspec && !grammar.app.remaining().empty()) throw CLI::ExtrasError(grammar.app.remaining());
    if (kernelspec && !command.connection_file.empty())
      throw CLI::ExcludesError("--connection-file", "install and uninstall");
    // Launchers add options of their own, and always name a file.
    if (command.action == Command::Action::serve && command.connection_file.empty() && !command.ignored.empty())
      throw CLI::ExtrasError(command.ignored);
    if (kernelspec && !command.ip.empty()) throw CLI::ExcludesError("--ip", "install and uninstall");
    return {std::move(command), {}, 0};
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, grammar.app.help(), 0};
  } catch (const CLI::ParseError& wrong) {
    return {std::nullopt, program + ": " + support::printable(wrong.what()) + "; --help tells what it takes\n", 2};
  }
}

}  // namespace adrastea::kernel
