// SPDX-License-Identifier: BSD-3-Clause
#include "function_names.hpp"

#include <string_view>

namespace lua_kernel {
namespace {

char loaded_modules;  // its address is a key of the registry

std::string_view key_of_entry(lua_State* L) {
  if (lua_type(L, -2) != LUA_TSTRING) return {};
  std::size_t size = 0;
  const char* text = lua_tolstring(L, -2, &size);
  return {text, size};
}

bool is_better(std::string_view name, std::string_view than) {
  return name.size() != than.size() ? name.size() < than.size() : name < than;
}

}  // namespace

void FunctionNames::attach(lua_State* L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_modules);
}

void FunctionNames::read(lua_State* L) {
  const int top = lua_gettop(L);
  if (lua_checkstack(L, 6) == 0) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_modules);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    const std::string_view name = key_of_entry(L);
    if (!name.empty() && lua_istable(L, -1)) read_module(L, name == "_G" ? "" : std::string(name) + ".");
    lua_pop(L, 1);
  }
  lua_settop(L, top);
}

/// The module is on top.
void FunctionNames::read_module(lua_State* L, std::string_view prefix) {
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (const std::string_view key = key_of_entry(L); !key.empty() && lua_isfunction(L, -1)) {
      std::string name = std::string(prefix).append(key);
      const auto [known, is_new] = names_.try_emplace(lua_topointer(L, -1), name);
      if (!is_new && is_better(name, known->second)) known->second = std::move(name);
    }
    lua_pop(L, 1);
  }
}

const std::string* FunctionNames::find(const void* function) const {
  const auto found = names_.find(function);
  return found != names_.end() ? &found->second : nullptr;
}

}  // namespace lua_kernel
