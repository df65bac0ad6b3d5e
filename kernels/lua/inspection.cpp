// SPDX-License-Identifier: BSD-3-Clause
#include "inspection.hpp"

#include "doc_comment.hpp"
#include "help_page.hpp"
#include "lexer.hpp"
#include "raw_access.hpp"
#include "scope.hpp"
#include "session.hpp"
#include "signature.hpp"
#include "stack_guard.hpp"
#include "standard_library.hpp"
#include "static_value.hpp"
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lua_kernel {
namespace {

using Place = Scope::Place;
using Kind = StaticValue::Kind;

constexpr std::size_t max_functions = 200;  // listed of one table
constexpr std::size_t max_keys = 20'000;    // looked at for that
constexpr std::size_t longest_expression = 500;
constexpr std::size_t max_targets = 10;  // a call in a call in a call

ValueLimits preview_limits() {
  return {
      .depth = 2, .entries = 20, .total_entries = 200, .text_bytes = 100, .whole_text_bytes = 1000, .asks_tostring = false};
}

std::string first_sentence(std::string_view text) {
  const std::size_t stop = text.find(". ");
  return std::string(text.substr(0, stop == std::string_view::npos ? stop : stop + 1));
}

int line_of(std::string_view code, std::size_t position) {
  return 1 + static_cast<int>(std::count(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
}

std::string place_text(const lua_Debug& function) {
  const std::string_view source = function.source;
  const std::string line = ", line " + std::to_string(function.linedefined);
  if (source.starts_with('=')) return "cell " + std::string(source.substr(1)) + line;
  if (source.starts_with('@')) return std::string(source.substr(1)) + line;
  return "a string given to load" + line;
}
bool belongs_to_kernel(std::string_view entry) {
  const std::string_view owner = entry.substr(0, entry.find_first_of(".:"));
  return owner == "jupyter" || owner == "comm" || owner == "bar" || owner == "handle";
}

class Inspector {
 public:
  Inspector(Session& session, std::string_view code, std::size_t cursor, int detail_level)
      : session_(session), L_(session.state()), code_(code), cursor_(cursor), detail_level_(detail_level) {}

  adrastea::InspectResult run() {
    if (inside_comment(list_, code_, cursor_)) return {};
    bool found = false;
    for (const std::size_t target : targets()) {
      const StackGuard guard(L_);
      found = describe(target);
      if (found) break;
    }
    if (!found) return {};
    return {.found = true, .data = {{"text/plain", page_.text()}, {"text/markdown", page_.markdown()}}};
  }

 private:
  [[nodiscard]] std::string_view text(std::size_t token) const { return text_of(list_.tokens[token], code_); }

  /// The word at the cursor, then the functions in whose parentheses it stands, from the inside.
  [[nodiscard]] std::vector<std::size_t> targets() const {
    const auto& tokens = list_.tokens;
    std::vector<std::size_t> found;
    const auto is_word = [](const Token& token) {
      return token.kind == TokenKind::name || token.kind == TokenKind::keyword;
    };
    for (std::size_t i = 0; i < tokens.size() && tokens[i].begin <= cursor_; ++i) {
      if (is_word(tokens[i]) && cursor_ <= tokens[i].end) found = {i};
    }
    const auto after =
        std::partition_point(tokens.begin(), tokens.end(), [&](const Token& t) { return t.begin < cursor_; });
    int depth = after == tokens.end() ? list_.open : after->depth;
    if (after != tokens.end() && is_closer(*after)) ++depth;
    for (auto i = static_cast<std::size_t>(after - tokens.begin()); i-- > 1 && found.size() < max_targets;) {
      if (tokens[i].depth >= depth) continue;
      depth = tokens[i].depth;
      if (text(i) == "(" && tokens[i - 1].kind == TokenKind::name) found.push_back(i - 1);
    }
    return found;
  }

  [[nodiscard]] bool is_closer(const Token& token) const {
    const std::string_view word = text_of(token, code_);
    return (token.kind == TokenKind::symbol && (word == ")" || word == "]" || word == "}")) ||
           (token.kind == TokenKind::keyword && (word == "end" || word == "until"));
  }

  /// Writes the page about a word; false when nothing is known of it.
  bool describe(std::size_t target) {
    const std::string word(text(target));
    if (list_.tokens[target].kind == TokenKind::keyword) return describe_keyword(word);
    scope_ = scope_at(code_, list_.tokens, target);
    if (scope_.place == Place::declaration) return describe_declaration(target);
    // Those of the whole cell: a function may be used before it is defined.
    if (!definitions_) definitions_ = scope_at(code_, list_.tokens, list_.tokens.size()).definitions;
    scope_.definitions = *definitions_;
    if (scope_.place == Place::field || scope_.place == Place::method) {
      const StaticValue base = evaluator_.evaluate(scope_.base);
      const std::string base_path = evaluator_.path_of(scope_.base);
      const StaticValue value = evaluator_.field(base, scope_.base, word);
      const std::string path = base_path.empty() ? word : base_path + "." + word;
      return describe_value(value, path) || describe_definition(path);
    }
    if (scope_.place == Place::label || scope_.place == Place::attribute) return false;
    if (const Variable* variable = evaluator_.variable(word)) return describe_variable(*variable);
    return describe_value(evaluator_.global(word), word) || describe_definition(word);
  }

  bool describe_keyword(std::string_view word) {
    const StandardEntry* entry = keyword_entry(word);
    if (entry == nullptr) return false;
    page_.code(entry->signature);
    page_.paragraph(entry->text);
    return true;
  }

  /// A name that is being declared is in scope behind its declaration.
  bool describe_declaration(std::size_t target) {
    for (std::size_t end = target + 1; end <= list_.tokens.size(); ++end) {
      scope_ = scope_at(code_, list_.tokens, end);
      for (Variable& variable : scope_.variables) {
        if (variable.token != target) continue;
        if (!variable.value.empty() && text(variable.value.begin) == "function")
          variable.value.end = end_of(variable.value.begin);
        return describe_variable(variable);
      }
      // Far enough for parameters and short values; not through a long cell again and again.
      if (end > target + 50) break;
    }
    return false;
  }

  /// Behind the token that closes what one opens.
  [[nodiscard]] std::size_t end_of(std::size_t opener) const {
    std::size_t end = opener + 1;
    while (end < list_.tokens.size() && list_.tokens[end].depth > list_.tokens[opener].depth) ++end;
    return std::min(end + 1, list_.tokens.size());
  }

  bool describe_variable(const Variable& variable) {
    const StaticValue value = evaluator_.evaluate(variable.value);
    const std::string name(variable.name);
    const char* kind = variable.kind == Variable::Kind::parameter ? "parameter"
                       : variable.kind == Variable::Kind::loop    ? "loop variable"
                                                                  : "local variable";
    if (!describe_value(value, name)) page_.code(name);
    page_.detail("Scope", std::string(kind) + ", line " +
                              std::to_string(line_of(code_, list_.tokens[variable.token].begin)) + " of this cell");
    return true;
  }

  bool describe_definition(const std::string& path) {
    const Definition* definition = evaluator_.definition(path);
    if (definition == nullptr) return false;
    page_.code(path);
    page_.detail("Defined in", "this cell, line " + std::to_string(line_of(code_, list_.tokens[definition->token].begin)));
    return true;
  }

  bool describe_value(const StaticValue& value, const std::string& path) {
    switch (value.is_example ? Kind::other : value.kind) {
      case Kind::unknown:
        return false;
      case Kind::value:
        describe_top(path);
        return true;
      case Kind::function:
        describe_function_in_cell(value.tokens, path);
        return true;
      case Kind::table:
      case Kind::other:
        page_.code(path);
        page_.detail("Set to", shortened(text_of_range(value.tokens), longest_expression));
        return true;
    }
    return false;
  }

  [[nodiscard]] std::string_view text_of_range(TokenRange range) const {
    const std::size_t begin = list_.tokens[range.begin].begin;
    return code_.substr(begin, list_.tokens[range.end - 1].end - begin);
  }

  [[nodiscard]] std::string call_text(std::string path, const std::string& signature) const {
    const bool method = scope_.place == Place::method;
    if (const std::size_t dot = path.rfind('.'); method && dot != std::string::npos) path[dot] = ':';
    return path + (method ? without_first_parameter(signature) : signature);
  }

  void describe_function_in_cell(TokenRange function, const std::string& path) {
    const std::size_t begin = list_.tokens[function.begin].begin;
    page_.code(call_text(path, signature_of(code_, list_.tokens, function)));
    page_.comment(parse_doc_comment(comment_above(code_, list_, begin)));
    page_.detail("Defined in", "this cell, line " + std::to_string(line_of(code_, begin)));
    if (detail_level_ > 0) page_.code(text_of_range(function));
  }

  /// The value is on top of the stack.
  void describe_top(const std::string& path) {
    const StandardEntry* entry = standard_.find(L_, -1);
    if (lua_type(L_, -1) == LUA_TFUNCTION) return describe_function(path, entry);
    page_.code(path);
    if (entry == nullptr && is_number_or_string()) entry = standard_entry(path);
    if (entry != nullptr) page_.paragraph(entry->text);
    page_.detail("Type", type_text());
    // The library's functions say more than their addresses would.
    const bool library = entry != nullptr && entry->signature.empty() && lua_type(L_, -1) == LUA_TTABLE;
    if (!library) page_.detail("Value", layout(*ValueReader(L_, preview_limits()).read(-1), preview_limits().columns));
    list_functions(path);
  }

  bool is_number_or_string() { return lua_type(L_, -1) == LUA_TNUMBER || lua_type(L_, -1) == LUA_TSTRING; }

  std::string type_text() {
    const StackGuard guard(L_);
    const int object = lua_gettop(L_);
    const char* type = luaL_typename(L_, object);
    push_metafield(L_, object, "__name");
    const std::string_view name = string_at(L_, -1);
    return name.empty() ? type : std::string(type) + " (" + shortened(name, longest_expression) + ")";
  }

  void describe_function(const std::string& path, const StandardEntry* entry) {
    if (entry != nullptr) {
      std::string name(entry->name);
      const std::size_t colon = name.find(':');
      std::string signature(entry->signature);
      if (colon != std::string::npos) signature = without_first_parameter(signature);
      const bool method =
          colon == std::string::npos && scope_.place == Place::method && path.find('.') != std::string::npos;
      page_.code(method ? call_text(path, signature) : name + signature);
      page_.paragraph(entry->text);
      page_.detail("Type", belongs_to_kernel(name) ? "function of the kernel's module jupyter"
                                                   : "function of Lua's standard library");
      return;
    }
    lua_Debug function;
    lua_pushvalue(L_, -1);
    if (lua_getinfo(L_, ">S", &function) == 0 || *function.what == 'C') {
      page_.code(path);
      page_.detail("Type", "function in C");
      return;
    }
    page_.code(call_text(path, signature_of(L_, lua_gettop(L_), standard_)));
    const std::string source = session_.sources().lines(function.source, 1, function.lastlinedefined);
    const std::size_t begin = start_of_line(source, function.linedefined);
    page_.comment(parse_doc_comment(comment_above(source, tokenize(source), begin)));
    page_.detail("Defined in", place_text(function));
    if (detail_level_ > 0 && begin < source.size()) page_.code(std::string_view(source).substr(begin));
  }

  static std::size_t start_of_line(std::string_view text, int line) {
    std::size_t start = 0;
    for (int number = 1; number < line && start < text.size(); ++number)
      start = std::min(text.find('\n', start), text.size()) + 1;
    return std::min(start, text.size());
  }

  /// Of the value on top.
  void list_functions(const std::string& path) {
    std::vector<std::string_view> names;
    if (lua_type(L_, -1) == LUA_TSTRING) return;
    visit_fields(L_, lua_gettop(L_), max_keys, [&](std::string_view key) {
      if (lua_type(L_, -1) == LUA_TFUNCTION && is_identifier(key) && !key.starts_with("__")) names.push_back(key);
      return true;
    });
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    if (names.empty() || path == "_G") return;
    const bool methods = lua_type(L_, -1) == LUA_TUSERDATA;
    page_.heading(methods ? "Methods" : "Functions");
    for (std::size_t i = 0; i < std::min(names.size(), max_functions); ++i) {
      const StackGuard guard(L_);
      push_field(L_, -1, names[i]);
      const StandardEntry* entry = standard_.find(L_, -1);
      std::string signature = signature_of(L_, lua_gettop(L_), standard_);
      if (methods) signature = without_first_parameter(signature);
      page_.item(std::string(names[i]) + signature, entry != nullptr ? first_sentence(entry->text) : std::string());
    }
    if (names.size() > max_functions) page_.paragraph(more(names.size() - max_functions));
  }

  Session& session_;
  lua_State* L_;
  std::string_view code_;
  std::size_t cursor_;
  int detail_level_;
  TokenList list_ = tokenize(code_);
  Scope scope_;
  std::optional<std::vector<Definition>> definitions_;
  StandardValues standard_{L_};
  StaticEvaluator evaluator_{L_, code_, list_.tokens, scope_};
  HelpPage page_;
};

}  // namespace

adrastea::InspectResult inspect(Session& session, const adrastea::InspectRequest& request) {
  const Looking looking(session.state());
  const std::size_t cursor = std::min(request.cursor, request.code.size());
  return Inspector(session, request.code, cursor, request.detail_level).run();
}

}  // namespace lua_kernel
