// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"

#include "utf8.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

constexpr std::string_view ellipsis = "…";
constexpr std::string_view replacement = "\uFFFD";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

void add_escaped(std::string& literal, char c) {
  constexpr std::string_view named = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view letters = "abfnrtv\\\"";
  literal += '\\';
  if (const std::size_t found = named.find(c); found != std::string_view::npos) {
    literal += letters[found];
  } else {  // three digits: a digit may follow
    const std::string digits = std::to_string(static_cast<unsigned char>(c));
    literal.append(3 - digits.size(), '0').append(digits);
  }
}

std::string_view cut(std::string_view bytes, std::size_t limit) {
  if (bytes.size() <= limit) return bytes;
  while (limit > 0 && is_continuation(bytes[limit])) --limit;
  return bytes.substr(0, limit);
}

std::string grouped(std::size_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ' ');
  return digits;
}

std::string cut_mark(std::size_t bytes) { return more(bytes) + (bytes == 1 ? " byte" : " bytes"); }

}  // namespace

std::string quoted(std::string_view bytes, std::size_t limit) {
  const std::string_view text = cut(bytes, limit);
  std::string literal = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t length = utf8::character_size(text, at);
    const bool control = length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == '\x7f');
    if (length == 0 || control || c == '"' || c == '\\') {
      add_escaped(literal, c);
      ++at;
    } else {
      literal += text.substr(at, length);
      at += length;
    }
  }
  literal += '"';
  if (text.size() < bytes.size()) literal += " " + cut_mark(bytes.size() - text.size());
  return literal;
}

std::string shortened(std::string_view bytes, std::size_t limit) {
  const std::string_view text = cut(bytes, limit);
  if (text.size() == bytes.size()) return std::string(bytes);
  return std::string(text) + cut_mark(bytes.size() - text.size());
}

std::string more(std::size_t count) { return std::string(ellipsis) + " " + grouped(count) + " more"; }

std::size_t columns(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

std::string readable_line(std::string_view bytes) {
  const std::size_t begin = std::min(bytes.find_first_not_of(" \t\r"), bytes.size());
  const std::string_view line = bytes.substr(begin, bytes.find_last_not_of(" \t\r") + 1 - begin);
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t length = utf8::character_size(line, at);
    const bool is_tab = line[at] == '\t';
    if (length == 0 || (static_cast<unsigned char>(line[at]) < 0x20 && !is_tab) || line[at] == '\x7f') {
      text += replacement;
    } else {
      text += is_tab ? std::string_view(" ") : line.substr(at, length);
    }
    at += std::max(length, std::size_t{1});
  }
  return text;
}

std::string html_escaped(std::string_view text) {
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\n':
      case '\t':
        html += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
          html += replacement;
        } else {
          html += c;
        }
    }
  }
  return html;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(white), text.size()));
  return text.substr(0, text.find_last_not_of(white) + 1);
}

}  // namespace lua_kernel
