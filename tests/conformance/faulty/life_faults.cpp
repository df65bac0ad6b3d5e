// SPDX-License-Identifier: BSD-3-Clause
// Faults of the start, of heartbeat and control, of interrupts and of the end.
#include "hooks.hpp"
#include "kernel/process_signals.hpp"

#include <unistd.h>

#include <atomic>
#include <memory>

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
      {"heartbeat-says-pong", "Answers heartbeats with another text.", {"heartbeat.echo"}},
      {"heartbeat-one-frame", "Answers heartbeats with one frame.", {"heartbeat.echo.frames"}},
      {"heartbeat-text-only", "Cuts heartbeats at NUL.", {"heartbeat.echo.binary"}},
      {"sleep-not-interrupted", "Cannot be interrupted while it waits.", {"interrupt.sleep", "interrupt.message.sleep"}},
      {"print-loop-not-interrupted", "Cannot be interrupted while it prints.", {"interrupt.print-loop"}},
      {"interrupt-unanswered",
       "Does not answer interrupt_request.",
       {"interrupt.reply", "interrupt.reply.busy"},
       drop(of_type("interrupt_reply"))},
      {"interrupt-is-success", "Says ok about a cell that was interrupted.", {"interrupt.error"}},
      {"interrupt-forgets-variables", "Forgets all variables with an interrupt.", {"interrupt.state"}},
      {"interrupt-spoils-next",
       "Interrupts the next cell, too.",
       {"interrupt.next", "interrupt.one-cell", "interrupt.others", "interrupt.storm"}},
      {"idle-sigint-waits", "Keeps SIGINT until there is a cell.", {"interrupt.idle", "interrupt.idle.hundred"}},
      {"sigint-kills",
       "Dies of SIGINT.",
       {"interrupt.loop", "interrupt.idle", "interrupt.idle.hundred", "interrupt.print-loop", "interrupt.signal.process",
        "interrupt.sleep"}},
  };
}

std::vector<Fault> end_faults() {
  return {
      {"shutdown-without-exit",
       "Answers shutdown_request and stays.",
       {"shutdown.ends", "shutdown.restart.ends", "shutdown.shell", "shutdown.busy", "shutdown.interrupted",
        "shutdown.queue", "shutdown.children.ends"},
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
      {"sigterm-ignored", "Does not hear SIGTERM.", {"shutdown.sigterm", "shutdown.sigterm.busy"}},
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
  };
}

}  // namespace

void stay() {
  while (asked_to_end && !adrastea::kernel::ProcessSignals::terminated()) ::pause();
}

std::vector<Fault> life_faults() {
  std::vector<Fault> all = control_faults();
  for (const auto& more : {end_faults(), start_faults()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace faulty
