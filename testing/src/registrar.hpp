// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/deadline.hpp>
#include <adrastea/testing/kernel_process.hpp>
#include <adrastea/testing/message.hpp>

#include <zmq.hpp>

#include <optional>
#include <string>

namespace adrastea::testing {

/// Where a kernel that chose its ports tells them: a launcher's side of JEP 66, as it is documented, over tcp.
///
/// Threads: one. Errors: Failure.
class Registrar {
 public:
  explicit Registrar(Acknowledgement acknowledgement);

  /// What to write instead of a connection file. Its key and signature_scheme are for the kernel's channels too.
  [[nodiscard]] Json registration_file() const;
  /// The connection file's fields that a kernel with this registration file has told; nothing when `deadline` passed or
  /// the process of `process_fd` ended first. What a kernel told must be right: Failure says what is not.
  [[nodiscard]] std::optional<Json> await(const Json& file, int process_fd, Deadline deadline);

 private:
  [[nodiscard]] Json accept(const Json& file);
  void acknowledge(zmq::message_t identity, const Connection& registered);

  const Acknowledgement acknowledgement_;
  zmq::context_t context_;
  zmq::socket_t socket_;
  int port_ = 0;
  std::string kernel_id_ = random_id();
};

}  // namespace adrastea::testing
