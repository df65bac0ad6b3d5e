// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_router.hpp"

#include "support/log.hpp"

#include <cerrno>
#include <exception>
#include <utility>

namespace adrastea::transport {

ZmqRouter::ZmqRouter(ZmqSocket socket, const Limits& limits)
    : socket_(std::move(socket)), fd_(socket_.fd()), max_frames_(limits.max_frames), max_bytes_(limits.max_message_bytes) {}

/// Keeps one frame, or one byte, more than the limit: just enough for decode() to see that it is exceeded.
void ZmqRouter::keep_message(ZmqPart& part, wire::Frames& frames) {
  std::size_t room = max_bytes_ + 1;
  for (;;) {
    if (room > 0 && frames.size() <= max_frames_) {
      const std::string_view bytes = part.bytes().substr(0, room);
      frames.emplace_back(bytes);
      room -= bytes.size();
    }
    // ZeroMQ hands out whole messages: the rest is there.
    if (!part.more() || !socket_.receive(part, ZMQ_DONTWAIT)) return;
  }
}

std::optional<wire::Frames> ZmqRouter::receive() {
  ZmqPart part;
  while (socket_.receive(part, ZMQ_DONTWAIT)) {
    wire::Frames frames;
    try {
      keep_message(part, frames);
      return frames;
    } catch (const std::exception&) {
      support::log::error("a message was dropped: no memory for it after " + std::to_string(frames.size()) + " frames");
      while (part.more() && socket_.receive(part, ZMQ_DONTWAIT)) {
      }
    }
  }
  return std::nullopt;
}

Router::Sent ZmqRouter::send(wire::Frames frames) {
  // All the memory first: a message that was begun must be finished, or the next one would be its tail.
  outgoing_.clear();
  outgoing_.reserve(frames.size());
  for (std::string& frame : frames) outgoing_.emplace_back(std::move(frame));

  Sent result = Sent::yes;
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < outgoing_.size() ? ZMQ_SNDMORE : 0);
    if (socket_.send(outgoing_[i], flags)) continue;
    // Only the first frame, which names the peer, can be refused, and only with ROUTER_MANDATORY.
    if (i == 0 && (errno == EHOSTUNREACH || errno == EAGAIN)) result = Sent::no_such_peer;
    break;
  }
  outgoing_.clear();
  return result;
}

}  // namespace adrastea::transport
