// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Replaces coroutine.resume, wrap and close by ones that behave the same and tell Interrupts which thread runs.
/// May raise: call it protected.
void install_coroutines(lua_State* L);

}  // namespace lua_kernel
