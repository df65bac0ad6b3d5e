// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/parent_watch.hpp"

#include "support/log.hpp"

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

namespace adrastea::kernel {

namespace {

/// 0 when it cannot be told.
pid_t parent_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  // pid (name) state ppid …, and the name may hold anything.
  const std::size_t name_end = line.rfind(')');
  pid_t parent = 0;
  if (name_end != std::string::npos) std::istringstream(line.substr(name_end + 3)) >> parent;
  return parent;
}

bool is_ancestor(pid_t pid) {
  pid_t ancestor = ::getppid();
  while (ancestor > 1 && ancestor != pid) ancestor = parent_of(ancestor);
  return ancestor == pid;
}

support::UniqueFd watch(pid_t pid) {
  // By number: glibc wraps it only since 2.36.
  support::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) support::log::warning("cannot watch the parent process " + std::to_string(pid) + ": " + std::strerror(errno));
  return fd;
}

}  // namespace

support::UniqueFd watch_parent() {
  const char* const value = std::getenv("JPY_PARENT_PID");
  if (value == nullptr || *value == '\0') return {};
  const std::string_view text(value);
  pid_t pid = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (failure != std::errc() || end != text.data() + text.size() || pid < 0) {
    support::log::warning("JPY_PARENT_PID is no process number; the parent process is not watched");
    return {};
  }
  if (pid <= 1) return {};
  if (is_ancestor(pid)) return watch(pid);
  const pid_t parent = ::getppid();
  support::log::warning("JPY_PARENT_PID=" + std::to_string(pid) + " is not among the processes that started this one; " +
                        (parent > 1 ? "its parent " + std::to_string(parent) + " is watched instead" : "none is watched"));
  return parent > 1 ? watch(parent) : support::UniqueFd();
}

}  // namespace adrastea::kernel
