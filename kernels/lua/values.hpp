// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Pushes what a notebook shows for the value at `index`: as tostring, but strings quoted. A __tostring that fails is
/// reported in the text. Raises only for want of memory and to stop.
void push_display_text(lua_State* L, int index);

/// Pushes the texts of the values from `first` to the top, tab separated.
void push_display_line(lua_State* L, int first);

/// A lua_CFunction: turns an error value, of any type, into its message. Raises what __tostring raises.
int error_message(lua_State* L);

}  // namespace lua_kernel
