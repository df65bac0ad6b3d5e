// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "message.hpp"
#include "transport/heartbeat.hpp"
#include "transport/zmq_handles.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace faulty {

/// A heartbeat that does what the fault says, where clients look for it; the kernel's own is elsewhere meanwhile.
class FaultyHeartbeat {
 public:
  /// Nothing when the fault is none of the heartbeat. Otherwise takes the endpoint out of `info`: its port becomes 0.
  static std::unique_ptr<FaultyHeartbeat> make(adrastea::transport::ConnectionInfo& info);
  FaultyHeartbeat(adrastea::transport::ConnectionInfo& info, std::function<Frames(Frames)> answer);
  FaultyHeartbeat(const FaultyHeartbeat&) = delete;
  FaultyHeartbeat& operator=(const FaultyHeartbeat&) = delete;
  ~FaultyHeartbeat();

  [[nodiscard]] int port() const { return port_; }

 private:
  void serve();

  std::shared_ptr<adrastea::transport::ZmqContext> context_;
  adrastea::transport::ZmqSocket socket_;
  const std::function<Frames(Frames)> answer_;  ///< to the frames after the identity; empty: none
  int port_ = 0;
  std::string file_;
  std::thread thread_;
};

}  // namespace faulty
