// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// Where a cell failed: the frames at that moment, and how they are shown.
///
/// Threads: interpreter. Errors: capture() may be called between Lua's C frames: it neither throws nor raises.
class Traceback {
 public:
  void clear() { frames_.clear(); }
  [[nodiscard]] bool empty() const { return frames_.empty(); }

  /// Takes the frames of this thread of Lua, from `level` outwards, without the C frames that every cell is called from.
  void capture(lua_State* L, int level) noexcept;

  /// Coloured lines; the last one is "ename: evalue".
  [[nodiscard]] std::vector<std::string> render(std::string_view ename, std::string_view evalue) const;

 private:
  void take(lua_State* L, int first, int last);

  std::vector<std::string> frames_;
};

/// For an error that has no frames: the line of the cell that the message names, and "ename: evalue".
std::vector<std::string> render_syntax_error(std::string_view code, std::string_view chunk, std::string_view ename,
                                             std::string_view evalue);

}  // namespace lua_kernel
