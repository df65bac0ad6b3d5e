// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "doc_comment.hpp"

#include <string>
#include <string_view>

namespace lua_kernel {

/// A page of help, written as plain text and as Markdown at once. Threads: any. Errors: std::bad_alloc.
class HelpPage {
 public:
  /// Lines of Lua: a signature, a source. Beyond 64 KiB it is cut and says so.
  void code(std::string_view code);
  /// Text with Markdown's marks, which plain text shows as they are.
  void paragraph(std::string_view text);
  /// "Type: function".
  void detail(std::string_view label, std::string_view text);
  void heading(std::string_view text);
  /// One line of a list: a piece of code and what is to be said of it.
  void item(std::string_view code, std::string_view text);
  void comment(const DocComment& comment);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& markdown() const { return markdown_; }

 private:
  enum class Part { none, code, paragraph, detail, heading, item };
  /// Parts stand apart by an empty line, but for details and items that follow each other.
  void begin(Part part);
  void items(std::string_view title, const std::vector<DocComment::Item>& items);

  std::string text_;
  std::string markdown_;
  Part last_ = Part::none;
};

}  // namespace lua_kernel
