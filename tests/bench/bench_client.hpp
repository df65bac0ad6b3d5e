// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/connection.hpp>
#include "bench/frames.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace adrastea::bench {

/// What came on IOPub until an idle.
struct Seen {
  std::size_t messages = 0;
  std::size_t bytes = 0;       ///< all frames
  std::size_t text_bytes = 0;  ///< contents of stream messages

  /// Errors: std::runtime_error where less text came than was printed: who drops output would be fast.
  void require_text(std::size_t printed) const;
};

/// A client that costs as little as possible, and the same for every kernel: signed requests, answers recognised by their
/// text. It checks nothing; the system tests do.
/// Threads: one. Errors: std::runtime_error when a kernel does not answer in time.
class BenchClient {
 public:
  explicit BenchClient(const testing::Connection& connection);
  BenchClient(const BenchClient&) = delete;
  BenchClient& operator=(const BenchClient&) = delete;
  ~BenchClient();

  /// One kernel_info_request, and its reply.
  void await_kernel_info();
  /// The same on control.
  void await_control_info();
  /// Asks until IOPub tells of it: bare PUB sockets welcome nobody.
  void await_subscription();

  /// Sends one execute_request; await_execute() waits for what belongs to the last one.
  void send_execute(std::string_view code);
  /// Waits for `replies` execute_replies, and for the last one's idle.
  Seen await_execute(int replies = 1);
  Seen execute(std::string_view code) {
    send_execute(code);
    return await_execute();
  }
  /// Waits for the next stream message of the last request; its text is in received().
  void await_stream();
  void await_replies(int count);
  Seen await_idle();
  /// Of anybody's execute_requests.
  void await_idles(int count);
  /// Forgets what is on IOPub already, up to the idle of a request of its own.
  void drain();

  void interrupt();
  void shut_down();
  void open_comm();
  /// One comm_msg with `buffer`, and the one that comes back. The buffer is sent as it lies there.
  Seen comm_round_trip(std::string_view buffer);

  /// For code that makes other requests while a cell runs: what await_execute() waits for.
  [[nodiscard]] const std::string& last_request() const noexcept { return sealed_; }
  void wait_for(const std::string& request) { sealed_ = request; }

  [[nodiscard]] const Received& received() const noexcept { return received_; }
  [[nodiscard]] const std::string& session() const noexcept { return sealer_.session(); }

 private:
  void send(void* socket, std::string_view msg_type, std::string_view content, std::string_view buffer = {});
  void await_reply(void* socket, std::string_view quoted_msg_type);
  [[nodiscard]] bool of_last_request() const {
    return received_.whole() && received_.parent_header().find(sealed_) != std::string_view::npos;
  }
  [[nodiscard]] bool is_idle() const;

  Sealer sealer_;
  std::string sealed_;   // the last request's msg_id, in quotes
  std::string content_;  // kept for its memory
  Received received_;
  void* shell_;
  void* iopub_;
  void* control_;
};

/// A subscriber that never reads, and takes as little as it can into its own memory.
class StoppedSubscriber {
 public:
  explicit StoppedSubscriber(const testing::Connection& connection);
  StoppedSubscriber(const StoppedSubscriber&) = delete;
  StoppedSubscriber& operator=(const StoppedSubscriber&) = delete;
  ~StoppedSubscriber();
  /// Reads one message, if there is one.
  bool read();

 private:
  void* socket_;
};

}  // namespace adrastea::bench
