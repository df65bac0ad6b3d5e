// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/client.hpp>

#include <memory>
#include <string>
#include <vector>

/// Peers that do what no client of good will does.
namespace adrastea::testing {

/// A subscriber that takes its welcome and then reads nothing: soon its kernel's queues for it are full, as those of a
/// stopped process are.
class StoppedSubscriber {
 public:
  explicit StoppedSubscriber(const Connection& connection);
  StoppedSubscriber(const StoppedSubscriber&) = delete;
  StoppedSubscriber& operator=(const StoppedSubscriber&) = delete;
  ~StoppedSubscriber();

  /// Reads on, and returns what it missed up to this request's idle.
  std::vector<Message> resume_until_idle(const std::string& id);

 private:
  struct Socket;
  Codec codec_;
  std::unique_ptr<Socket> socket_;
};

/// Sends user messages upstream to an XPUB: empty, of many frames, of many bytes, with bytes that look like subscriptions.
/// Returns when the kernel has taken them: a subscription that was sent after them has been welcomed.
void send_upstream(const Connection& connection);

/// Connects over plain TCP, writes these bytes and leaves.
void send_bytes(const Connection& connection, Channel channel, const std::string& bytes);

}  // namespace adrastea::testing
