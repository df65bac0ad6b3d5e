// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/sockets.hpp"
#include "transport/zmq_handles.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace adrastea::transport {

/// A socket that another thread may close under its owner, who then sees a socket on which nothing comes or goes.
struct ClosableSocket {
  std::mutex mutex;
  ZmqSocket socket;  // guarded by mutex
  /// In a forked child nothing: the mutex may be held by a thread that is not there.
  void close() noexcept;
  const support::fork_guard::Owner owner{};
};

class ZmqRouter final : public Router {
 public:
  ZmqRouter(std::shared_ptr<ClosableSocket> socket, const Limits& limits);
  ~ZmqRouter() override { shared_->close(); }
  ZmqRouter(const ZmqRouter&) = delete;
  ZmqRouter& operator=(const ZmqRouter&) = delete;
  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] bool readable() override;
  std::optional<wire::Frames> receive() override;
  Sent send(wire::Frames frames) override;

 private:
  void keep_message(ZmqPart& first, wire::Frames& frames);

  const std::shared_ptr<ClosableSocket> shared_;
  int fd_;
  std::size_t max_frames_;
  std::size_t max_bytes_;
  std::vector<ZmqPart> outgoing_;  // empty between calls; kept for its memory
};

}  // namespace adrastea::transport
