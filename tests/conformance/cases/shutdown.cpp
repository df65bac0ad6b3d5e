// SPDX-License-Identifier: BSD-3-Clause
// How a kernel ends: shutdown_request, signals, its parent's death.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace adrastea::conformance {
namespace {

using testing::Deadline;
using testing::Ending;
using testing::text_of;

void need_own_kernel(Trial& trial) { trial.kernel(); }

std::string ask_to_end(Trial& trial, bool restart = false, Channel channel = Channel::control) {
  need_own_kernel(trial);
  return trial.client().request(channel, "shutdown_request", {{"restart", restart}}, {.reply_due = false});
}

/// Whether the kernel ends in time; one that does not is given up.
bool has_ended(Trial& trial) {
  pollfd ended{trial.kernel().pidfd(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(Deadline(trial.timeout()).left().count())) == 1) return true;
  trial.abandon();
  return false;
}

/// Of a kernel that was asked to end. NotApplicable when it does not.
Ending its_end(Trial& trial) {
  if (!has_ended(trial)) Trial::not_applicable("the kernel does not end: see shutdown.ends");
  return trial.expect_end();
}

/// The reply, once the kernel has ended and all that it sent is here. NotApplicable when there is none.
Message reply_to_the_end(Trial& trial, bool restart) {
  const std::string id = ask_to_end(trial, restart);
  KernelClient& client = trial.client();
  const bool answered = client.wait_until([&] { return client.waiting(Channel::control); });
  has_ended(trial);
  if (!answered) Trial::not_applicable("there is no shutdown_reply: see shutdown.reply");
  return client.take(Channel::control);
}

void ends(Trial& trial) {
  ask_to_end(trial);
  trial.expect_end();
}

void ends_to_restart(Trial& trial) {
  ask_to_end(trial, true);
  trial.expect_end();
}

void ends_by_shell(Trial& trial) {
  ask_to_end(trial, false, Channel::shell);
  trial.expect_end();
}

void ends_with_status_0(Trial& trial) {
  ask_to_end(trial);
  const Ending ending = its_end(trial);
  trial.check(ending == Ending{0, 0}, "the kernel " + to_string(ending));
}

void is_answered(Trial& trial) {
  const std::string id = ask_to_end(trial);
  KernelClient& client = trial.client();
  trial.check(client.wait_until([&] { return client.waiting(Channel::control); }), "shutdown_request is not answered");
  has_ended(trial);
}

void says_restart(Trial& trial, bool restart) {
  const Message reply = reply_to_the_end(trial, restart);
  trial.check(reply.content.value("restart", Json()) == restart, "the reply is " + reply.content_bytes);
}

void says_no_restart(Trial& trial) { says_restart(trial, false); }
void says_a_restart(Trial& trial) { says_restart(trial, true); }

void is_published(Trial& trial) {
  const std::string id = ask_to_end(trial);
  KernelClient& client = trial.client();
  const bool came = client.wait_until([&] {
    const auto published = client.published(id);
    return std::any_of(published.begin(), published.end(),
                       [](const Message& message) { return message.type() == "shutdown_reply"; });
  });
  trial.check(came, "no shutdown_reply was published");
  has_ended(trial);
}

/// The process ends; what keeps it is the sample.
void ends_while_busy(Trial& trial) {
  need_own_kernel(trial);
  trial.begin(trial.client(), trial.sample("loop"));
  ask_to_end(trial);
  trial.expect_end();
}

void ends_as_clients_ask(Trial& trial) {
  need_own_kernel(trial);
  trial.begin(trial.client(), trial.sample("loop"));
  trial.interrupt();
  ask_to_end(trial);
  trial.expect_end();
}

void ends_when_asked_twice(Trial& trial) {
  ask_to_end(trial);
  ask_to_end(trial);
  const Ending ending = its_end(trial);
  trial.check(ending.signal == 0, "the kernel " + to_string(ending));
}

void ends_with_cells_that_wait(Trial& trial) {
  need_own_kernel(trial);
  KernelClient& client = trial.client();
  trial.begin(client, trial.sample("sleep", {{"seconds", "600"}}));
  for (int i = 0; i < 10; ++i) client.execute(trial.sample("print", {{"text", trial.word()}}));
  trial.interrupt();
  ask_to_end(trial);
  trial.expect_end();
}

// ---- signals and the parent ----

void ends_by_sigterm(Trial& trial) {
  need_own_kernel(trial);
  trial.client();
  trial.kernel().signal_group(SIGTERM);
  trial.expect_end();
}

void ends_by_sigterm_while_busy(Trial& trial) {
  need_own_kernel(trial);
  trial.begin(trial.client(), trial.sample("loop"));
  trial.kernel().signal_group(SIGTERM);
  trial.expect_end();
}

void ends_with_its_parent(Trial& trial) {
  trial.start({.through_parent = true});
  trial.client();
  trial.kernel().kill_parent();
  trial.expect_end();
}

void ends_with_its_parent_while_busy(Trial& trial) {
  trial.start({.through_parent = true});
  trial.begin(trial.client(), trial.sample("loop"));
  trial.kernel().kill_parent();
  trial.expect_end();
}

// ---- what is left ----

/// A process that may be anybody's child: readable once it has ended.
class Watched {
 public:
  explicit Watched(pid_t pid) : pid_(pid), fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    if (fd_ < 0) return;
    ::syscall(SYS_pidfd_send_signal, fd_, SIGKILL, nullptr, 0);
    ::waitpid(pid_, nullptr, WNOHANG);  // this program is a subreaper: it may be ours now
    ::close(fd_);
  }
  [[nodiscard]] bool exists() const { return fd_ >= 0; }
  [[nodiscard]] bool ends(Deadline deadline) const {
    pollfd ended{fd_, POLLIN, 0};
    return ::poll(&ended, 1, static_cast<int>(deadline.left().count())) == 1;
  }

