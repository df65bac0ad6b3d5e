// SPDX-License-Identifier: BSD-3-Clause
#include "transport/heartbeat.hpp"

#include "support/blocked_signals.hpp"

#include <pthread.h>

#include <utility>

namespace adrastea::transport {
namespace {

/// Frame by frame, so that nothing is copied and nothing piles up here. Ends when the context is shut down.
void echo(ZmqSocket& socket) noexcept {
  ZmqPart part;
  while (socket.receive(part, 0)) {
    // A ROUTER drops what is for a peer that has gone or does not read: sending never waits and never fails.
    if (!socket.send(part, part.more() ? ZMQ_SNDMORE : 0)) return;
  }
}

}  // namespace

Heartbeat::Heartbeat(std::shared_ptr<ZmqContext> context, ZmqSocket socket)
    : context_(std::move(context)), socket_(std::move(socket)) {
  const support::BlockedSignals blocked;
  thread_ = std::make_unique<std::thread>([this] {
    pthread_setname_np(pthread_self(), "heartbeat");
    echo(socket_);
  });
}

Heartbeat::~Heartbeat() {
  if (!context_->usable()) {
    static_cast<void>(thread_.release());
    return;
  }
  context_->shutdown();
  thread_->join();
}

}  // namespace adrastea::transport
