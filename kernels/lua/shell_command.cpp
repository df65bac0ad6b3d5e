// SPDX-License-Identifier: BSD-3-Clause
#include "shell_command.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>

namespace lua_kernel {
namespace {

/// Starts `sh -c command` with no signal blocked or ignored, whatever this process does with them. Returns errno.
int spawn_shell(const char* command, pid_t* child) {
  constexpr std::array handled = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE};
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : handled) sigaddset(&defaults, signal);

  posix_spawnattr_t attributes;
  if (const int error = posix_spawnattr_init(&attributes); error != 0) return error;
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::array<char, 3> shell = {'s', 'h', '\0'};
  std::array<char, 3> option = {'-', 'c', '\0'};
  const std::array<char*, 4> arguments = {shell.data(), option.data(), const_cast<char*>(command), nullptr};
  const int error = posix_spawn(child, "/bin/sh", nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  return error;
}

/// Waits for the end of the process behind `process`, and passes interrupts on. Signals are let in only inside of ppoll:
/// none can come between the look at interrupted() and the wait.
void wait_and_pass_interrupts(pid_t child, int process, const Frontend& frontend) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pollfd watched{process, POLLIN, 0};
  do {
    if (frontend.interrupted()) kill(child, SIGINT);
  } while (ppoll(&watched, 1, nullptr, &before) < 0 && errno == EINTR);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

int run_shell_command(const char* command, const Frontend& frontend) noexcept {
  pid_t child = 0;
  if (const int error = spawn_shell(command, &child); error != 0) {
    errno = error;
    return -1;
  }
  // Without a descriptor (old kernel, none free) only the child itself can notice an interrupt.
  if (const auto process = static_cast<int>(syscall(SYS_pidfd_open, child, 0)); process >= 0) {
    wait_and_pass_interrupts(child, process, frontend);
    close(process);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

}  // namespace lua_kernel
