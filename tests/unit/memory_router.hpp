// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/wakeup.hpp"
#include "transport/sockets.hpp"

#include <deque>
#include <functional>
#include <vector>

namespace adrastea::test {

/// Shell without a network: the test puts in what clients send, and looks at what was answered. One thread.
class MemoryRouter : public transport::Router {
 public:
  std::deque<wire::Frames> incoming;
  /// These arrive one by one, each when the kernel has found nothing and asks again.
  std::deque<wire::Frames> still_on_their_way;
  std::function<void()> on_empty;  ///< the kernel asks again
  std::function<void()> on_send;   ///< a reply is sent
  std::vector<wire::Frames> sent;

  [[nodiscard]] int fd() const override { return never_.fd(); }
  [[nodiscard]] bool readable() override {
    if (incoming.empty() && on_empty) on_empty();
    if (incoming.empty() && !still_on_their_way.empty()) {
      incoming.push_back(std::move(still_on_their_way.front()));
      still_on_their_way.pop_front();
    }
    return !incoming.empty();
  }
  std::optional<wire::Frames> receive() override {
    if (incoming.empty()) return std::nullopt;
    wire::Frames frames = std::move(incoming.front());
    incoming.pop_front();
    return frames;
  }
  Sent send(wire::Frames frames) override {
    sent.push_back(std::move(frames));
    if (on_send) on_send();
    return Sent::yes;
  }

 private:
  server::Wakeup never_;
};

}  // namespace adrastea::test
