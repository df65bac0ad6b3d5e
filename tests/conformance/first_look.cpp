// SPDX-License-Identifier: BSD-3-Clause
#include "first_look.hpp"

#include "case.hpp"

#include <array>
#include <functional>

namespace adrastea::conformance {
namespace {

using testing::Failure;
using testing::text_of;

/// Whether it does this at all. That it should is what a case is about.
bool does(const std::function<bool()>& thing) {
  try {
    return thing();
  } catch (const Failure&) {
    return false;
  }
}

/// A request of the kind that clients send, of which nothing is due.
std::string send_optional(Trial& trial, Channel channel, std::string_view type, const Json& content) {
  return trial.client().request(channel, type, content, {.reply_due = false, .published_due = false});
}

/// Whether anything came of it. A kernel that ends instead handles it, too, if not well.
bool handles(Trial& trial, std::string_view type, const Json& content) {
  KernelClient& client = trial.client();
  try {
    const std::string id = send_optional(trial, Channel::shell, type, content);
    client.fence(Channel::shell);
    const bool replied = client.waiting(Channel::shell);
    const bool handled = type.ends_with("_request") ? replied : !client.published(id).empty();
    client.forget_unasserted();
    return handled;
  } catch (const Failure&) {
    return true;
  }
}

/// A part of the patience is enough for a kernel that has nothing else to do.
bool answers_on_control(Trial& trial) {
  KernelClient& client = trial.client();
  const bool answered = does([&] {
    send_optional(trial, Channel::control, "kernel_info_request", Json::object());
    return trial.wait_until([&] { return client.waiting(Channel::control); }, trial.timeout() / 3);
  });
  client.forget_unasserted();
  return answered;
}

bool handles_on_control(Trial& trial, const Abilities& seen, std::string_view type, const Json& content) {
  KernelClient& client = trial.client();
  try {
    const std::string id = send_optional(trial, Channel::control, type, content);
    const auto came = [&] { return client.waiting(Channel::control) || !client.published(id).empty(); };
    if (seen.control_info && type != "shutdown_request") {
      client.fence(Channel::control);
    } else {
      trial.wait_until(came, trial.timeout() / 6);
    }
    const bool ended = trial.owns_kernel() && !trial.kernel().running();
    const bool handled = came() || ended;
    if (!ended) client.forget_unasserted();
    return handled;
  } catch (const Failure&) {
    return true;
  }
}

void look_at_requests(Trial& trial, Abilities& seen) {
  const std::string code = trial.has_sample("print") ? trial.sample("print", {{"text", "x"}}) : "x";
  const std::array<std::pair<const char*, Json>, 7> requests{{
      {"complete_request", {{"code", code}, {"cursor_pos", 2}}},
      {"inspect_request", {{"code", code}, {"cursor_pos", 2}, {"detail_level", 0}}},
      {"is_complete_request", {{"code", code}}},
      {"history_request", {{"hist_access_type", "tail"}, {"n", 1}, {"output", false}, {"raw", true}}},
      {"comm_info_request", Json::object()},
      {"connect_request", Json::object()},
      {"comm_open", {{"comm_id", testing::random_id()}, {"target_name", trial.word()}, {"data", Json::object()}}},
  }};
  for (const auto& [type, content] : requests) {
    // Of other code, too: an answer that is missing here and not there is a fault, and no matter of taste.
    Json other = content;
    if (other.contains("code"))
      other.update({{"code", trial.has_sample("incomplete") ? trial.sample("incomplete") : ""}, {"cursor_pos", 0}});
    if (!handles(trial, type, content) && !handles(trial, type, other)) seen.unhandled.insert(type);
  }
  if (!seen.unhandled.contains("comm_open")) return;
  for (const char* type : {"comm_msg", "comm_close"}) seen.unhandled.insert(type);
}

/// Samples that need more than the language: its kernel of that name need not have what they call.
void look_at_samples(Trial& trial, Abilities& seen) {
  const std::string name = trial.word();
  for (const char* sample : {"display", "display_id", "update", "clear", "clear_wait", "comm_target", "comm_open",
                             "comm_send", "comm_close", "page", "next_input"}) {
    if (!trial.has_sample(sample)) continue;
    does([&] {
      const Exchange cell = trial.run(trial.sample(sample, {{"name", name}, {"text", trial.word()}}));
      // That a failing cell is not answered so, or not at all, is what errors.reply.* and order.reply.sent are about.
      const auto errors = Trial::of_type(cell, "error");
      if (cell.status() != "error" && errors.empty()) return true;
      const Json& error = errors.empty() ? cell.reply->content : errors.front().content;
      seen.unfit[sample] = text_of(error, "ename") + ": " + text_of(error, "evalue");
      return false;
    });
  }
}

/// A kernel that cannot ask makes an error of it.
void look_at_input(Trial& trial, Abilities& seen) {
  if (!trial.has_sample("input")) return;
  does([&] {
    const std::string id = trial.client().execute(trial.sample("input", {{"prompt", trial.word()}}), {.allow_stdin = true});
    if (const auto request = trial.input_request(id)) trial.client().input_reply("x", {.parent = request->header});
    const bool asked = trial.client().received_types().contains("input_request");
    const Exchange cell = trial.client().collect(id);
    if (!asked && cell.status() == "error") seen.unhandled.insert("input_reply");
    return true;
  });
}

/// What somebody else may have made in the kernel is not ours to remove.
void look_at_possessions(Trial& trial, Abilities& seen) {
  does([&] {
    if (const auto info = trial.try_ask(Channel::shell, "comm_info_request", Json::object(), {.published_due = false})) {
      const Json comms = info->content.value("comms", Json::object());
      for (const auto& [id, comm] : comms.items()) seen.comms.insert(id);
    }
    if (!trial.has_feature("kernel subshells")) return true;
    if (const auto list = trial.try_ask(Channel::control, "list_subshell_request")) {
      const Json ids = list->content.value("subshell_id", Json::array());
      for (const auto& id : ids) seen.subshells.insert(id);
    }
    return true;
  });
}

}  // namespace

void look_at(Trial& trial, Abilities& seen) {
  const Exchange info = trial.ask(Channel::shell, "kernel_info_request");
  if (!info.reply) throw Failure("kernel_info_request on shell is not answered");
  seen.kernel_info = info.reply->content;
}

void look_closer(Trial& trial, Abilities& seen) {
  seen.welcome = trial.client().welcome().has_value();
  seen.heartbeat = does([&] { return trial.client().ping({"ping"}) == testing::Frames{"ping"}; });
  seen.prints = trial.has_sample("print") && does([&] {
                  const std::string text = trial.word();
                  return trial.run(trial.sample("print", {{"text", text}})).text("stdout").find(text) != std::string::npos;
                });
  seen.control_info = answers_on_control(trial);
  // After about what the liveness oracle asks for: a case asks for no less.
  if (trial.owns_kernel() && trial.dismiss()) seen.holdings = trial.holdings({}, trial.timeout() / 300);
  if (!trial.owns_kernel()) look_at_possessions(trial, seen);
  look_at_requests(trial, seen);
  look_at_samples(trial, seen);
  look_at_input(trial, seen);
  // In this order: the last ends the kernel, and the one before may.
  if (trial.may_ignore_interrupts() && !handles_on_control(trial, seen, "interrupt_request", Json::object()))
    seen.unhandled.insert("interrupt_request");
  if (trial.owns_kernel() && !handles_on_control(trial, seen, "shutdown_request", {{"restart", false}}))
    seen.unhandled.insert("shutdown_request");
}

std::optional<std::string> unhandled_type(const Abilities& abilities, std::string_view id) {
  // The first that fits; of what is here for no type a part needs none.
  static constexpr std::array<std::pair<const char*, const char*>, 12> k_types{{
      {"completion.*", "complete_request"},
      {"inspect.*", "inspect_request"},
      {"is_complete.*", "is_complete_request"},
      {"history.*", "history_request"},
      {"comm.info*", "comm_info_request"},
      {"comm.*", "comm_open"},
      {"stdin.forbidden.*", ""},
      {"stdin.*,abuse.stdin.*", "input_reply"},
      {"interrupt.message.*,interrupt.reply*,interrupt.idle.message", "interrupt_request"},
      {"shutdown.sigterm*,shutdown.parent*,abuse.end.parent*,abuse.end.exit*,abuse.end.crash,abuse.end.killed", ""},
      {"shutdown.*,abuse.end.*,control.subshell.shutdown", "shutdown_request"},
      {"*", ""},
  }};
  for (const auto& [globs, type] : k_types) {
    if (!matches_any(id, globs)) continue;
    if (abilities.unhandled.contains(type)) return type;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace adrastea::conformance
