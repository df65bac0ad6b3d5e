// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>
#include <lua.hpp>

#include <string_view>

namespace lua_kernel {

/// Whether a console should run the code or ask for another line. Lua's compiler decides; of an incomplete cell the next
/// line's indentation follows the open blocks and the way the code is indented so far.
///
/// Threads: interpreter. Errors: std::bad_alloc.
adrastea::IsCompleteResult is_complete(lua_State* L, std::string_view code);

}  // namespace lua_kernel
