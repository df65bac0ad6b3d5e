// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// Messages of the Jupyter protocol, version 5.5 (Messaging, "The Wire Protocol"), without any socket.
namespace adrastea::wire {

/// The one constant behind header.version and kernel_info_reply.protocol_version.
inline constexpr const char* k_protocol_version = "5.5";
/// kernel.json's kernel_protocol_version, as JEP 105 wants it (X.Y.Z). From 5.5 on (JEP 66; 5.6 in the documentation) a
/// launcher may start a kernel with a registration file and wait for its handshake, which is not implemented: so this stays
/// below 5.5 until it is, and becomes "5.6.0" then.
inline constexpr const char* k_kernelspec_protocol_version = "5.4.0";
inline constexpr const char* k_delimiter = "<IDS|MSG>";

using Json = nlohmann::json;
using Frame = std::string;  ///< bytes
using Frames = std::vector<Frame>;

struct Header {
  std::string msg_id;
  std::string msg_type;
  std::string session;
  std::string username;
  std::string date;
  std::string version;
  std::optional<std::string> subshell_id;
};

/// A message that came in and passed every check of decode().
struct Message {
  Frames identities;  ///< verbatim, in order; a reply echoes them all
  Header header;
  std::string header_bytes;  ///< verbatim, but for what parse_object() mends: parent_header of all that this causes
  Json parent_header = Json::object();
  Json metadata = Json::object();
  Json content = Json::object();
  /// Set when only the content frame is no JSON object: such a message is answered with an error, not dropped.
  std::optional<std::string> content_error;
  Frames buffers;
};

}  // namespace adrastea::wire
