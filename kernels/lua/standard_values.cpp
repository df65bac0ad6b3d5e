// SPDX-License-Identifier: BSD-3-Clause
#include "raw_access.hpp"
#include "stack_guard.hpp"
#include "standard_library.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

/// Pushes registry[type].__index: the methods of a type.
void push_methods(lua_State* L, std::string_view type) {
  push_string(L, type);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (lua_type(L, -1) != LUA_TTABLE) return;
  push_string(L, "__index");
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

/// Pushes the library that an entry's name starts with: a module, a table in one, or the methods of a type.
void push_library(lua_State* L, std::string_view name) {
  if (name == "file") return push_methods(L, LUA_FILEHANDLE);
  if (name == "comm") return push_methods(L, "jupyter.Comm");
  if (name == "bar") return push_methods(L, "jupyter.Progress");
  if (name == "handle") return push_methods(L, "jupyter.Display");
  const std::size_t dot = name.find('.');
  push_module(L, name.substr(0, dot));
  if (dot == std::string_view::npos || lua_type(L, -1) != LUA_TTABLE) return;
  push_string(L, name.substr(dot + 1));
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

}  // namespace

const StandardEntry* standard_entry(std::string_view name) {
  const auto& entries = standard_library();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const StandardEntry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

StandardValues::StandardValues(lua_State* L) {
  const StackGuard guard(L);
  for (const StandardEntry& entry : standard_library()) {
    const StackGuard entry_guard(L);
    const std::size_t separator = entry.name.find_last_of(".:");
    const bool global = separator == std::string_view::npos;
    push_library(L, global ? "_G" : entry.name.substr(0, separator));
    if (lua_type(L, -1) != LUA_TTABLE) continue;
    push_string(L, global ? entry.name : entry.name.substr(separator + 1));
    lua_rawget(L, -2);
    // A Lua function or a number in its place is user code's.
    if (lua_iscfunction(L, -1) != 0 || (lua_type(L, -1) == LUA_TTABLE && entry.signature.empty())) {
      entries_.emplace(lua_topointer(L, -1), &entry);
    }
  }
}

const StandardEntry* StandardValues::find(lua_State* L, int index) const {
  const auto found = entries_.find(lua_topointer(L, index));
  return found == entries_.end() ? nullptr : found->second;
}

}  // namespace lua_kernel
