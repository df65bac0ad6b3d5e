// SPDX-License-Identifier: BSD-3-Clause
#include "doc_comment.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace lua_kernel {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(blanks), text.size()));
}

std::size_t line_start(std::string_view code, std::size_t position) {
  const std::size_t newline = code.substr(0, position).rfind('\n');
  return newline == std::string_view::npos ? 0 : newline + 1;
}

/// The words of one comment, without its marks.
std::string_view inside_of(std::string_view comment) {
  comment.remove_prefix(std::min<std::size_t>(2, comment.size()));
  const std::size_t bracket = comment.starts_with('[') ? comment.find_first_not_of('=', 1) : std::string_view::npos;
  if (bracket != std::string_view::npos && comment[bracket] == '[') {
    comment.remove_prefix(bracket + 1);
    if (comment.size() >= bracket + 1 && comment.ends_with(']')) comment.remove_suffix(bracket + 1);
  }
  comment.remove_prefix(std::min(comment.find_first_not_of('-'), comment.size()));
  if (comment.starts_with(' ')) comment.remove_prefix(1);
  return comment;
}

/// "a|b", "string[]", "fun(x: integer): string": ends at a blank outside of brackets that follows no colon or bar.
std::string_view first_type(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (std::string_view("([{<").find(c) != std::string_view::npos) ++depth;
    if (std::string_view(")]}>").find(c) != std::string_view::npos) --depth;
    const bool goes_on = i > 0 && std::string_view(":|,").find(text[i - 1]) != std::string_view::npos;
    if (blanks.find(c) != std::string_view::npos && depth <= 0 && !goes_on) return text.substr(0, i);
  }
  return text;
}

/// Tells types from the words of a sentence, which may stand in the same place.
bool is_type(std::string_view word) {
  constexpr std::array<std::string_view, 20> names = {
      "any", "bool",   "boolean", "false",  "fun", "func",  "function", "int",  "integer",  "lightuserdata",
      "nil", "number", "self",    "string", "tab", "table", "thread",   "true", "userdata", "void"};
  const std::string_view name = word.substr(0, word.find_first_of("([<?|{"));
  const bool has_marks = word.find_first_of("|<[?") != std::string_view::npos || word.starts_with("fun(");
  return contains(names, name) || (has_marks && is_identifier(word.substr(0, 1)));
}

std::string_view take_word(std::string_view& text) {
  text = trimmed_left(text);
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  text = trimmed_left(text.substr(word.size()));
  return word;
}

std::string_view take_type(std::string_view& text) {
  text = trimmed_left(text);
  const std::string_view type = first_type(text);
  text = trimmed_left(text.substr(type.size()));
  return type;
}

std::string_view without_hash(std::string_view text) {
  if (text.starts_with('#') || text.starts_with("- ")) text = trimmed_left(text.substr(1));
  return text;
}

/// A tag with its text, which may go on over lines.
struct Tag {
  std::string name;
  std::string modifiers;  // of LDoc: "opt" in @param[opt]
  std::string text;
};

Tag read_tag(std::string_view line) {
  line.remove_prefix(1);
  const std::size_t end = std::min(line.find_first_of(" \t[("), line.size());
  Tag tag{.name = std::string(line.substr(0, end)), .modifiers = {}, .text = {}};
  line.remove_prefix(end);
  if (line.starts_with('[')) {
    const std::size_t close = std::min(line.find(']'), line.size() - 1);
    tag.modifiers = line.substr(1, close - 1);
    line.remove_prefix(close + 1);
  }
  tag.text = trimmed(line);
  return tag;
}

class Reader {
 public:
  DocComment run(std::string_view comment) {
    while (!comment.empty()) {
      const std::string_view line = comment.substr(0, comment.find('\n'));
      comment.remove_prefix(std::min(comment.size(), line.size() + 1));
      take_line(line);
    }
    finish_tag();
    doc_.text = trimmed(doc_.text);
    while (doc_.usage.ends_with('\n')) doc_.usage.pop_back();
    return std::move(doc_);
  }

