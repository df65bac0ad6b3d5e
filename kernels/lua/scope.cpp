// SPDX-License-Identifier: BSD-3-Clause
// A parser of Lua's grammar without operator precedence, which makes no difference to scopes. It reads up to the cursor and
// stops there: the blocks that are open then are those around the cursor.
#include "scope.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lua_kernel {
namespace {

/// Deeper nesting than Lua itself takes (LUAI_MAXCCALLS) is skipped, because each level is a few calls here.
constexpr int max_nesting = 200;

class Parser {
 public:
  Parser(std::string_view code, const std::vector<Token>& tokens, std::size_t cursor, bool is_string)
      : code_(code), tokens_(tokens), cursor_(cursor), is_string_(is_string) {}

  Scope run() {
    while (!finished()) {
      block();
      if (!finished()) ++at_;  // a keyword that closes nothing
    }
    return std::move(scope_);
  }

 private:
  using Place = Scope::Place;

  /// The cursor was read.
  [[nodiscard]] bool finished() const { return at_ > cursor_; }
  [[nodiscard]] bool at_cursor() const { return at_ == cursor_; }
  [[nodiscard]] std::string_view text(std::size_t index) const {
    return index < cursor_ ? text_of(tokens_[index], code_) : std::string_view();
  }
  [[nodiscard]] std::string_view text() const { return text(at_); }
  [[nodiscard]] TokenKind kind() const { return at_ < cursor_ ? tokens_[at_].kind : TokenKind::comment; }
  [[nodiscard]] bool at(std::string_view word) const {
    return (kind() == TokenKind::keyword || kind() == TokenKind::symbol) && text() == word;
  }
  bool take(std::string_view word) {
    const bool found = at(word);
    if (found) ++at_;
    return found;
  }
  /// True when the cursor stood here: it is read then.
  bool take_cursor(Place place, TokenRange base = {}) {
    if (!at_cursor()) return false;
    scope_.place = is_string_ && place != Place::index && place != Place::argument ? Place::string : place;
    scope_.base = base;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_name() const { return kind() == TokenKind::name; }
  [[nodiscard]] bool at_string_cursor() const { return at_cursor() && is_string_; }

  void declare(Variable::Kind kind, std::size_t token, TokenRange value = {}) {
    scope_.variables.push_back({text(token), kind, token, value});
  }
  /// The variables that came since `mark` end, unless the cursor is among them.
  void close(std::size_t mark) {
    if (!finished())
      scope_.variables.erase(scope_.variables.begin() + static_cast<std::ptrdiff_t>(mark), scope_.variables.end());
  }

  void block() {
    while (!finished() && !at("end") && !at("else") && !at("elseif") && !at("until")) {
      const std::size_t before = at_;
      statement();
      if (at_ == before) ++at_;
    }
  }

  void scoped_block() {
    const std::size_t mark = scope_.variables.size();
    block();
    close(mark);
  }

  void statement() {
    if (depth_ >= max_nesting) return;
    ++depth_;
    if (take("do")) {
      scoped_block();
      take("end");
    } else if (take("while")) {
      expression();
      take("do");
      scoped_block();
      take("end");
    } else if (take("if")) {
      if_statement();
    } else if (take("repeat")) {
      const std::size_t mark = scope_.variables.size();
      block();
      if (take("until")) expression();
      close(mark);
    } else if (take("for")) {
      for_statement();
    } else if (take("function")) {
      function_statement();
    } else if (take("local")) {
      local_statement();
    } else if (take("goto")) {
      if (!take_cursor(Place::label) && at_name()) ++at_;
    } else if (take("return")) {
      expressions();
    } else if (take("::")) {
      if (!take_cursor(Place::declaration) && at_name()) ++at_;
      take("::");
    } else {
      expression_statement();
    }
    --depth_;
  }

  void if_statement() {
    do {
      expression();
      take("then");
      scoped_block();
    } while (take("elseif"));
    if (take("else")) scoped_block();
    take("end");
  }

  void for_statement() {
    std::vector<std::size_t> names;
    do {
      if (take_cursor(Place::declaration)) return;
      if (at_name()) names.push_back(at_++);
    } while (take(","));
    if (take("=") || take("in")) expressions();
    take("do");
    const std::size_t mark = scope_.variables.size();
    if (!finished()) {
      for (const std::size_t name : names) declare(Variable::Kind::loop, name);
    }
    block();
    close(mark);
    take("end");
  }

  void function_statement() {
    const std::size_t begin = at_ - 1;
    const std::size_t name = at_;
    std::string path(text());
    if (take_cursor(Place::expression)) return;
    if (at_name()) ++at_;
    bool method = false;
    while (at(".") || at(":")) {
      const std::size_t base_end = at_;
      method = at(":");
      ++at_;
      if (take_cursor(Place::field, {name, base_end})) return;
      if (!at_name()) break;
      path += "." + std::string(text());
      ++at_;
    }
    const TokenRange self = method && at_ >= name + 2 ? TokenRange{name, at_ - 2} : TokenRange{};
    const std::size_t index = scope_.definitions.size();
    scope_.definitions.push_back({std::move(path), begin, {begin, cursor_}});  // until its end is known
    const TokenRange value = function_body(begin, method, self);
    scope_.definitions[index].value = value;
  }

  void local_statement() {
    if (take("function")) {
      if (take_cursor(Place::declaration)) return;
      const std::size_t name = at_;
      const std::size_t index = scope_.variables.size();
      if (at_name()) {
        ++at_;
        declare(Variable::Kind::local, name);
        scope_.variables.back().value = {name - 1, cursor_};  // until its end is known
      }
      const TokenRange value = function_body(name - 1, false, {});
      if (index < scope_.variables.size() && scope_.variables[index].token == name) scope_.variables[index].value = value;
      return;
    }
    std::vector<std::size_t> names;
    do {
      if (take_cursor(Place::declaration)) return;
      if (at_name()) names.push_back(at_++);
      if (take("<")) {
        if (take_cursor(Place::attribute)) return;
        if (at_name()) ++at_;
        take(">");
      }
    } while (take(","));
    std::vector<TokenRange> values;
    if (take("=")) values = expressions();
    if (finished()) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      declare(Variable::Kind::local, names[i], i < values.size() ? values[i] : TokenRange{});
    }
  }

