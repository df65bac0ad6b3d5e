// SPDX-License-Identifier: BSD-3-Clause
#include "chunk.hpp"

#include "finalizers.hpp"
#include "lexer.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace lua_kernel {
namespace {

/// A trailing expression cannot reach back over these.
bool is_boundary(const Token& token, std::string_view text) {
  constexpr std::array<std::string_view, 13> words = {"local", "if",     "then",  "else", "elseif", "while", "for",
                                                      "do",    "repeat", "until", "goto", "break",  "in"};
  if (token.kind == TokenKind::keyword) return contains(words, text);
  return token.kind == TokenKind::symbol && (text == "=" || text == ";" || text == "::");
}

bool can_start_expression(const Token& token, std::string_view text) {
  constexpr std::array<std::string_view, 5> words = {"nil", "true", "false", "not", "function"};
  constexpr std::array<std::string_view, 6> symbols = {"(", "{", "-", "~", "#", "..."};
  switch (token.kind) {
    case TokenKind::keyword:
      return contains(words, text);
    case TokenKind::symbol:
      return contains(symbols, text);
    case TokenKind::unfinished:
      return false;
    default:
      return true;
  }
}

bool can_end_statement(const Token& token, std::string_view text) {
  constexpr std::array<std::string_view, 5> words = {"end", "nil", "true", "false", "break"};
  constexpr std::array<std::string_view, 7> symbols = {")", "]", "}", ";", "::", "...", ">"};
  if (token.kind == TokenKind::keyword) return contains(words, text);
  if (token.kind == TokenKind::symbol) return contains(symbols, text);
  return token.kind != TokenKind::unfinished;
}

struct Pieces {
  const std::string_view* next;
  const std::string_view* end;
};

const char* read_piece(lua_State*, void* data, std::size_t* size) {
  auto& pieces = *static_cast<Pieces*>(data);
  while (pieces.next != pieces.end && pieces.next->empty()) ++pieces.next;  // an empty piece would be the end of the chunk
  if (pieces.next == pieces.end) return nullptr;
  const std::string_view piece = *pieces.next++;
  *size = piece.size();
  return piece.data();
}

class CellCompiler {
 public:
  CellCompiler(lua_State* L, std::string_view code, std::string chunk_name)
      : L_(L), code_(code), chunk_name_(std::move(chunk_name)) {}

  CompiledCell run() {
    if (compiles({"return nil,", code_})) return with_values(code_);
    const TokenList list = tokenize(code_);
    if (list.open == 0 && compiles_trailing_values(list.tokens)) return with_values(values_);
    if (compiles({code_})) return {.status = CompiledCell::Status::compiled};
    return {.status = reached_end_ ? CompiledCell::Status::incomplete : CompiledCell::Status::invalid,
            .message = message_,
            .out_of_memory = out_of_memory_};
  }

 private:
  /// Pushes the function, or keeps the message.
  bool compiles(std::initializer_list<std::string_view> text) {
    Pieces pieces{text.begin(), text.end()};
    const int status = lua_load(L_, read_piece, &pieces, chunk_name_.c_str(), "t");
    if (status == LUA_OK) return true;
    std::size_t size = 0;
    const char* message = lua_tolstring(L_, -1, &size);
    message_ = message != nullptr ? std::string(message, size) : "the compiler failed";
    lua_pop(L_, 1);
    out_of_memory_ = status == LUA_ERRMEM;
    at_end_ = message_.ends_with("<eof>") || message_.ends_with("'<eof>'");  // LuaJIT quotes it
    reached_end_ = reached_end_ || at_end_;
    return false;
  }

  /// Whether it would compile; pushes nothing and leaves no trace.
  bool would_compile(std::initializer_list<std::string_view> text) {
    const bool reached_end = reached_end_;
    const bool fits = compiles(text);
    if (fits) lua_pop(L_, 1);
    reached_end_ = reached_end;
    return fits;
  }

  CompiledCell with_values(std::string_view values) {
    // An expression that is a statement too can only be a call, and one has its arguments in these.
    const bool is_call = values.find_first_of("({\"'[") != std::string_view::npos && would_compile({values});
    return {.status = CompiledCell::Status::compiled, .placeholder = true, .is_call = is_call};
  }

  /// Looks for the last place where a statement could start and an expression does, from the end.
  bool compiles_trailing_values(const std::vector<Token>& tokens) {
    std::size_t i = tokens.size();
    if (i > 0 && text_of(tokens[i - 1], code_) == ";") --i;
    while (i-- > 0) {
      const Token& token = tokens[i];
      if (token.depth < 0) return false;
      if (token.depth > 0) continue;
      const std::string_view text = text_of(token, code_);
      if (token.kind == TokenKind::keyword && text == "return") return compiles_values_at(token.end, " nil,");
      if (is_boundary(token, text)) return false;
      if (starts_statement(tokens, i) && compiles_values_at(token.begin, " return nil,")) return true;
    }
    return false;
  }

  /// Whether Lua would not read the token as the continuation of what stands before it.
  bool starts_statement(const std::vector<Token>& tokens, std::size_t i) {
    const std::string_view text = text_of(tokens[i], code_);
    if (!can_start_expression(tokens[i], text)) return false;
    if (i == 0) return true;
    const Token& before = tokens[i - 1];
    const std::string_view text_before = text_of(before, code_);
    if (!can_end_statement(before, text_before)) return false;

    // Calls and binary operators: none of these probes can start a statement, so what compiles was continued.
    // Without the newlines between: LuaJIT refuses a call that starts on the next line, rather than taking it as a
    // statement.
    const std::string_view head = code_.substr(0, before.end);
    if (text == "-" || text == "~") {
      const bool after_operand = before.kind == TokenKind::string || text_before == ")" || text_before == "}";
      return !after_operand && !would_compile({head, " ", text, "1"});
    }
    if (text == "(") return !would_compile({head, " ()"});
    if (text == "{") return !would_compile({head, " {}"});
    if (tokens[i].kind == TokenKind::string) return !would_compile({head, " ''"});
    return true;
  }

  bool compiles_values_at(std::size_t at, std::string_view inserted) {
    values_ = code_.substr(at);
    // The values alone first: that fails at their first token that does not fit, the whole cell only after all before it.
    if (!would_compile({"return nil,", values_}) && !at_end_) return false;
    return compiles({code_.substr(0, at), inserted, values_});
  }

  lua_State* L_;
  std::string_view code_;
  std::string chunk_name_;
  std::string_view values_;
  std::string message_;
  bool out_of_memory_ = false;
  bool at_end_ = false;       // the latest attempt failed at the end of the code
  bool reached_end_ = false;  // so did any that counts
};

}  // namespace

CompiledCell compile_cell(lua_State* L, std::string_view code, const std::string& chunk_name) {
  const FinalizersHeldBack held_back(L);
  return CellCompiler(L, code, chunk_name).run();
}

}  // namespace lua_kernel
