// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/zmq_handles.hpp"

#include <memory>
#include <thread>

namespace adrastea::transport {

/// Echoes every message, from a thread and a ZeroMQ context that nothing else uses.
///
/// Lifetime: from construction until destruction, which waits for the thread. In a forked child destruction does nothing.
/// Errors: std::system_error when there can be no more threads.
class Heartbeat {
 public:
  Heartbeat(std::shared_ptr<ZmqContext> context, ZmqSocket socket);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();

 private:
  std::shared_ptr<ZmqContext> context_;
  ZmqSocket socket_;                     // the thread's, until it has ended
  std::unique_ptr<std::thread> thread_;  // a pointer, so that a child can forget a thread that it does not have
};

}  // namespace adrastea::transport
