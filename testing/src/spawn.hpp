// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace adrastea::testing {

/// A program to start as a Jupyter launcher starts a kernel.
struct SpawnRequest {
  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< NAME=VALUE, beside ours
  bool tell_parent = true;               ///< JPY_PARENT_PID
  bool through_parent = false;           ///< a process in between is the parent, and lives until it is killed
  bool through_thread = false;           ///< the same, by a thread of it that ends when it is told to
  bool through_init = false;             ///< the same, and it is the first process of a PID namespace
  int stdout_fd = -1;                    ///< not closed here
  int stderr_fd = -1;
};

struct Spawned {
  pid_t pid = -1;
  pid_t parent = -1;    ///< of the process in between; of an init the one before it, which ends as the kernel did
  int thread_end = -1;  ///< a byte written to it ends that process's thread; the caller closes it
};

/// The exit status of an init whose child a signal ended is this and the signal, as a shell's.
inline constexpr int k_signalled = 128;

/// Own session, no blocked or ignored signals, a stdin at its end. Errors: Failure for a program that is not there; one
/// that the system cannot execute ends with status 127. The program is killed when the calling thread ends, unless there is
/// a process in between.
[[nodiscard]] Spawned spawn(const SpawnRequest& request);

}  // namespace adrastea::testing
