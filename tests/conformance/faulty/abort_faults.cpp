// SPDX-License-Identifier: BSD-3-Clause
// Faults of what comes behind a cell that fails.
#include "hooks.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace faulty {
namespace {

std::string code_of(const Message& message) { return string_at(message.json(Part::content), "code"); }

/// The cell of the cases about stop_on_error: it waits for an answer, and fails then.
bool is_failing(const Message& message) {
  const std::string code = code_of(message);
  return message.type() == "execute_request" && code.starts_with("input ") && code.find("\nerror ") != std::string::npos;
}

bool is_failing_silently(const Message& message) {
  return is_failing(message) && message.json(Part::content).value("silent", Json()) == true;
}

Json failed() {
  return {{"status", "error"}, {"ename", "Error"}, {"evalue", "behind"}, {"traceback", Json::array({"Error: behind"})}};
}

void make_fail(Message& message) { message.set(Part::content, "code", "error behind"); }

/// What has come since the last cell that fails.
struct Behind {
  bool any = false;  ///< a cell has failed, or will
  Frames identities{};
  int cells = 0;
  bool info = false;  ///< a kernel_info_request came
};

/// Changes a request that comes behind a cell that fails. Requests on shell, in their order.
HookMaker behind(std::function<bool(const Behind&, const Message&)> fits, Change change, Test fails = is_failing) {
  return [fits = std::move(fits), change = std::move(change), fails = std::move(fails)]() -> Hook {
    return [fits, change, fails, state = std::make_shared<Behind>()](Message message, const Way& way) {
      if (message.channel == Channel::shell) {
        if (fails(message)) {
          *state = {.any = true, .identities = message.identities};
        } else if (state->any) {
          if (message.type() == "execute_request") ++state->cells;
          if (message.type() == "kernel_info_request") state->info = true;
          if (fits(*state, message)) change(message);
        }
      }
      way.on(std::move(message));
    };
  };
}

bool is_cell(const Message& message) { return message.type() == "execute_request"; }

/// Requests behind a cell that fails, whose replies say that they are not served.
Fault unserved(std::string_view name, std::string_view description, std::vector<std::string_view> breaks, const char* type,
               const Json& reply) {
  const auto ids = std::make_shared<std::set<std::string>>();  // of shell's thread
  const auto fits = [type](const Behind& state, const Message& message) {
    return message.type() == type && !(state.info && message.type() != "kernel_info_request");
  };
  const Change note = [ids](Message& message) { ids->insert(string_at(message.json(Part::header), "msg_id")); };
  const Test noted = [ids](const Message& message) {
    return message.channel == Channel::shell && ids->contains(message.parent_id());
  };
  return {name, description, std::move(breaks),
          alter(noted, [reply](Message& message) { message.set(Part::content, reply); }), behind(fits, note)};
}

/// Counts one more from the request after an aborted one.
Fault aborted_counted() {
  const auto aborted = std::make_shared<std::atomic<bool>>(false);
  const auto extra = std::make_shared<std::atomic<int>>(0);
  const auto note = [aborted, extra](Message& message) {
    if (has_status("aborted")(message)) *aborted = true;
    const Json count = message.json(Part::content).value("execution_count", Json());
    if (count.is_number_integer()) message.set(Part::content, "execution_count", count.get<int>() + *extra);
  };
  const auto count = [aborted, extra](const Message& message) {
    if (is_cell(message) && aborted->exchange(false)) ++*extra;
    return false;
  };
  return {"aborted-counted",
          "Counts cells that it aborts.",
          {"abort.not-counted"},
          alter([](const Message&) { return true; }, note),
          drop(count)};
}

/// The history has the first cell behind one that fails.
Fault aborted_stored() {
  struct Kept {
    std::mutex mutex;
    std::string code;  ///< guarded by mutex
  };
  const auto kept = std::make_shared<Kept>();
  const auto keep = [kept](Message& message) {
    const std::lock_guard lock(kept->mutex);
    kept->code = code_of(message);
  };
  const auto tell = [kept](Message& message) {
    const std::lock_guard lock(kept->mutex);
    Json history = message.json(Part::content).value("history", Json::array());
    if (!kept->code.empty()) history.push_back({0, 1, kept->code});
    message.set(Part::content, "history", history);
  };
  const auto is_first = [](const Behind& state, const Message& message) { return is_cell(message) && state.cells == 1; };
  return {"aborted-stored",
          "Stores cells that it aborts.",
          {"abort.not-stored"},
          alter(of_type("history_reply"), tell),
          behind(is_first, keep)};
}

}  // namespace

std::vector<Fault> abort_faults() {
  return {
      {"abort-one-more",
       "Does not run the cell after one that it aborted.",
       {"abort.ends"},
       {},
       behind(
           [](const Behind& state, const Message& message) {
             return is_cell(message) && state.cells == 2 && message.identities == state.identities && !state.info;
           },
           make_fail)},
      {"abort-after-all",
       "Does not run the first cell that comes after an error and another request.",
       {"abort.ends.burst"},
       {},
       behind(
           [](const Behind& state, const Message& message) {
             return is_cell(message) && state.cells == 1 && state.info && code_of(message).starts_with("print ");
           },
           make_fail)},
      {"abort-others",
       "Does not run another client's cell after one that it aborted.",
       {"abort.clients"},
       {},
       behind([](const Behind& state,
                 const Message& message) { return is_cell(message) && message.identities != state.identities; },
              make_fail)},
      {"abort-silently",
       "Does not run a cell that waits behind a silent one that fails.",
       {"abort.silent"},
       {},
       behind([](const Behind& state, const Message& message) { return is_cell(message) && state.cells == 1; }, make_fail,
              is_failing_silently)},
      unserved("abort-kernel-info", "Fails kernel_info_requests that wait behind a cell that fails.",
               {"abort.others.kernel-info"}, "kernel_info_request", failed()),
      unserved("abort-completion", "Aborts complete_requests that wait behind a cell that fails.",
               {"abort.others.complete", "schema.complete_reply"}, "complete_request", {{"status", "aborted"}}),
      aborted_counted(),
      aborted_stored(),
  };
}

}  // namespace faulty
