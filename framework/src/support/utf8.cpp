// SPDX-License-Identifier: BSD-3-Clause
#include "support/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace adrastea::support::utf8 {
namespace {

constexpr std::string_view k_replacement = "\xEF\xBF\xBD";

constexpr unsigned char byte_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<unsigned char>(bytes[at]);
}

constexpr bool continues(unsigned char byte) noexcept { return (byte & 0xC0U) == 0x80U; }

/// What the bytes at one place are: a character, the beginning of one that the end cuts off, or neither.
struct Piece {
  enum class Kind { character, incomplete, ill_formed };
  Kind kind;
  std::size_t length;  ///< ill_formed: of the maximal part that one U+FFFD stands for
};

/// How long the character is that `lead` begins, and the range of its second byte. Length 0: it begins none.
struct Lead {
  std::size_t length;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

constexpr Lead lead_of(unsigned char lead) noexcept {
  if (lead < 0x80) return {.length = 1};
  if (lead < 0xC2) return {.length = 0};
  if (lead < 0xE0) return {.length = 2};
  if (lead == 0xE0) return {.length = 3, .low = 0xA0};
  if (lead == 0xED) return {.length = 3, .high = 0x9F};
  if (lead < 0xF0) return {.length = 3};
  if (lead == 0xF0) return {.length = 4, .low = 0x90};
  if (lead < 0xF4) return {.length = 4};
  if (lead == 0xF4) return {.length = 4, .high = 0x8F};
  return {.length = 0};
}

/// Precondition: at < bytes.size().
Piece piece_at(std::string_view bytes, std::size_t at) noexcept {
  const Lead lead = lead_of(byte_at(bytes, at));
  if (lead.length == 0) return {Piece::Kind::ill_formed, 1};
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (at + i == bytes.size()) return {Piece::Kind::incomplete, i};
    const unsigned char byte = byte_at(bytes, at + i);
    const bool fits = i == 1 ? byte >= lead.low && byte <= lead.high : continues(byte);
    if (!fits) return {Piece::Kind::ill_formed, i};
  }
  return {Piece::Kind::character, lead.length};
}

/// Where the first byte at or after `at` is that is not ASCII.
std::size_t skip_ascii(std::string_view bytes, std::size_t at) noexcept {
  constexpr std::uint64_t high_bits = 0x8080808080808080U;
  for (std::uint64_t word = 0; bytes.size() - at >= sizeof word; at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if ((word & high_bits) != 0) break;
  }
  while (at < bytes.size() && byte_at(bytes, at) < 0x80) ++at;
  return at;
}

/// Where the first byte at or after `at` is that belongs to no complete character.
std::size_t skip_valid(std::string_view bytes, std::size_t at) noexcept {
  for (at = skip_ascii(bytes, at); at < bytes.size(); at = skip_ascii(bytes, at)) {
    const Piece piece = piece_at(bytes, at);
    if (piece.kind != Piece::Kind::character) break;
    at += piece.length;
  }
  return at;
}

}  // namespace

bool is_valid(std::string_view bytes) noexcept { return skip_valid(bytes, 0) == bytes.size(); }

std::string sanitized(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t bad = skip_valid(bytes, at);
    text.append(bytes, at, bad - at);
    if (bad == bytes.size()) break;
    text += k_replacement;
    at = bad + piece_at(bytes, bad).length;
  }
  return text;
}

std::size_t incomplete_tail(std::string_view bytes) noexcept {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const std::size_t at = bytes.size() - back;
    if (continues(byte_at(bytes, at))) continue;
    return piece_at(bytes, at).kind == Piece::Kind::incomplete ? back : 0;
  }
  return 0;
}

std::size_t cut_before(std::string_view bytes, std::size_t limit) noexcept {
  if (limit >= bytes.size()) return bytes.size();
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, limit); ++back) {
    if (continues(byte_at(bytes, limit - back))) continue;
    const Piece piece = piece_at(bytes, limit - back);
    return piece.kind != Piece::Kind::ill_formed && piece.length > back ? limit - back : limit;
  }
  return limit;
}

std::size_t byte_offset(std::string_view text, std::size_t code_points) noexcept {
  if (code_points >= text.size()) return text.size();
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (continues(byte_at(text, at))) continue;
    if (code_points == 0) break;
    --code_points;
  }
  return at;
}

std::size_t code_point_offset(std::string_view text, std::size_t bytes) noexcept {
  bytes = std::min(bytes, text.size());
  while (bytes > 0 && bytes < text.size() && continues(byte_at(text, bytes))) --bytes;
  const auto begins = [](char byte) { return !continues(static_cast<unsigned char>(byte)); };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bytes), begins));
}

char32_t next(std::string_view text, std::size_t& at) noexcept {
  const Piece piece = piece_at(text, at);
  const unsigned char lead = byte_at(text, at);
  if (piece.kind != Piece::Kind::character || piece.length == 1) {
    at += piece.length;
    return piece.kind == Piece::Kind::character ? lead : U'\uFFFD';
  }
  char32_t code_point = lead & (0x7FU >> piece.length);
  for (std::size_t i = 1; i < piece.length; ++i) code_point = code_point << 6U | (byte_at(text, at + i) & 0x3FU);
  at += piece.length;
  return code_point;
}

}  // namespace adrastea::support::utf8
