// SPDX-License-Identifier: BSD-3-Clause
#include "wire/json_reader.hpp"

#include "support/utf8.hpp"
#include "wire/json_text.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

namespace adrastea::wire {
namespace {

constexpr std::size_t k_escape_length = 6;  // \uXXXX

constexpr bool is_high_surrogate(unsigned unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
constexpr bool is_low_surrogate(unsigned unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < k_escape_length || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* const end = text.data() + at + k_escape_length;
  const auto [stopped, error] = std::from_chars(text.data() + at + 2, end, unit, 16);
  return error == std::errc{} && stopped == end ? std::optional{unit} : std::nullopt;
}

void append_utf8(std::string& out, unsigned code_point) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  const auto put_rest = [&](unsigned shift) { put(0x80U | ((code_point >> shift) & 0x3FU)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0U | (code_point >> 6U));
    return put_rest(0);
  }
  if (code_point < 0x10000) {
    put(0xE0U | (code_point >> 12U));
  } else {
    put(0xF0U | (code_point >> 18U));
    put_rest(12);
  }
  put_rest(6);
  put_rest(0);
}

/// The character that stands for itself or another one behind a backslash; NUL: none.
constexpr char unescaped(char c) noexcept {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The whole of `digits` as a number, where it is within the type.
template <class Number>
std::optional<Number> number_of(std::string_view digits) noexcept {
  Number number{};
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, number);
  return error == std::errc{} && stopped == end ? std::optional{number} : std::nullopt;
}

}  // namespace

bool JsonReader::read() {
  skip_space();
  if (!take('{') || !open('}')) return false;
  while (!closers_.empty())
    if (!element()) return false;
  skip_space();
  return at_ == text_.size();
}

bool JsonReader::take(char wanted) noexcept {
  const bool found = peek() == wanted;
  if (found) ++at_;
  return found;
}

bool JsonReader::take(std::string_view wanted) noexcept {
  const bool found = std::string_view(text_).substr(at_, wanted.size()) == wanted;
  if (found) at_ += wanted.size();
  return found;
}

void JsonReader::skip_space() noexcept {
  while (is_space(peek())) ++at_;
}

bool JsonReader::skip_digits() noexcept {
  const std::size_t begin = at_;
  while (is_digit(peek())) ++at_;
  return at_ > begin;
}

bool JsonReader::open(char closer) {
  if (closers_.size() == max_depth_) return false;
  closers_ += closer;
  first_ = true;
  constexpr auto unknown_size = static_cast<std::size_t>(-1);
  return closer == '}' ? sink_.start_object(unknown_size) : sink_.start_array(unknown_size);
}

bool JsonReader::close() {
  const char closer = closers_.back();
  closers_.pop_back();
  first_ = false;
  return closer == '}' ? sink_.end_object() : sink_.end_array();
}

/// The next one of what was opened last, with the comma before it, or its end.
bool JsonReader::element() {
  skip_space();
  if (take(closers_.back())) return close();
  if (!first_ && !take(',')) return false;
  first_ = false;
  skip_space();
  return (closers_.back() != '}' || key()) && value();
}

bool JsonReader::key() {
  if (!take('"') || !string()) return false;
  skip_space();
  if (!take(':')) return false;
  skip_space();
  return sink_.key(string_);
}

bool JsonReader::value() {
  switch (peek()) {
    case '"':
      ++at_;
      return string() && sink_.string(string_);
    case '{':
      ++at_;
      return open('}');
    case '[':
      ++at_;
      return open(']');
    case 't':
      return take("true") && sink_.boolean(true);
    case 'f':
      return take("false") && sink_.boolean(false);
    case 'n':
      return take("null") && sink_.null();
    default:
      return number();
  }
}

/// The rest of the string whose quote was taken.
bool JsonReader::string() {
  string_.clear();
  while (true) {
    const std::size_t plain = plain_length(std::string_view(text_).substr(at_));
    string_.append(text_, at_, plain);
    at_ += plain;
    if (take('"')) return support::utf8::is_valid(string_);
    if (peek() != '\\' || !escape()) return false;
  }
}

bool JsonReader::escape() {
  const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (after == 'u') return escaped_character();
  const char meant = unescaped(after);
  if (meant == '\0') return false;
  string_ += meant;
  at_ += 2;
  return true;
}

/// One or a pair of \uXXXX; mends half a pair.
bool JsonReader::escaped_character() {
  const std::optional<unsigned> unit = escaped_unit(text_, at_);
  if (!unit) return false;
  const std::size_t begin = at_;
  at_ += k_escape_length;
  if (is_high_surrogate(*unit)) {
    const std::optional<unsigned> second = escaped_unit(text_, at_);
    if (second && is_low_surrogate(*second)) {
      at_ += k_escape_length;
      append_utf8(string_, 0x10000U + ((*unit - 0xD800U) << 10U) + (*second - 0xDC00U));
      return true;
    }
  }
  const bool is_half = is_high_surrogate(*unit) || is_low_surrogate(*unit);
  if (is_half) text_.replace(begin, k_escape_length, "\\ufffd");
  append_utf8(string_, is_half ? 0xFFFDU : *unit);
  return true;
}

bool JsonReader::number() {
  const std::size_t begin = at_;
  take('-');
  if (!take('0') && !skip_digits()) return false;
  const bool has_fraction = take('.');
  if (has_fraction && !skip_digits()) return false;
  const bool has_exponent = take('e') || take('E');
  if (has_exponent) {
    if (!take('+')) take('-');
    if (!skip_digits()) return false;
  }
  const std::string_view digits = std::string_view(text_).substr(begin, at_ - begin);
  return has_fraction || has_exponent ? real(digits) : integer(digits);
}

bool JsonReader::integer(std::string_view digits) {
  if (digits.front() == '-') {
    if (const auto number = number_of<std::int64_t>(digits)) return sink_.number_integer(*number);
  } else if (const auto number = number_of<std::uint64_t>(digits)) {
    return sink_.number_unsigned(*number);
  }
  return real(digits);
}

bool JsonReader::real(std::string_view digits) {
  std::optional<double> number = number_of<double>(digits);
  if (!number) {
    // Out of range: what is too small for a double is zero, what is too large is nothing.
    const Json parsed = Json::parse(digits, nullptr, false);
    if (parsed.is_number()) number = parsed.get<double>();
  }
  string_ = digits;
  return number && std::isfinite(*number) && sink_.number_float(*number, string_);
}

}  // namespace adrastea::wire
