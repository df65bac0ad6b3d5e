// SPDX-License-Identifier: BSD-3-Clause
#include "debug_functions.hpp"

#include "session.hpp"

namespace lua_kernel {
namespace {

int debug_sethook(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  Interrupts& interrupts = Session::of(L).interrupts();
  return interrupts.stopping() ? interrupts.raise(L) : 0;
}

}  // namespace

void install_debug_functions(lua_State* L) {
  lua_getglobal(L, LUA_DBLIBNAME);
  lua_getfield(L, -1, "sethook");
  lua_pushcclosure(L, debug_sethook, 1);
  lua_setfield(L, -2, "sethook");
  lua_pop(L, 1);
}

}  // namespace lua_kernel
