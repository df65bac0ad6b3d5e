// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// UTF-8: what is well-formed (Unicode 15, table 3-7), how much of it, and offsets in code points.
namespace adrastea::support::utf8 {

[[nodiscard]] bool is_valid(std::string_view bytes) noexcept;

/// A copy in which each maximal ill-formed part is one U+FFFD.
[[nodiscard]] std::string sanitized(std::string_view bytes);

/// How many bytes (0 to 3) at the end begin a character that is not complete yet. Bytes that can never become one count 0.
[[nodiscard]] std::size_t incomplete_tail(std::string_view bytes) noexcept;

/// The longest length <= limit at which `bytes` may be cut without splitting a character; `limit` itself where the bytes
/// around it are no UTF-8 anyway. 0 when the first character is longer than `limit`: to make progress, give 4 or more.
[[nodiscard]] std::size_t cut_before(std::string_view bytes, std::size_t limit) noexcept;

/// Offsets between code points and bytes, clamped to the text; bytes inside a character count as its beginning. `text`
/// must be valid.
[[nodiscard]] std::size_t byte_offset(std::string_view text, std::size_t code_points) noexcept;
[[nodiscard]] std::size_t code_point_offset(std::string_view text, std::size_t bytes) noexcept;

/// The code point at byte `at`, which moves behind it; U+FFFD for an ill-formed part. Precondition: at < text.size().
[[nodiscard]] char32_t next(std::string_view text, std::size_t& at) noexcept;

}  // namespace adrastea::support::utf8
