// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>
#include <lua.hpp>

namespace lua_kernel {

/// What can be typed at the cursor: variables in scope, globals, fields, methods, keywords, labels, modules, files. Runs no
/// user code (see raw_access.hpp). Exact matches of what was typed come first, then those that differ in case; at most
/// 500 in all.
///
/// Threads: interpreter. Errors: std::bad_alloc.
adrastea::CompleteResult complete(lua_State* L, const adrastea::CompleteRequest& request);

}  // namespace lua_kernel
