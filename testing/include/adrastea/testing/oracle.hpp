// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/message.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace adrastea::testing {

/// A rule that every message of a kernel has to keep, whatever a test is about.
struct StandingRule {
  std::string id;           ///< such as order.idle.last
  std::string section;      ///< of the protocol, where it comes from
  std::string requirement;  ///< one sentence
};

/// All of them: those of the Oracle, of the Codec (wire.*), and one for each message type that has a schema (schema.*).
[[nodiscard]] const std::vector<StandingRule>& standing_rules();

/// A request as it was sent.
struct SentRequest {
  std::string msg_id;
  Channel channel = Channel::shell;
  std::string type;
  std::string header_bytes;
  bool silent = false;
  bool reply_due = false;
  std::string subshell{};     ///< empty for the main shell
  bool published_due = true;  ///< who sent it receives all of iopub
  bool counted = true;        ///< store_history: else the reply may tell the number of the last cell that was stored
  bool routed = false;        ///< had identities of its own before the delimiter, which come back with its reply
};

/// The promise about order, held against every message of a kernel that one client sees:
///   busy(R) < execute_input(R) < everything R publishes < idle(R), each of the three once, nothing after idle;
///   one reply for each request that is due one, in the order of the requests on its channel;
///   shell requests one at a time, in each subshell; parents equal to the request's header; msg_ids that never repeat; one
///   session; nothing on iopub and stdin that belongs on another channel.
/// Order between sockets cannot be observed and is not checked.
///
/// Usage: sent() before each send, received() for each message, finished() at the end. Each thing that is wrong is one
///   violation of one rule: what came too late is known to be late when it comes, what never came when it is all over.
/// Threads: one. Errors: what the sink throws; without a sink, Failure.
class Oracle {
 public:
  /// With `exact_parents` a parent_header has the bytes of the request's header. Else it has the same fields, and the date
  /// may be written in another way, as kernels do that write their parents anew.
  explicit Oracle(bool exact_parents, ViolationSink sink = nullptr);
  void sent(SentRequest request);
  void received(const Message& message);
  /// The request starts something that publishes on after its idle, such as a background thread.
  void allow_late_output(const std::string& msg_id) { progress_[msg_id].late_output = true; }
  [[nodiscard]] bool is_own(const std::string& msg_id) const;
  [[nodiscard]] bool reply_due(const std::string& msg_id) const;
  /// Everything that is due has come: busy, idle, reply.
  [[nodiscard]] bool complete(const std::string& msg_id) const;
  [[nodiscard]] Channel channel(const std::string& msg_id) const { return progress_.at(msg_id).request->channel; }
  /// Judges a request that will get no more; once.
  void finished(const std::string& msg_id);
  /// All of them.
  void finished();

 private:
  struct Progress {
    std::optional<SentRequest> request;  ///< nothing for another client's
    bool unseen_start = false;           ///< another client's, under way when we subscribed
    bool late_output = false;
    bool judged = false;
    int busy = 0;
    int idle = 0;
    int inputs = 0;
    int errors = 0;
    int published = 0;
    int replies = 0;
    bool output_before_busy = false;
    bool output_before_input = false;
    std::size_t number = 0;  ///< in the order of sending
    std::optional<std::int64_t> execution_count;
    std::optional<std::int64_t> reply_count;
    std::string reply_status;
  };

  void require(bool kept, const char* rule, const std::string& finding, const Message& message) const;
  void check_identity(const Message& message);
  void check_channel(const Message& message) const;
  void check_parent(const Message& message, const Progress& progress) const;
  void received_reply(const Message& message, Progress& progress);
  void received_published(const Message& message, Progress& progress);
  void received_status(const Message& message, Progress& progress);
  void received_busy(const Message& message, Progress& progress);
  void received_idle(const Message& message, Progress& progress);
  void received_output(const Message& message, Progress& progress);
  void received_orphan(const Message& message);
  void judge(const std::string& msg_id, Progress& progress);
  static bool takes_the_shell(const Message& message, const Progress& progress);

  const bool exact_parents_;
  const ViolationSink sink_;
  std::string session_;
  std::set<std::string> msg_ids_;
  std::map<std::string, Progress> progress_;
  std::size_t sent_ = 0;
  std::map<std::pair<Channel, std::string>, std::size_t> newest_answered_;  ///< by channel and subshell, its number
  std::string on_the_shell_;         ///< the shell request between its busy and its idle
  std::set<std::string> overtaken_;  ///< shell requests that were busy when another became busy
  int starting_ = 0;
  bool any_busy_ = false;
};

}  // namespace adrastea::testing
