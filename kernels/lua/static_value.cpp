// SPDX-License-Identifier: BSD-3-Clause
#include "static_value.hpp"

#include "raw_access.hpp"
#include "session.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace lua_kernel {
namespace {

/// Of variables that start with variables; definitions can lead in circles.
constexpr int max_indirections = 20;
/// Tokens of a path that is looked up among the definitions, once for each of its fields.
constexpr std::size_t max_path = 100;

using Kind = StaticValue::Kind;

/// Functions whose result, when they do not fail, is a string.
constexpr std::array<std::string_view, 16> string_functions = {
    "io.read",       "os.date",      "os.getenv",    "os.tmpname",  "string.char", "string.dump",
    "string.format", "string.gsub",  "string.lower", "string.pack", "string.rep",  "string.reverse",
    "string.sub",    "string.upper", "table.concat", "tostring"};
constexpr std::array<std::string_view, 3> file_functions = {"io.open", "io.popen", "io.tmpfile"};

}  // namespace

const Variable* StaticEvaluator::variable(std::string_view name, std::size_t visible) const {
  for (std::size_t i = visible; i-- > 0;) {
    if (scope_.variables[i].name == name) return &scope_.variables[i];
  }
  return nullptr;
}

const Definition* StaticEvaluator::definition(std::string_view path) const {
  for (std::size_t i = scope_.definitions.size(); i-- > 0;) {
    if (scope_.definitions[i].path == path) return &scope_.definitions[i];
  }
  return nullptr;
}

std::string StaticEvaluator::path_of(TokenRange expression) const {
  std::string path;
  for (std::size_t i = expression.begin; i < expression.end; ++i) {
    const bool name_expected = (i - expression.begin) % 2 == 0;
    const bool fits = name_expected ? tokens_[i].kind == TokenKind::name : text(i) == "." || text(i) == ":";
    if (!fits) return {};
    path += name_expected ? text(i) : ".";
  }
  return path;
}

std::vector<StaticEvaluator::Field> StaticEvaluator::fields_of(TokenRange constructor) const {
  std::vector<Field> fields;
  if (constructor.empty()) return fields;
  const int depth = tokens_[constructor.begin].depth + 1;
  for (std::size_t i = constructor.begin + 1; i + 1 < constructor.end; ++i) {
    const bool starts = text(i - 1) == "{" || text(i - 1) == "," || text(i - 1) == ";";
    if (tokens_[i].depth != depth || !starts || tokens_[i].kind != TokenKind::name || text(i + 1) != "=") continue;
    std::size_t end = i + 2;
    while (end < constructor.end && tokens_[end].depth >= depth &&
           (tokens_[end].depth > depth || (text(end) != "," && text(end) != ";"))) {
      ++end;
    }
    fields.push_back({text(i), i, {i + 2, end}});
  }
  return fields;
}

/// Takes what an expression starts with off its tokens.
StaticValue StaticEvaluator::primary(TokenRange& expression, std::size_t visible, int depth) {
  const std::size_t first = expression.begin++;
  const std::string_view name = text(first);
  switch (tokens_[first].kind) {
    case TokenKind::string:
      push_string(L_, plain_string(name).value_or(std::string_view()));
      return {Kind::value};
    case TokenKind::symbol: {
      if (name != "(") break;
      const std::size_t close = end_of_bracket(first, expression.end);
      expression.begin = close + 1;
      return evaluate({first + 1, close}, visible, depth);
    }
    case TokenKind::name:
      if (const Variable* found = variable(name, visible)) {
        return evaluate(found->value, static_cast<std::size_t>(found - scope_.variables.data()), depth);
      }
      if (name == "require" && !expression.empty()) {
        const bool bracket = text(expression.begin) == "(";
        const std::size_t module = expression.begin + (bracket ? 1 : 0);
        if (module < expression.end && tokens_[module].kind == TokenKind::string) {
          expression.begin = module + (bracket ? 2 : 1);
          return loaded_module(plain_string(text(module)).value_or(std::string_view()));
        }
      }
      return global(name, visible, depth);
    default:
      break;
  }
  return {};
}

