// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/client.hpp>

#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/oracle.hpp>
#include <adrastea/testing/schema.hpp>

#include <unistd.h>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <map>
#include <ostream>
#include <set>

namespace adrastea::testing {
namespace {

constexpr std::array k_received{Channel::shell, Channel::control, Channel::stdin_channel, Channel::iopub};

bool is_answered(std::string_view type) {
  static const std::set<std::string_view> types{"execute_request",   "inspect_request",     "complete_request",
                                                "history_request",   "is_complete_request", "connect_request",
                                                "comm_info_request", "kernel_info_request", "usage_request",
                                                "shutdown_request",  "interrupt_request",   "debug_request"};
  return types.contains(type);
}

zmq::multipart_t to_multipart(const Frames& frames) {
  zmq::multipart_t parts;
  for (const auto& frame : frames) parts.addmem(frame.data(), frame.size());
  return parts;
}

Frames to_frames(const zmq::multipart_t& parts) {
  Frames frames;
  for (const auto& part : parts) frames.emplace_back(part.to_string());
  return frames;
}

std::string shown_text(const Message& message) {
  const Json& content = message.content;
  if (content.contains("text")) return text_of(content, "text");
  if (content.contains("ename")) return text_of(content, "ename");
  const auto data = content.find("data");
  if (data != content.end() && data->is_object() && data->contains("text/plain")) return text_of(*data, "text/plain");
  return content.dump();
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Shown& shown) {
  return stream << shown.kind << " " << Json(shown.text).dump();
}

std::vector<Shown> Exchange::shown() const {
  std::vector<Shown> things;
  for (const auto& message : published) {
    const std::string type = message.type();
    if (type == "execute_input") continue;
    const std::string kind = type == "stream" ? text_of(message.content, "name") : type;
    if (type == "stream" && !things.empty() && things.back().kind == kind) {
      things.back().text += shown_text(message);
    } else {
      things.push_back({kind, shown_text(message)});
    }
  }
  return things;
}

std::string Exchange::text(std::string_view stream) const {
  std::string joined;
  for (const auto& message : published) {
    if (message.type() == "stream" && text_of(message.content, "name") == stream) {
      joined += text_of(message.content, "text");
    }
  }
  return joined;
}

/// The sockets, the checks, and what was received and not asserted yet.
class KernelClient::Impl {
 public:
  Impl(Connection connection, ClientOptions options);

  SentRequest send(Channel channel, std::string_view type, const Json& content, const SendOptions& options);
  Frames frames_of(std::string_view type, const Json& content, const SendOptions& options, SentRequest& request);
  void send_frames(Channel channel, const Frames& frames);
  Deadline within(const std::optional<Deadline>& deadline) const { return deadline.value_or(Deadline(options_.patience)); }
  Message take(Channel channel, Deadline deadline);
  Message take_published(const std::string& id, Deadline deadline);
  std::string next_published(Deadline deadline);
  std::optional<Message> take_reply(const std::string& id);
  void put_back(Message message) { published_[message.parent_id()].push_front(std::move(message)); }
  void wait_for_more(Deadline deadline, const std::string& what);
  /// Of each a sentence, with this before it.
  [[nodiscard]] std::string lost_connections(const std::string& before) const;
  enum class Came { message, nothing, end_of_kernel };
  Came wait(std::chrono::milliseconds time);
  void settle(const std::string& id, Channel channel, Deadline deadline);
  void synchronize(Deadline deadline);
  void fence(Channel channel, Deadline deadline);
  bool drain();
  Frames ping(const Frames& frames, Deadline deadline, HeartbeatPeer peer);
  bool wait_until(const std::function<bool()>& holds, Deadline deadline);
  zmq::socket_t& iopub() { return sockets_.at(Channel::iopub); }
  void check_leftovers() const;
  [[noreturn]] void fail(const std::string& finding) const { throw Failure(finding + "\n" + transcript()); }
  void violate(const Violation& violation);
  [[nodiscard]] bool watches() const { return options_.subscribe && options_.topic.empty(); }
  [[nodiscard]] bool lenient() const { return options_.on_violation != nullptr; }
  [[nodiscard]] std::string transcript() const;

