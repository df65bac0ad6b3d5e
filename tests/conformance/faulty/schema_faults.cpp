// SPDX-License-Identifier: BSD-3-Clause
// One fault for the content of each message type. What is wrong is nothing that a case is about.
#include "hooks.hpp"

#include <map>
#include <string>
#include <utility>

namespace faulty {
namespace {

Change append(const char* field, Json value) {
  return [field, value = std::move(value)](Message& message) {
    Json content = message.json(Part::content);
    if (!content.contains(field)) return;
    content[field].push_back(value);
    message.set(Part::content, content);
  };
}

Change put(const char* field, const char* name, Json value) {
  return [field, name, value = std::move(value)](Message& message) {
    Json content = message.json(Part::content);
    if (!content.contains(field)) return;
    content[field][name] = value;
    message.set(Part::content, content);
  };
}

Test ok(const char* type) { return all_of({of_type(type), has_status("ok")}); }

}  // namespace

std::vector<Fault> schema_faults() {
  return {
      {"schema-clear-output",
       "Clears the output without saying when.",
       {"schema.clear_output"},
       follow(of_type("clear_output"), erase(Part::content, "wait"))},
      {"schema-comm-close",
       "Closes a comm without data.",
       {"schema.comm_close"},
       alter(of_type("comm_close"), set(Part::content, "data", nullptr))},
      {"schema-comm-info",
       "Lists a comm without its target.",
       {"schema.comm_info_reply"},
       alter(all_of({ok("comm_info_reply"), has_comms}), put("comms", "strange", Json::object()))},
      {"schema-comm-msg",
       "Sends a comm_msg without data.",
       {"schema.comm_msg"},
       precede(of_type("comm_msg"), erase(Part::content, "data"))},
      {"schema-comm-open",
       "Names a number as target_module.",
       {"schema.comm_open"},
       alter(of_type("comm_open"), set(Part::content, "target_module", 1))},
      {"schema-complete",
       "Lists a typed match without its text.",
       {"schema.complete_reply"},
       alter(ok("complete_reply"), append("matches", 1))},
      {"schema-connect",
       "Answers connect_request with another status.",
       {"schema.connect_reply"},
       alter(ok("connect_reply"), set(Part::content, "status", "fine"))},
      {"schema-display",
       "Displays data without metadata.",
       {"schema.display_data"},
       alter(of_type("display_data"), erase(Part::content, "metadata"))},
      {"schema-error", "Has a number in a traceback.", {"schema.error"}, alter(of_type("error"), append("traceback", 1))},
      {"schema-execute-input",
       "Counts a cell by text.",
       {"schema.execute_input"},
       alter(of_type("execute_input"), erase(Part::content, "execution_count"))},
      {"schema-execute-reply",
       "Has a payload of no kind.",
       {"schema.execute_reply"},
       alter(ok("execute_reply"), append("payload", {{"source", "strange"}}))},
      {"schema-execute-result",
       "Has a result without metadata.",
       {"schema.execute_result"},
       alter(of_type("execute_result"), erase(Part::content, "metadata"))},
      {"schema-history",
       "Has a session before the first in its history.",
       {"schema.history_reply"},
       alter(ok("history_reply"), append("history", Json::array({-1, 0, "strange"})))},
      {"schema-input-request",
       "Says by a number whether input is a password.",
       {"schema.input_request"},
       alter(of_type("input_request"), set(Part::content, "password", 0))},
      {"schema-inspect",
       "Finds something without metadata.",
       {"schema.inspect_reply"},
       alter(ok("inspect_reply"), erase(Part::content, "metadata"))},
      {"schema-interrupt",
       "Answers interrupt_request without a status.",
       {"schema.interrupt_reply"},
       alter(of_type("interrupt_reply"), erase(Part::content, "status"))},
      {"schema-welcome",
       "Welcomes without the subscription.",
       {"schema.iopub_welcome"},
       alter(of_type("iopub_welcome"), erase(Part::content, "subscription"))},
      {"schema-is-complete",
       "Has no indent for code that is incomplete.",
       {"schema.is_complete_reply"},
       alter(all_of({of_type("is_complete_reply"), has_status("incomplete")}), erase(Part::content, "indent"))},
      {"schema-kernel-info",
       "Has null for its links for help.",
       {"schema.kernel_info_reply"},
       alter(ok("kernel_info_reply"), set(Part::content, "help_links", nullptr))},
      {"schema-shutdown",
       "Answers shutdown_request with another status.",
       {"schema.shutdown_reply"},
       alter(of_type("shutdown_reply"), set(Part::content, "status", "fine"))},
      {"schema-status",
       "Is working, too, which is no state that there is.",
       {"schema.status", "order.status.states"},
       precede(all_of({is_state("idle"), about("execute_request")}), set(Part::content, "execution_state", "working"))},
      {"schema-stream",
       "Has a stream of another name.",
       {"schema.stream"},
       follow(of_type("stream"), set(Part::content, "name", "log"))},
      {"schema-update",
       "Updates a display without metadata.",
       {"schema.update_display_data"},
       alter(of_type("update_display_data"), erase(Part::content, "metadata"))},
      {"schema-usage",
       "Tells its usage without a process.",
       {"schema.usage_reply"},
       alter(of_type("usage_reply"), set(Part::content, "hostname", ""))},
  };
}

}  // namespace faulty