 private:
  pid_t pid_;
  int fd_;
};

/// The process id of a child that a cell started in the background.
pid_t start_child(Trial& trial) {
  need_own_kernel(trial);
  const std::string said = trial.run(trial.sample("background_child", {{"seconds", "600"}})).text("stdout");
  const auto digit = std::find_if(said.begin(), said.end(), [](char letter) { return letter >= '0' && letter <= '9'; });
  if (digit == said.end()) Trial::not_applicable("the sample background_child does not work");
  return static_cast<pid_t>(std::stol(std::string(digit, said.end())));
}

void leaves_no_children(Trial& trial) {
  const Watched child(start_child(trial));
  if (!child.exists()) Trial::not_applicable("the sample background_child does not work");
  ask_to_end(trial);
  its_end(trial);
  trial.check(child.ends(Deadline(trial.timeout())), "a child process of the kernel's group is still there");
}

void ends_with_children(Trial& trial) {
  const Watched child(start_child(trial));
  ask_to_end(trial);
  trial.expect_end();
}

void leaves_the_connection_file(Trial& trial) {
  ask_to_end(trial);
  its_end(trial);
  trial.check(std::filesystem::exists(trial.kernel().connection_file()), "the connection file is gone");
}

void leaves_no_sockets(Trial& trial) {
  if (trial.transport() != Transport::ipc) Trial::not_applicable("only ipc has files");
  ask_to_end(trial);
  its_end(trial);
  const std::size_t left = trial.kernel().socket_files().size();
  trial.check(left == 0, std::to_string(left) + " ipc files are still there");
}

