// SPDX-License-Identifier: BSD-3-Clause
// Faults of the start, of heartbeat and control, of interrupts and of the end.
#include "hooks.hpp"
#include "kernel/process_signals.hpp"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace faulty {
namespace {

std::atomic<bool> asked_to_end{false};  // by a request that the kernel answers, and does not follow

/// Whether a cell runs, as the shell channel's messages tell.
struct Running {
  std::shared_ptr<std::atomic<bool>> cell = std::make_shared<std::atomic<bool>>(false);

  /// Control waits while a cell runs.
  [[nodiscard]] HookMaker in() const {
    return [running = cell]() -> Hook {
      return [running](Message message, const Way& way) {
        if (message.type() == "execute_request") *running = true;
        if (message.channel == Channel::control && message.type() == "kernel_info_request") running->wait(true);
        way.on(std::move(message));
      };
    };
  }
  [[nodiscard]] HookMaker out() const {
    return [running = cell]() -> Hook {
      return [running](Message message, const Way& way) {
        if (message.type() == "execute_reply") {
          *running = false;
          running->notify_all();
        }
        way.on(std::move(message));
      };
    };
  }
};

Test shutdown_reply() { return all_of({of_type("shutdown_reply"), without(on_channel(Channel::iopub))}); }

bool debugging = false;  // of control's thread

/// What a debugger would answer.
Json debugged(const Json& request) {
  const std::string command = string_at(request, "command");
  if (command == "attach") debugging = true;
  if (command == "disconnect") debugging = false;
  Json answer{
      {"type", "response"}, {"seq", 1}, {"request_seq", request.value("seq", 0)}, {"success", true}, {"command", command}};
  answer["body"] = {{"isStarted", debugging}, {"breakpoints", Json::array()}, {"stoppedThreads", Json::array()}};
  return answer;
}

/// The kernel pretends to have a debugger, and does one thing wrongly.
HookMaker debugger(const Change& flaw) {
  return [flaw] {
    return [flaw](Message message, const Way& way) {
      if (message.type() == "kernel_info_reply") {
        Json features = message.json(Part::content).value("supported_features", Json::array());
        features.push_back("debugger");
        message.set(Part::content, "supported_features", features);
        message.set(Part::content, "debugger", true);
      }
      const bool answers = message.type() == "debug_reply";
      if (answers) message.set(Part::content, debugged(request_of(message)));
      const Json content = message.json(Part::content);
      if (message.parent_type() == "debug_request" && string_at(content, "execution_state") == "idle") {
        Message event = message;
        event.renew();
        become(event, "debug_event", {{"type", "event"}, {"seq", 1}, {"event", "initialized"}});
        flaw(event);
        way.on(std::move(event));
      }
      if (answers) flaw(message);
      way.on(std::move(message));
    };
  };
}

HookMaker debugger(const std::string& command, const Change& flaw) {
  return debugger([command, flaw](Message& message) {
    if (message.type() == "debug_reply" && string_at(message.json(Part::content), "command") == command) flaw(message);
  });
}

std::vector<Fault> debug_faults() {
  const Change fails = set(Part::content, "success", false);
  return {
      {"debug-info-fails", "Has a debugger that tells nothing.", {"control.debug.info"}, debugger("debugInfo", fails)},
      {"debug-initialize-fails",
       "Has a debugger that cannot be initialized.",
       {"control.debug.initialize"},
       debugger("initialize", fails)},
      {"debug-attach-fails", "Has a debugger that does not attach.", {"control.debug.attach"}, debugger("attach", fails)},
      {"debug-disconnect-fails",
       "Has a debugger that cannot be left.",
       {"control.debug.disconnect"},
       debugger("disconnect", fails)},
      {"debug-never-started",
       "Has a debugger that never says that it is started.",
       {"control.debug.started"},
       debugger("debugInfo", set(Part::content, "body", {{"isStarted", false}}))},
      {"debug-seq-other",
       "Answers debug_requests with a number of its own.",
       {"control.debug.reply"},
       debugger("debugInfo", set(Part::content, "request_seq", 1))},
      {"schema-debug-event",
       "Tells of debug events without their name.",
       {"schema.debug_event"},
       debugger([](Message& message) {
         if (message.type() == "debug_event") message.erase(Part::content, "event");
       })},
  };
}

std::vector<Fault> control_faults() {
  const Running running;
  return {
      {"control-waits",
       "Answers kernel_info_request on control only when no cell runs.",
       {"control.busy", "control.busy.others"},
       running.out(),
       running.in()},
      {"connect-ports-wrong",
       "Names other ports than those that it has.",
       {"control.connect.ports"},
       alter(of_type("connect_reply"), set(Part::content, "shell_port", 9))},
      {"usage-pid-wrong",
       "Tells another process's usage.",
       {"control.usage.pid"},
       alter(of_type("usage_reply"), set(Part::content, "pid", 1))},
      {"usage-memory-none",
       "Takes no memory.",
       {"control.usage.memory"},
       alter(of_type("usage_reply"), set(Part::content, "kernel_memory", 0))},
      {"heartbeat-silent", "Has no heartbeat.", {"heartbeat.echo"}},
      {"heartbeat-waits", "Answers no heartbeat while a cell runs.", {"heartbeat.busy"}},
      {"heartbeat-plain",
       "Does not encrypt its heartbeat.",
       {"heartbeat.echo", "curve.plain.heartbeat", "curve.client-key.heartbeat"},
       {},
       {},
       "curve"},
      {"heartbeat-cut", "Cuts heartbeats after 64 KiB.", {"heartbeat.echo.megabyte"}},
      {"heartbeat-empty-lost", "Does not answer empty heartbeats.", {"heartbeat.echo.empty"}},
      {"heartbeat-for-thirty", "Answers thirty heartbeats.", {"heartbeat.many"}},
      {"heartbeat-says-pong", "Answers heartbeats with another text.", {"heartbeat.echo"}},
      {"heartbeat-one-frame", "Answers heartbeats with one frame.", {"heartbeat.echo.frames"}},
      {"heartbeat-text-only", "Cuts heartbeats at NUL.", {"heartbeat.echo.binary"}},
      {"sleep-not-interrupted",
       "Cannot be interrupted while it waits.",
       {"interrupt.sleep", "interrupt.message.sleep", "abuse.signals.sigint.sleeping"}},
      {"print-loop-not-interrupted",
       "Cannot be interrupted while it prints.",
       {"interrupt.print-loop", "abuse.signals.sigint.printing"}},
      {"interrupt-unanswered",
       "Does not answer interrupt_request.",
       {"interrupt.reply", "interrupt.reply.busy"},
       drop(of_type("interrupt_reply")),
       {},
       "ipc",
       "message"},
      {"shutdown-unhandled",
       "Leaves shutdown_request alone.",
       {"offers.shutdown", "abuse.stdin.gone.shutdown"},
       {},
       drop(of_type("shutdown_request"))},
      {"interrupt-is-success", "Says ok about a cell that was interrupted.", {"interrupt.error"}},
      {"interrupt-forgets-variables", "Forgets all variables with an interrupt.", {"interrupt.state"}},
      {"interrupt-spoils-next",
       "Interrupts the next cell, too.",
       {"interrupt.next", "interrupt.one-cell", "interrupt.others", "interrupt.storm", "abuse.signals.sigint.computing",
        "abuse.signals.sigint.printing", "abuse.signals.sigint.sleeping"}},
      {"idle-sigint-waits",
       "Keeps SIGINT until there is a cell.",
       {"interrupt.idle", "interrupt.idle.hundred", "abuse.signals.sigint.idle"}},
      {"sigint-stays-ignored", "Leaves SIGINT ignored where it was started so.", {"interrupt.inherited"}},
      {"taken-sigint-kills", "Dies of SIGINT once code has a handler of its own.", {"abuse.signals.taken"}},
      {"taken-sigint-deaf",
       "Hears no interrupt_request once code has a handler of SIGINT of its own.",
       {"abuse.signals.taken.interrupt"},
       {},
       {},
       "ipc",
       "message"},
      {"taken-sigint-stays",
       "Hears no SIGTERM once code has a handler of SIGINT of its own.",
       {"abuse.signals.taken.sigterm"}},
      {"blocked-signals-deaf",
       "Hears no interrupt_request once code has blocked signals.",
       {"abuse.signals.blocked.interrupt"},
       {},
       {},
       "ipc",
       "message"},
      {"blocked-signals-stays", "Hears no SIGTERM once code has blocked signals.", {"abuse.signals.blocked.sigterm"}},
      {"sigint-kills",
       "Dies of SIGINT.",
       {"interrupt.loop", "interrupt.idle", "interrupt.idle.hundred", "interrupt.print-loop", "interrupt.signal.process",
        "interrupt.sleep", "interrupt.inherited", "abuse.stdin.late", "abuse.stdin.gone.interrupt"}},
  };
}

/// Does this whenever control is asked for kernel_info.
HookMaker on_control(std::function<void()> act) {
  return alter(all_of({of_type("kernel_info_request"), on_channel(Channel::control)}),
               [act = std::move(act)](Message&) { act(); });
}

void leave_a_zombie() {
  if (::fork() == 0) ::_exit(0);
}

/// One that only the process's end ends. In control's thread.
void leave_a_thread() {
  static std::vector<std::jthread> left;
  left.emplace_back([](const std::stop_token& ending) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, ending, [] { return false; });
  });
}

