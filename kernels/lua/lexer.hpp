// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace lua_kernel {

enum class TokenKind {
  name,
  keyword,
  number,
  string,
  symbol,
  unfinished,  ///< a string or comment that the end of the text (or of the line) cut off
  comment,
};

struct Token {
  TokenKind kind = TokenKind::symbol;
  std::size_t begin = 0;  ///< byte offsets into the code
  std::size_t end = 0;
  int depth = 0;  ///< blocks and brackets open around it; an opener and its closer have the depth outside of them
};

struct TokenList {
  std::vector<Token> tokens;    ///< comments are left out
  std::vector<Token> comments;  ///< in order; one that the end cuts off is also the last token, an unfinished one
  int open = 0;                 ///< blocks and brackets open at the end; negative when one was closed too often
};

/// Cuts Lua code into tokens. Any bytes are fine: what Lua does not know becomes a symbol of one byte.
TokenList tokenize(std::string_view code);

inline std::string_view text_of(const Token& token, std::string_view code) {
  return code.substr(token.begin, token.end - token.begin);
}

/// Whether the text can stand after a dot: a name that is no keyword.
bool is_identifier(std::string_view text);
/// Those that Lua reserves, sorted.
const std::vector<std::string_view>& keywords();

/// Whether what is typed at `cursor` becomes part of a comment.
bool inside_comment(const TokenList& list, std::string_view code, std::size_t cursor);

/// What a string token means, where no escape makes that differ from what is written; nothing otherwise.
std::optional<std::string_view> plain_string(std::string_view literal);

}  // namespace lua_kernel
