// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Replaces debug.sethook by one that behaves the same and cannot take away the hook with which a cell is stopped.
/// A hook of the user that loops in itself stays beyond reach: Lua runs it without hooks.
/// May raise: call it protected.
void install_debug_functions(lua_State* L);

}  // namespace lua_kernel
