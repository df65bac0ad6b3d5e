// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include "utf8.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

/// The number of an argument of C++ is a std::size_t, of Lua's formats an int that LuaJIT has too.
int position_of(std::size_t byte) { return static_cast<int>(std::min<std::size_t>(byte + 1, 0x7fffffff)); }

}  // namespace

int type_error(lua_State* L, int argument, const char* what) {
  return luaL_argerror(L, argument, lua_pushfstring(L, "%s expected, got %s", what, luaL_typename(L, argument)));
}

void check_options(lua_State* L, int argument, std::initializer_list<std::string_view> names) {
  if (lua_isnoneornil(L, argument)) return;
  luaL_checktype(L, argument, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, argument) != 0; lua_pop(L, 1)) {
    std::size_t size = 0;
    const char* name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &size) : nullptr;
    if (name == nullptr) {
      luaL_argerror(L, argument, lua_pushfstring(L, "options have names, not a key that is a %s", luaL_typename(L, -2)));
    } else if (std::find(names.begin(), names.end(), std::string_view(name, size)) == names.end()) {
      luaL_argerror(L, argument, lua_pushfstring(L, "unknown option '%s'", name));
    }
  }
}

bool push_option(lua_State* L, int argument, const char* name) {
  if (lua_istable(L, argument)) {
    lua_getfield(L, argument, name);
  } else {
    lua_pushnil(L);
  }
  return !lua_isnil(L, -1);
}

std::string_view check_text(lua_State* L, int index, int argument, const char* what) {
  const char* separator = *what != '\0' ? ": " : "";
  if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER) {
    const char* type = lua_isnone(L, index) ? "no value" : luaL_typename(L, index);
    luaL_argerror(L, argument, lua_pushfstring(L, "%s%sstring expected, got %s", what, separator, type));
  }
  std::size_t size = 0;
  const char* data = lua_tolstring(L, index, &size);
  const std::string_view text(data, size);
  if (const std::size_t at = utf8::find_invalid(text); at != std::string_view::npos) {
    luaL_argerror(L, argument, lua_pushfstring(L, "%s%sthe text is not UTF-8 (byte %d)", what, separator, position_of(at)));
  }
  return text;
}

}  // namespace lua_kernel
