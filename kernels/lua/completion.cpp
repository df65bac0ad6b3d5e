// SPDX-License-Identifier: BSD-3-Clause
#include "completion.hpp"

#include "lexer.hpp"
#include "path_completion.hpp"
#include "raw_access.hpp"
#include "scope.hpp"
#include "signature.hpp"
#include "stack_guard.hpp"
#include "standard_library.hpp"
#include "static_value.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace lua_kernel {
namespace {

using adrastea::Completion;
using Place = Scope::Place;
using Kind = StaticValue::Kind;

constexpr std::size_t max_matches = 500;
constexpr std::size_t max_keys_searched = 500'000;  // looked at in one request: some 50 ms

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool starts_with_any_case(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), name.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

/// A string that can be typed between quotes of both kinds as it is.
bool is_typable(std::string_view text) {
  return text.find('\'') == std::string_view::npos && quoted(text, text.size()) == '"' + std::string(text) + '"';
}

/// A name that fits, and where it came from; the rest is found out for the few that are shown.
struct Match {
  enum class Origin { variable, definition, field, keyword, label };
  std::string_view name;
  Origin origin;
  int rank;           ///< lower comes first
  std::size_t order;  ///< of equal names the first one counts

  friend bool operator<(const Match& a, const Match& b) {
    return std::tie(a.rank, a.name, a.order) < std::tie(b.rank, b.name, b.order);
  }
};

/// Gathers matches of a prefix, and keeps the best of any number.
class Matches {
 public:
  explicit Matches(std::string_view prefix) : prefix_(prefix) {}

  [[nodiscard]] bool fits(std::string_view name) const { return starts_with_any_case(name, prefix_); }

  void add(std::string_view name, Match::Origin origin) {
    if (!fits(name)) return;
    const int other_case = name.starts_with(prefix_) ? 0 : 2;
    const int internal = name.starts_with('_') && !prefix_.starts_with('_') ? 1 : 0;
    found_.push_back({name, origin, other_case + internal, count_++});
    if (found_.size() == 4 * kept) keep_best();
  }

  /// In their order, each name once.
  std::vector<Match> take() {
    std::sort(found_.begin(), found_.end());
    const auto same = [](const Match& a, const Match& b) { return a.name == b.name; };
    found_.erase(std::unique(found_.begin(), found_.end(), same), found_.end());
    if (found_.size() > max_matches) found_.resize(max_matches);
    return std::move(found_);
  }

 private:
  // A name may come from a few places; twice the number leaves enough after its copies are gone.
  static constexpr std::size_t kept = 2 * max_matches;

  void keep_best() {
    std::nth_element(found_.begin(), found_.begin() + kept, found_.end());
    found_.resize(kept);
  }

  std::string_view prefix_;
  std::vector<Match> found_;
  std::size_t count_ = 0;
};

class Completer {
 public:
  Completer(lua_State* L, std::string_view code, std::size_t cursor) : L_(L), code_(code), cursor_(cursor) {}

