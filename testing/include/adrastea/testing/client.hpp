// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/connection.hpp>
#include <adrastea/testing/deadline.hpp>
#include <adrastea/testing/message.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::testing {

struct ClientOptions {
  std::string session = random_id();
  std::string topic{};        ///< of the iopub subscription
  bool subscribe = true;      ///< to iopub, and wait for the welcome
  bool welcome = true;        ///< false for kernels before protocol 5.5, which send none
  bool welcome_topic = true;  ///< false for ipykernel, whose welcome lacks the topic frame
  bool connect_stdin = true;
  bool exact_parents = true;  ///< see Oracle
  int process_fd = -1;        ///< a pidfd, so that waits fail soon after the kernel has ended
  /// How long what a kernel sent before its end may be on its way.
  std::chrono::milliseconds aftermath{2000};
  /// What breaks a standing rule goes here and the client goes on, for programs that judge kernels. Without it the call
  /// that saw it fails, for tests.
  ViolationSink on_violation{};
  /// With on_violation: after so long without a message, collect() asks whether there will be more. Only how soon a missing
  /// message is missed depends on it, never whether.
  std::chrono::milliseconds quiet{1000};
  std::chrono::milliseconds patience{30000};  ///< of every wait that gets no Deadline of its own
  /// Types of messages that this kernel does not handle, as the protocol allows for most: neither a reply nor busy and idle
  /// are due.
  std::set<std::string> unhandled{};
};

struct SendOptions {
  Json metadata = Json::object();
  Json parent = Json::object();
  Json header = Json::object();  ///< replaces or adds fields of the header
  Frames buffers{};
  std::optional<std::string> raw_content{};  ///< this instead of the content
  std::optional<bool> reply_due{};           ///< default: for every request type of the protocol that the kernel handles
  std::optional<bool> published_due{};       ///< busy and idle; default: for whatever the kernel handles
};

struct ExecuteOptions {
  bool silent = false;
  bool store_history = true;
  std::optional<bool> allow_stdin = false;   ///< none: the request has no such field
  std::optional<bool> stop_on_error = true;  ///< the same
  Json user_expressions = Json::object();
  SendOptions send{};
};

/// One thing that a request showed, joined where it is text of one stream.
struct Shown {
  std::string kind;  ///< stdout, stderr, or the message's type
  std::string text;  ///< of a stream, text/plain of data, ename of an error, else the content as JSON
  bool operator==(const Shown&) const = default;
};
std::ostream& operator<<(std::ostream& stream, const Shown& shown);

/// The socket of who asks for a heartbeat: a REQ, or a DEALER that frames its messages as a REQ does.
enum class HeartbeatPeer { req, dealer };

/// All that one request caused.
struct Exchange {
  std::string id;
  std::vector<Message> published;  ///< without busy and idle
  std::optional<Message> reply;

  /// What was published, without execute_input.
  [[nodiscard]] std::vector<Shown> shown() const;
  /// All text of a stream.
  [[nodiscard]] std::string text(std::string_view stream) const;
  [[nodiscard]] std::string status() const { return reply ? text_of(reply->content, "status") : ""; }
};

/// A client on all five channels that believes nothing: each message it receives is checked against the signature, the
/// schemas and the Oracle, and each must be asserted by the test.
///
/// Usage: construct (returns once the kernel has welcomed it), send with execute() and request(), assert with expect_*,
///   collect() or take(), end with finish().
/// Threads: one. Errors: Failure, with the transcript. Lifetime: without on_violation a destructor without finish() reports
///   what was left.
class KernelClient {
 public:
  explicit KernelClient(Connection connection, ClientOptions options = {});
  KernelClient(const KernelClient&) = delete;
  KernelClient& operator=(const KernelClient&) = delete;
  ~KernelClient();

  // ---- send; returns the msg_id ----
  std::string request(Channel channel, std::string_view type, const Json& content = Json::object(),
                      const SendOptions& options = {});
  std::string execute(const std::string& code, const ExecuteOptions& options = {});
  std::string input_reply(const Json& value, const SendOptions& options = {});
  /// Any frames, as they are. What they cause is the test's business.
  void send_frames(Channel channel, const Frames& frames);
  /// Frames that are a whole request, as frames_of() makes them, perhaps with identities before; returns its msg_id.
  std::string send_request(Channel channel, const Frames& frames);
  /// A request's frames, signed, and not sent.
  [[nodiscard]] Frames frames_of(std::string_view type, const Json& content = Json::object(),
                                 const SendOptions& options = {});
  [[nodiscard]] const Codec& codec() const;
  [[nodiscard]] const std::string& session() const;

