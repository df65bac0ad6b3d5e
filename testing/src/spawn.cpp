// SPDX-License-Identifier: BSD-3-Clause
#include "spawn.hpp"

#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernel_process.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace adrastea::testing {
namespace {

/// All that the child needs, made before fork: after it only async-signal-safe calls are allowed.
struct Prepared {
  std::string program;
  std::vector<char*> arguments;
  std::vector<std::string> variables;
  std::vector<char*> environment;
  std::array<char, 48> parent_variable{"JPY_PARENT_PID="};
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
};

std::string executable(const std::string& path, const std::string& name) {
  if (::access(path.c_str(), X_OK) != 0) throw Failure("cannot start '" + name + "': " + std::strerror(errno));
  return path;
}

/// As a shell finds a program: by PATH, unless its name has a slash.
std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  if (name.find('/') != std::string::npos || path == nullptr) return executable(name, name);
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    std::string candidate = std::string(folder) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Failure("cannot start '" + name + "': no such program in PATH");
}

Prepared prepare(const SpawnRequest& request) {
  Prepared made;
  made.program = find_program(request.command.at(0));
  for (const auto& argument : request.command) made.arguments.push_back(const_cast<char*>(argument.c_str()));
  made.arguments.push_back(nullptr);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto replaces = [&](const std::string& mine) { return text.starts_with(mine.substr(0, mine.find('=') + 1)); };
    if (text.starts_with("JPY_") || std::any_of(request.environment.begin(), request.environment.end(), replaces)) continue;
    made.variables.emplace_back(text);
  }
  made.variables.insert(made.variables.end(), request.environment.begin(), request.environment.end());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Failure("pipe: " + std::string(std::strerror(errno)));
  ::close(ends[1]);
  made.stdin_fd = ends[0];
  made.stdout_fd = request.stdout_fd;
  made.stderr_fd = request.stderr_fd;
  return made;
}

[[noreturn]] void become_kernel(Prepared& prepared, bool tell_parent, pid_t parent) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  if (tell_parent) {
    char* digits = prepared.parent_variable.data() + std::strlen(prepared.parent_variable.data());
    *std::to_chars(digits, prepared.parent_variable.data() + prepared.parent_variable.size() - 1, parent).ptr = '\0';
  } else {
    prepared.environment[prepared.environment.size() - 2] = nullptr;
  }
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // whatever the test inherited from who started it
  ::dup2(prepared.stdin_fd, 0);
  ::dup2(prepared.stdout_fd, 1);
  ::dup2(prepared.stderr_fd, 2);
  ::execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  ::_exit(127);
}

void start_kernel(Prepared& prepared, bool tell_parent, pid_t parent, int tell_pid) {
  const pid_t kernel = ::fork();
  if (kernel == 0) become_kernel(prepared, tell_parent, parent);
  if (::write(tell_pid, &kernel, sizeof kernel) != static_cast<ssize_t>(sizeof kernel)) ::_exit(1);
}

[[noreturn]] void become_parent(Prepared& prepared, bool tell_parent, int tell_pid) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  start_kernel(prepared, tell_parent, ::getpid(), tell_pid);
  while (true) ::pause();
}

/// What a launcher's thread knows that starts a kernel.
struct LauncherThread {
  Prepared& prepared;
  bool tell_parent;
  int tell_pid;
  int told_to_end;
};

/// The same by a thread. One that forked may start threads where the C library mends itself after fork, as glibc does.
[[noreturn]] void become_parent_with_thread(LauncherThread launcher) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto run = [](void* argument) -> void* {
    const auto& known = *static_cast<const LauncherThread*>(argument);
    start_kernel(known.prepared, known.tell_parent, ::getpid(), known.tell_pid);
    char any = 0;
    while (::read(known.told_to_end, &any, 1) < 0 && errno == EINTR) {
    }
    return nullptr;
  };
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, run, &launcher) != 0) ::_exit(1);
  while (true) ::pause();
}

// ---- a namespace ----

void write_file(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, text.data(), text.size()) < 0) ::_exit(1);
  ::close(fd);
}

/// Whoever starts the kernel stays who he is: "outside inside 1".
struct SameUser {
  std::string user = one_to_one(::geteuid());
  std::string group = one_to_one(::getegid());

