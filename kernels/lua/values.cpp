// SPDX-License-Identifier: BSD-3-Clause
#include "values.hpp"

#include "session.hpp"

#include <string_view>

namespace lua_kernel {
namespace {

bool continues(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() - at <= count) return false;
  for (std::size_t i = 1; i <= count; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) return false;
  }
  return true;
}

/// The length of the character of UTF-8 at `at`, 0 for bytes that are none (overlong forms and surrogates included).
std::size_t character(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return 1;
  const unsigned second = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0;
  if (first >= 0xC2 && first <= 0xDF) return continues(text, at, 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F);
    return !wrong && continues(text, at, 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool wrong = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return !wrong && continues(text, at, 3) ? 4 : 0;
  }
  return 0;
}

void add_escaped(luaL_Buffer* buffer, char c) {
  const auto byte = static_cast<unsigned char>(c);
  const std::string_view named = "\a\b\f\n\r\t\v\\\"";
  const std::string_view letters = "abfnrtv\\\"";
  luaL_addchar(buffer, '\\');
  if (const std::size_t found = named.find(c); found != std::string_view::npos) {
    luaL_addchar(buffer, letters[found]);
  } else {  // three digits: a digit may follow
    luaL_addchar(buffer, static_cast<char>('0' + byte / 100));
    luaL_addchar(buffer, static_cast<char>('0' + byte / 10 % 10));
    luaL_addchar(buffer, static_cast<char>('0' + byte % 10));
  }
}

/// As a Lua literal on one line, with readable characters as they are.
void push_quoted(lua_State* L, int index) {
  std::size_t size = 0;
  const char* data = lua_tolstring(L, index, &size);
  const std::string_view text(data, size);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addchar(&buffer, '"');
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t length = character(text, at);
    const bool control = length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == '\x7f');
    if (length == 0 || control || c == '"' || c == '\\') {
      add_escaped(&buffer, c);
      ++at;
    } else {
      luaL_addlstring(&buffer, data + at, length);
      at += length;
    }
  }
  luaL_addchar(&buffer, '"');
  luaL_pushresult(&buffer);
}

int tostring(lua_State* L) {
  luaL_tolstring(L, 1, nullptr);
  return 1;
}

void push_display_text(lua_State* L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "no room to show a value");
  if (lua_type(L, index) == LUA_TSTRING) return push_quoted(L, index);
  lua_pushcfunction(L, tostring);
  lua_pushvalue(L, index);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
  if (Session::of(L).interrupts().stopping()) Session::of(L).interrupts().raise(L);
  const char* why = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
  lua_pushfstring(L, "%s: %p (error in __tostring: %s)", luaL_typename(L, index), lua_topointer(L, index), why);
  lua_remove(L, -2);
}

int display_line(lua_State* L) {
  const int first = 1;
  const int last = lua_gettop(L);
  luaL_checkstack(L, 8, "no room to show the values");
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int index = first; index <= last; ++index) {
    if (index > first) luaL_addchar(&buffer, '\t');
    push_display_text(L, index);
    luaL_addvalue(&buffer);
  }
  luaL_pushresult(&buffer);
  return 1;
}

}  // namespace

Display display_of(lua_State* L, int first, int last) {
  const int top = lua_gettop(L);
  Display made;
  if (lua_checkstack(L, last - first + 2) == 0) return made;
  lua_pushcfunction(L, display_line);
  for (int index = first; index <= last; ++index) lua_pushvalue(L, index);
  const bool well = lua_pcall(L, last - first + 1, 1, 0) == LUA_OK;
  std::size_t size = 0;
  const char* text = well ? lua_tolstring(L, -1, &size) : "no memory to show the values";
  made.data["text/plain"] = well ? std::string(text, size) : std::string(text);
  lua_settop(L, top);
  return made;
}

int error_message(lua_State* L) {
  const bool readable = lua_type(L, 1) != LUA_TTABLE && lua_type(L, 1) != LUA_TUSERDATA;
  if (readable || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
    luaL_tolstring(L, 1, nullptr);
  } else {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  return 1;
}

}  // namespace lua_kernel
