// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <initializer_list>
#include <string_view>

/// Arguments of C functions, checked with errors as Lua's own functions raise them.
///
/// Threads: interpreter. Errors: all of them raise Lua errors: no object with a destructor in the frames around them.
namespace lua_kernel {

/// "bad argument #1 to 'f' (what expected, got …)". Never returns.
int type_error(lua_State* L, int argument, const char* what);

/// Whether the argument is nil or a table with no other names than these.
void check_options(lua_State* L, int argument, std::initializer_list<std::string_view> names);

/// Pushes one of the options, and tells whether it is there.
bool push_option(lua_State* L, int argument, const char* name);

/// The string of UTF-8 at `index`. `what` says which part of the argument it is, or is empty for all of it. Valid as long
/// as the value is on the stack.
std::string_view check_text(lua_State* L, int index, int argument, const char* what = "");

}  // namespace lua_kernel
