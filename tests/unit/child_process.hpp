// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace adrastea::testing {

/// Runs `body` in a forked child, which then ends with the status that it returns, without exit handlers. A child that
/// hangs is ended by SIGALRM. Returns waitpid's status.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::alarm(60);
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

inline bool ended_with(int wait_status, int expected) {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == expected;
}

}  // namespace adrastea::testing
