// SPDX-License-Identifier: BSD-3-Clause
#include "wire/json_text.hpp"

#include "wire/json_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace adrastea::wire {
namespace {

constexpr std::string_view k_white_space = " \t\r\n";
/// Where the string ends whose text begins at `at`: behind its quote.
std::size_t end_of_string(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2U : 1U;
  return at + 1;
}

/// Whether brackets open deeper than `max_depth`, in text that may be no JSON at all.
bool is_too_deep(std::string_view text, std::size_t max_depth) noexcept {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '"') {
      at = end_of_string(text, at);
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// Of text that JsonReader does not take.
JsonFault fault_of(std::string_view text, std::size_t max_depth) noexcept {
  const std::size_t begin = text.find_first_not_of(k_white_space);
  const bool is_object = begin != std::string_view::npos && text[begin] == '{' && text.find('\0') == std::string_view::npos;
  return is_object && is_too_deep(text, max_depth) ? JsonFault::too_deep : JsonFault::not_an_object;
}

/// Builds the tree of what JsonReader finds.
class TreeBuilder final : public Json::json_sax_t {
 public:
  [[nodiscard]] Json take() { return std::move(root_); }

  bool null() override { return put(nullptr) != nullptr; }
  bool boolean(bool value) override { return put(value) != nullptr; }
  bool number_integer(std::int64_t value) override { return put(value) != nullptr; }
  bool number_unsigned(std::uint64_t value) override { return put(value) != nullptr; }
  bool number_float(double value, const std::string& /*text*/) override { return put(value) != nullptr; }
  bool string(std::string& value) override { return put(std::move(value)) != nullptr; }
  bool binary(Json::binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
  bool key(std::string& name) override {
    member_ = &(*open_.back())[std::move(name)];
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const Json::exception& /*why*/) override {
    return false;
  }

 private:
  Json* put(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }
  bool open(Json value) {
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;  ///< each in the one before it, which gets nothing else meanwhile
  Json* member_ = nullptr;   ///< whose value comes next
};

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

/// The high bit of each of the eight bytes that needs an escape; the lowest one that is set is right, those above may not
/// be.
constexpr std::uint64_t escapes_among(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t high_bits = 0x80 * ones;
  const auto below = [](std::uint64_t word, std::uint64_t limit) { return (word - limit * ones) & ~word & high_bits; };
  return below(bytes, 0x20) | below(bytes ^ ('"' * ones), 1) | below(bytes ^ ('\\' * ones), 1);
}

}  // namespace

std::size_t plain_length(std::string_view text) noexcept {
  std::size_t at = 0;
  for (std::uint64_t word = 0; text.size() - at >= sizeof word; at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t escapes = escapes_among(word);
    if (escapes == 0) continue;
    if constexpr (std::endian::native == std::endian::little)
      return at + static_cast<std::size_t>(std::countr_zero(escapes)) / 8;
    break;
  }
  while (at < text.size() && !needs_escape(text[at])) ++at;
  return at;
}

support::Result<Json, JsonFault> parse_object(Frame& text, std::size_t max_depth) {
  if (text == "{}") return Json::object();
  TreeBuilder tree;
  if (const auto fault = read_object(text, max_depth, tree)) return *fault;
  return tree.take();
}

std::optional<JsonFault> read_object(Frame& text, std::size_t max_depth, Json::json_sax_t& reader) {
  if (JsonReader(text, max_depth, reader).read()) return std::nullopt;
  return fault_of(text, max_depth);
}

ObjectText& ObjectText::add(std::string_view name, std::string_view value) {
  add_name(name);
  append_quoted(text_, value);
  return *this;
}

ObjectText& ObjectText::add(std::string_view name, std::int64_t value) {
  add_name(name);
  std::array<char, 24> digits;
  text_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  return *this;
}

ObjectText& ObjectText::add_json(std::string_view name, std::string_view json) {
  add_name(name);
  text_ += json;
  return *this;
}

std::string ObjectText::take() && {
  text_ += text_.empty() ? "{}" : "}";
  return std::move(text_);
}

void ObjectText::add_name(std::string_view name) {
  text_ += text_.empty() ? "{\"" : ",\"";
  text_ += name;
  text_ += "\":";
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_length(text);
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    append_escape(out, text[plain]);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

}  // namespace adrastea::wire
