// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/kernel_process.hpp>
#include "bench/bench_client.hpp"
#include "bench/languages.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace adrastea::bench {

using Clock = std::chrono::steady_clock;

/// What is measured: a kernel's program and how it is started.
struct Subject {
  std::string name;
  const Language* language = nullptr;
  std::filesystem::path program;
  std::vector<std::string> prefix;  ///< its arguments before "-f FILE"
};

/// A kernel that answers, and a client that is subscribed.
/// Lifetime: the destructor kills it.
class Running {
 public:
  Running(const Subject& subject, testing::Transport transport, std::vector<std::string> environment = {});

  [[nodiscard]] BenchClient& client() { return *client_; }
  [[nodiscard]] testing::KernelProcess& process() { return *process_; }
  /// From before its start until its first kernel_info_reply was here.
  [[nodiscard]] double start_ms() const noexcept { return start_ms_; }
  /// Its resident memory at that moment.
  [[nodiscard]] std::size_t bytes_after_start() const noexcept { return bytes_after_start_; }

 private:
  /// As soon as there is a socket to connect to: the client's attempts in vain would be seen in the time.
  void await_socket_file();
  /// Errors: std::runtime_error with what the kernel said last.
  void require_alive();

  std::unique_ptr<testing::KernelProcess> process_;
  std::unique_ptr<BenchClient> client_;
  double start_ms_ = 0;
  std::size_t bytes_after_start_ = 0;
};

[[nodiscard]] inline double milliseconds_since(Clock::time_point before) {
  return std::chrono::duration<double, std::milli>(Clock::now() - before).count();
}

}  // namespace adrastea::bench
