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

/// Takes a header's fields from the parser, so that no tree is built for each message.
class HeaderReader final : public Json::json_sax_t {
 public:
  enum Name : std::size_t { msg_id, msg_type, session, username, date, version, subshell_id };

  /// The field's text; nothing where it is missing or of another type.
  [[nodiscard]] std::optional<std::string> take(Name name) { return std::move(fields_.at(name).text); }
  /// Whether it is there and neither a string nor null.
  [[nodiscard]] bool is_other(Name name) const { return fields_.at(name).found == Found::other; }
  [[nodiscard]] bool is_null(Name name) const { return fields_.at(name).found == Found::null; }

  bool null() override { return set(Found::null, std::nullopt); }
  bool boolean(bool /*value*/) override { return set(Found::other, std::nullopt); }
  bool number_integer(std::int64_t /*value*/) override { return set(Found::other, std::nullopt); }
  bool number_unsigned(std::uint64_t /*value*/) override { return set(Found::other, std::nullopt); }
  bool number_float(double /*value*/, const std::string& /*text*/) override { return set(Found::other, std::nullopt); }
  bool string(std::string& value) override { return set(Found::text, std::move(value)); }
  bool binary(Json::binary_t& /*value*/) override { return set(Found::other, std::nullopt); }
  bool start_object(std::size_t /*size*/) override { return set(Found::other, std::nullopt) && ++depth_ != 0; }
  bool start_array(std::size_t /*size*/) override { return set(Found::other, std::nullopt) && ++depth_ != 0; }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    const auto* const known = std::find(k_names.begin(), k_names.end(), name);
    current_ =
        depth_ == 1 && known != k_names.end() ? &fields_.at(static_cast<std::size_t>(known - k_names.begin())) : nullptr;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const Json::exception& /*why*/) override {
    return false;
  }

 private:
  static constexpr std::array<std::string_view, 7> k_names{"msg_id", "msg_type", "session",    "username",
                                                           "date",   "version",  "subshell_id"};
  enum class Found { nothing, null, text, other };
  struct Field {
    Found found = Found::nothing;
    std::optional<std::string> text;
  };

  bool set(Found found, std::optional<std::string> text) {
    if (Field* const field = std::exchange(current_, nullptr)) *field = {found, std::move(text)};
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::array<Field, k_names.size()> fields_;
  Field* current_ = nullptr;  ///< whose value comes next
  std::size_t depth_ = 0;
};

Fault take_header(HeaderReader& read, Header& header) {
  std::optional<std::string> msg_id = read.take(HeaderReader::msg_id);
  if (!msg_id) return DecodeError{Kind::bad_header, "header.msg_id is not a string"};
  std::optional<std::string> msg_type = read.take(HeaderReader::msg_type);
  if (!msg_type || msg_type->empty()) return DecodeError{Kind::bad_header, "header.msg_type is not a string, or empty"};
  // The header goes back as parent_header to every subscriber, and clients refuse one whose fields are no strings.
  using Name = HeaderReader::Name;
  for (const auto& [name, key] : {std::pair{Name::session, "session"}, std::pair{Name::username, "username"},
                                  std::pair{Name::date, "date"}, std::pair{Name::version, "version"}}) {
    if (read.is_other(name) || read.is_null(name)) {
      return DecodeError{Kind::bad_header, "header." + std::string(key) + " is not a string"};
    }
  }
  if (read.is_other(Name::subshell_id)) return DecodeError{Kind::bad_header, "header.subshell_id is not a string"};
  header = {.msg_id = std::move(*msg_id),
            .msg_type = std::move(*msg_type),
            .session = read.take(Name::session).value_or(""),
            .username = read.take(Name::username).value_or(""),
            .date = read.take(Name::date).value_or(""),
            .version = read.take(Name::version).value_or(""),
            .subshell_id = read.take(Name::subshell_id)};
  return std::nullopt;
}

Fault json_fault(JsonFault fault, const char* name, const Limits& limits) {
  return DecodeError{fault == JsonFault::too_deep ? Kind::too_deep : Kind::bad_json, describe(fault, name, limits)};
}

/// Parses one of the frames without which there is no message.
Fault parse_into(Json& value, Frame& frame, const char* name, const Limits& limits) {
  Result<Json, JsonFault> parsed = parse_object(frame, limits.max_json_depth);
  if (!parsed) return json_fault(parsed.error(), name, limits);
  value = std::move(parsed).value();
  return std::nullopt;
}

Fault parse(Parts& parts, Message& message, const Limits& limits) {
  HeaderReader header;
  if (const auto fault = read_object(parts.header, limits.max_json_depth, header))
    return json_fault(*fault, "header", limits);
  if (Fault fault = parse_into(message.parent_header, parts.parent_header, "parent_header", limits)) return fault;
  if (Fault fault = parse_into(message.metadata, parts.metadata, "metadata", limits)) return fault;
  if (Fault fault = take_header(header, message.header)) return fault;
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