/// Not without end: some cases ask a thousand times. In control's thread.
void leave_memory() {
  constexpr std::size_t most = 50;
  constexpr std::size_t size = 6U << 20U;
  static std::vector<std::string> left;
  if (left.size() < most) left.emplace_back(size, 'x');
}

std::vector<Fault> resource_faults() {
  return {
      {"descriptors-kept", "Opens a file for a request and does not close it.", {"abuse.resources"}, {}, on_control([] {
         static_cast<void>(::dup(0));
       })},
      {"threads-kept",
       "Starts a thread for a request that never ends.",
       {"abuse.resources"},
       {},
       on_control(leave_a_thread)},
      {"zombies-kept",
       "Starts a process for a request and does not wait for its end.",
       {"abuse.resources"},
       {},
       on_control(leave_a_zombie)},
      {"memory-kept", "Keeps 6 MiB of each request.", {"abuse.resources"}, {}, on_control(leave_memory)},
  };
}

std::vector<Fault> end_faults() {
  return {
      {"shutdown-without-exit",
       "Answers shutdown_request and stays.",
       {"shutdown.ends", "shutdown.restart.ends", "shutdown.shell", "shutdown.busy", "shutdown.interrupted",
        "shutdown.queue", "shutdown.children.ends", "abuse.stdin.gone.shutdown", "abuse.end.queued", "abuse.end.flooding",
        "abuse.end.twice", "abuse.end.both-channels", "abuse.end.requests", "abuse.end.content", "abuse.end.interrupt",
        "abuse.end.interrupt.busy", "abuse.end.subscriber.stopped", "abuse.end.connections"},
       {},
       alter(of_type("shutdown_request"), [](Message&) { asked_to_end = true; })},
      {"shutdown-restart-stays",
       "Answers a shutdown_request that says restart and stays.",
       {"shutdown.restart.ends"},
       {},
       alter(all_of({of_type("shutdown_request"),
                     [](const Message& message) { return message.json(Part::content).value("restart", Json()) == true; }}),
             [](Message&) { asked_to_end = true; })},
      {"shutdown-not-on-shell",
       "Does not hear shutdown_request on shell.",
       {"shutdown.shell"},
       {},
       drop(all_of({of_type("shutdown_request"), on_channel(Channel::shell)}))},
      {"connection-file-removed", "Removes the connection file of who started it.", {"shutdown.file"}},
      {"shutdown-status-1", "Ends with status 1.", {"shutdown.status"}},
      {"shutdown-reply-missing", "Ends without an answer.", {"shutdown.reply"}, drop(shutdown_reply())},
      {"shutdown-never-restarts",
       "Always answers that it is no restart.",
       {"shutdown.reply.restart.true"},
       alter(of_type("shutdown_reply"), set(Part::content, "restart", false))},
      {"shutdown-always-restarts",
       "Always answers that it is a restart.",
       {"shutdown.reply.restart.false"},
       alter(of_type("shutdown_reply"), set(Part::content, "restart", true))},
      {"shutdown-unpublished",
       "Tells nobody but who asked that it ends.",
       {"shutdown.published"},
       drop(all_of({of_type("shutdown_reply"), on_channel(Channel::iopub)}))},
      {"sigterm-ignored",
       "Does not hear SIGTERM.",
       {"shutdown.sigterm", "shutdown.sigterm.busy", "abuse.signals.sigterm", "abuse.signals.sigterm.busy",
        "abuse.signals.sigterm.often", "abuse.signals.taken.sigterm", "abuse.signals.blocked.sigterm",
        "abuse.stdin.gone.sigterm"}},
      {"children-left", "Leaves behind what cells started.", {"shutdown.children"}},
      {"ipc-files-left", "Leaves its ipc files behind.", {"shutdown.ipc-files"}},
  };
}

