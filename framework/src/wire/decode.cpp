// SPDX-License-Identifier: BSD-3-Clause
#include "wire/decode.hpp"

#include "wire/json_text.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace adrastea::wire {
namespace {

using support::Result;
using Kind = DecodeError::Kind;
using Fault = std::optional<DecodeError>;

/// The frames after the delimiter, by name.
struct Parts {
  Frame signature, header, parent_header, metadata, content;
};
constexpr std::size_t k_parts = 5;

std::string over_limit(std::size_t count, const char* what, std::size_t limit) {
  return std::to_string(count) + " " + what + ", the limit is " + std::to_string(limit);
}

Fault check_sizes(const Frames& frames, const Limits& limits) {
  if (frames.size() > limits.max_frames) {
    return DecodeError{Kind::too_many_frames, over_limit(frames.size(), "frames", limits.max_frames)};
  }
  std::size_t total = 0;
  for (const Frame& frame : frames) {
    if (frame.size() > limits.max_frame_bytes) {
      return DecodeError{Kind::too_large, over_limit(frame.size(), "bytes in one frame", limits.max_frame_bytes)};
    }
    total += frame.size();
  }
  if (total <= limits.max_message_bytes) return std::nullopt;
  return DecodeError{Kind::too_large, over_limit(total, "bytes in one message", limits.max_message_bytes)};
}

/// Splits the frames into identities, the five named ones and buffers.
Fault split(Frames frames, Message& message, Parts& parts, const Limits& limits) {
  const auto delimiter = std::find(frames.begin(), frames.end(), k_delimiter);
  if (delimiter == frames.end()) {
    return DecodeError{Kind::no_delimiter, "none of " + std::to_string(frames.size()) + " frames is the delimiter"};
  }
  const auto identities = static_cast<std::size_t>(delimiter - frames.begin());
  if (identities > limits.max_identities) {
    return DecodeError{Kind::too_many_identities, over_limit(identities, "identities", limits.max_identities)};
  }
  const std::size_t after = frames.size() - identities - 1;
  if (after < k_parts) {
    return DecodeError{Kind::truncated, std::to_string(after) + " frames after the delimiter, 5 are needed"};
  }
  const auto first = delimiter + 1;
  const auto buffers = first + static_cast<std::ptrdiff_t>(k_parts);
  parts = {std::move(first[0]), std::move(first[1]), std::move(first[2]), std::move(first[3]), std::move(first[4])};
  message.identities.assign(std::make_move_iterator(frames.begin()), std::make_move_iterator(delimiter));
  message.buffers.assign(std::make_move_iterator(buffers), std::make_move_iterator(frames.end()));
  return std::nullopt;
}

Fault authenticate(const Parts& parts, Signer& signer, ReplayHistory& history) {
  if (!signer.enabled()) return std::nullopt;
  if (parts.signature.empty()) return DecodeError{Kind::unsigned_message, "the signature is empty, the kernel has a key"};
  if (!signer.verify(parts.signature, {parts.header, parts.parent_header, parts.metadata, parts.content})) {
    return DecodeError{Kind::bad_signature, "the signature does not match"};
  }
  if (!history.accept(parts.signature)) return DecodeError{Kind::replayed, "a message with this signature came before"};
  return std::nullopt;
}

std::string describe(JsonFault fault, std::string_view frame, const Limits& limits) {
  std::string text{frame};
  if (fault == JsonFault::not_an_object) return text += " is not exactly one valid JSON object";
  return text += " nests deeper than " + std::to_string(limits.max_json_depth);
}

/// Parses one of the frames without which there is no message.
Fault parse_into(Json& value, Frame& frame, const char* name, const Limits& limits) {
  Result<Json, JsonFault> parsed = parse_object(frame, limits.max_json_depth);
  if (!parsed) {
    const Kind kind = parsed.error() == JsonFault::too_deep ? Kind::too_deep : Kind::bad_json;
    return DecodeError{kind, describe(parsed.error(), name, limits)};
  }
  value = std::move(parsed).value();
  return std::nullopt;
}

std::optional<std::string> text_field(const Json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || !field->is_string()) return std::nullopt;
  return field->get<std::string>();
}

Fault read_header(const Json& json, Header& header) {
  std::optional<std::string> msg_id = text_field(json, "msg_id");
  if (!msg_id) return DecodeError{Kind::bad_header, "header.msg_id is not a string"};
  std::optional<std::string> msg_type = text_field(json, "msg_type");
  if (!msg_type || msg_type->empty()) return DecodeError{Kind::bad_header, "header.msg_type is not a string, or empty"};
  // The header goes back as parent_header to every subscriber, and clients refuse one whose fields are no strings.
  for (const char* key : {"session", "username", "date", "version"}) {
    if (json.contains(key) && !text_field(json, key)) {
      return DecodeError{Kind::bad_header, "header." + std::string(key) + " is not a string"};
    }
  }
  header = {.msg_id = std::move(*msg_id),
            .msg_type = std::move(*msg_type),
            .session = text_field(json, "session").value_or(""),
            .username = text_field(json, "username").value_or(""),
            .date = text_field(json, "date").value_or(""),
            .version = text_field(json, "version").value_or(""),
            .subshell_id = text_field(json, "subshell_id")};
  const bool has_subshell = json.contains("subshell_id") && !json["subshell_id"].is_null();
  if (has_subshell && !header.subshell_id) return DecodeError{Kind::bad_header, "header.subshell_id is not a string"};
  return std::nullopt;
}

Fault parse(Parts& parts, Message& message, const Limits& limits) {
  Json header;
  if (Fault fault = parse_into(header, parts.header, "header", limits)) return fault;
  if (Fault fault = parse_into(message.parent_header, parts.parent_header, "parent_header", limits)) return fault;
  if (Fault fault = parse_into(message.metadata, parts.metadata, "metadata", limits)) return fault;
  if (Fault fault = read_header(header, message.header)) return fault;
  message.header_bytes = std::move(parts.header);

  Result<Json, JsonFault> content = parse_object(parts.content, limits.max_json_depth);
  if (content) {
    message.content = std::move(content).value();
  } else {
    message.content_error = describe(content.error(), "content", limits);
  }
  return std::nullopt;
}

}  // namespace

const char* to_string(DecodeError::Kind kind) noexcept {
  switch (kind) {
    case Kind::too_many_frames:
      return "too many frames";
    case Kind::too_large:
      return "too large";
    case Kind::no_delimiter:
      return "no delimiter";
    case Kind::too_many_identities:
      return "too many identities";
    case Kind::truncated:
      return "truncated";
    case Kind::unsigned_message:
      return "unsigned";
    case Kind::bad_signature:
      return "bad signature";
    case Kind::replayed:
      return "replayed";
    case Kind::bad_json:
      return "bad JSON";
    case Kind::too_deep:
      return "too deep";
    case Kind::bad_header:
      return "bad header";
  }
  return "unknown";
}

Result<Message, DecodeError> decode(Frames frames, Signer& signer, ReplayHistory& history, const Limits& limits) noexcept {
  try {
    Message message;
    Parts parts;
    if (Fault fault = check_sizes(frames, limits)) return *std::move(fault);
    if (Fault fault = split(std::move(frames), message, parts, limits)) return *std::move(fault);
    if (Fault fault = authenticate(parts, signer, history)) return *std::move(fault);
    if (Fault fault = parse(parts, message, limits)) return *std::move(fault);
    return message;
  } catch (...) {
    // Only allocations throw here. The text fits into the string itself, so this cannot fail in its turn.
    return DecodeError{Kind::too_large, "out of memory"};
  }
}

}  // namespace adrastea::wire
