// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/oracle.hpp>
#include <adrastea/testing/schema.hpp>

#include <algorithm>

namespace adrastea::testing {
namespace {

bool is_late_kind(const std::string& type) {
  return type == "stream" || type == "display_data" || type == "update_display_data" || type == "clear_output" ||
         type.starts_with("comm_");
}

/// What a cell does, in the protocol's types: a kernel may publish others of its own.
bool is_output(const std::string& type) { return is_late_kind(type) || type == "execute_result" || type == "error"; }

/// A kernel that writes a date anew may choose another way to write it.
bool same_but_date(Json parent, Json header) {
  const bool dated = !header.contains("date") || parent.contains("date");
  parent.erase("date");
  header.erase("date");
  return dated && parent == header;
}

std::vector<StandingRule> all_rules() {
  std::vector<StandingRule> rules{
      {"wire.frames.count", "Messaging, The Wire Protocol",
       "A message is a delimiter, a signature, four JSON frames and any number of buffers."},
      {"wire.frames.json", "Messaging, The Wire Protocol",
       "Each of header, parent_header, metadata and content is one JSON object, and an empty one is {}, never null."},
      {"wire.signature", "Messaging, The Wire Protocol",
       "The signature is the HMAC of exactly the four frames; it is empty when there is no key."},
      {"wire.header.fields", "Messaging, Message header",
       "A header has msg_id, session, username, msg_type and version, each a string."},
      {"wire.header.date", "Messaging, Message header",
       "A header has a date in ISO 8601: day and time of day; the text asks neither for a zone nor for so many digits."},
      {"wire.parent.fields", "Messaging, Parent header", "A parent_header is {} or a whole header."},
      {"wire.msg-id.unique", "Messaging, Message header", "A msg_id is used once."},
      {"wire.session.single", "Messaging, Message header",
       "A kernel process has one session, on every channel and in every message."},
      {"wire.iopub.topic", "Messaging, The Wire Protocol", "An IOPub message has exactly one frame before the delimiter."},
      {"wire.reply.identities", "Messaging, The Wire Protocol",
       "Before the delimiter a reply has the identities of its request, and no other frames."},
      {"wire.parent.header", "Messaging, Parent header",
       "The parent_header is a copy of the header of the request that caused the message."},
      {"order.parent.present", "Messaging, Parent header", "What a request causes has that request as its parent."},
      {"order.status.parent", "Messaging, Kernel status", "busy and idle have the request that they are about as parent."},
      {"order.starting.once", "Messaging, Kernel status", "A kernel process is starting once."},
      {"order.status.states", "Messaging, Kernel status", "A kernel says starting, busy or idle, and nothing else."},
      {"order.busy.sent", "Messaging, Kernel status", "Every request makes the kernel busy."},
      {"order.busy.first", "Messaging, Kernel status", "busy comes before anything else that a request publishes."},
      {"order.busy.once", "Messaging, Kernel status", "A request makes the kernel busy once."},
      {"order.busy.one-at-a-time", "Messaging, Request-Reply",
       "Requests on shell, whoever sent them, are handled one at a time: the next is busy only after the idle of the one "
       "before; subshells have queues of their own."},
      {"order.idle.sent", "Messaging, Kernel status", "Every request ends with idle."},
      {"order.idle.once", "Messaging, Kernel status", "A request is idle once."},
      {"order.idle.last", "Messaging, Kernel status", "Everything that a request publishes comes before its idle."},
      {"order.input.sent", "Messaging, Code inputs", "A cell that is not silent is announced with execute_input."},
      {"order.input.first", "Messaging, Code inputs", "execute_input comes before the outputs of its cell."},
      {"order.input.once", "Messaging, Code inputs", "A cell has one execute_input."},
      {"order.error.once", "Messaging, Execution errors", "A cell has one error at most."},
      {"order.count.result", "Messaging, id", "An execute_result has the execution_count of its execute_input."},
      {"order.count.reply", "Messaging, Execution counter",
       "The execution_count of execute_reply is that of execute_input."},
      {"order.reply.sent", "Messaging, Request-Reply", "Every request of a type that the kernel handles gets a reply."},
      {"order.reply.once", "Messaging, Request-Reply", "A request gets one reply."},
      {"order.reply.type", "Messaging, Request-Reply", "The reply to X_request is X_reply."},
      {"order.reply.channel", "Messaging, Request-Reply", "A reply comes on the channel of its request."},
      {"order.reply.addressee", "Messaging, Request-Reply", "A reply goes to the client that asked, and to no other."},
      {"order.reply.fifo", "Messaging, Request-Reply",
       "Replies to one client on a channel come in the order of its requests; subshells have queues of their own."},
      {"order.reply.parent", "Messaging, Parent header", "A reply has a parent_header."},
      {"wire.channel.type", "Messaging, Introduction",
       "IOPub has neither requests nor replies but shutdown_reply, and stdin has nothing but input_request."},
  };
  for (const auto& type : SchemaStore::standard().types()) {
    rules.push_back(
        {"schema." + type, "Messaging, " + type, "The content of every " + type + " has the fields that it must."});
  }
  return rules;
}

}  // namespace

const std::vector<StandingRule>& standing_rules() {
  static const std::vector<StandingRule> rules = all_rules();
  return rules;
}

Oracle::Oracle(bool exact_parents, ViolationSink sink)
    : exact_parents_(exact_parents),
      sink_(sink ? std::move(sink) : [](const Violation& violation) { throw Failure(violation.finding); }) {}

void Oracle::require(bool kept, const char* rule, const std::string& finding, const Message& message) const {
  if (!kept) sink_({rule, finding + ": " + summary(message)});
}

void Oracle::sent(SentRequest request) {
  Progress& progress = progress_[request.msg_id];
  progress.number = ++sent_;
  progress.request = std::move(request);
}

bool Oracle::is_own(const std::string& msg_id) const {
  const auto known = progress_.find(msg_id);
  return known != progress_.end() && known->second.request.has_value();
}

bool Oracle::reply_due(const std::string& msg_id) const {
  return is_own(msg_id) && progress_.at(msg_id).request->reply_due;
}

bool Oracle::complete(const std::string& msg_id) const {
  const Progress& progress = progress_.at(msg_id);
  const bool published = !progress.request->published_due || (progress.busy > 0 && progress.idle > 0);
  return published && (!reply_due(msg_id) || progress.replies > 0);
}

void Oracle::received(const Message& message) {
  check_identity(message);
  check_channel(message);
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
  const std::string msg_id = message.msg_id();
  require(msg_ids_.insert(msg_id).second, "wire.msg-id.unique", "a msg_id was used twice", message);
  require(!is_own(msg_id), "wire.msg-id.unique", "the msg_id is that of a request", message);
  const std::string session = text_of(message.header, "session");
  if (session_.empty()) session_ = session;
  require(session == session_, "wire.session.single", "the kernel has more than one session", message);
}

void Oracle::check_channel(const Message& message) const {
  const std::string type = message.type();
  if (message.channel == Channel::stdin_channel) {
    require(type == "input_request", "wire.channel.type", "on stdin", message);
  } else if (message.channel == Channel::iopub) {
    const bool of_another = type.ends_with("_request") || (type.ends_with("_reply") && type != "shutdown_reply");
    require(!of_another, "wire.channel.type", "on iopub", message);
  }
}

void Oracle::check_parent(const Message& message, const Progress& progress) const {
  if (!progress.request) return;
  const bool same = exact_parents_ ? message.parent_bytes == progress.request->header_bytes
                                   : same_but_date(message.parent_header, Json::parse(progress.request->header_bytes));
  require(same, "wire.parent.header",
          "the parent_header " + message.parent_bytes + " is not the request's header " + progress.request->header_bytes,
          message);
}

void Oracle::received_orphan(const Message& message) {
  const std::string type = message.type();
  if (message.channel == Channel::stdin_channel) return;  // a question, about which a case of its own is
  if (message.channel != Channel::iopub) {
    require(false, "order.reply.parent", "a reply without parent", message);
    return;
  }
  if (type == "status") {
    const bool starts = text_of(message.content, "execution_state") == "starting";
    require(starts, "order.status.parent", "a status without parent", message);
    if (starts) require(++starting_ == 1, "order.starting.once", "the kernel starts twice", message);
    return;
  }
  // What the language prints while it starts belongs to no request.
  if (type == "stream" && !any_busy_) return;
  require(type == "iopub_welcome", "order.parent.present", "a message without parent", message);
}

void Oracle::received_reply(const Message& message, Progress& progress) {
  if (!progress.request) {
    require(false, "order.reply.addressee", "a reply to another client's request", message);
    return;
  }
  const SentRequest& request = *progress.request;
  require(request.channel == message.channel, "order.reply.channel", "a reply on another channel than its request's",
          message);
  require(request.type.substr(0, request.type.rfind("_request")) + "_reply" == message.type(), "order.reply.type",
          "a reply of the wrong type", message);
  require(request.routed || message.identities.empty(), "wire.reply.identities", "frames before the delimiter", message);
  require(++progress.replies == 1, "order.reply.once", "a second reply", message);
  // One that is never answered was not overtaken: it is known to be late when its reply comes after all.
  std::size_t& newest = newest_answered_[{request.channel, request.subshell}];
  require(progress.number >= newest, "order.reply.fifo", "a reply after that to a later request", message);
  newest = std::max(newest, progress.number);
  progress.reply_status = text_of(message.content, "status");
  progress.reply_count = integer_of(message.content, "execution_count");
}

void Oracle::received_published(const Message& message, Progress& progress) {
  require(message.identities.size() == 1, "wire.iopub.topic", "not exactly one topic frame", message);
  if (message.type() == "status") {
    received_status(message, progress);
  } else {
    received_output(message, progress);
  }
}

bool Oracle::takes_the_shell(const Message& message, const Progress& progress) {
  if (progress.request) return progress.request->channel == Channel::shell && progress.request->subshell.empty();
  if (!text_of(message.parent_header, "subshell_id").empty()) return false;
  return text_of(message.parent_header, "msg_type") == "execute_request";
}

void Oracle::received_status(const Message& message, Progress& progress) {
  const std::string state = text_of(message.content, "execution_state");
  if (state == "busy") {
    received_busy(message, progress);
  } else if (state == "idle") {
    received_idle(message, progress);
  } else {
    require(false, "order.status.states", "a status of a request that is neither busy nor idle", message);
  }
}

void Oracle::received_busy(const Message& message, Progress& progress) {
  any_busy_ = true;
  require(++progress.busy == 1, "order.busy.once", "a second busy", message);
  require(progress.busy > 1 || !progress.output_before_busy, "order.busy.first", "busy is not a request's first message",
          message);
  if (!takes_the_shell(message, progress)) return;
  if (!on_the_shell_.empty() && on_the_shell_ != message.parent_id()) overtaken_.insert(on_the_shell_);
  on_the_shell_ = message.parent_id();
}

void Oracle::received_idle(const Message& message, Progress& progress) {
  if (progress.busy == 0) {
    if (!progress.request) progress.unseen_start = true;
    progress.output_before_busy = true;
  }
  require(++progress.idle == 1, "order.idle.once", "a second idle", message);
  if (!takes_the_shell(message, progress)) return;
  // Whoever became busy before this idle did so too early, for the idle has come after all.
  require(overtaken_.erase(message.parent_id()) == 0, "order.busy.one-at-a-time",
          "another shell request was busy before this idle", message);
  if (on_the_shell_ == message.parent_id()) on_the_shell_.clear();
}

void Oracle::received_output(const Message& message, Progress& progress) {
  const std::string type = message.type();
  if (progress.busy == 0) {
    if (!progress.request) progress.unseen_start = true;
    progress.output_before_busy = true;
  }
  if (progress.idle != 0) {
    const bool allowed = (progress.late_output || progress.unseen_start) && is_late_kind(type);
    require(allowed, "order.idle.last", "output after idle", message);
  }
  if (type == "execute_input") {
    require(++progress.inputs == 1, "order.input.once", "a second execute_input", message);
    require(progress.inputs > 1 || !progress.output_before_input, "order.input.first",
            "execute_input is not the first thing after busy", message);
    progress.execution_count = integer_of(message.content, "execution_count");
  } else if (progress.inputs == 0 && is_output(type)) {
    progress.output_before_input = true;
  }
  if (type == "error") require(++progress.errors == 1, "order.error.once", "a second error", message);
  if (type == "execute_result") {
    require(!progress.execution_count || integer_of(message.content, "execution_count") == progress.execution_count,
            "order.count.result", "a result with another execution_count than its execute_input", message);
  }
  ++progress.published;
}

void Oracle::judge(const std::string& msg_id, Progress& progress) {
  const SentRequest& request = *progress.request;
  const auto lacks = [&](bool has, const char* rule, const std::string& what) {
    if (!has) sink_({rule, request.type + " " + msg_id + " " + what});
  };
  progress.judged = true;
  lacks(!request.reply_due || progress.replies > 0, "order.reply.sent", "has no reply");
  if (!request.published_due) return;
  lacks(progress.busy > 0, "order.busy.sent", "has no busy");
  lacks(progress.idle > 0, "order.idle.sent", "has no idle");
  if (request.type != "execute_request") return;
  const bool ran = (progress.reply_status == "ok" || progress.output_before_input) && !request.silent;
  lacks(!ran || progress.inputs > 0, "order.input.sent", "has no execute_input");
  lacks(!request.silent || progress.inputs == 0, "order.input.sent", "is silent and has an execute_input");
  lacks(!request.counted || !progress.execution_count || !progress.reply_count ||
            progress.execution_count == progress.reply_count,
        "order.count.reply", "has different execution_counts in execute_input and reply");
}

void Oracle::finished(const std::string& msg_id) {
  Progress& progress = progress_.at(msg_id);
  if (progress.request && !progress.judged) judge(msg_id, progress);
}

void Oracle::finished() {
  for (const auto& [msg_id, progress] : progress_) finished(msg_id);
}

}  // namespace adrastea::testing
