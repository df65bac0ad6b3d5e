// SPDX-License-Identifier: BSD-3-Clause
#include "help_page.hpp"

#include "text.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

constexpr std::size_t longest_code = std::size_t{64} << 10;

/// A fence or span that is longer than any row of backticks inside.
std::string ticks_around(std::string_view code, std::size_t least) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : code) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  std::string ticks(std::max(least, longest + 1), '`');
  return ticks;
}

std::string span(std::string_view code) {
  const std::string ticks = ticks_around(code, 1);
  const std::string_view gap = ticks.size() > 1 ? " " : "";
  return ticks + std::string(gap) + std::string(code) + std::string(gap) + ticks;
}

std::string indented(std::string_view text, std::string_view by) {
  std::string all;
  for (const char c : text) {
    all += c;
    if (c == '\n') all += by;
  }
  return all;
}

}  // namespace

void HelpPage::begin(Part part) {
  const bool row = part == last_ && (part == Part::detail || part == Part::item);
  if (last_ != Part::none) {
    const bool below_heading = last_ == Part::heading;
    text_ += row || below_heading ? "\n" : "\n\n";
    // Lines of Markdown flow together: details would stand in one row.
    markdown_ += row ? (part == Part::detail ? "  \n" : "\n") : "\n\n";
  }
  last_ = part;
}

void HelpPage::code(std::string_view code) {
  begin(Part::code);
  const std::string shown = shortened(code, longest_code);
  text_ += shown;
  const std::string fence = ticks_around(shown, 3);
  markdown_ += fence + "lua\n" + shown + "\n" + fence;
}

void HelpPage::paragraph(std::string_view text) {
  begin(Part::paragraph);
  text_ += text;
  markdown_ += text;
}

void HelpPage::detail(std::string_view label, std::string_view text) {
  begin(Part::detail);
  text_ += std::string(label) + ": " + indented(text, "  ");
  const bool lines = text.find('\n') != std::string_view::npos;
  const std::string fence = ticks_around(text, 3);
  markdown_ += "**" + std::string(label) + ":** ";
  markdown_ += lines ? "\n" + fence + "lua\n" + std::string(text) + "\n" + fence : span(text);
}

void HelpPage::heading(std::string_view text) {
  begin(Part::heading);
  text_ += std::string(text) + ":";
  markdown_ += "**" + std::string(text) + "**";
}

void HelpPage::item(std::string_view code, std::string_view text) {
  begin(Part::item);
  text_ += "  " + std::string(code) + (code.empty() || text.empty() ? "" : "  ") + indented(text, "    ");
  markdown_ +=
      "- " + (code.empty() ? std::string() : span(code)) + (code.empty() || text.empty() ? "" : " ") + indented(text, "  ");
}

void HelpPage::items(std::string_view title, const std::vector<DocComment::Item>& items) {
  if (items.empty()) return;
  heading(title);
  for (const auto& one : items) {
    std::string code = one.name;
    if (!one.type.empty()) code += (code.empty() ? "" : ": ") + one.type;
    item(code, one.optional ? "(optional) " + one.text : one.text);
  }
}

void HelpPage::comment(const DocComment& comment) {
  if (!comment.text.empty()) paragraph(comment.text);
  items("Parameters", comment.parameters);
  items("Returns", comment.returns);
  if (!comment.usage.empty()) {
    heading("Usage");
    code(comment.usage);
  }
  for (const auto& note : comment.notes) paragraph(note.name + (note.text.empty() ? "." : ": " + note.text));
}

}  // namespace lua_kernel