  void expression_statement() {
    const std::size_t begin = at_;
    if (!at_name() && !at("(") && !at_cursor()) return;
    statement_start_ = true;
    std::vector<std::string> targets;
    do {
      const std::size_t target = at_;
      suffixed();
      statement_start_ = false;
      targets.push_back(path_of({target, at_}));
    } while (take(","));
    if (!take("=")) return;
    const auto values = expressions();
    if (finished()) return;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].empty()) continue;
      scope_.definitions.push_back({std::move(targets[i]), begin, i < values.size() ? values[i] : TokenRange{}});
    }
  }

  /// "a.b.c" for those tokens, nothing for others.
  [[nodiscard]] std::string path_of(TokenRange range) const {
    std::string path;
    for (std::size_t i = range.begin; i < range.end && i < cursor_; ++i) {
      const bool name_expected = (i - range.begin) % 2 == 0;
      if (name_expected ? tokens_[i].kind != TokenKind::name : text(i) != ".") return {};
      path += text(i);
    }
    return path;
  }

  std::vector<TokenRange> expressions() {
    std::vector<TokenRange> found;
    do {
      const std::size_t begin = at_;
      expression();
      found.push_back({begin, at_});
    } while (!finished() && take(","));
    return found;
  }

  void expression() {
    if (depth_ >= max_nesting) return;
    ++depth_;
    do {
      while (at("not") || at("-") || at("#") || at("~")) ++at_;
    } while (operand() && take_binary_operator());
    --depth_;
  }

  bool take_binary_operator() {
    constexpr std::array<std::string_view, 21> operators = {"+",  "-", "*",  "/", "//", "%", "^",  "..", "==",  "~=", "<",
                                                            "<=", ">", ">=", "&", "|",  "~", "<<", ">>", "and", "or"};
    const bool found = (kind() == TokenKind::symbol || kind() == TokenKind::keyword) && contains(operators, text());
    if (found) ++at_;
    return found;
  }

  bool operand() {
    if (at("function")) {
      ++at_;
      function_body(at_ - 1, false, {});
      return true;
    }
    if (at("{")) {
      table();
      return true;
    }
    if (at_name() || at("(") || at_cursor()) {
      suffixed();
      return true;
    }
    const TokenKind found = kind();
    const bool simple = found == TokenKind::number || found == TokenKind::string || found == TokenKind::unfinished ||
                        at("nil") || at("true") || at("false") || at("...");
    if (simple) ++at_;
    return simple;
  }

  void suffixed() {
    const std::size_t begin = at_;
    if (take_cursor(statement_start_ ? Place::statement : Place::expression)) return;
    statement_start_ = false;
    if (take("(")) {
      expression();
      take(")");
    } else {
      ++at_;
    }
    while (!finished()) {
      const TokenRange base{begin, at_};
      if (at(".") || at(":")) {
        const Place place = at(".") ? Place::field : Place::method;
        ++at_;
        if (at_string_cursor() || take_cursor(place, base) || !at_name()) return;
        ++at_;
      } else if (take("[")) {
        if (at_string_cursor() && take_cursor(Place::index, base)) return;
        expression();
        take("]");
      } else if (!arguments(base)) {
        return;
      }
    }
  }

  bool arguments(TokenRange callee) {
    if (at_string_cursor()) return take_cursor(Place::argument, callee);
    if (kind() == TokenKind::string || kind() == TokenKind::unfinished) {
      ++at_;
    } else if (at("{")) {
      table();
    } else if (take("(")) {
      if (at_string_cursor() && take_cursor(Place::argument, callee)) return true;
      expressions();
      take(")");
    } else {
      return false;
    }
    return true;
  }

  void table() {
    ++at_;
    while (!finished() && !take("}")) {
      const std::size_t before = at_;
      if (take("[")) {
        expression();
        take("]");
        take("=");
        expression();
      } else {
        expression();
        if (take("=")) expression();
      }
      if (!take(",") && !take(";") && !at("}") && at_ == before) return;  // no part of a table: it was never closed
    }
  }

  /// From the parameters to the end; `begin` is the keyword function.
  TokenRange function_body(std::size_t begin, bool method, TokenRange self) {
    const std::size_t mark = scope_.variables.size();
    if (method) scope_.variables.push_back({"self", Variable::Kind::parameter, begin, self});
    if (take("(")) {
      while (!finished() && !take(")")) {
        if (take_cursor(Place::declaration)) break;
        if (at_name()) {
          declare(Variable::Kind::parameter, at_++);
        } else if (!take(",") && !take("...")) {
          break;
        }
      }
    }
    if (depth_ < max_nesting) {
      ++depth_;
      block();
      --depth_;
    }
    take("end");
    close(mark);
    return {begin, std::min(at_, cursor_)};
  }

  std::string_view code_;
  const std::vector<Token>& tokens_;
  std::size_t cursor_;
  bool is_string_;
  bool statement_start_ = false;
  std::size_t at_ = 0;
  int depth_ = 0;
  Scope scope_;
};

