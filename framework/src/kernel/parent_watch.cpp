// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/parent_watch.hpp"

#include <adrastea/errors.hpp>

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace adrastea::kernel {

namespace {

struct Process {
  pid_t parent = 0;  ///< 0 when it is not known
  bool has_terminal = false;
};

Process look_at(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  // pid (name) state ppid pgrp session tty_nr …, and the name may hold anything.
  const std::size_t name_end = line.rfind(')');
  Process process;
  if (name_end == std::string::npos) return process;
  pid_t group = 0;
  pid_t session = 0;
  int terminal = 0;
  std::istringstream(line.substr(name_end + 3)) >> process.parent >> group >> session >> terminal;
  process.has_terminal = terminal != 0;
  return process;
}

bool is_ancestor(pid_t pid) {
  pid_t ancestor = ::getppid();
  while (ancestor > 1 && ancestor != pid) ancestor = look_at(ancestor).parent;
  return ancestor == pid;
}

/// By number: glibc wraps it only since 2.36.
support::UniqueFd open_process(pid_t pid) { return support::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool has_ended(pid_t pid) {
  const support::UniqueFd process = open_process(pid);
  if (!process) return errno == ESRCH;
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 1;
}

/// In a container the number of a process outside is nobody's, and no process of any Linux has one beyond the limit.
bool is_of_this_namespace(pid_t pid) {
  constexpr ino_t of_the_first_namespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO in Linux's <linux/proc_ns.h>
  constexpr pid_t limit = 4 * 1024 * 1024;              // PID_MAX_LIMIT in Linux's <linux/threads.h>
  struct stat space {};
  return pid <= limit && ::stat("/proc/self/ns/pid", &space) == 0 && space.st_ino == of_the_first_namespace;
}

enum class Named { yes, no, unknown };

/// Whether a process was started with this very JPY_PARENT_PID. Unknown: it is another user's, has changed its user, or has
/// written its title over its environment.
Named names(pid_t process, pid_t launcher) {
  std::ifstream file("/proc/" + std::to_string(process) + "/environ");
  const std::string wanted = "JPY_PARENT_PID=" + std::to_string(launcher);
  bool any = false;
  for (std::string variable; std::getline(file, variable, '\0');) {
    if (variable == wanted) return Named::yes;
    if (variable.find('=') == std::string::npos) return Named::unknown;
    any = true;
  }
  return any ? Named::no : Named::unknown;
}

/// Jupyter starts a kernel, or the wrapper around it, as the leader of a session without a terminal, and tells it of
/// itself. Such a leader whose launcher is no more has been left behind: to process 1, or to a subreaper, as systemd's is
/// for a desktop's programs. Its parent did not start it then, and was not told of the launcher. A parent that was told so
/// handed on what it got, from outside its container.
bool left_behind(pid_t launcher) {
  const pid_t started = ::getsid(0);
  const Process process = look_at(started);
  if (process.has_terminal || names(started, launcher) != Named::yes || !has_ended(launcher)) return false;
  const Named named = names(process.parent, launcher);
  if (process.parent != 1) return named == Named::no && is_of_this_namespace(launcher);
  return named == Named::no || (named == Named::unknown && is_of_this_namespace(launcher));
}

ParentWatch watch(pid_t pid, std::string remark) {
  support::UniqueFd fd = open_process(pid);
  if (!fd) remark = "cannot watch the parent process " + std::to_string(pid) + ": " + std::strerror(errno);
  return {std::move(fd), std::move(remark)};
}

}  // namespace

ParentWatch watch_parent(By by) {
  const char* const value = std::getenv("JPY_PARENT_PID");
  if (value == nullptr || *value == '\0') return {};
  const std::string_view text(value);
  pid_t pid = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (failure != std::errc() || end != text.data() + text.size() || pid < 0) {
    return {{}, "JPY_PARENT_PID is no process number; the parent process is not watched"};
  }
  if (pid <= 1) return {};
  if (is_ancestor(pid)) {
    ParentWatch watched = watch(pid, {});
    if (watched.fd || !has_ended(pid)) return watched;
  }
  if (by == By::launcher && left_behind(pid)) {
    throw StartupError("the process that started this kernel (JPY_PARENT_PID=" + std::to_string(pid) +
                       ") has ended meanwhile, so nobody would use it or end it; start it again, without JPY_PARENT_PID "
                       "where that is a process of another machine or container, or a number left in the environment");
  }
  const pid_t parent = ::getppid();
  const std::string remark =
      "JPY_PARENT_PID=" + std::to_string(pid) + " is not among the processes that started this one; ";
  if (parent <= 1) return {{}, remark + "none is watched"};
  return watch(parent, remark + "its parent " + std::to_string(parent) + " is watched instead");
}

}  // namespace adrastea::kernel
