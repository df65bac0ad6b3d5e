// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/sockets.hpp"
#include "transport/zmq_handles.hpp"

#include <string>

namespace adrastea::transport {

class ZmqPublisher final : public Publisher {
 public:
  explicit ZmqPublisher(ZmqSocket socket);
  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] bool readable() override { return socket_.readable(); }
  std::optional<Event> next_event() override;
  [[nodiscard]] std::uint64_t connection_id(int descriptor) const override;
  void set_filter(std::string_view topic_prefix) override { socket_.set(ZMQ_SUBSCRIBE, topic_prefix); }
  void remove_filter(std::string_view topic_prefix) override { socket_.set(ZMQ_UNSUBSCRIBE, topic_prefix); }
  [[nodiscard]] bool try_send(std::string_view topic, const SharedFrames& body) override;

 private:
  ZmqSocket socket_;
  int fd_;
  std::string local_name_;       ///< of the socket's own connections
  bool within_message_ = false;  ///< the frame read last has more behind it
};

}  // namespace adrastea::transport
