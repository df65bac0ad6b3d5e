// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Messages of the Jupyter protocol, version 5.5 (Messaging, "The Wire Protocol"), without any socket.
namespace adrastea::wire {

/// kernel.json's kernel_protocol_version, as JEP 105 wants it (X.Y.Z). 5.6 says that the kernel can register (JEP 66), so a
/// launcher may start it with a registration file.
inline constexpr std::string_view k_kernelspec_protocol_version = "5.6.0";
/// The same behind header.version and kernel_info_reply.protocol_version, where it is X.Y.
inline constexpr std::string_view k_protocol_version =
    k_kernelspec_protocol_version.substr(0, k_kernelspec_protocol_version.rfind('.'));
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
