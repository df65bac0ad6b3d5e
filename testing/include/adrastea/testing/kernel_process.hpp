// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/connection.hpp>
#include <adrastea/testing/deadline.hpp>

#include <sys/types.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace adrastea::testing {

class OutputLog;
class PrivateDirectory;
class Registrar;

enum class Transport {
  tcp,        ///< fixed ports, reserved by the test until the kernel has them
  ipc,        ///< fixed names in the kernel's private directory
  port0,      ///< tcp ports that the kernel chooses and writes back
  handshake,  ///< tcp ports that the kernel chooses and tells a registrar (JEP 66)
  curve,      ///< as tcp, encrypted by CurveZMQ (JEP 145)
};
[[nodiscard]] const char* to_string(Transport transport) noexcept;

/// What a registrar answers to a kernel that has told its ports.
enum class Acknowledgement {
  given,
  none,    ///< nothing
  forged,  ///< signed with another key
};

struct LaunchOptions {
  Transport transport = Transport::ipc;
  /// A kernelspec's argv, with {connection_file}: then the program, command_prefix and arguments do not count.
  std::vector<std::string> argv{};
  std::vector<std::string> command_prefix{};  ///< before "-f FILE", e.g. -m ipykernel_launcher
  std::vector<std::string> arguments{};       ///< after it
  std::vector<std::string> environment{};     ///< NAME=VALUE, beside or instead of the test's own
  bool tell_parent = true;                    ///< sets JPY_PARENT_PID
  bool through_parent = false;                ///< by a process in between, which kill_parent() ends
  bool through_thread = false;                ///< by a thread of such a process, which end_parent_thread() ends
  bool through_init = false;                  ///< by the first process of a PID namespace, as in a container
  Json fields = Json::object();               ///< replaces or adds keys of the connection file; null removes one
  std::optional<std::string> file_text{};     ///< the connection file's bytes instead
  Acknowledgement acknowledgement = Acknowledgement::given;  ///< with handshake
  bool write_file = true;  ///< false: the kernel is told of a connection file that is not there
};

/// Why LaunchOptions::through_init is not to be had here, if it is not.
[[nodiscard]] std::optional<std::string> why_no_init();

/// How a process ended.
struct Ending {
  int status = 0;  ///< exit status, or 0 when a signal ended it
  int signal = 0;
  bool operator==(const Ending&) const = default;
};
[[nodiscard]] std::string to_string(const Ending& ending);

/// A kernel, started as jupyter_client starts one: its own session, an exhausted stdin, a connection file as argument.
///
/// Usage: construct, connect clients to connection(), end it (a client's shutdown, signal()), then wait().
/// Threads: the one that made it; the kernel is killed when that thread ends.
/// Errors: Failure. What a sanitizer wrote to the kernel's stderr is reported when the process has ended.
/// Lifetime: the destructor kills the kernel's process group, reaps what of it became this process's child, and removes its
///   directory; nothing outlives it.
class KernelProcess {
 public:
  explicit KernelProcess(const std::filesystem::path& program, LaunchOptions options = {});
  /// By LaunchOptions::argv.
  explicit KernelProcess(LaunchOptions options) : KernelProcess("", std::move(options)) {}
  KernelProcess(const KernelProcess&) = delete;
  KernelProcess& operator=(const KernelProcess&) = delete;
  ~KernelProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Readable once the process has ended.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_; }
  [[nodiscard]] bool running() const;

  /// Waits, with port0 and handshake, until the kernel has told its ports; fails at once when it ends instead.
  [[nodiscard]] Connection connection(Deadline deadline = Deadline());
  [[nodiscard]] const std::filesystem::path& connection_file() const noexcept { return file_; }
  /// The connection file's bytes as the kernel found them.
  [[nodiscard]] const std::string& written() const noexcept { return written_; }
  /// Private to this kernel, in TMPDIR if that is short enough for ipc: connection file, ipc sockets, and Jupyter's data
  /// directory (data) unless the options name another.
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  void signal(int number) const;
  /// To the whole process group, as jupyter_client interrupts.
  void signal_group(int number) const;
  void kill_parent();
  /// The process in between goes on without the thread that started the kernel.
  void end_parent_thread();
  /// Kills every kernel of this process and removes its directory, for a program that is told to end at once. From any
  /// thread; after it no KernelProcess can be made or destroyed, and the program must end.
  static void kill_all();

  /// Waits for the end and reaps.
  Ending wait(Deadline deadline = Deadline());

  /// What it wrote, of much the beginning and the newest.
  [[nodiscard]] std::string stdout_text() const;
  [[nodiscard]] std::string stderr_text() const;
  /// Resident memory now.
  [[nodiscard]] std::size_t resident_bytes() const;
  /// ipc files of the connection that exist.
  [[nodiscard]] std::vector<std::filesystem::path> socket_files() const;

 private:
  void write_connection_file();
  [[nodiscard]] Json connection_fields();
  void reserve_ports(Json& fields);
  [[nodiscard]] std::vector<std::string> command_line(const std::filesystem::path& program) const;
  void launch(const std::filesystem::path& program);
  void check_sanitizers();
  void await_written_ports(Deadline deadline);
  void await_registration(Deadline deadline);

  LaunchOptions options_;
  std::unique_ptr<PrivateDirectory> home_;
  std::filesystem::path directory_;
  std::filesystem::path file_;
  std::string written_;
  std::vector<int> reserved_;  ///< sockets that keep the fixed ports from others
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<OutputLog> log_;
  std::optional<Json> registered_;  ///< the connection that the kernel told the registrar
  int inotify_ = -1;
  pid_t pid_ = -1;
  pid_t parent_ = -1;
  int thread_end_ = -1;  ///< written to, to end the thread of the process in between
  int pidfd_ = -1;
  std::optional<Ending> ending_;
};

}  // namespace adrastea::testing