 private:
  static std::string one_to_one(unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; }
};

/// The next child is the first process of a PID namespace. Whether that is allowed; if not, errno says why.
bool leave_namespace(const SameUser& same) {
  if (::geteuid() == 0) return ::unshare(CLONE_NEWPID | CLONE_NEWNS) == 0;
  if (::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0) return false;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", same.user);
  write_file("/proc/self/gid_map", same.group);
  return true;
}

/// Waits for a child, and ends as that did: a signal has no status of its own, so that is as in a shell.
[[noreturn]] void end_as(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFSIGNALED(status) ? k_signalled + WTERMSIG(status) : WEXITSTATUS(status));
}

/// With a /proc of its own, where that is allowed, as in a container.
[[noreturn]] void become_init(Prepared& prepared, bool tell_parent, int tell_pid) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0)
    static_cast<void>(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr));
  const pid_t kernel = ::fork();
  if (kernel == 0) become_kernel(prepared, tell_parent, ::getppid());
  if (::write(tell_pid, &kernel, sizeof kernel) != static_cast<ssize_t>(sizeof kernel)) ::_exit(1);
  end_as(kernel);
}

[[noreturn]] void become_parent_of_init(Prepared& prepared, const SameUser& same, bool tell_parent, int tell_pid) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!leave_namespace(same)) ::_exit(1);
  const pid_t init = ::fork();
  if (init == 0) become_init(prepared, tell_parent, tell_pid);
  ::close(tell_pid);
  end_as(init);
}

bool is_child_of(const std::filesystem::path& process, pid_t parent) {
  std::ifstream file(process / "stat");
  std::string text;
  std::getline(file, text, '\0');
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 2)));
  char state = 0;
  pid_t its_parent = 0;
  return fields >> state >> its_parent && its_parent == parent;
}

/// A process's number outside its namespace.
pid_t only_child_of(pid_t parent) {
  std::error_code ended;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ended)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos && is_child_of(entry.path(), parent))
      return static_cast<pid_t>(std::stoi(name));
  }
  throw Failure("the process in between has no child");
}

}  // namespace

std::optional<std::string> why_no_init() {
  const SameUser same;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!leave_namespace(same)) ::_exit(errno);
    const pid_t first = ::fork();
    if (first == 0) ::_exit(0);
    ::_exit(first < 0 ? errno : 0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return std::nullopt;
  return "no PID namespace can be made here: " + std::string(std::strerror(WEXITSTATUS(status)));
}

Spawned spawn(const SpawnRequest& request) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  Prepared prepared = prepare(request);
  const SameUser same;
  for (auto& variable : prepared.variables) prepared.environment.push_back(variable.data());
  prepared.environment.push_back(prepared.parent_variable.data());
  prepared.environment.push_back(nullptr);
  std::array<int, 2> pid_pipe{-1, -1};
  std::array<int, 2> end_pipe{-1, -1};
  for (auto* ends : {&pid_pipe, &end_pipe}) {
    if (::pipe2(ends->data(), O_CLOEXEC) != 0) throw Failure("pipe: " + std::string(std::strerror(errno)));
  }

  Spawned spawned;
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw Failure("fork: " + std::string(std::strerror(errno)));
  if (child == 0) {
    if (request.through_thread) become_parent_with_thread({prepared, request.tell_parent, pid_pipe[1], end_pipe[0]});
    if (request.through_init) become_parent_of_init(prepared, same, request.tell_parent, pid_pipe[1]);
    if (request.through_parent) become_parent(prepared, request.tell_parent, pid_pipe[1]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    become_kernel(prepared, request.tell_parent, self);
  }
  ::close(pid_pipe[1]);
  spawned.pid = child;
  if (request.through_parent || request.through_thread || request.through_init) {
    spawned.parent = child;
    if (::read(pid_pipe[0], &spawned.pid, sizeof spawned.pid) != static_cast<ssize_t>(sizeof spawned.pid)) {
      throw Failure("the process in between started no kernel");
    }
    if (request.through_init) spawned.pid = only_child_of(only_child_of(child));
  }
  spawned.thread_end = end_pipe[1];
  for (const int fd : {pid_pipe[0], end_pipe[0], prepared.stdin_fd}) ::close(fd);
  return spawned;
}

}  // namespace adrastea::testing
