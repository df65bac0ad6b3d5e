// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/sockets.hpp"

#include <adrastea/errors.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <zmq.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace adrastea::testing {

/// Waits give up after this: only ever to fail.
inline constexpr int k_patience_ms = 20000;

/// A message's frames as a publisher takes them.
inline transport::SharedFrames shared(wire::Frames frames) {
  return std::make_shared<const wire::Frames>(std::move(frames));
}

/// A client's socket, in a context of its own.
class ZmqPeer {
 public:
  ZmqPeer(int type, const std::string& endpoint, const std::string& identity = {})
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    set(ZMQ_LINGER, 0);
    set(ZMQ_RCVTIMEO, k_patience_ms);
    set(ZMQ_SNDTIMEO, k_patience_ms);
    set(ZMQ_IPV6, 1);
    if (!identity.empty()) zmq_setsockopt(socket_, ZMQ_ROUTING_ID, identity.data(), identity.size());
    connect(endpoint);
  }
  ZmqPeer(const ZmqPeer&) = delete;
  ZmqPeer& operator=(const ZmqPeer&) = delete;
  ~ZmqPeer() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }

  void set(int option, int value) { zmq_setsockopt(socket_, option, &value, sizeof value); }
  void connect(const std::string& endpoint) {
    if (zmq_connect(socket_, endpoint.c_str()) != 0) throw std::runtime_error(endpoint + ": " + zmq_strerror(zmq_errno()));
  }
  void subscribe(const std::string& topic) { zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, topic.data(), topic.size()); }
  void unsubscribe(const std::string& topic) { zmq_setsockopt(socket_, ZMQ_UNSUBSCRIBE, topic.data(), topic.size()); }

  void send(const wire::Frames& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const int flags = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
      if (zmq_send(socket_, frames[i].data(), frames[i].size(), flags) < 0)
        throw std::runtime_error(zmq_strerror(zmq_errno()));
    }
  }

  /// Nothing when none came in time.
  std::optional<wire::Frames> receive(int flags = 0) {
    wire::Frames frames;
    for (;;) {
      zmq_msg_t part;
      zmq_msg_init(&part);
      const bool got = zmq_msg_recv(&part, socket_, flags) >= 0;
      if (got) frames.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
      const bool more = got && zmq_msg_more(&part) != 0;
      zmq_msg_close(&part);
      if (!got) return std::nullopt;
      if (!more) return frames;
    }
  }

 private:
  void* context_;
  void* socket_;
};

/// Waits as the kernel's threads do: the descriptor is edge-triggered, so readable() is asked before each wait.
inline bool await_readable(transport::Pollable& socket) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(k_patience_ms);
  while (!socket.readable()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd waiting{.fd = socket.fd(), .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) == 0) return socket.readable();
  }
  return true;
}

inline std::optional<wire::Frames> await_message(transport::Router& router) {
  while (await_readable(router)) {
    if (auto frames = router.receive()) return frames;
  }
  return std::nullopt;
}

inline std::optional<transport::Publisher::Event> await_event(transport::Publisher& publisher) {
  while (await_readable(publisher)) {
    auto event = publisher.next_event();
    if (event && event->kind != transport::Publisher::Event::Kind::garbage) return event;
  }
  return std::nullopt;
}

/// The error of a bind that must fail.
inline std::string bind_error(transport::ConnectionInfo info, const Limits& limits = {}) {
  const transport::ConnectionInfo before = info;
  try {
    const auto bound = transport::bind_all(info, limits);
  } catch (const StartupError& error) {
    EXPECT_EQ(info, before);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

inline transport::ConnectionInfo tcp_info(const std::string& ip = "127.0.0.1") {
  transport::ConnectionInfo info;
  info.ip = ip;
  return info;
}

inline transport::ConnectionInfo ipc_info(const std::string& prefix) {
  transport::ConnectionInfo info;
  info.transport = "ipc";
  info.ip = prefix;
  info.ports = {1, 2, 3, 4, 5};
  return info;
}

}  // namespace adrastea::testing
