// SPDX-License-Identifier: BSD-3-Clause
// What a kernel may leave alone, and its users miss. That it does is found out before the cases are tried.
#include "cases/cases.hpp"
#include "trial.hpp"

namespace adrastea::conformance {
namespace {

void handles(Trial& trial, const std::string& type) {
  trial.check(!trial.abilities().unhandled.contains(type), type + " is not handled: nothing came of one");
}

void completes(Trial& trial) { handles(trial, "complete_request"); }
void inspects(Trial& trial) { handles(trial, "inspect_request"); }
void knows_whole_code(Trial& trial) { handles(trial, "is_complete_request"); }
void has_history(Trial& trial) { handles(trial, "history_request"); }
void lists_comms(Trial& trial) { handles(trial, "comm_info_request"); }
void has_comms(Trial& trial) { handles(trial, "comm_open"); }

void ends(Trial& trial) {
  if (!trial.owns_kernel()) Trial::not_applicable("the kernel was started by somebody else");
  handles(trial, "shutdown_request");
}

}  // namespace

std::vector<Case> offers_cases() {
  constexpr std::string_view section = "Messaging, Compatibility";
  constexpr std::string_view asks = "sends a plain request before anything else is tried";
  constexpr std::string_view legal = "a reply, whatever it says; a kernel may leave all but execute and kernel_info alone";
  return {
      {"offers.completion", section, Level::should, "complete_request is handled, as the text recommends.", asks, legal,
       completes},
      {"offers.inspection", section, Level::should, "inspect_request is handled.", asks, legal, inspects},
      {"offers.is-complete", section, Level::should, "is_complete_request is handled: consoles ask for it at each line.",
       asks, legal, knows_whole_code},
      {"offers.history", section, Level::should, "history_request is handled: consoles ask for it at their start.", asks,
       legal, has_history},
      {"offers.comm-info", section, Level::should, "comm_info_request is handled: JupyterLab asks for it when it connects.",
       asks, legal, lists_comms},
      {"offers.comms", section, Level::should, "comm_open is handled: widgets need it.", "opens a comm to no target",
       "anything that is published about it", has_comms},
      {"offers.shutdown", section, Level::should,
       "shutdown_request is handled, so that a kernel can end its work before it is killed.", asks,
       "a reply, something published, or the end", ends},
  };
}

}  // namespace adrastea::conformance
