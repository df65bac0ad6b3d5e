// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/wakeup.hpp"
#include "transport/sockets.hpp"

#include <deque>
#include <vector>

namespace adrastea::test {

/// Shell without a network: the test puts in what clients send, and looks at what was answered. One thread.
class MemoryRouter : public transport::Router {
 public:
  std::deque<wire::Frames> incoming;
  std::vector<wire::Frames> sent;

  [[nodiscard]] int fd() const override { return never_.fd(); }
  [[nodiscard]] bool readable() override { return !incoming.empty(); }
  std::optional<wire::Frames> receive() override {
    if (incoming.empty()) return std::nullopt;
    wire::Frames frames = std::move(incoming.front());
    incoming.pop_front();
    return frames;
  }
  Sent send(wire::Frames frames) override {
    sent.push_back(std::move(frames));
    return Sent::yes;
  }

 private:
  server::Wakeup never_;
};

}  // namespace adrastea::test
