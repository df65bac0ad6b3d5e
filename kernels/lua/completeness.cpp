// SPDX-License-Identifier: BSD-3-Clause
#include "completeness.hpp"

#include "chunk.hpp"
#include "help_query.hpp"
#include "lexer.hpp"
#include "raw_access.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lua_kernel {
namespace {

constexpr std::string_view default_unit = "  ";
constexpr std::size_t widest_unit = 8;

/// A line that has tokens.
struct Line {
  std::size_t first;  ///< its first token
  std::string_view indent;
};

std::vector<Line> lines_of(std::string_view code, const std::vector<Token>& tokens) {
  std::vector<Line> lines;
  std::size_t before = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::size_t newline = code.substr(before, tokens[i].begin - before).rfind('\n');
    if (i == 0 || newline != std::string_view::npos) {
      const std::size_t start = newline == std::string_view::npos ? 0 : before + newline + 1;
      const std::string_view line = code.substr(start, tokens[i].begin - start);
      lines.push_back({i, line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()))});
    }
    before = tokens[i].end;
  }
  return lines;
}

/// What a line is further in than the one before: the least that occurs in the code.
std::string unit_of(const std::vector<Line>& lines) {
  std::string_view unit;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string_view outer = lines[i - 1].indent;
    const std::string_view inner = lines[i].indent;
    if (!inner.starts_with(outer) || inner.size() == outer.size()) continue;
    const std::string_view more = inner.substr(outer.size());
    if (more.size() <= widest_unit && (unit.empty() || more.size() < unit.size())) unit = more;
  }
  return std::string(unit.empty() ? default_unit : unit);
}

class Indentation {
 public:
  Indentation(std::string_view code, const TokenList& list)
      : code_(code), tokens_(list.tokens), depth_(std::max(list.open, 0)), lines_(lines_of(code, list.tokens)) {}

  /// Of the line after the code.
  [[nodiscard]] std::string next() const {
    if (tokens_.empty() || tokens_.back().kind == TokenKind::unfinished) return {};
    const std::string unit = unit_of(lines_);
    const std::optional<std::size_t> opener = innermost_opener();
    const Line* line = last_line_of_block(opener);
    if (line == nullptr) return std::string(line_with(*opener).indent) + unit;
    const bool deeper = starts_branch(*line) || breaks_off(*line, opener);
    return std::string(line->indent) + (deeper ? unit : std::string());
  }

 private:
  [[nodiscard]] std::string_view text(std::size_t token) const { return text_of(tokens_[token], code_); }

  [[nodiscard]] std::optional<std::size_t> innermost_opener() const {
    for (std::size_t i = tokens_.size(); depth_ > 0 && i-- > 0;) {
      if (tokens_[i].depth == depth_ - 1) return i;
    }
    return {};
  }

  /// The last token before what a block holds: after the parameters of a function, or the condition of an if.
  [[nodiscard]] std::size_t end_of_head(std::size_t opener) const {
    if (tokens_[opener].kind != TokenKind::keyword) return opener;
    const std::string_view last = text(opener) == "function" ? ")" : text(opener) == "if" ? "then" : "";
    for (std::size_t i = opener + 1; !last.empty() && i < tokens_.size(); ++i) {
      if (tokens_[i].depth == depth_ && text(i) == last && tokens_[i].kind != TokenKind::string) return i;
    }
    return opener;
  }

  [[nodiscard]] const Line& line_with(std::size_t token) const {
    const auto after = std::partition_point(lines_.begin(), lines_.end(), [&](const Line& l) { return l.first <= token; });
    return *std::prev(after);
  }

  /// The last line that starts directly in the open block; nullptr where it has none yet.
  [[nodiscard]] const Line* last_line_of_block(std::optional<std::size_t> opener) const {
    const std::size_t before = opener ? end_of_head(*opener) : 0;
    for (auto line = lines_.rbegin(); line != lines_.rend() && (!opener || line->first > before); ++line) {
      if (tokens_[line->first].depth == depth_) return &*line;
    }
    return opener ? nullptr : &lines_.back();
  }

  [[nodiscard]] bool starts_branch(const Line& line) const {
    constexpr std::array<std::string_view, 3> words = {"else", "elseif", "then"};
    return tokens_[line.first].kind == TokenKind::keyword && contains(words, text(line.first));
  }

  /// Whether the statement of the last line goes on in the next one, and the line is its first.
  [[nodiscard]] bool breaks_off(const Line& line, std::optional<std::size_t> opener) const {
    const std::size_t last = tokens_.size() - 1;
    if (!opener && !goes_on(last, opener)) return true;  // `while x`: incomplete, though nothing is open
    const bool is_second = line.first > 0 && line.first - 1 != opener && goes_on(line.first - 1, opener);
    return goes_on(last, opener) && !is_second;
  }

  /// Whether something must follow the token.
  [[nodiscard]] bool goes_on(std::size_t token, std::optional<std::size_t> opener) const {
    constexpr std::array<std::string_view, 23> symbols = {"+",  "-", "*", "/", "//", "%",  "^", "..", "==", "~=", "<", "<=",
                                                          ">=", "&", "|", "~", "<<", ">>", "=", ".",  ":",  "#",  ","};
    constexpr std::array<std::string_view, 8> words = {"and", "or", "not", "local", "goto", "in", "until", "for"};
    if (tokens_[token].kind == TokenKind::keyword) return contains(words, text(token));
    if (tokens_[token].kind != TokenKind::symbol) return false;
    const bool in_brackets = opener && tokens_[*opener].kind == TokenKind::symbol;
    return contains(symbols, text(token)) && !(in_brackets && text(token) == ",");
  }

  std::string_view code_;
  const std::vector<Token>& tokens_;
  int depth_;
  std::vector<Line> lines_;
};

}  // namespace

adrastea::IsCompleteResult is_complete(lua_State* L, std::string_view code) {
  using Status = adrastea::IsCompleteResult::Status;
  if (parse_help_query(code)) return {.status = Status::complete};
  const Looking looking(L);
  // With the newline that a console would add: it cuts off a string that is only open on its line.
  const std::string text = std::string(code) + "\n";
  const CompiledCell cell = compile_cell(L, text, "=code");
  if (cell.status == CompiledCell::Status::compiled) return {.status = Status::complete};
  if (cell.status == CompiledCell::Status::invalid) return {.status = Status::invalid};
  const TokenList list = tokenize(text);
  return {.status = Status::incomplete, .indent = Indentation(text, list).next()};
}

}  // namespace lua_kernel
