// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "lexer.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// What a comment says of a function, by the habits of LDoc and of the Lua language server.
///
/// Threads: any. Errors: std::bad_alloc; any text will do.
struct DocComment {
  struct Item {
    std::string name;
    std::string type;
    std::string text;
    bool optional = false;
  };
  std::string text;  ///< Markdown, as it was written
  std::vector<Item> parameters;
  std::vector<Item> returns;
  std::string usage;        ///< code
  std::vector<Item> notes;  ///< the other tags: "See", "Raises" …

  [[nodiscard]] bool empty() const {
    return text.empty() && parameters.empty() && returns.empty() && usage.empty() && notes.empty();
  }
};

/// The comment directly above the line that holds byte `position`, without its marks; empty where there is none.
std::string comment_above(std::string_view code, const TokenList& list, std::size_t position);

DocComment parse_doc_comment(std::string_view comment);

}  // namespace lua_kernel