std::vector<Case> request_cases() {
  constexpr std::string_view section = "Messaging, Kernel shutdown";
  constexpr std::string_view asks = "sends shutdown_request on control";
  constexpr std::string_view legal = "the process ends";
  return {
      {"shutdown.ends", section, Level::must, "A kernel ends when it is asked to.", asks, legal, ends},
      {"shutdown.restart.ends", "JEP 118", Level::must, "A kernel that will be started again ends, too.",
       "sends shutdown_request with restart true on control", legal, ends_to_restart},
      {"shutdown.shell", section, Level::should, "shutdown_request works on shell, too.", "sends shutdown_request on shell",
       legal, ends_by_shell},
      {"shutdown.status", section, Level::should, "A kernel that was asked to end ends with exit status 0.", asks,
       "exit status 0", ends_with_status_0},
      {"shutdown.reply", section, Level::must, "A shutdown_request is answered.", asks, "shutdown_reply on control",
       is_answered},
      {"shutdown.reply.restart.false", section, Level::must, "shutdown_reply has the restart of the request.",
       "sends shutdown_request with restart false", "restart false", says_no_restart},
      {"shutdown.reply.restart.true", section, Level::must, "shutdown_reply has the restart of the request.",
       "sends shutdown_request with restart true", "restart true", says_a_restart},
      {"shutdown.published", section, Level::should, "All clients are told that the kernel ends.", asks,
       "shutdown_reply on IOPub with the request as parent", is_published},
      {"shutdown.busy", section, Level::should, "A kernel ends when it is asked to, also while a cell runs.",
       "executes the samples print and loop, and sends shutdown_request on control", legal, ends_while_busy},
      {"shutdown.interrupted", section, Level::must, "A kernel ends as jupyter_client asks it to.",
       "executes the samples print and loop, interrupts, and sends shutdown_request on control", legal,
       ends_as_clients_ask},
      {"shutdown.queue", section, Level::must, "A kernel ends also when cells wait.",
       "executes the sample sleep and ten prints, interrupts, and sends shutdown_request on control", legal,
       ends_with_cells_that_wait},
      {"shutdown.twice", section, Level::should, "A second shutdown_request does no harm.",
       "sends shutdown_request twice on control", "the process ends, and not by a signal", ends_when_asked_twice},
  };
}

}  // namespace

std::vector<Case> shutdown_cases() {
  constexpr std::string_view section = "Messaging, Kernel shutdown";
  constexpr std::string_view kernels = "Kernels, Connection files";
  constexpr std::string_view legal = "the process ends";
  std::vector<Case> cases = request_cases();
  const std::vector<Case> others{
      {"shutdown.sigterm", "jupyter_client, KernelManager", Level::should, "SIGTERM ends a kernel.",
       "sends SIGTERM to its process group", legal, ends_by_sigterm},
      {"shutdown.sigterm.busy", "jupyter_client, KernelManager", Level::should, "SIGTERM ends a kernel while a cell runs.",
       "executes the samples print and loop, and sends SIGTERM to its process group", legal, ends_by_sigterm_while_busy},
      {"shutdown.parent", "jupyter_client, JPY_PARENT_PID", Level::should, "A kernel ends when who started it is gone.",
       "kills the process that started the kernel", legal, ends_with_its_parent},
      {"shutdown.parent.busy", "jupyter_client, JPY_PARENT_PID", Level::should,
       "A kernel ends when who started it is gone, also while a cell runs.",
       "executes the samples print and loop, and kills the process that started the kernel", legal,
       ends_with_its_parent_while_busy},
      {"shutdown.children", section, Level::should, "A kernel takes the processes that its cells started with it.",
       "executes the sample background_child and sends shutdown_request", "the child ends", leaves_no_children},
      {"shutdown.children.ends", section, Level::should, "A kernel whose cells started processes ends as ever.",
       "executes the sample background_child and sends shutdown_request", legal, ends_with_children},
      {"shutdown.file", kernels, Level::should, "A connection file belongs to who made it.", "sends shutdown_request",
       "the file is still there", leaves_the_connection_file},
      {"shutdown.ipc-files", kernels, Level::should, "A kernel removes its ipc files.", "sends shutdown_request",
       "no ipc file is left", leaves_no_sockets},
  };
  cases.insert(cases.end(), others.begin(), others.end());
  return cases;
}

}  // namespace adrastea::conformance
