// SPDX-License-Identifier: BSD-3-Clause
#include "wire/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace adrastea::wire {
namespace {

constexpr std::string_view k_white_space = " \t\r\n";
constexpr std::size_t k_escape_length = 6;  // \uXXXX

constexpr bool is_high_surrogate(unsigned unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
constexpr bool is_low_surrogate(unsigned unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

/// The UTF-16 unit of the escape \uXXXX at `at`, where there is one.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < k_escape_length || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* const end = text.data() + at + k_escape_length;
  const auto [stopped, error] = std::from_chars(text.data() + at + 2, end, unit, 16);
  return error == std::errc{} && stopped == end ? std::optional{unit} : std::nullopt;
}

/// Steps over the escape at `at`, after mending it if it is half of a pair.
std::size_t mend_escape(Frame& text, std::size_t at) noexcept {
  const std::optional<unsigned> unit = escaped_unit(text, at);
  if (!unit) return at + 2;
  const std::size_t after = at + k_escape_length;
  if (is_high_surrogate(*unit)) {
    const std::optional<unsigned> second = escaped_unit(text, after);
    if (second && is_low_surrogate(*second)) return after + k_escape_length;
  }
  if (is_high_surrogate(*unit) || is_low_surrogate(*unit)) text.replace(at, k_escape_length, "\\ufffd");
  return after;
}

/// Steps over the string whose text begins at `at`, mending its escapes.
std::size_t scan_string(Frame& text, std::size_t at) noexcept {
  while (at < text.size() && text[at] != '"') at = text[at] == '\\' ? mend_escape(text, at) : at + 1;
  return at + 1;
}

/// One pass over text that may be no JSON at all: mends it, and tells whether brackets open deeper than `max_depth`.
bool mend_within_depth(Frame& text, std::size_t max_depth) noexcept {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '"') {
      at = scan_string(text, at);
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return false;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return true;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += hex_digits[static_cast<unsigned char>(c) >> 4U];
      out += hex_digits[static_cast<unsigned char>(c) & 15U];
  }
}

constexpr bool needs_escape(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

}  // namespace

support::Result<Json, JsonFault> parse_object(Frame& text, std::size_t max_depth) {
  // The parser skips a byte order mark and takes NUL for the end: either would hide bytes that were signed as this frame.
  const std::size_t begin = text.find_first_not_of(k_white_space);
  if (begin == Frame::npos || text[begin] != '{' || text.find('\0') != Frame::npos) return JsonFault::not_an_object;
  if (!mend_within_depth(text, max_depth)) return JsonFault::too_deep;
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_object()) return JsonFault::not_an_object;
  return value;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto plain = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), needs_escape) - text.begin());
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    append_escape(out, text[plain]);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

}  // namespace adrastea::wire
