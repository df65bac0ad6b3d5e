// SPDX-License-Identifier: BSD-3-Clause
#include "debug_functions.hpp"

#include "session.hpp"

#include <string_view>

namespace lua_kernel {
namespace {

int debug_sethook(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  Interrupts& interrupts = Session::of(L).interrupts();
  return interrupts.stopping() ? interrupts.raise(L) : 0;
}

#if LUA_VERSION_NUM == 503

const char gethook_key = 0;  // its address is the key of Lua's own debug.gethook

/// 5.3 does not tell that a frame is a hook's where a function in C was entered or left: it has no name then.
bool is_nameless_hook(lua_State* L, int level, lua_Debug& frame) {
  lua_Debug below;
  if (frame.name != nullptr || lua_gethook(L) == nullptr || lua_checkstack(L, LUA_MINSTACK) == 0) return false;
  if (lua_getstack(L, level + 1, &below) == 0 || lua_getinfo(L, "S", &below) == 0 || *below.what != 'C') return false;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &gethook_key) == LUA_TFUNCTION) lua_call(L, 0, 1);
  lua_getinfo(L, "f", &frame);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

void keep_gethook(lua_State* L) {
  lua_getfield(L, -1, "gethook");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &gethook_key);
}

#else

bool is_nameless_hook(lua_State*, int, const lua_Debug&) { return false; }
void keep_gethook(lua_State*) {}

#endif

}  // namespace

bool is_in_hook(lua_State* L) {
  constexpr int levels = 20;
  lua_Debug frame;
  for (int level = 1; level < levels && lua_getstack(L, level, &frame) != 0; ++level) {
    if (lua_getinfo(L, "n", &frame) == 0) continue;
    if (std::string_view(frame.namewhat) == "hook" || is_nameless_hook(L, level, frame)) return true;
  }
  return false;
}

void install_debug_functions(lua_State* L) {
  lua_getglobal(L, LUA_DBLIBNAME);
  keep_gethook(L);
  lua_getfield(L, -1, "sethook");
  lua_pushcclosure(L, debug_sethook, 1);
  lua_setfield(L, -2, "sethook");
  lua_pop(L, 1);
}

}  // namespace lua_kernel
