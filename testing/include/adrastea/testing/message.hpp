// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/failure.hpp>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The client's own reading of the wire format (Messaging, "The Wire Protocol"). It shares no code with the framework on
/// purpose: two sides that made the same mistake would understand each other.
namespace adrastea::testing {

using Json = nlohmann::json;
using Frames = std::vector<std::string>;

enum class Channel { shell, iopub, stdin_channel, control, heartbeat };
[[nodiscard]] const char* to_string(Channel channel) noexcept;

/// The string under a key, or empty: whatever a kernel sent there instead, asking for it never throws.
[[nodiscard]] std::string text_of(const Json& object, std::string_view key);
/// The integer under a key, or nothing.
[[nodiscard]] std::optional<std::int64_t> integer_of(const Json& object, std::string_view key);

struct Message {
  Channel channel = Channel::shell;
  std::uint64_t arrival = 0;  ///< among all that one client received
  Frames identities;          ///< what stands before the delimiter: on iopub the topic
  std::string header_bytes;
  std::string parent_bytes;
  std::string metadata_bytes;
  std::string content_bytes;
  Json header;
  Json parent_header;
  Json metadata;
  Json content;
  Frames buffers;

  // Each is empty where the header has no such text.
  [[nodiscard]] std::string type() const { return text_of(header, "msg_type"); }
  [[nodiscard]] std::string msg_id() const { return text_of(header, "msg_id"); }
  [[nodiscard]] std::string parent_id() const { return text_of(parent_header, "msg_id"); }
};

/// Signs and reads messages with one connection's key.
///
/// Threads: one.
class Codec {
 public:
  /// `scheme` is hmac- and a digest that OpenSSL knows; an empty key signs nothing and accepts everything.
  Codec(const std::string& scheme, std::string key);
  [[nodiscard]] std::string sign(const std::array<std::string_view, 4>& signed_frames) const;
  /// Delimiter, signature, the four frames, buffers.
  [[nodiscard]] Frames encode(const std::array<std::string_view, 4>& signed_frames, const Frames& buffers = {}) const;
  /// Errors: Failure that names what is wrong with the frames.
  [[nodiscard]] Message decode(Channel channel, Frames frames) const;
  /// The same, of frames that may be wrong: what is wrong goes to the sink, and what can be read is. Nothing, when there
  /// are too few frames. A frame that is no JSON object counts as an empty one.
  [[nodiscard]] std::optional<Message> decode(Channel channel, Frames frames, const ViolationSink& sink) const;

 private:
  std::string digest_;
  std::string key_;
};

/// One line about a message, for transcripts.
[[nodiscard]] std::string summary(const Message& message);

/// Random, unique; for sessions, keys, comm ids.
[[nodiscard]] std::string random_id();

/// Now, as header.date wants it.
[[nodiscard]] std::string iso_now();

}  // namespace adrastea::testing
