// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

/// Bytes made fit to be read. Any bytes are fine, also such that are not UTF-8. Threads: any. Errors: std::bad_alloc.
namespace lua_kernel {

/// As a Lua literal on one line, with readable characters as they are. Beyond `limit` bytes it is cut and says so.
std::string quoted(std::string_view bytes, std::size_t limit);

/// The text itself; beyond `limit` bytes it is cut, at the border of a character, and says so.
std::string shortened(std::string_view bytes, std::size_t limit);

/// "… 1 204 more", what every limit leaves visible.
std::string more(std::size_t count);

/// How many columns a terminal would need, near enough: its characters.
std::size_t columns(std::string_view text);

/// Without the blanks at both ends.
std::string_view trimmed(std::string_view text);

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// A line of source code without its indentation; what is no character, or none to be seen, becomes U+FFFD.
std::string readable_line(std::string_view bytes);

/// For the inside of an HTML element; control characters become U+FFFD.
std::string html_escaped(std::string_view text);

}  // namespace lua_kernel
