// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/connection_info.hpp"

#include <adrastea/limits.hpp>

#include <nlohmann/json.hpp>
#include <string>

/// The registration handshake: a kernel that chose its own ports tells its launcher which (JEP 66).
namespace adrastea::transport {

/// What a launcher wrote instead of a connection file: where it waits for the kernel.
struct Registration {
  enum class Dialect {
    documented,     ///< JEP 66 and "Making kernels for Jupyter": three signed frames to a ROUTER
    request_reply,  ///< Positron's supervisor: the messages handshake_request and handshake_reply, to a REP
  };
  Dialect dialect = Dialect::documented;
  std::string endpoint;
  std::string kernel_id;  ///< empty in Positron's dialect
};

/// Whether this JSON is a registration file.
[[nodiscard]] bool is_registration(const nlohmann::json& json);

/// The file's keys, and into `info` what they say of the kernel's own sockets: transport, ip, key, signature_scheme, curve
/// keys; every port 0. Errors: StartupError of one line, which begins with `where` and names the key.
[[nodiscard]] Registration read_registration_json(const nlohmann::json& json, const std::string& where,
                                                  ConnectionInfo& info);

/// Sends the ports of a kernel that is bound, and waits until the launcher has acknowledged them.
///
/// `launcher` is readable when the launcher has ended, -1 where that is unknown. It stays the caller's.
/// Threads: one; blocks for at most Limits::handshake. Errors: StartupError that names the endpoint, the cause and what to
/// do: no acknowledgement in time, one with a wrong signature, a refusal, the launcher's end.
void register_kernel(const Registration& registration, const ConnectionInfo& info, const Limits& limits, int launcher = -1);

}  // namespace adrastea::transport
