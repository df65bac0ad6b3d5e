// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Puts the stack back to its height, also when an exception passes. Only in frames that no Lua error crosses.
class StackGuard {
 public:
  explicit StackGuard(lua_State* L) : L_(L), top_(lua_gettop(L)) {}
  ~StackGuard() { lua_settop(L_, top_); }
  StackGuard(const StackGuard&) = delete;
  StackGuard& operator=(const StackGuard&) = delete;

 private:
  lua_State* L_;
  int top_;
};

}  // namespace lua_kernel
