// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/parent_watch.hpp"

#include "support/log.hpp"

#include <adrastea/errors.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace adrastea::kernel {

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
  // By number: glibc wraps it only since 2.36.
  support::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (fd) return fd;
  if (errno == ESRCH)
    throw StartupError("the process that started this kernel has ended already (JPY_PARENT_PID=" + std::to_string(pid) +
                       ")");
  support::log::warning("cannot watch the parent process " + std::to_string(pid) + ": " + std::strerror(errno));
  return {};
}

}  // namespace adrastea::kernel
