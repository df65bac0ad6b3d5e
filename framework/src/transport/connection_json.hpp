// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/connection_info.hpp"

#include <optional>
#include <string>

namespace adrastea::transport {

/// The connection file's keys, in memory: text → JSON → ConnectionInfo and back. No files here.
/// Errors: StartupError of one line, which begins with `where` and names the key; it never holds the key of the signature.

/// JSON text → one object.
[[nodiscard]] nlohmann::json parse_connection_json(const std::string& text, const std::string& where);

/// Lenient: ports as numbers or text, optional keys missing, transport in any case. `ip_key`: where the address is.
[[nodiscard]] ConnectionInfo read_connection_json(const nlohmann::json& json, const std::string& where,
                                                  const std::string& ip_key = "ip");

/// Whether it is there and not null, which is how some launchers write what they leave out.
[[nodiscard]] bool has(const nlohmann::json& json, const std::string& key);

/// `otherwise` when it is missing. An error never quotes the value, which may be the signature's key.
[[nodiscard]] std::string read_text(const nlohmann::json& json, const std::string& key, std::string otherwise,
                                    const std::string& where);

/// 0 when it is missing, null or negative.
[[nodiscard]] int read_port(const nlohmann::json& json, const std::string& key, const std::string& transport,
                            const std::string& where);

/// Exact: every key that Jupyter defines, in the type that it defines; others in `json` stay.
void write_connection_json(const ConnectionInfo& info, nlohmann::json& json);

/// Throws when these settings would let strangers run code: no key, yet reachable from other machines.
void require_safe(const ConnectionInfo& info, const std::string& where);

/// ZeroMQ binds numbers and interfaces only: what clients can be told instead of "*" and "localhost".
[[nodiscard]] std::string address_to_bind(const std::string& transport, std::string ip);

/// Whether a numeric address, or "localhost", is this machine's own.
[[nodiscard]] bool is_loopback(std::string ip);

/// Whether an address of tcp is one of IPv4 or IPv6, and no name of a host or of an interface.
[[nodiscard]] bool is_in_numbers(const std::string& ip);

/// What lets others listen or meddle although it is allowed.
[[nodiscard]] std::optional<std::string> exposure(const ConnectionInfo& info);

}  // namespace adrastea::transport