StaticValue StaticEvaluator::evaluate(TokenRange expression, std::size_t visible, int depth) {
  if (expression.empty() || depth > max_indirections || steps_ == 0) return {};
  --steps_;
  const TokenRange whole = expression;
  if (is(whole.begin, TokenKind::keyword, "function")) return {Kind::function, whole};
  if (is(whole.begin, TokenKind::symbol, "{")) {
    for (std::size_t i = whole.begin + 1; i + 1 < whole.end; ++i) {
      if (tokens_[i].depth <= tokens_[whole.begin].depth) return {Kind::other, whole};  // {…} and more
    }
    return {Kind::table, whole};
  }
  if (is_concatenation(whole)) {
    push_string(L_, {});
    return {Kind::value, whole, true};
  }
  StaticValue found = primary(expression, visible, depth + 1);
  while (!expression.empty()) {
    const std::size_t separator = expression.begin;
    if (starts_call(separator)) {
      found = call(found, expression, visible, depth + 1);
      if (found.kind == Kind::unknown) break;
      if (found.is_example) found.tokens = {whole.begin, expression.begin};
      continue;
    }
    const bool dot = text(separator) == "." || text(separator) == ":";
    const bool bracket = text(separator) == "[";
    const std::size_t key = separator + 1;
    const bool name = dot && key < expression.end && tokens_[key].kind == TokenKind::name;
    const bool index =
        bracket && key + 1 < expression.end && tokens_[key].kind == TokenKind::string && text(key + 1) == "]";
    const auto key_text = name ? std::optional(text(key)) : index ? plain_string(text(key)) : std::nullopt;
    if (!key_text) {
      if (found.kind == Kind::value) lua_pop(L_, 1);
      found = {};
      break;
    }
    found = field(found, {whole.begin, separator}, *key_text, visible, depth + 1);
    expression.begin = key + (index ? 2 : 1);
  }
  if (found.kind == Kind::unknown) return {Kind::other, whole};
  return found;
}

StaticValue StaticEvaluator::global(std::string_view name, std::size_t visible, int depth) {
  push_globals(L_);
  if (name == "_ENV") return {Kind::value};
  push_field(L_, -1, name);
  lua_remove(L_, -2);
  if (!lua_isnil(L_, -1)) return {Kind::value};
  lua_pop(L_, 1);
  if (definition(name) != nullptr) return defined(name, visible, depth);
  return loaded_module(name);  // which an earlier cell may have kept in a local variable of that name
}

StaticValue StaticEvaluator::field(const StaticValue& object, TokenRange object_expression, std::string_view name,
                                   std::size_t visible, int depth) {
  if (object.kind == Kind::value) {
    push_field(L_, -1, name);
    lua_remove(L_, -2);
    if (!lua_isnil(L_, -1)) return {Kind::value};
    lua_pop(L_, 1);
  } else if (object.kind == Kind::table) {
    for (const Field& candidate : fields_of(object.tokens)) {
      if (candidate.name == name) return evaluate(candidate.value, visible, depth);
    }
  }
  if (object_expression.end - object_expression.begin > max_path) return {};
  const std::string path = path_of(object_expression);
  return path.empty() ? StaticValue() : defined(path + "." + std::string(name), visible, depth);
}

StaticValue StaticEvaluator::defined(std::string_view path, std::size_t visible, int depth) {
  const Definition* found = definition(path);
  return found != nullptr ? evaluate(found->value, visible, depth) : StaticValue();
}

bool StaticEvaluator::starts_call(std::size_t token) const {
  return is(token, TokenKind::symbol, "(") || is(token, TokenKind::symbol, "{") || tokens_[token].kind == TokenKind::string;
}