std::vector<Fault> start_faults() {
  return {
      {"connection-file-rewritten", "Writes the connection file although nothing is new.", {"start.file.untouched"}},
      {"connection-file-readable", "Lets everybody read the connection file.", {"start.file.mode"}},
      {"connection-file-keys-dropped",
       "Drops unknown keys of the connection file.",
       {"start.port0.unknown"},
       {},
       {},
       "port0"},
      {"parent-zero-ends", "Takes JPY_PARENT_PID=0 for a parent that has ended.", {"start.parent.zero"}},
      {"parent-untold-ends", "Does not start without JPY_PARENT_PID.", {"start.parent.untold"}},
      {"parent-word-hangs", "Hangs of a JPY_PARENT_PID that is no number.", {"start.parent.word"}},
      {"parent-first-ends",
       "Takes JPY_PARENT_PID=1 for a parent that has ended.",
       {"start.parent.first", "start.parent.init"}},
      {"parent-init-ends", "Takes a parent that is process 1 for the end of its own.", {"start.parent.init"}},
      {"parent-former-hangs", "Hangs when its parent has ended before it starts.", {"start.parent.former"}},
      {"silent-peers-dropped",
       "Drops a peer that has not answered ZeroMQ's heartbeats for less than half a second.",
       {"abuse.network.stall", "order.busy.sent", "order.idle.sent", "order.reply.sent"},
       {},
       {},
       "tcp"},
      {"handover-none",
       "Does not serve a peer whose identity an older connection has.",
       {"abuse.network.half-open", "abuse.messages.client.same-identity"},
       {},
       {},
       "tcp"},
      {"launcher-thread-ends", "Ends with the thread that started it.", {"abuse.end.parent.thread"}},
      {"ports-of-others-only",
       "Does not start while connections of the one before linger on its ports.",
       {"start.again.ports"},
       {},
       {},
       "tcp"},
      {"taken-ports-replaced",
       "Takes other ports when somebody has its own.",
       {"start.taken.shell", "start.taken.iopub", "start.taken.stdin", "start.taken.control", "start.taken.heartbeat"},
       {},
       {},
       "tcp"},
      {"stdin-unbound", "Does not listen on stdin.", {"start.bound.stdin"}},
      {"control-unbound", "Does not listen on control.", {"start.bound.control", "info.control"}},
      {"heartbeat-unbound", "Does not listen on the heartbeat.", {"start.bound.heartbeat", "heartbeat.echo"}},
      {"subshell-unannounced",
       "Creates subshells, and does not say that it has them.",
       {"control.subshell.absent"},
       alter(of_type("create_subshell_reply"),
             [](Message& message) {
               message.set(Part::content, {{"status", "ok"}, {"subshell_id", "one"}});
             })},
      {"subshell-id-refused",
       "Refuses cells for a subshell, though it has none.",
       {"control.subshell.ignored"},
       {},
       alter(
           [](const Message& message) {
             return message.type() == "execute_request" && message.json(Part::header).contains("subshell_id");
           },
           set(Part::content, "code", "error no subshells"))},
      {"session-constant",
       "Has the same session each time.",
       {"start.again.session"},
       alter([](const Message&) { return true; }, set(Part::header, "session", "constant"))},
      {"acknowledgement-not-needed",
       "Starts although nobody acknowledges its registration.",
       {"handshake.acknowledgement.none", "handshake.acknowledgement.none.stderr"},
       {},
       {},
       "handshake"},
      {"acknowledgement-missing-silent",
       "Does not say that nobody acknowledges its registration.",
       {"handshake.acknowledgement.none.stderr"},
       {},
       {},
       "handshake"},
      {"acknowledgement-forged",
       "Believes whoever acknowledges its registration.",
       {"handshake.acknowledgement.forged"},
       {},
       {},
       "handshake"},
  };
}

}  // namespace

void stay() {
  while (asked_to_end && !adrastea::kernel::ProcessSignals::terminated()) ::pause();
}

std::vector<Fault> life_faults() {
  std::vector<Fault> all = control_faults();
  for (const auto& more : {debug_faults(), resource_faults(), end_faults(), start_faults()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace faulty
