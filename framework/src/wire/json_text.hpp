// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"
#include "wire/message.hpp"

#include <cstddef>
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

/// Appends `text`, which must be valid UTF-8, as a JSON string.
void append_quoted(std::string& out, std::string_view text);

}  // namespace adrastea::wire
