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

constexpr const char* k_written_by = "; it must be a file that a launcher wrote for this kernel";

[[noreturn]] void refuse(const std::string& where, const std::string& cause) { throw StartupError(where + ": " + cause); }

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

void read_ports(const json& object, ConnectionInfo& info, const std::string& where) {
  std::map<int, std::string> taken;
  for (const Channel channel : k_channels) {
    const std::string key = port_key(channel);
    const int port = info.port(channel) = read_port(object, key, info.transport, where);
    if (port == 0) continue;
    const auto [other, is_new] = taken.emplace(port, key);
    if (!is_new)
      refuse(where, key + " and " + other->second + " are both " + std::to_string(port) +
                        "; each needs one of its own, or 0, which lets the kernel choose");
  }
}

/// Whether ZeroMQ takes it is bind_all()'s business; the shape is checked here, where its name is
/// known.
std::string read_curve_key(const json& object, const char* key, const std::string& where) {
  constexpr std::size_t length = 40;
  constexpr std::string_view alphabet =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  if (!has(object, key)) return {};
  std::string text = read_text(object, key, "", where);
  const bool z85 = text.size() == length && text.find_first_not_of(alphabet) == std::string::npos;
  if (!z85) refuse(where, std::string(key) + " must be 40 characters of Z85 (JEP 145), as zmq_curve_keypair() makes them");
  return text;
}

void read_curve_keys(const json& object, ConnectionInfo& info, const std::string& where) {
  info.curve_publickey = read_curve_key(object, "curve_publickey", where);
  info.curve_secretkey = read_curve_key(object, "curve_secretkey", where);
  if (info.curve_publickey.empty() == info.curve_secretkey.empty()) return;
  const bool lacks_public = info.curve_publickey.empty();
  refuse(where, std::string(lacks_public ? "curve_publickey" : "curve_secretkey") + " is missing, and " +
                    (lacks_public ? "curve_secretkey" : "curve_publickey") +
                    " is there; encrypted sockets need both, and without either they are not encrypted");
}

std::string without_brackets(const std::string& ip) {
  return ip.starts_with('[') && ip.ends_with(']') ? ip.substr(1, ip.size() - 2) : ip;
}

bool is_local(const ConnectionInfo& info) { return info.transport == "ipc" || is_loopback(info.ip); }

}  // namespace

bool has(const json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null();
}

std::string read_text(const json& object, const std::string& key, std::string otherwise, const std::string& where) {
  if (!has(object, key)) return otherwise;
  const auto found = object.find(key);
  if (!found->is_string())
    refuse(where, key + " must be a string, not " + found->type_name() + "; write it in quotation marks");
  return found->get<std::string>();
}

int read_port(const json& object, const std::string& key, const std::string& transport, const std::string& where) {
  const int limit = transport == "tcp" ? 65535 : std::numeric_limits<int>::max();
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

std::string address_to_bind(const std::string& transport, std::string ip) {
  if (transport != "tcp") return ip;
  if (ip == "*") return "0.0.0.0";
  return ip == "localhost" ? "127.0.0.1" : ip;
}

bool is_loopback(std::string ip) {
  if (ip == "localhost") return true;
  ip = without_brackets(ip);
  in_addr four{};
  if (::inet_pton(AF_INET, ip.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, ip.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool is_in_numbers(const std::string& ip) {
  in_addr four{};
  if (::inet_pton(AF_INET, ip.c_str(), &four) == 1) return true;
  std::string address = without_brackets(ip);
  address.resize(std::min(address.size(), address.find('%')));  // fe80::1%eth0: the zone is a name in any case
  in6_addr six{};
  return ::inet_pton(AF_INET6, address.c_str(), &six) == 1;
}

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
    refuse(where, "is no valid JSON (at byte " + std::to_string(error.byte) + " of " + std::to_string(text.size()) + ")" +
                      k_written_by);
  } catch (const json::exception&) {
    refuse(where, std::string("is no valid JSON (a number is out of range)") + k_written_by);
  }
  if (too_deep) refuse(where, "nests deeper than " + std::to_string(k_max_depth) + " levels" + k_written_by);
  if (!parsed.is_object()) refuse(where, std::string("must hold a JSON object, not ") + parsed.type_name() + k_written_by);
  return parsed;
}

ConnectionInfo read_connection_json(const json& object, const std::string& where, const std::string& ip_key) {
  ConnectionInfo info;
  info.transport = read_text(object, "transport", "tcp", where);
  std::transform(info.transport.begin(), info.transport.end(), info.transport.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (info.transport != "tcp" && info.transport != "ipc") {
    refuse(where, "transport must be \"tcp\" or \"ipc\", not \"" + support::printable(info.transport) + "\"");
  }
  info.ip = read_text(object, ip_key, "", where);
  if (const std::string shown = support::printable(info.ip); shown != info.ip) {
    refuse(where, ip_key + " holds a control character: " + shown);
  }
  if (info.transport == "ipc" && info.ip.starts_with('@')) {
    refuse(where,
           ip_key + " begins with @, which means Linux's abstract sockets; they have no owner, so they are not supported");
  }
  read_ports(object, info, where);
  if (!has(object, "key"))
    refuse(where, "key is missing; it signs the messages (\"key\": \"\" does without, on this machine only)");
  info.key = read_text(object, "key", "", where);
  info.signature_scheme = read_text(object, "signature_scheme", info.signature_scheme, where);
  info.kernel_name = read_text(object, "kernel_name", "", where);
  read_curve_keys(object, info, where);
  return info;
}

void write_connection_json(const ConnectionInfo& info, json& object) {
  object["transport"] = info.transport;
  object["ip"] = info.ip;
  for (const Channel channel : k_channels) object[port_key(channel)] = info.port(channel);
  object["key"] = info.key;
  object["signature_scheme"] = info.signature_scheme;
  object["kernel_name"] = info.kernel_name;
  if (!info.encrypted()) return;
  object["curve_publickey"] = info.curve_publickey;
  object["curve_secretkey"] = info.curve_secretkey;
}

void require_safe(const ConnectionInfo& info, const std::string& where) {
  if (info.key.empty() && !is_local(info))
    refuse(where, "key is empty, so anybody who reaches ip " + info.ip + " could run code; set a key, or use 127.0.0.1");
}

std::optional<std::string> exposure(const ConnectionInfo& info) {
  if (info.key.empty())
    return "key is empty; messages are neither signed nor checked; set a key where others use this machine";
  if (!is_local(info) && !info.encrypted())
    return "ip " + info.ip +
           " can be reached from other machines, and messages are not encrypted; use 127.0.0.1 and an ssh "
           "tunnel, or encrypted sockets (JEP 145)";
  return std::nullopt;
}

}  // namespace adrastea::transport
