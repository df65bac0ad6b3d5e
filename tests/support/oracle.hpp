// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/message.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace adrastea::testing {

/// A request as it was sent.
struct SentRequest {
  std::string msg_id;
  Channel channel = Channel::shell;
  std::string type;
  std::string header_bytes;
  bool silent = false;
  bool reply_due = false;
};

/// The promise about order, held against every message of a kernel that one client sees:
///   busy(R) < execute_input(R) < everything R publishes < idle(R), each of the three once, nothing after idle;
///   one reply for each request that is due one, in the order of the requests on its channel;
///   shell requests one at a time; parents byte for byte the request's header; msg_ids that never repeat; one session.
/// Order between sockets cannot be observed and is not checked.
///
/// Usage: sent() before each send, received() for each message, finished() at the end.
/// Threads: one. Errors: Failure from received() and finished().
class Oracle {
 public:
  /// `exact_parents` off compares parents as JSON, for kernels that write their parents anew.
  explicit Oracle(bool exact_parents) : exact_parents_(exact_parents) {}
  void sent(SentRequest request);
  void received(const Message& message);
  /// The request starts something that publishes on after its idle, such as a background thread.
  void allow_late_output(const std::string& msg_id) { progress_[msg_id].late_output = true; }
  [[nodiscard]] bool is_own(const std::string& msg_id) const;
  [[nodiscard]] bool reply_due(const std::string& msg_id) const;
  /// Every request got all that it was due.
  void finished() const;

 private:
  struct Progress {
    std::optional<SentRequest> request;  ///< nothing for another client's
    bool unseen_start = false;           ///< another client's, under way when we subscribed
    bool late_output = false;
    int busy = 0;
    int idle = 0;
    int inputs = 0;
    int errors = 0;
    int published = 0;
    int replies = 0;
    std::optional<int> execution_count;
    std::optional<int> reply_count;
    std::string reply_status;
  };

  void check_identity(const Message& message);
  void check_parent(const Message& message, const Progress& progress) const;
  void received_reply(const Message& message, Progress& progress);
  void received_published(const Message& message, Progress& progress);
  void received_status(const Message& message, Progress& progress);
  void received_output(const Message& message, Progress& progress);
  void received_orphan(const Message& message);
  static void finished_one(const std::string& msg_id, const Progress& progress);
  static bool takes_the_shell(const Message& message, const Progress& progress);

  const bool exact_parents_;
  std::string session_;
  std::set<std::string> msg_ids_;
  std::map<std::string, Progress> progress_;
  std::map<Channel, std::deque<std::string>> unanswered_;
  std::string on_the_shell_;  ///< the shell request between its busy and its idle
  int starting_ = 0;
  bool any_busy_ = false;
};

}  // namespace adrastea::testing
