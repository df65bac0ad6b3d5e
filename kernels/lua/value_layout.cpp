// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

constexpr std::size_t indent_width = 2;

/// What stands before a table's brace.
std::string heading(const ValueNode& table) {
  std::string text;
  if (table.label != 0) text = "<" + std::to_string(table.label) + "> ";
  if (!table.text.empty()) text += table.text + " ";
  return text;
}

std::string atom(const ValueNode& node) {
  if (node.kind != ValueNode::Kind::reference) return node.text;
  return (node.is_cycle ? "<cycle " : "<table ") + std::to_string(node.target->label) + ">";
}

/// The pieces of a table in their order; `f` takes an entry, or nullptr and the text of a limit.
template <class F>
void for_each_piece(const ValueNode& table, F f) {
  const std::string nothing;
  for (std::size_t at = 0; at < table.items; ++at) f(&table.entries[at], nothing);
  if (table.items_left > 0) f(nullptr, more(table.items_left));
  for (std::size_t at = table.items; at < table.entries.size(); ++at) f(&table.entries[at], nothing);
  if (table.keys_left > 0) f(nullptr, more(table.keys_left));
}

class Layout {
 public:
  explicit Layout(std::size_t width) : width_(width) {}

  /// `indent`: of the line that it starts on; `used`: columns of that line that are taken; `after`: those needed behind it.
  void write(const ValueNode& node, std::size_t indent, std::size_t used, std::size_t after) {
    std::size_t room = used + after < width_ ? width_ - used - after : 0;
    if (node.kind != ValueNode::Kind::table) return write_indented(atom(node), indent);
    if (fits(node, room)) return write_line(node);
    text_ += heading(node) + "{";
    first_ = true;
    const bool has_rows = has_only_numbers_as_items(node);
    for_each_piece(node, [&](const ValueNode::Entry* entry, const std::string& limit) {
      write_piece(entry, limit, indent + indent_width, has_rows && entry != nullptr && entry->key.empty());
    });
    start_line(indent);
    text_ += "}";
  }

  void write_line(const ValueNode& node) {
    if (node.kind != ValueNode::Kind::table) {
      text_ += atom(node);
      return;
    }
    text_ += heading(node) + "{";
    if (node.is_hidden) text_ += "…";
    bool first = true;
    for_each_piece(node, [&](const ValueNode::Entry* entry, const std::string& limit) {
      if (!first) text_ += ", ";
      first = false;
      if (entry == nullptr) {
        text_ += limit;
      } else {
        text_ += entry->key;
        write_line(*entry->value);
      }
    });
    text_ += "}";
  }

  std::string text() && { return std::move(text_); }

 private:
  static bool has_only_numbers_as_items(const ValueNode& table) {
    const auto end = table.entries.begin() + static_cast<std::ptrdiff_t>(table.items);
    return std::all_of(table.entries.begin(), end,
                       [](const auto& entry) { return entry.value->kind == ValueNode::Kind::number; });
  }

  void write_piece(const ValueNode::Entry* entry, const std::string& limit, std::size_t indent, bool in_row) {
    const std::size_t needed = in_row ? columns(entry->value->text) + 2 : width_;
    if (!first_) text_ += ",";
    if (first_ || column() + needed > width_) {
      start_line(indent);
    } else {
      text_ += " ";
    }
    first_ = false;
    if (entry == nullptr) {
      text_ += limit;
      return;
    }
    text_ += entry->key;
    write(*entry->value, indent, indent + columns(entry->key), 1);
    first_ = false;
  }

  void start_line(std::size_t indent) {
    text_ += "\n";
    line_ = text_.size();
    text_.append(indent, ' ');
  }

  /// Of a line that holds numbers only.
  [[nodiscard]] std::size_t column() const { return text_.size() - line_; }

  /// A __tostring may return several lines.
  void write_indented(std::string_view text, std::size_t indent) {
    for (std::size_t newline = 0; (newline = text.find('\n')) != std::string_view::npos; text.remove_prefix(newline + 1)) {
      text_ += text.substr(0, newline);
      start_line(indent);
    }
    text_ += text;
  }

  static bool take(std::string_view text, std::size_t& room) {
    const std::size_t needed = columns(text);
    if (needed > room || text.find('\n') != std::string_view::npos) return false;
    room -= needed;
    return true;
  }

  /// Takes the room that the node needs on one line; gives up as soon as there is too little.
  static bool fits(const ValueNode& node, std::size_t& room) {
    if (node.kind != ValueNode::Kind::table) return take(atom(node), room);
    if (!take(heading(node), room) || !take(node.is_hidden ? "{…}" : "{}", room)) return false;
    bool well = true;
    for_each_piece(node, [&](const ValueNode::Entry* entry, const std::string& limit) {
      well = well && take(", ", room);
      well = well && (entry == nullptr ? take(limit, room) : take(entry->key, room) && fits(*entry->value, room));
    });
    return well;
  }

  std::size_t width_;
  std::string text_;
  std::size_t line_ = 0;  // where the current line starts
  bool first_ = true;     // no piece of the innermost table was written yet
};

}  // namespace

std::string layout(const ValueNode& node, std::size_t width) {
  Layout layout(width);
  layout.write(node, 0, 0, 0);
  return std::move(layout).text();
}

std::string layout_line(const ValueNode& node) {
  Layout layout(0);
  layout.write_line(node);
  return std::move(layout).text();
}

}  // namespace lua_kernel
