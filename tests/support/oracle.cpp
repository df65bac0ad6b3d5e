// SPDX-License-Identifier: BSD-3-Clause
#include "support/oracle.hpp"

#include "support/failure.hpp"

#include <algorithm>

namespace adrastea::testing {
namespace {

void require(bool kept, const char* rule, const Message& message) {
  if (!kept) throw Failure(std::string(rule) + ": " + summary(message));
}

bool is_late_kind(const std::string& type) {
  return type == "stream" || type == "display_data" || type == "update_display_data" || type == "clear_output" ||
         type.starts_with("comm_");
}

}  // namespace

void Oracle::sent(SentRequest request) {
  if (request.reply_due) unanswered_[request.channel].push_back(request.msg_id);
  progress_[request.msg_id].request = std::move(request);
}

bool Oracle::is_own(const std::string& msg_id) const {
  const auto known = progress_.find(msg_id);
  return known != progress_.end() && known->second.request.has_value();
}

bool Oracle::reply_due(const std::string& msg_id) const {
  return is_own(msg_id) && progress_.at(msg_id).request->reply_due;
}

void Oracle::received(const Message& message) {
  check_identity(message);
  const std::string parent = message.parent_id();
  if (parent.empty()) {
    received_orphan(message);
    return;
  }
  Progress& progress = progress_[parent];
  check_parent(message, progress);
  if (message.channel == Channel::iopub) {
    received_published(message, progress);
  } else if (message.channel != Channel::stdin_channel) {
    received_reply(message, progress);
  }
}

void Oracle::check_identity(const Message& message) {
  require(msg_ids_.insert(message.msg_id()).second, "a msg_id was used twice", message);
  const std::string session = message.header.at("session").get<std::string>();
  if (session_.empty()) session_ = session;
  require(session == session_, "the kernel has more than one session", message);
}

void Oracle::check_parent(const Message& message, const Progress& progress) const {
  if (!progress.request) return;
  const bool same = exact_parents_
                        ? message.parent_bytes == progress.request->header_bytes
                        : message.parent_header.at("session") == Json::parse(progress.request->header_bytes).at("session");
  require(same, "the parent_header is not the request's header", message);
}

void Oracle::received_orphan(const Message& message) {
  const std::string type = message.type();
  require(message.channel == Channel::iopub, "a reply without parent", message);
  if (type == "status") {
    require(message.content.at("execution_state") == "starting", "a status without parent", message);
    require(++starting_ == 1, "the kernel starts twice", message);
    return;
  }
  // What the language prints while it starts belongs to no request.
  if (type == "stream" && !any_busy_) return;
  require(type == "iopub_welcome", "a message without parent", message);
}

void Oracle::received_reply(const Message& message, Progress& progress) {
  require(progress.request.has_value(), "a reply to another client's request", message);
  const SentRequest& request = *progress.request;
  require(request.channel == message.channel, "a reply on another channel than its request's", message);
  require(request.type.substr(0, request.type.rfind("_request")) + "_reply" == message.type(), "a reply of the wrong type",
          message);
  require(++progress.replies == 1, "a second reply", message);
  auto& waiting = unanswered_[message.channel];
  const auto position = std::find(waiting.begin(), waiting.end(), request.msg_id);
  if (position != waiting.end()) {
    require(position == waiting.begin(), "replies in another order than the requests", message);
    waiting.pop_front();
  }
  progress.reply_status = message.content.value("status", "");
  const auto count = message.content.find("execution_count");
  if (count != message.content.end()) progress.reply_count = count->get<int>();
}

void Oracle::received_published(const Message& message, Progress& progress) {
  require(message.identities.size() == 1, "not exactly one topic frame", message);
  if (message.type() == "status") {
    received_status(message, progress);
  } else {
    received_output(message, progress);
  }
}

bool Oracle::takes_the_shell(const Message& message, const Progress& progress) {
  if (progress.request) return progress.request->channel == Channel::shell;
  return message.parent_header.value("msg_type", "") == "execute_request";
}

void Oracle::received_status(const Message& message, Progress& progress) {
  const bool shell = takes_the_shell(message, progress);
  const std::string state = message.content.at("execution_state").get<std::string>();
  if (state == "busy") {
    any_busy_ = true;
    require(progress.published == 0 && ++progress.busy == 1, "busy is not a request's first message", message);
    require(!shell || on_the_shell_.empty(), "busy while another shell request is", message);
    if (shell) on_the_shell_ = message.parent_id();
    return;
  }
  require(state == "idle", "a status of a request that is neither busy nor idle", message);
  if (progress.busy == 0 && !progress.request) progress.unseen_start = true;
  require(progress.busy == 1 || progress.unseen_start, "idle without busy", message);
  require(++progress.idle == 1, "a second idle", message);
  if (shell) on_the_shell_.clear();
}

void Oracle::received_output(const Message& message, Progress& progress) {
  const std::string type = message.type();
  if (progress.busy == 0 && !progress.request) progress.unseen_start = true;
  require(progress.busy == 1 || progress.unseen_start, "output before busy", message);
  if (progress.idle != 0) {
    const bool allowed = (progress.late_output || progress.unseen_start) && is_late_kind(type);
    require(allowed, "output after idle", message);
  }
  if (type == "execute_input") {
    require(++progress.inputs == 1 && progress.published == 0, "execute_input is not the first thing after busy", message);
    progress.execution_count = message.content.at("execution_count").get<int>();
  }
  if (type == "error") require(++progress.errors == 1, "a second error", message);
  if (type == "execute_result") {
    require(!progress.execution_count || message.content.at("execution_count") == *progress.execution_count,
            "a result with another execution_count than its execute_input", message);
  }
  const bool needs_input = progress.request && progress.request->type == "execute_request" && !progress.request->silent;
  require(!needs_input || progress.inputs == 1, "output before execute_input", message);
  ++progress.published;
}

void Oracle::finished_one(const std::string& msg_id, const Progress& progress) {
  const SentRequest& request = *progress.request;
  std::string wrong;
  if (progress.busy != 1) wrong += " has no busy;";
  if (progress.idle != 1) wrong += " has no idle;";
  if (request.reply_due && progress.replies != 1) wrong += " has no reply;";
  if (request.type == "execute_request") {
    const bool ran = progress.reply_status == "ok" && !request.silent;
    if (ran && progress.inputs != 1) wrong += " has no execute_input;";
    if (progress.execution_count && progress.reply_count && progress.execution_count != progress.reply_count) {
      wrong += " has different execution_counts in execute_input and reply;";
    }
    if (request.silent && progress.inputs != 0) wrong += " is silent and has an execute_input;";
  }
  if (!wrong.empty()) throw Failure(request.type + " " + msg_id + wrong);
}

void Oracle::finished() const {
  for (const auto& [msg_id, progress] : progress_) {
    if (progress.request) finished_one(msg_id, progress);
  }
}

}  // namespace adrastea::testing
