// SPDX-License-Identifier: BSD-3-Clause
#include "help_query.hpp"

#include "lexer.hpp"
#include "text.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

bool is_name(std::string_view text) {
  const auto list = tokenize(text);
  const auto& tokens = list.tokens;
  if (!list.comments.empty() || text.find('\n') != std::string_view::npos) return false;
  if (tokens.size() == 1 && tokens[0].kind == TokenKind::keyword) return true;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool separator = text_of(tokens[i], text) == "." || text_of(tokens[i], text) == ":";
    if (i % 2 == 0 ? tokens[i].kind != TokenKind::name : !separator) return false;
  }
  return tokens.size() % 2 == 1;
}

}  // namespace

std::optional<HelpQuery> parse_help_query(std::string_view code) {
  std::string_view name = trimmed(code);
  int marks = 0;
  if (name.starts_with('?')) {
    for (; name.starts_with('?'); ++marks) name.remove_prefix(1);
  } else {
    for (; name.ends_with('?'); ++marks) name.remove_suffix(1);
  }
  name = trimmed(name);
  if (marks < 1 || marks > 2 || !is_name(name)) return {};
  return HelpQuery{name, marks - 1};
}

}  // namespace lua_kernel