  const Connection connection_;
  const ClientOptions options_;
  const Codec codec_;
  Oracle oracle_;
  std::vector<Message> foreign_;
  std::optional<Message> welcome_;
  std::vector<Message> welcomes_;
  std::optional<Message> first_published_;
  std::vector<Message> starting_;
  std::map<std::string, std::size_t> received_types_;
  std::uint64_t arrivals_ = 0;
  bool finished_ = false;

  std::set<std::string> sent_;       ///< ids of requests
  std::set<std::string> forgotten_;  ///< those whose messages nobody has to assert

  std::map<Channel, std::deque<Message>> direct_;         ///< shell, control, stdin
  std::map<std::string, std::deque<Message>> published_;  ///< iopub, by the request of ours; none is empty

 private:
  zmq::socket_t connect(Channel channel, zmq::socket_type type);
  bool receive_one(Channel channel);
  void accept(const Message& message);
  void check_schemas(const Message& message);
  void check_welcome(const Message& message);
  void await_welcome();
  std::string send_probe(Channel channel);
  bool take_probe(const Message& message);
  void note(const std::string& line);

  zmq::context_t context_;
  std::map<Channel, zmq::socket_t> sockets_;
  std::deque<std::string> transcript_;
  std::uint64_t count_ = 0;
  std::optional<Deadline> after_the_end_;
  /// Requests of the client's own, about which nothing is judged: what has come of them.
  struct Probe {
    bool replied = false;
    bool published = false;
  };
  std::map<std::string, Probe> probes_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

KernelClient::Impl::Impl(Connection connection, ClientOptions options)
    : connection_(std::move(connection)),
      options_(std::move(options)),
      codec_(connection_.scheme(), connection_.key()),
      oracle_(options_.exact_parents, [this](const Violation& violation) { violate(violation); }) {
  sockets_.emplace(Channel::shell, connect(Channel::shell, zmq::socket_type::dealer));
  sockets_.emplace(Channel::control, connect(Channel::control, zmq::socket_type::dealer));
  if (options_.connect_stdin)
    sockets_.emplace(Channel::stdin_channel, connect(Channel::stdin_channel, zmq::socket_type::dealer));
  if (options_.subscribe) {
    sockets_.emplace(Channel::iopub, connect(Channel::iopub, zmq::socket_type::sub));
    if (options_.welcome) await_welcome();
  }
}

zmq::socket_t KernelClient::Impl::connect(Channel channel, zmq::socket_type type) {
  zmq::socket_t socket(context_, type);
  // Not 0 where messages have several frames: libzmq may end the process where a kernel dies within one whose socket is
  // closed at that moment. A subscription has one, and would be waited for whenever the kernel has ended.
  socket.set(zmq::sockopt::linger, type == zmq::socket_type::sub ? 0 : 100);
  // Far more than any cell publishes; a kernel that publishes for ever must not take all memory of who watches it.
  constexpr int most_published = 100'000;
  socket.set(zmq::sockopt::rcvhwm, type == zmq::socket_type::sub ? most_published : 0);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::reconnect_ivl, 5);
  socket.set(zmq::sockopt::ipv6, true);
  connection_.encrypt(socket.handle());
  if (type == zmq::socket_type::dealer) socket.set(zmq::sockopt::routing_id, options_.session);
  if (type == zmq::socket_type::sub) socket.set(zmq::sockopt::subscribe, options_.topic);
  socket.connect(connection_.endpoint(channel));
  return socket;
}

void KernelClient::Impl::await_welcome() {
  const Deadline deadline(options_.patience);
  while (!welcome_) wait_for_more(deadline, "iopub_welcome");
}

void KernelClient::Impl::note(const std::string& line) {
  constexpr std::size_t most = 400;
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start_;
  std::array<char, 32> stamp{};
  std::snprintf(stamp.data(), stamp.size(), "%10.3f ms ", time.count());
  transcript_.push_back(stamp.data() + line);
  if (transcript_.size() > most) transcript_.pop_front();
}

std::string KernelClient::Impl::transcript() const {
  std::string text = "transcript:";
  for (const auto& line : transcript_) text += "\n  " + line;
  return text + lost_connections("\n  ");
}

Frames KernelClient::Impl::frames_of(std::string_view type, const Json& content, const SendOptions& options,
                                     SentRequest& request) {
  Json header{{"msg_id", options_.session + "_" + std::to_string(++count_)},
              {"session", options_.session},
              {"username", "tester"},
              {"date", iso_now()},
              {"msg_type", type},
              {"version", "5.5"}};
  header.update(options.header);
  request.msg_id = header.value("msg_id", "");
  request.type = type;
  request.header_bytes = header.dump();
  const bool handled = !options_.unhandled.contains(request.type);
  request.reply_due = handled && options.reply_due.value_or(is_answered(type));
  request.subshell = text_of(header, "subshell_id");
  request.published_due = handled && watches() && options.published_due.value_or(true);
  request.silent = type == "execute_request" && content.value("silent", Json(false)) == true;
  // An empty cell asks for the counter.
  request.counted = !request.silent && content.value("store_history", Json(true)) == true &&
                    text_of(content, "code").find_first_not_of(" \t\r\n") != std::string::npos;
  return codec_.encode({request.header_bytes, options.parent.dump(), options.metadata.dump(),
                        options.raw_content ? *options.raw_content : content.dump()},
                       options.buffers);
}

SentRequest KernelClient::Impl::send(Channel channel, std::string_view type, const Json& content,
                                     const SendOptions& options) {
  SentRequest request;
  request.channel = channel;
  const Frames frames = frames_of(type, content, options, request);
  note("-> " + std::string(to_string(channel)) + " " + request.type + " " + request.msg_id + " " +
       frames.at(5).substr(0, 200));
  if (channel != Channel::stdin_channel) oracle_.sent(request);
  sent_.insert(request.msg_id);
  send_frames(channel, frames);
  return request;
}

void KernelClient::Impl::send_frames(Channel channel, const Frames& frames) {
  // There is no limit to what may wait, so nothing is refused but by a connection that is not there.
  if (!to_multipart(frames).send(sockets_.at(channel), static_cast<int>(zmq::send_flags::dontwait)))
    fail(refused_connection(channel));
}

bool KernelClient::Impl::receive_one(Channel channel) {
  const auto socket = sockets_.find(channel);
  if (socket == sockets_.end()) return false;
  zmq::multipart_t parts;
  if (!parts.recv(socket->second, static_cast<int>(zmq::recv_flags::dontwait))) return false;
  auto message = codec_.decode(channel, to_frames(parts), [this](const Violation& violation) { violate(violation); });
  if (!message) return true;
  message->arrival = ++arrivals_;
  accept(*message);
  return true;
}

void KernelClient::Impl::violate(const Violation& violation) {
  if (!lenient()) fail(violation.finding);
  note("!! " + violation.rule + ": " + violation.finding);
  options_.on_violation({violation.rule, violation.finding + "\n" + transcript()});
}

namespace {

/// The rule that a line of envelope_violations() is about.
std::string envelope_rule(const std::string& line) {
  if (line.starts_with("/header/date") || line == "/header lacks \"date\"") return "wire.header.date";
  if (line.starts_with("/header")) return "wire.header.fields";
  return line.starts_with("/parent_header") ? "wire.parent.fields" : "wire.frames.json";
}

}  // namespace

void KernelClient::Impl::check_schemas(const Message& message) {
  const auto& schemas = SchemaStore::standard();
  for (const auto& line : schemas.envelope_violations(message)) {
    violate({envelope_rule(line), "against the schema: " + line + ": " + summary(message)});
  }
  const auto content = schemas.content_violations(message);
  if (!content && !lenient()) fail("no schema for msg_type " + message.type());
  // Allowed, and still nothing that a kernel's author wants.
  if (!lenient() && message.type() == "stream" && text_of(message.content, "text").empty()) fail("an empty stream message");
  if (!content) return;
  for (const auto& line : *content) {
    violate({"schema." + message.type(), "against the schema: " + line + ": " + summary(message)});
  }
}

void KernelClient::Impl::check_welcome(const Message& message) {
  if (message.type() != "iopub_welcome") fail("the first message on iopub is no welcome: " + summary(message));
  if (text_of(message.content, "subscription") != options_.topic) fail("a welcome for another topic: " + summary(message));
  // One frame, which the subscription matches; the kernel may say more in it, to reach this subscriber alone.
  if (options_.welcome_topic && (message.identities.size() != 1 || !message.identities[0].starts_with(options_.topic)))
    fail("a welcome with another topic frame: " + summary(message));
}

void KernelClient::Impl::accept(const Message& message) {
  note("<- " + summary(message));
  ++received_types_[message.type()];
  check_schemas(message);
  if (message.channel == Channel::iopub && !first_published_) first_published_ = message;
  if (take_probe(message)) return;
  if (message.channel == Channel::iopub && options_.welcome && !welcome_) check_welcome(message);
  if (message.type() == "iopub_welcome") welcomes_.push_back(message);
  if (!welcome_ && message.type() == "iopub_welcome") welcome_ = message;
  if (message.type() == "status" && message.parent_id().empty()) starting_.push_back(message);
  oracle_.received(message);
  if (message.channel != Channel::iopub) {
    direct_[message.channel].push_back(message);
  } else if (oracle_.is_own(message.parent_id())) {
    published_[message.parent_id()].push_back(message);
  } else if (!message.parent_id().empty()) {
    foreign_.push_back(message);
  }
}

std::string KernelClient::Impl::send_probe(Channel channel) {
  SentRequest request;
  const Frames frames = frames_of("kernel_info_request", Json::object(), {}, request);
  note("-> " + std::string(to_string(channel)) + " kernel_info_request " + request.msg_id);
  probes_[request.msg_id] = {};
  send_frames(channel, frames);
  return request.msg_id;
}

bool KernelClient::Impl::take_probe(const Message& message) {
  const auto probe = probes_.find(message.parent_id());
  if (probe == probes_.end()) return false;
  (message.channel == Channel::iopub ? probe->second.published : probe->second.replied) = true;
  return true;
}

void KernelClient::Impl::synchronize(Deadline deadline) {
  while (true) {
    const std::string id = send_probe(Channel::shell);
    while (!probes_.at(id).replied) wait_for_more(deadline, "the reply to kernel_info_request");
    // A subscription that is on its way is not announced by a kernel without welcome, so its arrival is polled for.
    const Deadline soon(std::chrono::milliseconds(50));
    const std::size_t welcomes = welcomes_.size();
    while (!probes_.at(id).published && welcomes_.size() == welcomes && !soon.passed() &&
           wait(soon.left()) == Came::message) {
    }
    if (probes_.at(id).published) break;
    if (deadline.passed()) fail("nothing is published about any request");
  }
  fence(Channel::shell, deadline);
}

void KernelClient::Impl::fence(Channel channel, Deadline deadline) {
  const std::string id = send_probe(channel);
  while (!probes_.at(id).replied) wait_for_more(deadline, "the reply to a later request");
  if (!watches()) return;
  // One that publishes nothing about kernel_info: then this is all we know.
  while (!probes_.at(id).published && !deadline.passed() && wait(options_.quiet) == Came::message) {
  }
}

void KernelClient::Impl::settle(const std::string& id, Channel channel, Deadline deadline) {
  while (!oracle_.complete(id)) {
    const Came came = wait(options_.quiet);
    if (came == Came::message && !deadline.passed()) continue;
    if (came == Came::message) fail("it has not ended, and more and more comes of " + id);
    if (came == Came::nothing) fence(channel, deadline);
    oracle_.finished(id);
    if (came == Came::end_of_kernel) fail("the kernel has ended; nothing came while waiting for " + id);
    return;
  }
}

bool KernelClient::Impl::drain() {
  // All that is here. A kernel that publishes for ever, faster than it is read, must not keep the caller from what ends it.
  const Deadline enough(options_.quiet);
  bool any = false;
  for (const Channel channel : k_received) {
    while (!enough.passed() && receive_one(channel)) any = true;
  }
  return any;
}

KernelClient::Impl::Came KernelClient::Impl::wait(std::chrono::milliseconds time) {
  const Deadline deadline = Deadline::exactly(time);
  while (!drain()) {
    // Once the kernel has ended, what it sent may still be on its way through the system, but not for long.
    if (after_the_end_ && after_the_end_->passed()) return Came::end_of_kernel;
    if (deadline.passed()) return Came::nothing;
    std::vector<zmq::pollitem_t> items;
    for (auto& [channel, socket] : sockets_) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
    if (options_.process_fd >= 0 && !after_the_end_) items.push_back({nullptr, options_.process_fd, ZMQ_POLLIN, 0});
    zmq::poll(items, after_the_end_ ? std::min(after_the_end_->left(), deadline.left()) : deadline.left());
    const bool ended = items.back().socket == nullptr && (items.back().revents & ZMQ_POLLIN) != 0;
    if (ended) after_the_end_ = Deadline(options_.aftermath);
  }
  return Came::message;
}

std::string KernelClient::Impl::lost_connections(const std::string& before) const {
  std::string lines;
  for (const auto& [channel, socket] : sockets_) {
    if (channel == Channel::iopub || (socket.get(zmq::sockopt::events) & ZMQ_POLLOUT) != 0) continue;
    lines += before + refused_connection(channel);
  }
  return lines;
}

void KernelClient::Impl::wait_for_more(Deadline deadline, const std::string& what) {
  switch (wait(deadline.left())) {
    case Came::message:
      // A test has its runner's limit; whoever judges a kernel may meet one that publishes for ever.
      if (lenient() && deadline.passed()) fail("much came, but not in time " + what);
      return;
    case Came::nothing:
      fail("nothing came while waiting for " + what + lost_connections("; "));
    case Came::end_of_kernel:
      fail("the kernel has ended; nothing came while waiting for " + what);
  }
}

Message KernelClient::Impl::take(Channel channel, Deadline deadline) {
  if (channel == Channel::iopub) return take_published(next_published(deadline), deadline);
  auto& waiting = direct_[channel];
  while (waiting.empty()) wait_for_more(deadline, std::string("a message on ") + to_string(channel));
  Message message = std::move(waiting.front());
  waiting.pop_front();
  return message;
}

std::string KernelClient::Impl::next_published(Deadline deadline) {
  while (published_.empty()) wait_for_more(deadline, "a message on iopub");
  const auto oldest = std::min_element(published_.begin(), published_.end(), [](const auto& one, const auto& other) {
    return one.second.front().arrival < other.second.front().arrival;
  });
  return oldest->first;
}

Message KernelClient::Impl::take_published(const std::string& id, Deadline deadline) {
  while (!published_.contains(id)) wait_for_more(deadline, "a message on iopub of " + id);
  auto& waiting = published_.at(id);
  Message message = std::move(waiting.front());
  waiting.pop_front();
  if (waiting.empty()) published_.erase(id);
  return message;
}

std::optional<Message> KernelClient::Impl::take_reply(const std::string& id) {
  for (const Channel channel : {Channel::shell, Channel::control}) {
    auto& waiting = direct_[channel];
    const auto found =
        std::find_if(waiting.begin(), waiting.end(), [&](const Message& message) { return message.parent_id() == id; });
    if (found == waiting.end()) continue;
    Message message = std::move(*found);
    waiting.erase(found);
    return message;
  }
  return std::nullopt;
}

Frames KernelClient::Impl::ping(const Frames& frames, Deadline deadline, HeartbeatPeer peer) {
  const bool plain = peer == HeartbeatPeer::dealer;
  zmq::socket_t socket = connect(Channel::heartbeat, plain ? zmq::socket_type::dealer : zmq::socket_type::req);
  Frames sent = frames;
  if (plain) sent.insert(sent.begin(), "");  // what a REQ puts before, and a REP asks for
  if (!to_multipart(sent).send(socket, static_cast<int>(zmq::send_flags::dontwait)))
    fail(refused_connection(Channel::heartbeat));
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  if (zmq::poll(&item, 1, deadline.left()) == 0) fail("the heartbeat was not answered");
  Frames echo = to_frames(zmq::multipart_t(socket));
  if (plain && !echo.empty() && echo.front().empty()) echo.erase(echo.begin());
  return echo;
}

bool KernelClient::Impl::wait_until(const std::function<bool()>& holds, Deadline deadline) {
  drain();
  while (true) {
    // What is asked may read messages, which nobody shall wait for then.
    const std::uint64_t before = arrivals_;
    if (holds()) return true;
    // From a kernel that publishes without end, each look reads something.
    if (deadline.passed()) return false;
    if (arrivals_ == before && wait(deadline.left()) != Came::message) return holds();
  }
}

void KernelClient::Impl::check_leftovers() const {
  std::string left;
  for (const auto& [id, messages] : published_) {
    if (forgotten_.contains(id)) continue;
    for (const auto& message : messages) left += "\n  " + summary(message);
  }
  for (const auto& [channel, messages] : direct_) {
    for (const auto& message : messages) {
      if (!forgotten_.contains(message.parent_id())) left += "\n  " + summary(message);
    }
  }
  if (!left.empty()) fail("messages that no test asserted:" + left);
}

// ---------------------------------------------------------------------------------------------------------------------

KernelClient::KernelClient(Connection connection, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(connection), std::move(options))) {}

KernelClient::~KernelClient() {
  if (impl_->finished_ || impl_->lenient() || std::uncaught_exceptions() > 0) return;
  try {
    impl_->drain();
    impl_->check_leftovers();
  } catch (const std::exception& error) {
    report(error.what());
  }
}

std::string KernelClient::request(Channel channel, std::string_view type, const Json& content, const SendOptions& options) {
  return impl_->send(channel, type, content, options).msg_id;
}

std::string KernelClient::execute(const std::string& code, const ExecuteOptions& options) {
  Json content{{"code", code},
               {"silent", options.silent},
               {"store_history", options.store_history},
               {"user_expressions", options.user_expressions}};
  if (options.allow_stdin) content["allow_stdin"] = *options.allow_stdin;
  if (options.stop_on_error) content["stop_on_error"] = *options.stop_on_error;
  return request(Channel::shell, "execute_request", content, options.send);
}

std::string KernelClient::input_reply(const Json& value, const SendOptions& options) {
  return request(Channel::stdin_channel, "input_reply", {{"value", value}}, options);
}

std::string KernelClient::send_request(Channel channel, const Frames& frames) {
  // The signature may be any: whether the kernel looks at it is the test's business.
  const Message message = impl_->codec_.decode(channel, frames, [](const Violation&) {}).value();
  const bool silent = message.content.value("silent", Json(false)) == true;
  const bool handled = !impl_->options_.unhandled.contains(message.type());
  impl_->oracle_.sent({message.msg_id(), channel, message.type(), message.header_bytes, silent,
                       handled && is_answered(message.type()), text_of(message.header, "subshell_id"),
                       handled && impl_->watches(), true, !message.identities.empty()});
  impl_->sent_.insert(message.msg_id());
  impl_->send_frames(channel, frames);
  return message.msg_id();
}

void KernelClient::send_frames(Channel channel, const Frames& frames) { impl_->send_frames(channel, frames); }

Frames KernelClient::frames_of(std::string_view type, const Json& content, const SendOptions& options) {
  SentRequest ignored;
  return impl_->frames_of(type, content, options, ignored);
}

const Codec& KernelClient::codec() const { return impl_->codec_; }
const std::string& KernelClient::session() const { return impl_->options_.session; }

Message KernelClient::take(Channel channel, std::optional<Deadline> deadline) {
  return impl_->take(channel, impl_->within(deadline));
}

Message KernelClient::take_published(const std::string& id, std::optional<Deadline> deadline) {
  return impl_->take_published(id, impl_->within(deadline));
}

Message KernelClient::expect_published(const std::string& id, std::string_view type) {
  Message message = impl_->take_published(id, impl_->within({}));
  if (message.type() != type) impl_->fail("expected " + std::string(type) + ", got " + summary(message));
  return message;
}

namespace {

bool is_status(const Message& message, const char* state) {
  return message.type() == "status" && text_of(message.content, "execution_state") == state;
}

}  // namespace

void KernelClient::expect_busy(const std::string& id) {
  const Message message = impl_->take_published(id, impl_->within({}));
  if (!is_status(message, "busy")) impl_->fail("expected busy, got " + summary(message));
}

void KernelClient::expect_idle(const std::string& id) {
  const Message message = impl_->take_published(id, impl_->within({}));
  if (!is_status(message, "idle")) impl_->fail("expected idle, got " + summary(message));
}

int KernelClient::expect_execute_input(const std::string& id, const std::string& code) {
  const Message message = expect_published(id, "execute_input");
  if (message.content.at("code") != code) impl_->fail("expected the code " + code + ", got " + summary(message));
  return message.content.at("execution_count").get<int>();
}

void KernelClient::expect_stream(const std::string& id, std::string_view name, std::string_view text) {
  while (!text.empty()) {
    Message message = expect_published(id, "stream");
    const std::string got = message.content.at("text").get<std::string>();
    const std::size_t common = std::min(got.size(), text.size());
    if (message.content.at("name") != name || got.substr(0, common) != text.substr(0, common)) {
      impl_->fail("expected " + std::string(name) + " " + Json(text).dump() + ", got " + summary(message));
    }
    text.remove_prefix(common);
    if (common == got.size()) continue;
    message.content["text"] = got.substr(common);
    impl_->put_back(std::move(message));
  }
}

void KernelClient::expect_display(const std::string& id, std::string_view text_plain) {
  const Message message = expect_published(id, "display_data");
  if (shown_text(message) != text_plain)
    impl_->fail("expected display of " + std::string(text_plain) + ", got " + summary(message));
}

void KernelClient::expect_result(const std::string& id, std::string_view text_plain) {
  const Message message = expect_published(id, "execute_result");
  if (shown_text(message) != text_plain)
    impl_->fail("expected result " + std::string(text_plain) + ", got " + summary(message));
}

Message KernelClient::expect_error(const std::string& id, std::string_view ename) {
  Message message = expect_published(id, "error");
  if (message.content.at("ename") != ename)
    impl_->fail("expected error " + std::string(ename) + ", got " + summary(message));
  return message;
}

Message KernelClient::expect_reply(const std::string& id, std::string_view status, std::optional<Deadline> patience) {
  const Deadline deadline = impl_->within(patience);
  while (true) {
    if (auto reply = impl_->take_reply(id)) {
      if (!status.empty() && reply->content.value("status", "") != status) {
        impl_->fail("expected a reply with status " + std::string(status) + ", got " + summary(*reply));
      }
      return *reply;
    }
    impl_->wait_for_more(deadline, "the reply to " + id);
  }
}

Message KernelClient::expect_input_request(const std::string& id, std::string_view prompt) {
  Message message = impl_->take(Channel::stdin_channel, impl_->within({}));
  if (message.type() != "input_request" || message.parent_id() != id || message.content.at("prompt") != prompt) {
    impl_->fail("expected the prompt " + std::string(prompt) + " of " + id + ", got " + summary(message));
  }
  return message;
}

Exchange KernelClient::collect(const std::string& id, std::optional<Deadline> patience) {
  const Deadline deadline = impl_->within(patience);
  Exchange exchange{id, {}, std::nullopt};
  if (impl_->lenient()) {
    impl_->settle(id, impl_->oracle_.channel(id), deadline);
    for (auto& message : impl_->published_[id]) {
      if (message.type() != "status") exchange.published.push_back(std::move(message));
    }
    impl_->published_.erase(id);
    exchange.reply = impl_->take_reply(id);
    return exchange;
  }
  expect_busy(id);
  while (true) {
    Message message = impl_->take_published(id, deadline);
    if (is_status(message, "idle")) break;
    exchange.published.push_back(std::move(message));
  }
  if (impl_->oracle_.reply_due(id)) exchange.reply = expect_reply(id, "", deadline);
  return exchange;
}

Exchange KernelClient::exchange(Channel channel, std::string_view type, const Json& content, const SendOptions& options) {
  return collect(request(channel, type, content, options));
}

Exchange KernelClient::run(const std::string& code, const ExecuteOptions& options) {
  return collect(execute(code, options));
}

Frames KernelClient::ping(const Frames& frames, std::optional<Deadline> deadline, HeartbeatPeer peer) {
  return impl_->ping(frames, impl_->within(deadline), peer);
}

bool KernelClient::wait_until(const std::function<bool()>& holds, std::optional<Deadline> deadline) {
  return impl_->wait_until(holds, impl_->within(deadline));
}

void KernelClient::subscribe(const std::string& topic) { impl_->iopub().set(zmq::sockopt::subscribe, topic); }
void KernelClient::unsubscribe(const std::string& topic) { impl_->iopub().set(zmq::sockopt::unsubscribe, topic); }

void KernelClient::synchronize(std::optional<Deadline> deadline) { impl_->synchronize(impl_->within(deadline)); }

void KernelClient::fence(Channel channel, std::optional<Deadline> deadline) {
  impl_->fence(channel, impl_->within(deadline));
}

bool KernelClient::wait(std::chrono::milliseconds time) { return impl_->wait(time) != Impl::Came::nothing; }

bool KernelClient::waiting(Channel channel) {
  impl_->drain();
  return !impl_->direct_[channel].empty();
}

std::vector<Message> KernelClient::published(const std::string& id) {
  impl_->drain();
  const auto found = impl_->published_.find(id);
  if (found == impl_->published_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

bool KernelClient::has_published(const std::string& id, const std::function<bool(const Message&)>& wanted) {
  impl_->drain();
  const auto found = impl_->published_.find(id);
  return found != impl_->published_.end() && std::any_of(found->second.begin(), found->second.end(), wanted);
}

const std::optional<Message>& KernelClient::welcome() const { return impl_->welcome_; }
const std::vector<Message>& KernelClient::welcomes() const { return impl_->welcomes_; }
const std::optional<Message>& KernelClient::first_published() const { return impl_->first_published_; }
const std::map<std::string, std::size_t>& KernelClient::received_types() const { return impl_->received_types_; }
const std::vector<Message>& KernelClient::starting() const { return impl_->starting_; }

void KernelClient::allow_late_output(const std::string& id) { impl_->oracle_.allow_late_output(id); }

void KernelClient::forget_unasserted() {
  impl_->drain();
  impl_->forgotten_.merge(impl_->sent_);
  impl_->direct_.clear();
  impl_->published_.clear();
}

std::vector<Message> KernelClient::take_foreign() { return std::exchange(impl_->foreign_, {}); }

std::uint64_t KernelClient::arrived() const { return impl_->arrivals_; }

void KernelClient::drain() { impl_->drain(); }

std::string KernelClient::transcript() const { return impl_->transcript(); }

void KernelClient::finish(Kernel kernel) {
  if (impl_->finished_) return;
  impl_->finished_ = true;
  if (kernel == Kernel::alive) exchange(Channel::shell, "kernel_info_request");
  impl_->drain();
  if (!impl_->lenient()) impl_->check_leftovers();
  if (kernel == Kernel::alive) impl_->oracle_.finished();
}

void expect_alive(KernelClient& client, const std::string& code, const std::vector<Shown>& shown) {
  for (const Channel channel : {Channel::shell, Channel::control}) {
    const Exchange info = client.exchange(channel, "kernel_info_request");
    if (info.status() != "ok" || !info.published.empty())
      throw Failure("kernel_info is not plain ok\n" + client.transcript());
  }
  const Frames payload{random_id()};
  if (client.ping(payload) != payload) throw Failure("the heartbeat is no echo\n" + client.transcript());
  const Exchange cell = client.run(code);
  if (cell.status() != "ok" || cell.shown() != shown) throw Failure("the cell did not run\n" + client.transcript());
}

}  // namespace adrastea::testing
