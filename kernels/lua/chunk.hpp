// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>

namespace lua_kernel {

/// How a cell was compiled.
struct CompiledCell {
  enum class Status {
    compiled,    ///< its function was pushed
    incomplete,  ///< more text could make it compile
    invalid,
  };
  Status status = Status::invalid;
  /// The function returns a nil before the cell's values (see compile_cell).
  bool placeholder = false;
  /// The values are those of one call: when they are all nil there is nothing to show.
  bool is_call = false;
  /// Lua's message for the cell as it was written, when it did not compile.
  std::string message = {};
  bool out_of_memory = false;
};

/// Compiles a cell, and pushes its function on success and nothing otherwise.
///
/// The values of an expression that ends the cell become the function's results: `return nil, ` is put before it, on the
/// same line. (The nil keeps a call from being a tail call, which would take the cell's line out of messages.) Where the
/// expression starts is decided by Lua's own grammar: only the start of a statement counts, and `f⏎(g)` stays one call.
///
/// Threads: interpreter. Errors: std::bad_alloc; Lua errors never leave it, so it may be called outside of lua_pcall.
CompiledCell compile_cell(lua_State* L, std::string_view code, const std::string& chunk_name);

}  // namespace lua_kernel
