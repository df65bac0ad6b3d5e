// SPDX-License-Identifier: BSD-3-Clause
#include "lexer.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace lua_kernel {
namespace {

constexpr std::array<std::string_view, 10> long_symbols = {"...", "..", "::", "==", "~=", "<=", ">=", "<<", ">>", "//"};

// Not <cctype>: user code may change the locale, and Lua's own lexer does not follow it.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_character(char c) { return is_name_start(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_keyword(std::string_view name) { return std::binary_search(keywords().begin(), keywords().end(), name); }

class Lexer {
 public:
  explicit Lexer(std::string_view code) : code_(code) {}

  TokenList run() {
    while (skip_blanks()) {
      const std::size_t begin = at_;
      const TokenKind kind = take();
      add({kind, begin, at_, 0});
    }
    return std::move(list_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const { return at_ + ahead < code_.size() ? code_[at_ + ahead] : '\0'; }
  [[nodiscard]] bool done() const { return at_ >= code_.size(); }

  /// The length of the `[[` or `[==[` that starts `ahead` bytes from here.
  [[nodiscard]] std::optional<std::size_t> long_bracket(std::size_t ahead) const {
    if (peek(ahead) != '[') return {};
    std::size_t length = 1;
    while (peek(ahead + length) == '=') ++length;
    if (peek(ahead + length) != '[') return {};
    return length + 1;
  }

  /// Goes behind the closing bracket that fits an opening one of `length` bytes; false when there is none.
  bool skip_long(std::size_t length) {
    std::string closing(length, '=');
    closing.front() = closing.back() = ']';
    const std::size_t found = code_.find(closing, at_ + length);
    at_ = found == std::string_view::npos ? code_.size() : found + length;
    return found != std::string_view::npos;
  }

  /// False at the end of the code.
  bool skip_blanks() {
    while (!done()) {
      if (is_space(peek())) {
        ++at_;
      } else if (peek() == '-' && peek(1) == '-') {
        skip_comment();
      } else {
        return true;
      }
    }
    return false;
  }

  void skip_comment() {
    const std::size_t begin = at_;
    if (const auto bracket = long_bracket(2)) {
      at_ += 2;
      if (!skip_long(*bracket)) add({TokenKind::unfinished, begin, at_, 0});
    } else {
      at_ = std::min(code_.find('\n', at_), code_.size());
    }
    list_.comments.push_back({TokenKind::comment, begin, at_, list_.open});
  }

  TokenKind take() {
    const char c = peek();
    if (is_name_start(c)) return take_name();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return take_number();
    if (c == '"' || c == '\'') return take_string(c);
    if (const auto bracket = long_bracket(0)) return skip_long(*bracket) ? TokenKind::string : TokenKind::unfinished;
    for (const std::string_view symbol : long_symbols) {
      if (code_.substr(at_).starts_with(symbol)) {
        at_ += symbol.size();
        return TokenKind::symbol;
      }
    }
    ++at_;
    return TokenKind::symbol;
  }

  TokenKind take_name() {
    const std::size_t begin = at_;
    while (!done() && is_name_character(peek())) ++at_;
    const auto name = code_.substr(begin, at_ - begin);
    return is_keyword(name) ? TokenKind::keyword : TokenKind::name;
  }

  TokenKind take_number() {
    const bool hexadecimal = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
    const std::string_view exponents = hexadecimal ? "pP" : "eE";
    while (is_name_character(peek()) || peek() == '.') {
      const bool exponent = exponents.find(peek()) != std::string_view::npos;
      ++at_;
      if (exponent && (peek() == '+' || peek() == '-')) ++at_;
    }
    return TokenKind::number;
  }

  TokenKind take_string(char quote) {
    ++at_;
    while (!done() && peek() != quote) {
      if (peek() == '\n') return TokenKind::unfinished;
      if (peek() == '\\') skip_escape();
      if (!done()) ++at_;
    }
    if (done()) return TokenKind::unfinished;
    ++at_;
    return TokenKind::string;
  }

  /// Leaves the last byte of the escape to the caller.
  void skip_escape() {
    ++at_;
    if (peek() == 'z') {
      while (is_space(peek(1))) ++at_;
    } else if (peek() == '\r' && peek(1) == '\n') {
      ++at_;
    }
  }

  void add(Token token) {
    const std::string_view text = text_of(token, code_);
    const bool keyword = token.kind == TokenKind::keyword;
    const bool symbol = token.kind == TokenKind::symbol;
    const bool opens = (keyword && (text == "function" || text == "do" || text == "if" || text == "repeat")) ||
                       (symbol && (text == "(" || text == "[" || text == "{"));
    const bool closes =
        (keyword && (text == "end" || text == "until")) || (symbol && (text == ")" || text == "]" || text == "}"));
    if (closes) --list_.open;
    token.depth = list_.open;
    if (opens) ++list_.open;
    list_.tokens.push_back(token);
  }

  std::string_view code_;
  std::size_t at_ = 0;
  TokenList list_;
};

}  // namespace

TokenList tokenize(std::string_view code) { return Lexer(code).run(); }

bool inside_comment(const TokenList& list, std::string_view code, std::size_t cursor) {
  const auto after = std::partition_point(list.comments.begin(), list.comments.end(),
                                          [&](const Token& comment) { return comment.begin + 1 < cursor; });
  if (after == list.comments.begin()) return false;
  const Token& comment = *std::prev(after);
  if (cursor != comment.end) return cursor < comment.end;
  const bool unfinished = !list.tokens.empty() && list.tokens.back().begin == comment.begin;
  const std::string_view text = text_of(comment, code);
  const std::size_t bracket = text.find_first_not_of('=', std::min<std::size_t>(3, text.size()));
  const bool is_long = text.starts_with("--[") && bracket != std::string_view::npos && text[bracket] == '[';
  return unfinished || !is_long;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && is_name_start(text.front()) && std::all_of(text.begin(), text.end(), is_name_character) &&
         !is_keyword(text);
}

const std::vector<std::string_view>& keywords() {
  static const std::vector<std::string_view> words = {
      "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
      "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
  return words;
}

std::optional<std::string_view> plain_string(std::string_view literal) {
  if (literal.size() < 2) return {};
  if (literal.front() != '[') {
    const auto text = literal.substr(1, literal.size() - 2);
    return text.find('\\') == std::string_view::npos ? std::optional(text) : std::nullopt;
  }
  const std::size_t bracket = literal.find('[', 1) + 1;
  if (bracket == 0 || literal.size() < 2 * bracket) return {};
  const auto text = literal.substr(bracket, literal.size() - 2 * bracket);
  const bool starts_with_newline = !text.empty() && (text.front() == '\n' || text.front() == '\r');
  return starts_with_newline ? std::nullopt : std::optional(text);
}

}  // namespace lua_kernel
