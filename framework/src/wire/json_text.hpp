// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"
#include "wire/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace adrastea::wire {

enum class JsonFault { not_an_object, too_deep };

/// The one JSON object that `text` is, with nothing but white space around it.
///
/// Strict: valid UTF-8, no NUL, no byte order mark, no comments, no numbers that a double cannot hold. Of duplicate keys
/// the last wins. Lenient in one point: an escaped half of a surrogate pair, which JavaScript clients do send, becomes
/// \ufffd, in `text` itself too, so that it can be sent on as valid JSON.
/// Errors: never throws but for std::bad_alloc. Stack: a constant, whatever the nesting.
[[nodiscard]] support::Result<Json, JsonFault> parse_object(Frame& text, std::size_t max_depth);

/// The same, handed to `reader` piece by piece: also of a text that turns out to be no object. Of duplicate keys it gets
/// all.
[[nodiscard]] std::optional<JsonFault> read_object(Frame& text, std::size_t max_depth, Json::json_sax_t& reader);

/// Appends `text`, which must be valid UTF-8, as a JSON string.
void append_quoted(std::string& out, std::string_view text);

/// How many bytes from the start go into a JSON string, or come out of one, as they are.
[[nodiscard]] std::size_t plain_length(std::string_view text) noexcept;

/// The text of a JSON object, field by field, for the messages whose shape is known: no tree is built to be walked once.
///
/// Usage: names are literals that need no escapes; std::move(text).take() at the end.
class ObjectText {
 public:
  explicit ObjectText(std::size_t expected_bytes = 0) { text_.reserve(expected_bytes); }
  /// `value` must be valid UTF-8.
  ObjectText& add(std::string_view name, std::string_view value);
  ObjectText& add(std::string_view name, std::int64_t value);
  /// `json` is the text of any value.
  ObjectText& add_json(std::string_view name, std::string_view json);
  [[nodiscard]] std::string take() &&;

 private:
  void add_name(std::string_view name);
  std::string text_;
};

}  // namespace adrastea::wire
