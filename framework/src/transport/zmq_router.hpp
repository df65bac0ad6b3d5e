// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/sockets.hpp"
#include "transport/zmq_handles.hpp"

#include <vector>

namespace adrastea::transport {

class ZmqRouter final : public Router {
 public:
  ZmqRouter(ZmqSocket socket, const Limits& limits);
  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] bool readable() override { return socket_.readable(); }
  std::optional<wire::Frames> receive() override;
  Sent send(wire::Frames frames) override;

 private:
  void keep_message(ZmqPart& first, wire::Frames& frames);

  ZmqSocket socket_;
  int fd_;
  std::size_t max_frames_;
  std::size_t max_bytes_;
  std::vector<ZmqPart> outgoing_;  // empty between calls; kept for its memory
};

}  // namespace adrastea::transport
