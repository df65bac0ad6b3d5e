// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/connection.hpp>

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace adrastea::conformance {

/// A network between a kernel's tcp ports and its clients, that can be a bad one. It passes bytes on, whatever they are.
///
/// Usage: clients connect to connection().
/// Threads: one uses it; a thread of its own passes on. Errors: Failure. Lifetime: longer than the clients'.
class Relay {
 public:
  explicit Relay(testing::Connection kernel);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// Of the kernel, with other ports.
  [[nodiscard]] const testing::Connection& connection() const { return connection_; }
  /// From now on nothing passes for so long; it all does then.
  void stall(std::chrono::milliseconds time);
  /// Breaks every connection for the client, who learns it, and not for the kernel, which only hears nothing more of it.
  /// Returns once the clients have connected again.
  void cut(std::chrono::milliseconds patience);

 private:
  using Clock = std::chrono::steady_clock;
  struct Way;  ///< one direction of a connection
  struct Link;
  struct Listener {
    int fd;
    int kernel_port;
    bool lasting;  ///< clients stay connected to it
  };

  void listen(testing::Channel channel);
  void run();
  void pass_all();
  void accept(const Listener& listener);
  void cut_all();
  [[nodiscard]] std::vector<pollfd> waits(bool stalled) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> stalled_for() const;

  testing::Connection connection_;
  std::vector<Listener> listeners_;
  int poke_;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable connected_;
  std::list<Link> links_;
  std::vector<int> abandoned_;  ///< connections to the kernel that it believes in
  Clock::time_point stalled_until_{};
  std::size_t missing_ = 0;  ///< clients that were cut off and are not here again
  bool cutting_ = false;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace adrastea::conformance