bool opens_block(const Token& token, std::string_view text) {
  return token.kind == TokenKind::keyword && (text == "function" || text == "do" || text == "if" || text == "repeat");
}

/// The depth of the function body around the token: a goto reaches no label outside of it.
int function_depth(std::string_view code, const std::vector<Token>& tokens, std::size_t at, int depth) {
  for (std::size_t i = at; i-- > 0;) {
    if (tokens[i].depth >= depth || !opens_block(tokens[i], text_of(tokens[i], code))) continue;
    if (text_of(tokens[i], code) == "function") return depth;
    depth = tokens[i].depth;
  }
  return 0;
}

/// The labels of the blocks around a token, in one direction from it.
template <class Step>
void add_labels(std::string_view code, const std::vector<Token>& tokens, std::size_t from, int depth, int lowest, Step next,
                std::vector<std::string_view>& labels) {
  for (std::size_t i = from; i < tokens.size(); i = next(i)) {
    const std::string_view text = text_of(tokens[i], code);
    depth = std::min(depth, tokens[i].depth);
    // Another branch is another block, though of the same depth.
    if (tokens[i].kind == TokenKind::keyword && tokens[i].depth == depth && (text == "else" || text == "elseif")) --depth;
    if (depth < lowest) return;
    const bool label = tokens[i].kind == TokenKind::name && tokens[i].depth == depth && i > 0 && i + 1 < tokens.size() &&
                       text_of(tokens[i - 1], code) == "::" && text_of(tokens[i + 1], code) == "::";
    if (label) labels.push_back(text);
  }
}

std::vector<std::string_view> visible_labels(std::string_view code, const std::vector<Token>& tokens, std::size_t at) {
  std::vector<std::string_view> labels;
  if (at == 0) return labels;
  const int depth = tokens[at - 1].depth;  // that of the goto
  const int lowest = function_depth(code, tokens, at, depth);
  add_labels(
      code, tokens, at - 1, depth, lowest, [](std::size_t i) { return i - 1; }, labels);
  add_labels(
      code, tokens, at, depth, lowest, [](std::size_t i) { return i + 1; }, labels);
  return labels;
}

}  // namespace

Scope scope_at(std::string_view code, const std::vector<Token>& tokens, std::size_t at, bool is_string) {
  at = std::min(at, tokens.size());
  Scope scope = Parser(code, tokens, at, is_string).run();
  if (scope.place == Scope::Place::label) scope.labels = visible_labels(code, tokens, at);
  return scope;
}

}  // namespace lua_kernel
