// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/command_line.hpp"
#include "kernel/kernelspec.hpp"
#include "support/crash.hpp"
#include "support/executable.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/process_usage.hpp"
#include "support/unique_fd.hpp"
#include "wire/message.hpp"

#include <adrastea/embed.hpp>
#include <adrastea/kernel.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace adrastea {
namespace {

namespace log = support::log;
using kernel::Command;

void print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

/// A descriptor 0, 1 or 2 that was closed at exec would be given to the next file or socket, and printing would end up
/// there.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

std::string kernel_name(const KernelSpec& spec, const LanguageInfo& language) {
  return spec.name.empty() ? language.name : spec.name;
}

std::string default_display_name(const KernelSpec& spec, const LanguageInfo& language) {
  if (!spec.display_name.empty()) return spec.display_name;
  std::string name = language.name;
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void install(const Command& command, const LanguageInfo& language, const KernelSpec& spec) {
  kernel::InstallOrder order;
  order.program = support::executable_path();
  order.kernels_directory = kernel::kernels_directory(command.location, command.prefix, order.program);
  order.template_name = kernel_name(spec, language);
  order.name = command.name.empty() ? order.template_name : command.name;
  order.language = language.name;
  order.display_name = command.display_name;
  order.default_display_name = default_display_name(spec, language);
  const kernel::Installed done = kernel::install_kernelspec(order);
  std::string text = "Installed kernelspec " + order.name + " in " + done.folder.string() + "\n";
  if (!done.kept.empty()) text += "Left as they were, not written by install: " + joined(done.kept) + "\n";
  print(stdout, text);
}

void uninstall(const Command& command, const LanguageInfo& language, const KernelSpec& spec) {
  const std::filesystem::path program = support::executable_path();
  const std::string name = command.name.empty() ? kernel_name(spec, language) : command.name;
  const kernel::Uninstalled done =
      kernel::uninstall_kernelspec(program, kernel::kernels_directory(command.location, command.prefix, program), name);
  std::string text = "Removed kernelspec " + name + " from " + done.folder.string() + "\n";
  if (!done.kept.empty()) text += "Left there, not written by install: " + joined(done.kept) + "\n";
  print(stdout, text);
}

void print_versions(const std::string& program, const Interpreter& interpreter) {
  const LanguageInfo language = interpreter.language();
  const std::string own = interpreter.info().implementation_version;
  print(stdout, program + " " + (own.empty() ? ADRASTEA_VERSION : own) + " (" + language.name + " " + language.version +
                    ", adrastea " + ADRASTEA_VERSION + ", Jupyter protocol " + std::string(wire::k_protocol_version) +
                    ")\n");
}

HistoryMode history_mode(const Command& command) {
  const char* const variable =
      std::getenv("ADRASTEA_HISTORY");  // NOLINT(concurrency-mt-unsafe): before other threads exist
  const std::string_view word = variable == nullptr ? "" : variable;
  if (word == "off" || word == "memory") return HistoryMode::in_memory;
  if (!word.empty() && word != "on") log::warning("ADRASTEA_HISTORY must be on, off or memory, not " + std::string(word));
  return command.keep_history ? HistoryMode::persistent : HistoryMode::in_memory;
}

/// Until the kernel's handlers stand, which unblocks them: a signal in between would leave files behind.
void hold_signals_back() {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, signal);
  ::pthread_sigmask(SIG_BLOCK, &held, nullptr);
}

/// What came before main(): the loader's work, on a busy machine most of a start.
void tell_process() {
  const auto age = support::process_age();
  if (age)
    log::debug("process " + std::to_string(::getpid()) + " has been there for " + std::to_string(age->count()) + " ms");
}

int serve(const Command& command, const InterpreterFactory& make_interpreter, const KernelSpec& spec) {
  log::open(STDERR_FILENO, command.log_level);
  if (command.log_level == log::Level::debug) tell_process();
  if (!command.ignored.empty()) log::warning("ignored on the command line: " + joined(command.ignored));
  KernelOptions options;
  options.connection_file = command.connection_file;
  options.ip = command.ip;
  options.name = spec.name;
  options.capture_output = true;
  options.handle_signals = true;
  options.watch_parent = true;
  options.history = history_mode(command);
  // The kernel captures descriptor 1: what follows is for the terminal, not for a notebook.
  support::UniqueFd terminal(command.connection_file.empty() ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1);
  hold_signals_back();
  support::crash::install(STDERR_FILENO, spec.name);
  Kernel kernel(make_interpreter, std::move(options));
  if (terminal) {
    const std::string text = "To connect another client to this kernel, use:\n    --existing " +
                             kernel.connection_file().filename().string() + "\n";
    static_cast<void>(::write(terminal.get(), text.data(), text.size()));
    terminal.reset();
  }
  return kernel.run();
}

int act(const Command& command, const std::string& program, const InterpreterFactory& make_interpreter,
        const KernelSpec& spec) {
  if (command.action == Command::Action::serve) return serve(command, make_interpreter, spec);
  const std::unique_ptr<Interpreter> interpreter = make_interpreter();
  switch (command.action) {
    case Command::Action::version:
      print_versions(program, *interpreter);
      break;
    case Command::Action::install:
      install(command, interpreter->language(), spec);
      break;
    default:
      uninstall(command, interpreter->language(), spec);
  }
  return 0;
}

int fail(const std::string& program, std::string_view what) {
  print(stderr, program + ": " + support::printable(what) + "\n");
  return 1;
}

}  // namespace

int run(int argc, char** argv, const InterpreterFactory& make_interpreter, const KernelSpec& spec) {
  std::string program = "kernel";
  try {
    occupy_standard_descriptors();
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    if (argc > 0) program = std::filesystem::path(argv[0]).filename().string();
    const kernel::ParsedCommand parsed = kernel::parse_command(program, words);
    if (parsed.command) return act(*parsed.command, program, make_interpreter, spec);
    print(parsed.status == 0 ? stdout : stderr, parsed.text);
    return parsed.status;
  } catch (const std::exception& error) {
    return fail(program, error.what());
  } catch (...) {
    return fail(program, "an exception of an unknown type left the kernel");
  }
}

}  // namespace adrastea
