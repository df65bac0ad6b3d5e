// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_router.hpp"

#include "support/log.hpp"

#include <cerrno>
#include <exception>
#include <utility>

namespace adrastea::transport {

void ClosableSocket::close() noexcept {
  if (!owner.is_this_process()) return;
  const std::lock_guard lock(mutex);
  socket.close();
}

ZmqRouter::ZmqRouter(std::shared_ptr<ClosableSocket> socket, const Limits& limits)
    : shared_(std::move(socket)),
      fd_(shared_->socket.fd()),
      max_frames_(limits.max_frames),
      max_bytes_(limits.max_message_bytes) {}

bool ZmqRouter::readable() {
  const std::lock_guard lock(shared_->mutex);
  return shared_->socket.readable();
}

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
    if (!part.more() || !shared_->socket.receive(part, ZMQ_DONTWAIT)) return;
  }
}

std::optional<wire::Frames> ZmqRouter::receive() {
  const std::lock_guard lock(shared_->mutex);
  ZmqPart part;
  while (shared_->socket.receive(part, ZMQ_DONTWAIT)) {
    wire::Frames frames;
    try {
      keep_message(part, frames);
      return frames;
    } catch (const std::exception&) {
      support::log::error("a message was dropped: no memory for it after " + std::to_string(frames.size()) + " frames");
      while (part.more() && shared_->socket.receive(part, ZMQ_DONTWAIT)) {
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

  const std::lock_guard lock(shared_->mutex);
  Sent result = Sent::yes;
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < outgoing_.size() ? ZMQ_SNDMORE : 0);
    if (shared_->socket.send(outgoing_[i], flags)) continue;
    // Only the first frame, which names the peer, can be refused, and only with ROUTER_MANDATORY.
    if (i == 0 && (errno == EHOSTUNREACH || errno == EAGAIN)) result = Sent::no_such_peer;
    break;
  }
  outgoing_.clear();
  return result;
}

}  // namespace adrastea::transport
