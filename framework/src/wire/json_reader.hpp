// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "wire/message.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace adrastea::wire {

/// Reads the text of one JSON object, piece by piece, in one pass: what json_text.hpp says of it.
///
/// nlohmann's own lexer takes byte after byte through a token buffer; most bytes that come here lie in strings, which are
/// taken whole up to the next quote or escape.
///
/// Usage: JsonReader(text, depth, sink).read(), once. Errors: std::bad_alloc, and what `sink` throws.
class JsonReader {
 public:
  /// `sink` lives until read() returns; it may move from the strings it gets. Its parse_error() is never called.
  JsonReader(Frame& text, std::size_t max_depth, Json::json_sax_t& sink)
      : text_(text), max_depth_(max_depth), sink_(sink) {}
  /// False: it is not exactly one object, or nests deeper, or the sink has returned false.
  [[nodiscard]] bool read();

 private:
  [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) noexcept;
  bool take(std::string_view wanted) noexcept;
  void skip_space() noexcept;
  bool skip_digits() noexcept;

  bool open(char closer);
  bool close();
  bool element();
  bool key();
  bool value();
  bool string();
  bool escape();
  bool escaped_character();
  bool number();
  bool integer(std::string_view digits);
  bool real(std::string_view digits);

  Frame& text_;
  const std::size_t max_depth_;
  Json::json_sax_t& sink_;
  std::size_t at_ = 0;
  std::string closers_;  ///< of the objects and arrays that are open
  bool first_ = true;    ///< nothing has come since the latest of them was opened
  std::string string_;   ///< the latest key or string
};

}  // namespace adrastea::wire
