// SPDX-License-Identifier: BSD-3-Clause
#include "services/glob.hpp"

#include "support/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace adrastea::services {
namespace {

namespace utf8 = support::utf8;

/// What stands between the [ at `begin` and the ] that closes it; nothing when none does.
std::optional<std::string_view> set_text(std::string_view pattern, std::size_t begin) {
  std::size_t first = begin + 1;
  if (first < pattern.size() && (pattern[first] == '^' || pattern[first] == '!')) ++first;
  const std::size_t close = pattern.find(']', first + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return pattern.substr(begin + 1, close - begin - 1);
}

}  // namespace

bool Glob::Token::takes(char32_t c) const {
  const auto holds = [c](const auto& range) { return range.first <= c && c <= range.second; };
  return std::any_of(ranges.begin(), ranges.end(), holds) != negated;
}

std::optional<char> Glob::Token::byte() const {
  if (star || negated || ranges.size() != 1) return std::nullopt;
  const auto [low, high] = ranges.front();
  if (low != high || low >= 0x80) return std::nullopt;
  return static_cast<char>(low);
}

Glob::Token Glob::set_token(std::string_view inside) {
  Token token;
  token.negated = inside.front() == '^' || inside.front() == '!';
  for (std::size_t at = token.negated ? 1 : 0; at < inside.size();) {
    const char32_t low = utf8::next(inside, at);
    const bool is_range = at + 1 < inside.size() && inside[at] == '-';
    if (is_range) ++at;
    token.ranges.emplace_back(low, is_range ? utf8::next(inside, at) : low);
  }
  return token;
}

Glob::Glob(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t begin = at;
    const char32_t c = utf8::next(pattern, at);
    if (c == U'*') {
      if (tokens_.empty() || !tokens_.back().star) tokens_.push_back({.star = true, .negated = false, .ranges = {}});
    } else if (c == U'?') {
      tokens_.push_back({.star = false, .negated = true, .ranges = {}});  // none of nothing: any
    } else if (const auto inside = c == U'[' ? set_text(pattern, begin) : std::nullopt) {
      tokens_.push_back(set_token(*inside));
      at += inside->size() + 1;
    } else {
      tokens_.push_back({.star = false, .negated = false, .ranges = {{c, c}}});
    }
  }
}

bool Glob::matches(std::string_view text) const {
  std::size_t token = 0;
  std::size_t at = 0;
  // Only the latest star needs to be tried with more characters: what earlier ones took cannot matter any more.
  std::optional<std::size_t> star;
  std::size_t star_end = 0;
  while (at < text.size()) {
    if (token < tokens_.size() && tokens_[token].star) {
      star = token++;
      star_end = at;
      continue;
    }
    std::size_t after = at;
    const char32_t c = utf8::next(text, after);
    if (token < tokens_.size() && tokens_[token].takes(c)) {
      ++token;
      at = after;
    } else if (star) {
      token = *star + 1;
      (void)utf8::next(text, star_end);
      // Whole histories are searched: far quicker than to try each character.
      if (const auto byte = token < tokens_.size() ? tokens_[token].byte() : std::nullopt)
        star_end = std::min(text.find(*byte, star_end), text.size());
      at = star_end;
    } else {
      return false;
    }
  }
  while (token < tokens_.size() && tokens_[token].star) ++token;
  return token == tokens_.size();
}

}  // namespace adrastea::services