  // ---- receive: each takes one thing, in order, or fails ----
  /// The next on shell, control or stdin; on iopub the next with one of our requests as parent.
  Message take(Channel channel, std::optional<Deadline> deadline = {});
  Message take_published(const std::string& id, std::optional<Deadline> deadline = {});
  void expect_busy(const std::string& id);
  void expect_idle(const std::string& id);
  /// Returns the execution_count.
  int expect_execute_input(const std::string& id, const std::string& code);
  /// Joins stream messages until they are `text`.
  void expect_stream(const std::string& id, std::string_view name, std::string_view text);
  Message expect_published(const std::string& id, std::string_view type);
  void expect_display(const std::string& id, std::string_view text_plain);
  void expect_result(const std::string& id, std::string_view text_plain);
  Message expect_error(const std::string& id, std::string_view ename);
  Message expect_reply(const std::string& id, std::string_view status = "ok", std::optional<Deadline> deadline = {});
  Message expect_input_request(const std::string& id, std::string_view prompt);

  // ---- whole exchanges ----
  /// Waits until all that the request is due has come. With on_violation: or until it is clear that it will not come,
  /// because the kernel has handled a later request; what is missing is a violation then, and missing from the Exchange.
  Exchange collect(const std::string& id, std::optional<Deadline> deadline = {});
  Exchange exchange(Channel channel, std::string_view type, const Json& content = Json::object(),
                    const SendOptions& options = {});
  Exchange run(const std::string& code, const ExecuteOptions& options = {});
  /// A heartbeat by a peer of its own; returns the echo.
  Frames ping(const Frames& frames, std::optional<Deadline> deadline = {}, HeartbeatPeer peer = HeartbeatPeer::req);
  /// Returns once messages on iopub reach this client, also from a kernel that sends no welcome: asks for kernel_info until
  /// something is published about it. None of that counts as received.
  void synchronize(std::optional<Deadline> deadline = {});
  /// The kernel has handled all that was sent to it before on this channel, and all that it published about that is here.
  void fence(Channel channel, std::optional<Deadline> deadline = {});
  /// Nothing for `time`: false. A message or the kernel's end: true. Only for what a test cannot be told.
  bool wait(std::chrono::milliseconds time);
  /// Receives until the condition holds. False when it does not in time, or when the kernel has ended and all is here.
  bool wait_until(const std::function<bool()>& holds, std::optional<Deadline> deadline = {});

  /// More topics of iopub, on the same connection.
  void subscribe(const std::string& topic);
  void unsubscribe(const std::string& topic);

  /// For a request that starts something that publishes on after its idle.
  void allow_late_output(const std::string& id);
  /// What was received and is not asserted yet is none of the test's business, nor is what still comes for requests sent so
  /// far.
  void forget_unasserted();
  /// Messages on iopub whose parent was another client's, in order, since the last call.
  std::vector<Message> take_foreign();
  /// How many messages were read so far. Whatever looks at messages may read some: who waits for a condition compares.
  [[nodiscard]] std::uint64_t arrived() const;
  /// Reads what has arrived, without waiting.
  void drain();
  /// Whether a message waits to be taken on shell, control or stdin.
  [[nodiscard]] bool waiting(Channel channel);
  /// What was published about a request and is not taken yet.
  [[nodiscard]] std::vector<Message> published(const std::string& id);
  /// Whether one of them is as wanted; copies none.
  [[nodiscard]] bool has_published(const std::string& id, const std::function<bool(const Message&)>& wanted);
  /// The welcome of this client, if one came.
  [[nodiscard]] const std::optional<Message>& welcome() const;
  /// All welcomes that came, other clients' too.
  [[nodiscard]] const std::vector<Message>& welcomes() const;
  /// The first message on iopub, if any came.
  [[nodiscard]] const std::optional<Message>& first_published() const;
  /// How many messages of each type came, all channels together.
  [[nodiscard]] const std::map<std::string, std::size_t>& received_types() const;
  /// The statuses `starting` that came.
  [[nodiscard]] const std::vector<Message>& starting() const;
  /// The transcript so far, the newest last.
  [[nodiscard]] std::string transcript() const;

  enum class Kernel { alive, ended };
  /// Fails when a request lacks something it was due or a message was not asserted. With a live kernel it first asks for
  /// its kernel_info, so that all that was published before has come. A second call does nothing.
  void finish(Kernel kernel = Kernel::alive);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The kernel still does all that a kernel does: kernel_info on shell and control, heartbeat, one exact execute.
/// `code` must publish exactly `shown` and be answered with ok.
void expect_alive(KernelClient& client, const std::string& code, const std::vector<Shown>& shown);

}  // namespace adrastea::testing