/// Whether `..` is an operator of the expression itself, and none that binds weaker and may result in anything else.
bool StaticEvaluator::is_concatenation(TokenRange expression) const {
  constexpr std::array<std::string_view, 6> comparisons = {"<", ">", "<=", ">=", "==", "~="};
  bool found = false;
  for (std::size_t i = expression.begin; i < expression.end; ++i) {
    if (tokens_[i].depth > tokens_[expression.begin].depth) continue;
    const bool is_word = tokens_[i].kind == TokenKind::keyword && (text(i) == "and" || text(i) == "or");
    if (is_word || (tokens_[i].kind == TokenKind::symbol && contains(comparisons, text(i)))) return false;
    found = found || is(i, TokenKind::symbol, "..");
  }
  return found;
}

std::size_t StaticEvaluator::end_of_bracket(std::size_t opener, std::size_t end) const {
  std::size_t close = opener + 1;
  while (close < end && tokens_[close].depth > tokens_[opener].depth) ++close;
  return close;
}

/// Takes the arguments off the expression, and the function off the stack when it was pushed.
StaticValue StaticEvaluator::call(const StaticValue& function, TokenRange& expression, std::size_t visible, int depth) {
  const std::size_t first = expression.begin;
  TokenRange arguments{first, first + 1};
  expression.begin = first + 1;
  if (tokens_[first].kind != TokenKind::string) {
    const std::size_t close = end_of_bracket(first, expression.end);
    expression.begin = std::min(close + 1, expression.end);
    arguments = text(first) == "(" ? TokenRange{first + 1, close} : TokenRange{first, expression.begin};
  }
  if (function.kind != Kind::value) return {};
  const std::string* name = Session::of(L_).builtins().find(lua_topointer(L_, -1));
  lua_pop(L_, 1);
  return name != nullptr ? result_of(*name, arguments, visible, depth) : StaticValue();
}

StaticValue StaticEvaluator::result_of(std::string_view function, TokenRange arguments, std::size_t visible, int depth) {
  if (contains(string_functions, function)) {
    push_string(L_, {});
    return {Kind::value, {}, true};
  }
  if (contains(file_functions, function)) {
    push_string(L_, LUA_FILEHANDLE);
    lua_rawget(L_, LUA_REGISTRYINDEX);
    if (lua_type(L_, -1) == LUA_TTABLE) {
      push_string(L_, "__index");
      lua_rawget(L_, -2);
      lua_remove(L_, -2);
    }
    return {Kind::value, {}, true};
  }
  if (function != "setmetatable" || arguments.empty()) return {};
  std::size_t comma = arguments.begin;
  while (comma < arguments.end && (tokens_[comma].depth > tokens_[arguments.begin].depth || text(comma) != ",")) {
    ++comma;
  }
  return comma < arguments.end ? instance_of({comma + 1, arguments.end}, visible, depth) : StaticValue();
}

/// What an empty table with that metatable has: the fields of its __index, which a class mostly is itself.
StaticValue StaticEvaluator::instance_of(TokenRange metatable, std::size_t visible, int depth) {
  StaticValue found = evaluate(metatable, visible, depth);
  if (found.kind == Kind::table) {
    for (const Field& field : fields_of(found.tokens)) {
      if (field.name != "__index") continue;
      found = evaluate(field.value, visible, depth);
      break;
    }
  } else if (found.kind == Kind::value && lua_type(L_, -1) == LUA_TTABLE) {
    push_string(L_, "__index");
    lua_rawget(L_, -2);
    if (lua_type(L_, -1) != LUA_TTABLE) {
      lua_pop(L_, 1);
    } else {
      lua_remove(L_, -2);
    }
  }
  found.is_example = found.kind == Kind::value;
  return found;
}

StaticValue StaticEvaluator::loaded_module(std::string_view name) {
  push_module(L_, name);
  if (!lua_isnil(L_, -1)) return {Kind::value};
  lua_pop(L_, 1);
  return {};
}

}  // namespace lua_kernel
