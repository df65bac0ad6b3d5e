// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/connection.hpp>
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <string>
#include <vector>

namespace adrastea::bench {

/// A client that costs as little as possible: shell and IOPub, signed requests, replies recognised by their text. It checks
/// nothing; the system tests do.
/// Threads: one. Errors: std::runtime_error when a kernel does not answer within a minute.
class BenchClient {
 public:
  explicit BenchClient(const testing::Connection& connection);
  BenchClient(const BenchClient&) = delete;
  BenchClient& operator=(const BenchClient&) = delete;
  ~BenchClient();

  /// Asks for kernel_info once, and waits for the reply.
  void await_kernel_info();
  /// Asks again until something comes on IOPub: bare PUB sockets welcome nobody.
  void await_subscription();
  /// Sends one execute_request.
  void send_execute(const std::string& code);
  /// Waits for one execute_reply and for one idle.
  void await_execute();
  void shut_down();

 private:
  void send(void* socket, const char* msg_type, const std::string& content);
  [[nodiscard]] std::vector<std::string> receive(void* socket);

  wire::Identity identity_;
  wire::Signer signer_;
  void* context_;
  void* shell_;
  void* iopub_;
  void* control_;
};

}  // namespace adrastea::bench
