// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/message.hpp>

#include <filesystem>
#include <string>

namespace adrastea::testing {

/// Where a kernel is: what a client needs of a connection file.
struct Connection {
  Json fields;  ///< the file's whole content

  [[nodiscard]] static Connection read(const std::filesystem::path& file);
  [[nodiscard]] std::string endpoint(Channel channel) const;
  [[nodiscard]] std::string key() const { return fields.value("key", ""); }
  /// The kernel's sockets are CurveZMQ servers (jupyter_client, transport_encryption).
  [[nodiscard]] bool encrypted() const { return fields.contains("curve_publickey"); }
  /// Gives a libzmq socket what a client of such a kernel needs, before it connects. Errors: Failure.
  void encrypt(void* zmq_socket) const;
  [[nodiscard]] std::string scheme() const { return fields.value("signature_scheme", "hmac-sha256"); }
};

/// What it means that libzmq takes no message for a kernel, however few wait.
[[nodiscard]] std::string refused_connection(Channel channel);

/// "shell_port" and so on.
[[nodiscard]] std::string port_key(Channel channel);

}  // namespace adrastea::testing
