// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <cstddef>
#include <functional>
#include <string_view>

/// Looking at Lua values without running any code of the user: no metamethod but tables in __index, no hook, no collection
/// of garbage and so no __gc.
///
/// Nothing here raises a Lua error: only functions of Lua's API that cannot are called, and push_string(). So these may be
/// called outside of lua_pcall, among C++ objects.
///
/// Threads: interpreter. Errors: std::bad_alloc.
namespace lua_kernel {

/// While it lives, values can be looked at: it keeps hooks and the collector off, has room on the stack, and leaves the
/// stack as it was.
class Looking {
 public:
  explicit Looking(lua_State* L);
  ~Looking();
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;

 private:
  lua_State* L_;
  int top_;
  bool collects_;
  lua_Hook hook_;
  int hook_mask_;
  int hook_count_;
};

void push_string(lua_State* L, std::string_view text);

/// Valid as long as the string at `index` is somewhere in Lua; empty where it is no string.
std::string_view string_at(lua_State* L, int index);
/// The same of a string or a number, which becomes a string in its place.
std::string_view text_at(lua_State* L, int index);

/// Pushes object[key] as raw access and tables in __index tell; nil where they end.
void push_field(lua_State* L, int object, std::string_view key);
/// The same with the key on top of the stack, which it replaces.
void push_field_of_key(lua_State* L, int object);

/// Pushes metatable[name] of the value at `object`; nil where there is none.
void push_metafield(lua_State* L, int object, std::string_view name);

/// Pushes what require has loaded: package.loaded, even where user code replaced `package`.
void push_loaded_modules(lua_State* L);
/// The module of that name that was loaded, or the kernel's own even before; nil where there is none.
void push_module(lua_State* L, std::string_view name);
void push_globals(lua_State* L);

/// Called with the key, and the value on top of the stack; must leave the stack as it is. False ends the visit.
using FieldVisitor = std::function<bool(std::string_view key)>;

/// Visits the fields of a value whose keys are strings, and after them those of the tables in __index, hidden ones too.
/// Looks at `limit` keys at most.
void visit_fields(lua_State* L, int object, std::size_t limit, const FieldVisitor& visit);

}  // namespace lua_kernel
