// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "lexer.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// Tokens [begin, end) of a TokenList.
struct TokenRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool empty() const { return begin >= end; }
};

struct Variable {
  enum class Kind { local, parameter, loop };
  std::string_view name;
  Kind kind = Kind::local;
  std::size_t token = 0;  ///< its name; for the implicit self the function that it belongs to
  TokenRange value = {};  ///< the expression it starts with, empty when that is not known
};

/// A global variable or a field that the code assigns to, or a function it defines by a name.
struct Definition {
  std::string path;       ///< "name" or "table.name"
  std::size_t token = 0;  ///< the first token of the statement
  TokenRange value = {};
};

/// What can stand at one place of the code, as far as the code before it tells.
struct Scope {
  enum class Place {
    statement,   ///< a name or a keyword
    expression,  ///< the same, where no statement can start
    field,       ///< after `base.`
    method,      ///< after `base:`
    index,       ///< a string after `base[`
    argument,    ///< a string that is the first argument of a call of `base`
    string,      ///< any other string
    label,       ///< after goto
    declaration,
    attribute,  ///< after `local name <`
  };
  Place place = Place::statement;
  TokenRange base = {};
  std::vector<Variable> variables;  ///< visible ones; a later one hides an earlier one of its name
  std::vector<std::string_view> labels;
  std::vector<Definition> definitions;
};

/// Reads the tokens before number `at`, in whose place a name stands (or a string, where `is_string`). Takes any tokens:
/// what does not fit Lua's grammar is skipped. The result refers to `code`.
Scope scope_at(std::string_view code, const std::vector<Token>& tokens, std::size_t at, bool is_string = false);

}  // namespace lua_kernel
