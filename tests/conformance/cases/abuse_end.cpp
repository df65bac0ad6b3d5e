// SPDX-License-Identifier: BSD-3-Clause
// Ends that come at a bad moment, or in a bad way: the process has to be gone after each.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <zmq.h>

#include <csignal>

namespace adrastea::conformance {
namespace {

using testing::Ending;

void ask_for_shutdown(KernelClient& client) { client.request(Channel::control, "shutdown_request", {{"restart", false}}); }

/// Starts a cell, and returns once it has begun.
std::string begin(Trial& trial, const std::string& code) {
  trial.kernel();
  std::string id = trial.client().execute(code);
  while (trial.client().take_published(id).type() != "execute_input") {
  }
  return id;
}

void queued(Trial& trial) {
  const std::string loop = trial.sample("loop");
  const std::string print = trial.sample("print", {{"text", trial.word()}});
  begin(trial, loop);
  for (int i = 0; i < 100; ++i) trial.client().execute(print);
  ask_for_shutdown(trial.client());
  trial.expect_end();
}

void flooding(Trial& trial) {
  begin(trial, trial.sample("print_loop"));
  ask_for_shutdown(trial.client());
  trial.expect_end();
}

void twice(Trial& trial) {
  trial.kernel();
  KernelClient& one = trial.client();
  KernelClient& other = trial.connect();
  ask_for_shutdown(one);
  ask_for_shutdown(other);
  ask_for_shutdown(one);
  trial.expect_end();
}

void both_channels(Trial& trial) {
  trial.kernel();
  ask_for_shutdown(trial.client());
  trial.client().request(Channel::shell, "shutdown_request", {{"restart", true}});
  trial.expect_end();
}

void requests_after(Trial& trial) {
  trial.kernel();
  ask_for_shutdown(trial.client());
  for (int i = 0; i < 200; ++i)
    trial.client().request(i % 2 == 0 ? Channel::shell : Channel::control, "kernel_info_request");
  trial.expect_end();
}

/// Nothing that follows is judged: a kernel may send the flag back as it came.
void no_content(Trial& trial) {
  trial.kernel();
  RawPeer peer(trial);
  peer.request(Channel::control, "shutdown_request", {{"restart", {{"not", "a flag"}}}});
  peer.request(Channel::control, "shutdown_request", Json::object());
  peer.request(Channel::control, "shutdown_request", {{"restart", false}});
  trial.expect_end();
}

/// What jupyter_client does with every kernel: an interrupt, and at once the request.
void interrupt_and_ask(Trial& trial) {
  trial.interrupt(trial.client());
  ask_for_shutdown(trial.client());
  trial.expect_end();
}

void racing_interrupt(Trial& trial) {
  trial.kernel();
  trial.client().fence(Channel::shell);
  interrupt_and_ask(trial);
}

void racing_interrupt_busy(Trial& trial) {
  begin(trial, trial.sample("loop"));
  interrupt_and_ask(trial);
}

void stopped_subscriber(Trial& trial) {
  const std::string code = trial.sample("big", {{"count", "20000000"}});
  trial.kernel();
  RawPeer peer(trial, {.subscribe = false});
  OddSocket stopped(trial, ZMQ_SUB, Channel::iopub, 1);
  peer.await_reply(peer.request(Channel::shell, "execute_request", execute_content(code)));
  peer.request(Channel::control, "shutdown_request", {{"restart", false}});
  trial.expect_end();
}

void half_connections(Trial& trial) {
  trial.kernel();
  trial.client();
  std::vector<RawStream> open;
  for (const Channel channel : k_all_channels) {
    open.emplace_back(trial.connection(), channel);
    open.emplace_back(trial.connection(), channel);
    open.back().write(zmtp_opening("DEALER") + zmtp_frame(1, "half", 4));
  }
  ask_for_shutdown(trial.client());
  trial.expect_end();
}

void parent_idle(Trial& trial) {
  KernelProcess& kernel = trial.start({.through_parent = true});
  trial.client().fence(Channel::shell);
  kernel.kill_parent();
  trial.expect_end();
}

void parent_busy(Trial& trial) {
  const std::string code = trial.sample("loop");
  KernelProcess& kernel = trial.start({.through_parent = true});
  begin(trial, code);
  kernel.kill_parent();
  trial.expect_end();
}

/// Who asks the system to be told of its parent's end is told of the end of the thread that started it.
void parent_thread(Trial& trial) {
  KernelProcess& kernel = trial.start({.through_thread = true});
  trial.client().fence(Channel::shell);
  kernel.end_parent_thread();
  trial.expect_alive();
}

Ending ends_itself(Trial& trial, const std::string& code) {
  trial.kernel();
  trial.client().execute(code);
  return trial.expect_end();
}

void exits(Trial& trial) { ends_itself(trial, trial.sample("exit", {{"status", "3"}})); }

void exit_status(Trial& trial) {
  const Ending ending = ends_itself(trial, trial.sample("exit", {{"status", "3"}}));
  trial.check(ending == Ending{3, 0}, "after an exit with status 3 the kernel " + to_string(ending));
}

void crashes(Trial& trial) {
  const Ending ending = ends_itself(trial, trial.sample("crash"));
  trial.check(ending != Ending{}, "the kernel ended with status 0, as if all were well");
}

void killed(Trial& trial) {
  // Ports that nobody keeps for the kernel may be another's before it starts again.
  if (!trial.has_fixed_ports()) Trial::not_applicable("the ports are not fixed");
  const testing::Connection before = trial.connection();
  { RawPeer(trial).fence(Channel::shell); }
  trial.kernel().signal(SIGKILL);
  trial.expect_end();
  Json ports;
  for (const Channel channel : k_all_channels) {
    const std::string key = testing::port_key(channel);
    ports[key] = before.fields.at(key);
  }
  trial.start({.fields = ports});
  trial.expect_alive();
}

constexpr std::string_view k_shutdown = "Messaging, Kernel shutdown";
constexpr std::string_view k_manager = "jupyter_client, KernelManager.shutdown_kernel";
constexpr std::string_view k_end = "the process ends, in whatever way";

}  // namespace

std::vector<Case> abuse_end_cases() {
  return {
      {"abuse.end.queued", k_shutdown, Level::should, "However much is waiting, a shutdown_request ends the kernel.",
       "sends it while an endless loop runs and 100 cells wait", k_end, queued},
      {"abuse.end.flooding", k_shutdown, Level::should, "However much is printed, a shutdown_request ends the kernel.",
       "sends it while a cell prints for ever", k_end, flooding},
      {"abuse.end.twice", k_shutdown, Level::must, "A second shutdown_request does not keep a kernel from ending.",
       "two clients send three of them at once", k_end, twice},
      {"abuse.end.both-channels", k_shutdown, Level::must,
       "A shutdown_request on shell does not hold up the one on control.",
       "sends one on control and one to restart on shell", k_end, both_channels},
      {"abuse.end.requests", k_shutdown, Level::must, "Requests that come while a kernel ends do not hold it up.",
       "sends shutdown_request and 200 more requests", k_end, requests_after},
      {"abuse.end.content", k_shutdown, Level::must,
       "A shutdown_request of wrong content does not keep the next from working.",
       "sends some without a flag, and then a right one", k_end, no_content},
      {"abuse.end.interrupt", k_manager, Level::must,
       "An interrupt just before the shutdown_request does not keep it from working.",
       "sends both to a kernel that runs nothing", k_end, racing_interrupt},
      {"abuse.end.interrupt.busy", k_manager, Level::must,
       "An interrupt just before the shutdown_request does not keep it from working while a cell runs.",
       "sends both to an endless loop", k_end, racing_interrupt_busy},
      {"abuse.end.subscriber.stopped", k_shutdown, Level::must, "A subscriber that does not read does not hold up the end.",
       "prints 20 MB that a subscriber does not read, and sends shutdown_request", k_end, stopped_subscriber},
      {"abuse.end.connections", k_shutdown, Level::must, "Connections that hang half-way do not hold up the end.",
       "sends shutdown_request while two peers hold each socket", k_end, half_connections},
      {"abuse.end.parent", "Kernels; jupyter_client, JPY_PARENT_PID", Level::should,
       "A kernel ends when the process that started it is gone.", "kills its parent with SIGKILL", k_end, parent_idle},
      {"abuse.end.parent.busy", "Kernels; jupyter_client, JPY_PARENT_PID", Level::should,
       "A kernel whose cell never ends does so, too.", "kills its parent with SIGKILL while an endless loop runs", k_end,
       parent_busy},
      {"abuse.end.parent.thread", "Kernels; jupyter_client, JPY_PARENT_PID; prctl, PR_SET_PDEATHSIG", Level::must,
       "A kernel does not end when only the thread that started it does.",
       "starts it by a thread of another process, and ends that thread", "the kernel serves as before", parent_thread},
      {"abuse.end.exit", "Messaging, Execute", Level::must, "A cell that ends the process leaves none that hangs.",
       "executes the sample exit", k_end, exits},
      {"abuse.end.exit.status", "Messaging, Execute", Level::should,
       "A cell that ends the process chooses its exit status.", "executes the sample exit with status 3", "exit status 3",
       exit_status},
      {"abuse.end.crash", "Messaging, Execute", Level::must,
       "A fault in native code ends the process and leaves none that hangs.", "executes the sample crash",
       "an end by a signal, or with a status that is not 0", crashes},
      {"abuse.end.killed", "jupyter_client, KernelRestarter", Level::should,
       "A kernel starts on the ports of one that was killed a moment ago.",
       "kills a kernel with SIGKILL and starts another with the same ports", "the second serves", killed},
  };
}

}  // namespace adrastea::conformance
