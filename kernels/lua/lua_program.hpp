// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string>

/// What lua(1) does before it reads its first line, so that code which counts on it runs here too.
namespace lua_kernel {

class Session;

/// The table `arg`, with the program's name as its element 0. May raise: call it protected.
void install_arg(lua_State* L);

/// Runs the code in LUA_INIT_5_4 (of the version that runs) or else in LUA_INIT; "@name" stands for a file. Returns what to
/// tell when it failed, and otherwise nothing. Threads: interpreter. Errors: as Session::run.
std::string run_lua_init(Session& session);

}  // namespace lua_kernel
