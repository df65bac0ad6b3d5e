// SPDX-License-Identifier: BSD-3-Clause
#include "raw_access.hpp"

#include "jupyter_module.hpp"
#include "stack_guard.hpp"

#include <new>

namespace lua_kernel {
namespace {

constexpr int stack_room = 200;
/// A longer chain of __index is a cycle, or of no use.
constexpr int max_index_chain = 100;

/// Called protected with a std::string_view.
int make_string(lua_State* L) {
  const auto& text = *static_cast<const std::string_view*>(lua_touserdata(L, 1));
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// Replaces the value on top by its __index; false where that is nothing to look into.
bool go_to_index(lua_State* L) {
  push_metafield(L, -1, "__index");
  lua_remove(L, -2);
  const int type = lua_type(L, -1);
  return type == LUA_TTABLE || type == LUA_TUSERDATA || type == LUA_TSTRING;
}

}  // namespace

Looking::Looking(lua_State* L)
    : L_(L),
      top_(lua_gettop(L)),
      collects_(lua_gc(L, LUA_GCISRUNNING, 0) != 0),
      hook_(lua_gethook(L)),
      hook_mask_(lua_gethookmask(L)),
      hook_count_(lua_gethookcount(L)) {
  if (lua_checkstack(L, stack_room) == 0) throw std::bad_alloc();
  lua_gc(L, LUA_GCSTOP, 0);
  lua_sethook(L, nullptr, 0, 0);
}

Looking::~Looking() {
  lua_sethook(L_, hook_, hook_mask_, hook_count_);
  lua_settop(L_, top_);
  if (collects_) lua_gc(L_, LUA_GCRESTART, 0);
}

void push_string(lua_State* L, std::string_view text) {
  lua_pushcfunction(L, make_string);
  lua_pushlightuserdata(L, &text);
  if (lua_pcall(L, 1, 1, 0) != 0) throw std::bad_alloc();
}

std::string_view string_at(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return {};
  std::size_t size = 0;
  const char* data = lua_tolstring(L, index, &size);
  return {data, size};
}

std::string_view text_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* data = lua_tolstring(L, index, &size);
  return {data, size};
}

void push_field(lua_State* L, int object, std::string_view key) {
  object = lua_absindex(L, object);
  push_string(L, key);
  push_field_of_key(L, object);
}

void push_field_of_key(lua_State* L, int object) {
  object = lua_absindex(L, object);
  const int key = lua_gettop(L);
  lua_pushvalue(L, object);
  for (int step = 0; step < max_index_chain; ++step) {
    if (lua_type(L, -1) == LUA_TTABLE) {
      lua_pushvalue(L, key);
      lua_rawget(L, -2);
      if (!lua_isnil(L, -1)) {
        lua_replace(L, key);
        lua_settop(L, key);
        return;
      }
      lua_pop(L, 1);
    }
    if (!go_to_index(L)) break;
  }
  lua_settop(L, key - 1);
  lua_pushnil(L);
}

void push_metafield(lua_State* L, int object, std::string_view name) {
  if (lua_getmetatable(L, object) == 0) return lua_pushnil(L);
  push_string(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

void push_loaded_modules(lua_State* L) {
  push_string(L, "_LOADED");  // LUA_LOADED_TABLE, which LuaJIT does not name
  lua_rawget(L, LUA_REGISTRYINDEX);
}

void push_module(lua_State* L, std::string_view name) {
  push_loaded_modules(L);
  if (lua_type(L, -1) == LUA_TTABLE) {
    push_string(L, name);
    lua_rawget(L, -2);
  } else {
    lua_pushnil(L);
  }
  lua_remove(L, -2);
  if (!lua_isnil(L, -1) || name != "jupyter") return;
  lua_pop(L, 1);
  push_string(L, JupyterModule::registry_name);
  lua_rawget(L, LUA_REGISTRYINDEX);
}

void push_globals(lua_State* L) { lua_pushglobaltable(L); }

void visit_fields(lua_State* L, int object, std::size_t limit, const FieldVisitor& visit) {
  const StackGuard guard(L);
  lua_pushvalue(L, object);
  for (int step = 0; step < max_index_chain; ++step) {
    if (lua_type(L, -1) == LUA_TTABLE) {
      lua_pushnil(L);
      while (lua_next(L, -2) != 0) {  // raises only for a key that is not there
        if (limit-- == 0) return;
        if (lua_type(L, -2) == LUA_TSTRING && !visit(string_at(L, -2))) return;
        lua_pop(L, 1);
      }
    }
    if (!go_to_index(L)) return;
  }
}

}  // namespace lua_kernel