  adrastea::CompleteResult run() {
    if (inside_comment(list_, code_, cursor_)) return {};
    const auto& tokens = list_.tokens;
    // The first token that reaches the cursor, which is the one that it stands in or behind.
    const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const Token& token) { return token.end >= cursor_; });
    const auto at = static_cast<std::size_t>(found - tokens.begin());
    if (found != tokens.end() && found->begin < cursor_) {
      if (found->kind == TokenKind::name || found->kind == TokenKind::keyword) return complete_name(at, found->begin);
      if (found->kind == TokenKind::number) return {};
      const bool in_string =
          found->kind == TokenKind::unfinished || (found->kind == TokenKind::string && cursor_ < found->end);
      if (in_string) return complete_string(at, *found);
      return complete_name(at + 1, cursor_);
    }
    return complete_name(at, cursor_);
  }

 private:
  adrastea::CompleteResult complete_name(std::size_t at, std::size_t begin) {
    scope_ = scope_at(code_, list_.tokens, at);
    Matches matches(code_.substr(begin, cursor_ - begin));
    switch (scope_.place) {
      case Place::statement:
      case Place::expression:
        add_names(matches);
        return names_found(matches.take(), begin);
      case Place::field:
      case Place::method:
        return fields_found(matches, begin, is_identifier);
      case Place::label:
        for (const auto label : scope_.labels) matches.add(label, Match::Origin::label);
        return names_found(matches.take(), begin);
      case Place::declaration:
        if (at > 0 && text_of(list_.tokens[at - 1], code_) == "local") matches.add("function", Match::Origin::keyword);
        return names_found(matches.take(), begin);
      case Place::attribute:
        for (const std::string_view attribute : {"close", "const"}) matches.add(attribute, Match::Origin::keyword);
        return names_found(matches.take(), begin);
      case Place::index:
      case Place::argument:
      case Place::string:
        break;
    }
    return {};
  }

  adrastea::CompleteResult complete_string(std::size_t at, const Token& token) {
    const std::string_view literal = text_of(token, code_);
    const std::size_t quote = literal.starts_with('[') ? literal.find('[', 1) + 1 : 1;
    const std::size_t begin = token.begin + quote;
    if (quote == 0 || begin > cursor_) return {};
    const std::string_view typed = code_.substr(begin, cursor_ - begin);
    if (!is_typable(typed)) return {};
    scope_ = scope_at(code_, list_.tokens, at, true);
    if (scope_.place == Place::index) {
      Matches matches(typed);
      return fields_found(matches, begin, is_typable);
    }
    if (scope_.place == Place::argument && evaluator_.path_of(scope_.base) == "require" &&
        evaluator_.variable("require") == nullptr) {
      return texts_found(complete_module(L_, typed), "module", begin);
    }
    const std::size_t name = typed.rfind('/') + 1;
    return texts_found(complete_path(typed), "path", begin + name);
  }

  void add_names(Matches& matches) {
    const auto& variables = scope_.variables;
    for (std::size_t i = variables.size(); i-- > 0;) matches.add(variables[i].name, Match::Origin::variable);
    const bool statement = scope_.place == Place::statement;
    for (const auto keyword : keywords()) {
      constexpr std::array<std::string_view, 5> in_expressions = {"false", "function", "nil", "not", "true"};
      const bool fits = statement || std::binary_search(in_expressions.begin(), in_expressions.end(), keyword);
      if (fits) matches.add(keyword, Match::Origin::keyword);
    }
    push_globals(L_);
    add_fields(matches, is_identifier);
    for (const Definition& definition : scope_.definitions) {
      if (definition.path.find('.') == std::string::npos) matches.add(definition.path, Match::Origin::definition);
    }
  }

  /// Of the value on top.
  void add_fields(Matches& matches, bool (*is_offered)(std::string_view)) {
    const bool only_functions = scope_.place == Place::method;
    visit_fields(L_, lua_gettop(L_), max_keys_searched, [&](std::string_view key) {
      const bool right_type = !only_functions || lua_type(L_, -1) == LUA_TFUNCTION;
      if (right_type && matches.fits(key) && is_offered(key)) matches.add(key, Match::Origin::field);
      return true;
    });
  }

  /// The value whose fields are offered is below the matches: on top of the stack.
  adrastea::CompleteResult fields_found(Matches& matches, std::size_t begin, bool (*is_offered)(std::string_view)) {
    const StaticValue base = evaluator_.evaluate(scope_.base);
    if (base.kind == Kind::value) {
      add_fields(matches, is_offered);
    } else {
      lua_pushnil(L_);
    }
    const bool only_functions = scope_.place == Place::method;
    if (base.kind == Kind::table) {
      constructor_fields_ = evaluator_.fields_of(base.tokens);
      for (const auto& field : constructor_fields_) {
        const StackGuard guard(L_);
        const bool function = evaluator_.evaluate(field.value).kind == Kind::function;
        if (function || !only_functions) matches.add(field.name, Match::Origin::definition);
      }
    }
    const std::string path = evaluator_.path_of(scope_.base) + ".";
    for (const Definition& definition : scope_.definitions) {
      const std::string_view name = std::string_view(definition.path).substr(std::min(path.size(), definition.path.size()));
      const bool field = path.size() > 1 && definition.path.starts_with(path) && name.find('.') == std::string_view::npos;
      const bool fits = field && (!only_functions || is_function(definition.value));
      if (fits) matches.add(name, Match::Origin::definition);
    }
    return names_found(matches.take(), begin);
  }

  bool is_function(TokenRange value) const {
    return !value.empty() && text_of(list_.tokens[value.begin], code_) == "function";
  }

  adrastea::CompleteResult names_found(const std::vector<Match>& matches, std::size_t begin) {
    adrastea::CompleteResult result{.start = begin, .end = cursor_};
    for (const Match& match : matches) result.matches.push_back(describe(match));
    return result;
  }

  [[nodiscard]] adrastea::CompleteResult texts_found(std::vector<std::string> texts, const char* type,
                                                     std::size_t begin) const {
    adrastea::CompleteResult result{.start = begin, .end = cursor_};
    for (std::string& text : texts) {
      if (result.matches.size() == max_matches) break;
      if (is_typable(text)) result.matches.push_back({.text = std::move(text), .type = type});
    }
    return result;
  }

  Completion describe(const Match& match) {
    Completion completion{.text = std::string(match.name)};
    switch (match.origin) {
      case Match::Origin::keyword:
        completion.type = "keyword";
        break;
      case Match::Origin::label:
        completion.type = "label";
        break;
      case Match::Origin::variable: {
        const Variable* variable = evaluator_.variable(match.name);
        completion.type = variable->kind == Variable::Kind::parameter ? "param" : "instance";
        describe_value(evaluator_.evaluate(variable->value), completion);
        break;
      }
      case Match::Origin::definition:
        completion.type = "instance";
        describe_value(definition_value(match.name), completion);
        break;
      case Match::Origin::field:
        push_field(L_, -1, match.name);
        describe_value({Kind::value}, completion);
        break;
    }
    if (scope_.place == Place::method) completion.signature = without_first_parameter(completion.signature);
    return completion;
  }

  StaticValue definition_value(std::string_view name) {
    for (const auto& field : constructor_fields_) {
      if (field.name == name) return evaluator_.evaluate(field.value);
    }
    const std::string base = evaluator_.path_of(scope_.base);
    const Definition* definition = evaluator_.definition(base.empty() ? std::string(name) : base + "." + std::string(name));
    return definition != nullptr ? evaluator_.evaluate(definition->value) : StaticValue();
  }

  /// Pops the value when it was pushed.
  void describe_value(const StaticValue& value, Completion& completion) {
    if (value.kind == Kind::function) {
      completion.type = "function";
      completion.signature = signature_of(code_, list_.tokens, value.tokens);
    }
    if (value.kind != Kind::value) return;
    const int type = lua_type(L_, -1);
    if (type == LUA_TFUNCTION) {
      completion.type = "function";
      completion.signature = signature_of(L_, -1, standard_);
    } else if (type == LUA_TTABLE && is_module()) {
      completion.type = "module";
    } else if (completion.type.empty()) {
      completion.type = "instance";
    }
    lua_pop(L_, 1);
  }

  /// Whether the table on top is one that require returns.
  bool is_module() {
    if (!modules_) {
      modules_.emplace();
      const StackGuard guard(L_);
      push_loaded_modules(L_);
      visit_fields(L_, -1, max_keys_searched, [&](std::string_view) {
        modules_->push_back(lua_topointer(L_, -1));
        return true;
      });
    }
    return std::find(modules_->begin(), modules_->end(), lua_topointer(L_, -1)) != modules_->end();
  }

  lua_State* L_;
  std::string_view code_;
  std::size_t cursor_;
  TokenList list_ = tokenize(code_);
  Scope scope_;
  StandardValues standard_{L_};
  StaticEvaluator evaluator_{L_, code_, list_.tokens, scope_};
  std::vector<StaticEvaluator::Field> constructor_fields_;
  std::optional<std::vector<const void*>> modules_;
};

}  // namespace

adrastea::CompleteResult complete(lua_State* L, const adrastea::CompleteRequest& request) {
  const Looking looking(L);
  return Completer(L, request.code, std::min(request.cursor, request.code.size())).run();
}

}  // namespace lua_kernel
