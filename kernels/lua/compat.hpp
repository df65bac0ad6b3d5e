// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <cstddef>
#include <string_view>

/// The Lua API of this kernel's sources, which are written for Lua 5.4, on Lua 5.3 and LuaJIT 2.1 too. In the global
/// namespace: what the older API lacks, under its later name. In lua_kernel: what each of them does in its own way.
///
/// Threads: interpreter. Errors: as Lua's own functions, which they replace.

#if LUA_VERSION_NUM < 504

#define luaL_pushfail(L) lua_pushnil(L)

/// As `luaL_argexpected`: a function here, since it names the type that it got.
void adrastea_lual_argexpected(lua_State* L, bool holds, int argument, const char* expected);
#define luaL_argexpected(L, holds, argument, expected) adrastea_lual_argexpected(L, (holds), (argument), (expected))

#endif

#ifdef LUAJIT_VERSION_NUM

// What is a function elsewhere has another name here, for the linker: LuaJIT may come to have it.
#define lua_load(L, reader, data, name, mode) lua_loadx(L, reader, data, name, mode)
#define lua_rawlen(L, index) lua_objlen(L, index)
#define lua_pushglobaltable(L) lua_pushvalue(L, LUA_GLOBALSINDEX)

int adrastea_lua_absindex(lua_State* L, int index);
#define lua_absindex(L, index) adrastea_lua_absindex(L, (index))

/// Numbers have one type: those that an integer could hold exactly count as integers.
int adrastea_lua_isinteger(lua_State* L, int index);
#define lua_isinteger(L, index) adrastea_lua_isinteger(L, (index))

const char* adrastea_lual_tolstring(lua_State* L, int index, std::size_t* size);
#define luaL_tolstring(L, index, size) adrastea_lual_tolstring(L, (index), (size))

int adrastea_lual_getsubtable(lua_State* L, int index, const char* name);
#define luaL_getsubtable(L, index, name) adrastea_lual_getsubtable(L, (index), (name))

void adrastea_lual_requiref(lua_State* L, const char* name, lua_CFunction open, int global);
#define luaL_requiref(L, name, open, global) adrastea_lual_requiref(L, (name), (open), (global))

void adrastea_lua_rawgetp(lua_State* L, int index, const void* key);
#define lua_rawgetp(L, index, key) (adrastea_lua_rawgetp(L, (index), (key)), lua_type(L, -1))
void adrastea_lua_rawsetp(lua_State* L, int index, const void* key);
#define lua_rawsetp(L, index, key) adrastea_lua_rawsetp(L, (index), (key))

// These tell the type of what they push from 5.3 on.
#define lua_getfield(L, index, name) (lua_getfield(L, index, name), lua_type(L, -1))
#undef lua_getglobal
#define lua_getglobal(L, name) lua_getfield(L, LUA_GLOBALSINDEX, name)
#define lua_gettable(L, index) (lua_gettable(L, index), lua_type(L, -1))
#define lua_rawget(L, index) (lua_rawget(L, index), lua_type(L, -1))
#define lua_rawgeti(L, index, n) (lua_rawgeti(L, index, static_cast<int>(n)), lua_type(L, -1))
#define lua_rawseti(L, index, n) lua_rawseti(L, index, static_cast<int>(n))
#undef luaL_getmetatable
#define luaL_getmetatable(L, name) lua_getfield(L, LUA_REGISTRYINDEX, name)
#define luaL_getmetafield(L, index, name) (luaL_getmetafield(L, index, name) != 0 ? lua_type(L, -1) : LUA_TNIL)

#define LUA_LOADED_TABLE "_LOADED"
#define LUA_PRELOAD_TABLE "_PRELOAD"

#endif

namespace lua_kernel {

class Session;

constexpr std::string_view language_version = std::string_view(LUA_VERSION).substr(4);  ///< "5.4"; LuaJIT's is "5.1"
constexpr std::string_view language_release = std::string_view(LUA_RELEASE).substr(4);  ///< "5.4.4"
#ifdef LUAJIT_VERSION_NUM
constexpr std::string_view display_name = "Lua (LuaJIT)";
constexpr const char* banner = LUAJIT_VERSION " -- " LUAJIT_COPYRIGHT;
#else
constexpr std::string_view display_name = LUA_VERSION;
constexpr const char* banner = LUA_COPYRIGHT;
#endif

/// Once per state, before any other thread of Lua is made. May raise: call it protected.
void set_session(lua_State* L, Session* session);
/// Works on each thread of Lua, in hooks too.
Session* session_of(lua_State* L);

/// What lua_getinfo is asked for each frame of a traceback; LuaJIT does not know tail calls.
#ifdef LUAJIT_VERSION_NUM
constexpr const char* frame_fields = "Sln";
inline bool is_tail_call(const lua_Debug&) { return false; }
#else
constexpr const char* frame_fields = "Slnt";
inline bool is_tail_call(const lua_Debug& frame) { return frame.istailcall != 0; }
#endif

/// As lua_resume in 5.4, which also refuses a thread that does not wait, and one inside too many others.
int resume_thread(lua_State* thread, lua_State* from, int arguments, int* results);

/// Raises the one error that calls no message handler, that of memory. Never returns.
int raise_memory_error(lua_State* L);

/// LuaJIT's compiled code looks for no debug hook, so that nothing would stop a compiled loop. It does look, once in each
/// line, whether its sampling profiler wants a sample: the profiler is therefore started with a period that never ends,
/// and leave_compiled_code() asks for a sample. The interpreter goes on from there, and finds the hook.
///
/// What remains: a cell that uses the profiler itself (jit.profile, jit.p) may leave loops that cannot be stopped, until
/// the next call of this; and the profiler serves one Lua state in a process, the first.
void make_compiled_code_stoppable(lua_State* L) noexcept;
/// Async-signal-safe, on the thread that runs Lua; harmless when no compiled code runs.
void leave_compiled_code() noexcept;

}  // namespace lua_kernel
