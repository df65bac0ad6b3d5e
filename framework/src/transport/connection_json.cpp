// SPDX-License-Identifier: BSD-3-Clause
#include "transport/connection_json.hpp"

#include "support/log.hpp"
#include "support/printable.hpp"

#include <adrastea/errors.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>

namespace adrastea::transport {
namespace {

using nlohmann::json;

// Storing the file again serialises it, which recurses once per level.
constexpr int k_max_depth = 64;

std::string port_key(Channel channel) { return std::string(to_string(channel)) + "_port"; }

[[noreturn]] void refuse(const std::string& where, const std::string& cause) { throw StartupError(where + ": " + cause); }

/// A missing key gives `otherwise`. The value is never quoted: it may be the signature's key.
std::string read_text(const json& object, const char* key, std::string otherwise, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_string()) refuse(where, std::string(key) + " must be a string, not " + found->type_name());
  return found->get<std::string>();
}

std::optional<std::int64_t> to_number(const json& value) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return std::numeric_limits<std::int64_t>::max();
  }
  if (value.is_null()) return 0;
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number != std::floor(number) || std::abs(number) > 1e12) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

int read_port(const json& object, const std::string& key, int limit, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  const auto number = to_number(*found);
  if (!number || *number > limit) {
    refuse(where, key + " must be an integer of at most " + std::to_string(limit) + ", not " +
                      support::printable(found->dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 40)));
  }
  // As for ipykernel, 0 and less leave the choice to the kernel.
  return static_cast<int>(std::max<std::int64_t>(*number, 0));
}

void read_ports(const json& object, ConnectionInfo& info, const std::string& where) {
  const int limit = info.transport == "tcp" ? 65535 : std::numeric_limits<int>::max();
  std::map<int, std::string> taken;
  for (const Channel channel : k_channels) {
    const std::string key = port_key(channel);
    const int port = info.port(channel) = read_port(object, key, limit, where);
    if (port == 0) continue;
    const auto [other, is_new] = taken.emplace(port, key);
    if (!is_new) refuse(where, key + " and " + other->second + " are both " + std::to_string(port));
  }
}

bool asks_for(const json& object, const char* key) {
  const auto found = object.find(key);
  // NOLINTNEXTLINE(readability-container-size-empty): empty() of a JSON text is false, even of "".
  return found != object.end() && !found->is_null() && *found != "";
}

void refuse_what_is_not_supported(const json& object, const std::string& where) {
  for (const char* key : {"curve_publickey", "curve_secretkey"}) {
    if (asks_for(object, key)) {
      refuse(where, std::string(key) +
                        " asks for encrypted sockets (CurveZMQ), which this version cannot do; start the kernel " +
                        "without transport encryption");
    }
  }
  if (object.contains("registration_port")) {
    refuse(where,
           "registration_port asks for the registration handshake (JEP 66), which this version cannot do; start the kernel "
           "with a connection file");
  }
}

bool is_loopback(std::string ip) {
  if (ip == "localhost") return true;
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  in_addr four{};
  if (::inet_pton(AF_INET, ip.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, ip.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool is_local(const ConnectionInfo& info) { return info.transport == "ipc" || is_loopback(info.ip); }

}  // namespace

json parse_connection_json(const std::string& text, const std::string& where) {
  bool too_deep = false;
  const auto watch_depth = [&](int depth, json::parse_event_t, const json&) {
    too_deep = too_deep || depth > k_max_depth;
    return !too_deep;
  };
  json parsed;
  try {
    parsed = json::parse(text, watch_depth);
  } catch (const json::parse_error& error) {
    // Only the place: the library's text quotes what it read last, which may be the key.
    refuse(where, "is no valid JSON (at byte " + std::to_string(error.byte) + " of " + std::to_string(text.size()) + ")");
  } catch (const json::exception&) {
    refuse(where, "is no valid JSON (a number is out of range)");
  }
  if (too_deep) refuse(where, "nests deeper than " + std::to_string(k_max_depth) + " levels");
  if (!parsed.is_object()) refuse(where, std::string("must hold a JSON object, not ") + parsed.type_name());
  return parsed;
}

ConnectionInfo read_connection_json(const json& object, const std::string& where) {
  refuse_what_is_not_supported(object, where);
  ConnectionInfo info;
  info.transport = read_text(object, "transport", "tcp", where);
  std::transform(info.transport.begin(), info.transport.end(), info.transport.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (info.transport != "tcp" && info.transport != "ipc") {
    refuse(where, "transport must be \"tcp\" or \"ipc\", not \"" + support::printable(info.transport) + "\"");
  }
  info.ip = read_text(object, "ip", "", where);
  if (const std::string shown = support::printable(info.ip); shown != info.ip) {
    refuse(where, "ip holds a control character: " + shown);
  }
  if (info.transport == "ipc" && info.ip.starts_with('@')) {
    refuse(where, "ip begins with @, which means Linux's abstract sockets; they have no owner, so they are not supported");
  }
  read_ports(object, info, where);
  if (!object.contains("key"))
    refuse(where, "key is missing; it signs the messages (\"key\": \"\" does without, on this machine only)");
  info.key = read_text(object, "key", "", where);
  info.signature_scheme = read_text(object, "signature_scheme", info.signature_scheme, where);
  info.kernel_name = read_text(object, "kernel_name", "", where);
  return info;
}

void write_connection_json(const ConnectionInfo& info, json& object) {
  object["transport"] = info.transport;
  object["ip"] = info.ip;
  for (const Channel channel : k_channels) object[port_key(channel)] = info.port(channel);
  object["key"] = info.key;
  object["signature_scheme"] = info.signature_scheme;
  object["kernel_name"] = info.kernel_name;
}

void require_safe(const ConnectionInfo& info, const std::string& where) {
  if (info.key.empty() && !is_local(info))
    refuse(where, "key is empty, so anybody who reaches ip " + info.ip + " could run code; set a key, or use 127.0.0.1");
}

std::optional<std::string> exposure(const ConnectionInfo& info) {
  if (info.key.empty()) return "key is empty; messages are neither signed nor checked";
  if (!is_local(info)) return "ip " + info.ip + " can be reached from other machines, and messages are not encrypted";
  return std::nullopt;
}

}  // namespace adrastea::transport
