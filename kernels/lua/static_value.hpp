// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "scope.hpp"

#include <lua.hpp>

#include <string_view>
#include <vector>

namespace lua_kernel {

/// What an expression of the code stands for, as far as that can be told without running anything.
struct StaticValue {
  enum class Kind {
    unknown,
    value,     ///< a value of the session: it was pushed
    function,  ///< a function, or
    table,     ///< a table constructor, that stands in the code: see tokens
    other,     ///< some other expression in the code
  };
  Kind kind = Kind::unknown;
  TokenRange tokens = {};
  /// A value that was pushed only has the same fields as what the tokens will result in: a string for any other string.
  bool is_example = false;
};

/// Follows names to local variables and what they start with, to globals, fields and loaded modules; and calls to the type
/// of their results, where the function is one of Lua's own.
///
/// Threads: interpreter. Errors: std::bad_alloc. Lifetime: inside of a Looking; that of the code and the scope.
class StaticEvaluator {
 public:
  StaticEvaluator(lua_State* L, std::string_view code, const std::vector<Token>& tokens, const Scope& scope)
      : L_(L), code_(code), tokens_(tokens), scope_(scope) {}

  /// Pushes a value if that is what it found, and nothing otherwise.
  StaticValue evaluate(TokenRange expression) {
    steps_ = max_steps;
    return evaluate(expression, scope_.variables.size(), 0);
  }

  /// The same for a global variable, which the code may define,
  StaticValue global(std::string_view name) {
    steps_ = max_steps;
    return global(name, scope_.variables.size(), 0);
  }

  /// and for the field of a value; that is popped when it was pushed.
  StaticValue field(const StaticValue& object, TokenRange object_expression, std::string_view name) {
    steps_ = max_steps;
    return field(object, object_expression, name, scope_.variables.size(), 0);
  }

  /// The innermost variable of that name; nullptr where the name means a global.
  [[nodiscard]] const Variable* variable(std::string_view name) const { return variable(name, scope_.variables.size()); }

  /// The last definition in the code of a global variable or field, or nullptr.
  [[nodiscard]] const Definition* definition(std::string_view path) const;

  /// "a.b" for an expression that is names and dots, with `:` as a dot; nothing for others.
  [[nodiscard]] std::string path_of(TokenRange expression) const;

  /// The names that a table constructor gives to its fields, with their values.
  struct Field {
    std::string_view name;
    std::size_t token;
    TokenRange value;
  };
  [[nodiscard]] std::vector<Field> fields_of(TokenRange constructor) const;

 private:
  // `visible` variables count: what a variable starts with is evaluated among those that came before it.
  StaticValue evaluate(TokenRange expression, std::size_t visible, int depth);
  StaticValue primary(TokenRange& expression, std::size_t visible, int depth);
  StaticValue global(std::string_view name, std::size_t visible, int depth);
  StaticValue field(const StaticValue& object, TokenRange object_expression, std::string_view name, std::size_t visible,
                    int depth);
  StaticValue defined(std::string_view path, std::size_t visible, int depth);
  StaticValue call(const StaticValue& function, TokenRange& expression, std::size_t visible, int depth);
  StaticValue result_of(std::string_view function, TokenRange arguments, std::size_t visible, int depth);
  StaticValue instance_of(TokenRange metatable, std::size_t visible, int depth);
  [[nodiscard]] bool starts_call(std::size_t token) const;
  [[nodiscard]] bool is_concatenation(TokenRange expression) const;
  [[nodiscard]] std::size_t end_of_bracket(std::size_t opener, std::size_t end) const;
  StaticValue loaded_module(std::string_view name);
  [[nodiscard]] const Variable* variable(std::string_view name, std::size_t visible) const;
  [[nodiscard]] std::string_view text(std::size_t token) const { return text_of(tokens_[token], code_); }
  [[nodiscard]] bool is(std::size_t token, TokenKind kind, std::string_view word) const {
    return tokens_[token].kind == kind && text(token) == word;
  }

  lua_State* L_;
  std::string_view code_;
  const std::vector<Token>& tokens_;
  const Scope& scope_;
  // Definitions that refer to each other would cost exponential time.
  static constexpr int max_steps = 200;
  int steps_ = max_steps;
};

}  // namespace lua_kernel
