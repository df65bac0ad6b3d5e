// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Replaces os.exit, which ends the kernel politely, and os.execute, which can be interrupted.
/// May raise: call it protected.
void install_os_functions(lua_State* L);

}  // namespace lua_kernel