 private:
  void take_line(std::string_view line) {
    const std::string_view text = trimmed(line);
    if (text.starts_with('@') && is_identifier(text.substr(1, 1))) {
      finish_tag();
      tag_ = read_tag(text);
    } else if (tag_) {
      tag_->text += "\n";
      tag_->text += tag_->name == "usage" ? line : text;
    } else {
      doc_.text += line;
      doc_.text += '\n';
    }
  }

  void finish_tag() {
    if (!tag_) return;
    const Tag tag = std::move(*tag_);
    tag_.reset();
    constexpr std::array<std::string_view, 7> ldoc_types = {"string", "number", "int", "bool", "func", "tab", "thread"};
    std::string_view rest = tag.text;
    if (tag.name == "param" || tag.name == "field" || tag.name == "arg") {
      const std::string_view name = take_word(rest);
      const bool typed = is_type(first_type(rest));
      add_parameter(tag, name, typed ? take_type(rest) : std::string_view(), rest);
    } else if (tag.name == "tparam" || tag.name == "tfield") {
      const std::string_view type = take_type(rest);
      const std::string_view name = take_word(rest);
      add_parameter(tag, name, type, rest);
    } else if (contains(ldoc_types, tag.name)) {
      const std::string_view name = take_word(rest);
      add_parameter(tag, name, tag.name, rest);
    } else if (tag.name == "return" || tag.name == "treturn" || tag.name == "returns") {
      const bool typed = tag.name == "treturn" || is_type(first_type(rest));
      const std::string_view type = typed ? take_type(rest) : std::string_view();
      doc_.returns.push_back({{}, std::string(type), std::string(trimmed(without_hash(rest)))});
    } else if (tag.name == "usage" || tag.name == "example") {
      const std::size_t begin = tag.text.find_first_not_of('\n');
      if (begin != std::string::npos) doc_.usage += tag.text.substr(begin) + "\n";
    } else {
      add_note(tag);
    }
  }

  void add_parameter(const Tag& tag, std::string_view name, std::string_view type, std::string_view text) {
    const bool optional = tag.modifiers.starts_with("opt") || name.ends_with('?');
    if (name.ends_with('?')) name.remove_suffix(1);
    if (name.empty()) return;
    doc_.parameters.push_back({std::string(name), std::string(type), std::string(trimmed(without_hash(text))), optional});
  }

  void add_note(const Tag& tag) {
    constexpr std::array<std::string_view, 14> silent = {"function", "name",    "module",    "local",      "export",
                                                         "within",   "section", "lfunction", "diagnostic", "meta",
                                                         "private",  "public",  "package",   "protected"};
    if (contains(silent, tag.name)) return;
    std::string title = tag.name == "raise" ? "raises" : tag.name;
    if (title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
    doc_.notes.push_back({std::move(title), {}, std::string(trimmed(tag.text))});
  }

  DocComment doc_;
  std::optional<Tag> tag_;
};

}  // namespace

std::string comment_above(std::string_view code, const TokenList& list, std::size_t position) {
  std::size_t start = line_start(code, std::min(position, code.size()));
  std::vector<std::string_view> parts;
  auto comment = std::partition_point(list.comments.begin(), list.comments.end(),
                                      [&](const Token& candidate) { return candidate.begin < start; });
  while (comment != list.comments.begin()) {
    --comment;
    if (comment->end > start) break;
    const std::string_view gap = code.substr(comment->end, start - comment->end);
    const std::size_t own_line = line_start(code, comment->begin);
    const bool adjacent =
        gap.find_first_not_of(blanks) == std::string_view::npos && std::count(gap.begin(), gap.end(), '\n') <= 1;
    const bool alone = code.substr(own_line, comment->begin - own_line).find_first_not_of(blanks) == std::string_view::npos;
    if (!adjacent || !alone) break;
    parts.push_back(inside_of(text_of(*comment, code)));
    start = own_line;
  }
  std::string text;
  for (std::size_t i = parts.size(); i-- > 0;) text.append(parts[i]).append("\n");
  return trimmed(text).empty() ? std::string() : text;
}

DocComment parse_doc_comment(std::string_view comment) { return Reader().run(comment); }

}  // namespace lua_kernel
