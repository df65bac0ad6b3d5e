// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Before 5.4 an error in a finalizer is raised by whatever asks for memory when garbage is collected. While this lives
/// nothing is collected there, so that such an error is one of the user's code and never of the kernel's own work.
class FinalizersHeldBack {
 public:
#if LUA_VERSION_NUM >= 504
  explicit FinalizersHeldBack(lua_State*) noexcept {}
#else
  explicit FinalizersHeldBack(lua_State* L) noexcept : L_(L), collects_(lua_gc(L, LUA_GCISRUNNING, 0) != 0) {
    lua_gc(L_, LUA_GCSTOP, 0);
  }
  ~FinalizersHeldBack() {
    if (collects_) lua_gc(L_, LUA_GCRESTART, 0);
  }
#endif
  FinalizersHeldBack(const FinalizersHeldBack&) = delete;
  FinalizersHeldBack& operator=(const FinalizersHeldBack&) = delete;

#if LUA_VERSION_NUM < 504
 private:
  lua_State* L_;
  bool collects_;
#endif
};

/// After a call that ended with `status`: when that is an error in a finalizer, of 5.3, calls those that wait too, so that
/// their errors are not those of cells to come. The stack keeps its height.
void finish_finalizers(lua_State* L, int status);

}  // namespace lua_kernel
