// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Replaces debug.sethook by one that behaves the same and cannot take away the hook with which a cell is stopped.
/// A hook of the user that loops in itself stays beyond reach: Lua runs it without hooks.
/// May raise: call it protected.
void install_debug_functions(lua_State* L);

/// In a message handler: whether one of the innermost functions was called by a debug hook. LuaJIT does not tell.
bool is_in_hook(lua_State* L);

}  // namespace lua_kernel
