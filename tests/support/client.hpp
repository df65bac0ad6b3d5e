// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/connection.hpp"
#include "support/deadline.hpp"
#include "support/message.hpp"

#include <memory>
#include <optional>
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
};

struct SendOptions {
  Json metadata = Json::object();
  Json parent = Json::object();
  Json header = Json::object();  ///< replaces or adds fields of the header
  Frames buffers{};
  std::optional<std::string> raw_content{};  ///< this instead of the content
  std::optional<bool> reply_due{};           ///< default: for every request type of the protocol
};

struct ExecuteOptions {
  bool silent = false;
  bool store_history = true;
  bool allow_stdin = false;
  bool stop_on_error = true;
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

/// All that one request caused.
struct Exchange {
  std::string id;
  std::vector<Message> published;  ///< without busy and idle
  std::optional<Message> reply;

  /// What was published, without execute_input.
  [[nodiscard]] std::vector<Shown> shown() const;
  /// All text of a stream.
  [[nodiscard]] std::string text(std::string_view stream) const;
  [[nodiscard]] std::string status() const { return reply ? reply->content.value("status", "") : ""; }
};

/// A client on all five channels that believes nothing: each message it receives is checked against the signature, the
/// schemas and the Oracle, and each must be asserted by the test.
///
/// Usage: construct (returns once the kernel has welcomed it), send with execute() and request(), assert with expect_*,
///   collect() or take(), end with finish().
/// Threads: one. Errors: Failure, with the transcript. Lifetime: a destructor without finish() reports what was left.
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
  Message take(Channel channel, Deadline deadline = Deadline());
  Message take_published(const std::string& id, Deadline deadline = Deadline());
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
  Message expect_reply(const std::string& id, std::string_view status = "ok", Deadline deadline = Deadline());
  Message expect_input_request(const std::string& id, std::string_view prompt);

  // ---- whole exchanges ----
  Exchange collect(const std::string& id, Deadline deadline = Deadline());
  Exchange exchange(Channel channel, std::string_view type, const Json& content = Json::object(),
                    const SendOptions& options = {});
  Exchange run(const std::string& code, const ExecuteOptions& options = {});
  /// A heartbeat by a peer of its own; returns the echo.
  Frames ping(const Frames& frames, Deadline deadline = Deadline());

  /// For a request that starts something that publishes on after its idle.
  void allow_late_output(const std::string& id);
  /// Whatever was received and is not asserted yet is none of the test's business.
  void forget_unasserted();
  /// Messages on iopub whose parent was another client's, in order, since the last call.
  std::vector<Message> take_foreign();
  /// Reads what has arrived, without waiting.
  void drain();
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
