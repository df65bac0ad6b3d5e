// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace lua_kernel {

/// The texts that Lua functions were compiled from: of cells as they were run, of files as they are on disk now.
///
/// Threads: interpreter. Errors: std::bad_alloc; a text that is not there any more is empty.
class SourceTexts {
 public:
  /// Keeps a cell's text under its chunk name ("=[3]"); once the next one comes, only if a function can have been compiled
  /// from it, since nothing else lives on. Beyond a few megabytes the oldest cells are forgotten.
  void keep(std::string_view chunk_name, std::string_view code);

  /// The lines from `first` to `last`, counted from 1, without the last newline. `source` is lua_Debug's: "=[3]", "@file",
  /// or the code itself. Empty when they cannot be had.
  [[nodiscard]] std::string lines(std::string_view source, int first, int last) const;

 private:
  struct Cell {
    std::string chunk_name;
    std::string code;
  };
  [[nodiscard]] static std::size_t footprint(const Cell& cell) noexcept;

  std::deque<Cell> cells_;
  std::size_t bytes_ = 0;
};

}  // namespace lua_kernel
