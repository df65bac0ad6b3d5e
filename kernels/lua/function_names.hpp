// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string>
#include <unordered_map>

namespace lua_kernel {

/// The names under which globals and loaded modules hold functions: "print", "string.rep". Lua's functions have none.
///
/// Threads: interpreter. Errors: std::bad_alloc; raises nothing.
class FunctionNames {
 public:
  /// Once for each state, protected: remembers where the loaded modules are, whatever user code does to `package`.
  static void attach(lua_State* L);

  /// Looks at all modules, which may take a while where one has a million entries.
  void read(lua_State* L);

  /// nullptr for one that has no name.
  [[nodiscard]] const std::string* find(const void* function) const;

 private:
  void read_module(lua_State* L, std::string_view prefix);

  std::unordered_map<const void*, std::string> names_;  // by lua_topointer
};

}  // namespace lua_kernel
