// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace adrastea::services {

/// A shell-like pattern over a whole text: * any characters, ? one, [a-z] one of these, [^a-z] or [!a-z] one of the others;
/// a ] that comes first stands for itself, and so does a [ that nothing closes. Characters are code points.
///
/// Threads: any, once made. Time: at most length of the pattern × length of the text.
class Glob {
 public:
  explicit Glob(std::string_view pattern);
  [[nodiscard]] bool matches(std::string_view text) const;

 private:
  struct Token {
    bool star = false;
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;  ///< both ends included
    [[nodiscard]] bool takes(char32_t c) const;
    /// The one byte that it stands for, if it is ASCII.
    [[nodiscard]] std::optional<char> byte() const;
  };
  static Token set_token(std::string_view inside);
  std::vector<Token> tokens_;
};

}  // namespace adrastea::services
