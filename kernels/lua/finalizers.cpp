// SPDX-License-Identifier: BSD-3-Clause
#include "finalizers.hpp"

namespace lua_kernel {

#if LUA_VERSION_NUM == 503

namespace {

/// Called protected: whether the cycle of the collector came to its end.
int collect_step(lua_State* L) {
  lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
  return 1;
}

}  // namespace

void finish_finalizers(lua_State* L, int status) {
  if (status != LUA_ERRGCMM || lua_checkstack(L, 1) == 0) return;
  const bool collects = lua_gc(L, LUA_GCISRUNNING, 0) != 0;
  for (bool done = false; !done; lua_pop(L, 1)) {  // each step that fails has called a finalizer: there is an end
    lua_pushcfunction(L, collect_step);
    done = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1) != 0;
  }
  if (!collects) lua_gc(L, LUA_GCSTOP, 0);  // a step that fails leaves the collector running
}

#else

void finish_finalizers(lua_State*, int) {}

#endif

}  // namespace lua_kernel
