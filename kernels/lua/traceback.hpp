// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "function_names.hpp"
#include "source_texts.hpp"

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// Where a cell failed: the frames at that moment, and how they are shown.
///
/// An error that came out of coroutines has a stack for each of them. Lua unwinds a coroutine's stack only later, or not at
/// all, but nobody can ask for it once the error is on its way; so the stack of each coroutine that fails is kept until it
/// is known whether that same error ends the cell.
///
/// Threads: interpreter. Errors: what may be called between Lua's C frames is noexcept and raises nothing.
class Traceback {
 public:
  Traceback(const SourceTexts& sources, const FunctionNames& builtins) : sources_(sources), builtins_(builtins) {}

  /// Once, protected.
  static void attach(lua_State* L);

  void clear();
  [[nodiscard]] bool empty() const { return stacks_.empty(); }

  /// Takes the frames of this thread of Lua, from `level` outwards, without the C frames that every cell is called from.
  void capture(lua_State* L, int level) noexcept;

  /// The same in a message handler: after those of the coroutines that the error at `error` came out of.
  void capture_error(lua_State* L, int level, int error) noexcept;

  /// A coroutine failed with the error at the index `error` of L.
  void note_failure(lua_State* L, lua_State* coroutine, int error) noexcept;

  /// A stop goes from a coroutine on to L, which resumed it.
  void add_resumer(lua_State* L) noexcept;

  /// Coloured lines; the last one is "ename: evalue".
  [[nodiscard]] std::vector<std::string> render(std::string_view ename, std::string_view evalue) const;

 private:
  struct Frame {
    std::string text;
    std::string source{};
    int line = 0;
  };
  using Stack = std::vector<Frame>;

  Stack frames(lua_State* L, int level) const;
  void take(lua_State* L, int first, int last, Stack& stack) const;
  Frame describe(lua_State* L, const lua_Debug& frame) const;
  void add(std::vector<Stack>& stacks, lua_State* L, int level) const;
  [[nodiscard]] std::string render(const Frame& frame) const;

  const SourceTexts& sources_;
  const FunctionNames& builtins_;
  std::vector<Stack> stacks_;        // of the error that ends the cell, innermost first
  std::vector<Stack> coroutines_{};  // of the latest error that ended a coroutine, which the registry holds
};

/// For an error that has no frames: the line of the cell that the message names, and "ename: evalue".
std::vector<std::string> render_syntax_error(std::string_view code, std::string_view chunk, std::string_view ename,
                                             std::string_view evalue);

}  // namespace lua_kernel
