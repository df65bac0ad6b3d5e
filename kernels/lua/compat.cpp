// SPDX-License-Identifier: BSD-3-Clause
#include "compat.hpp"

#include <atomic>
#include <cmath>
#include <csignal>

#if LUA_VERSION_NUM < 504

void adrastea_lual_argexpected(lua_State* L, bool holds, int argument, const char* expected) {
  if (holds) return;
  const char* message = lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, argument));
  luaL_argerror(L, argument, message);
}

#endif

#ifdef LUAJIT_VERSION_NUM

int adrastea_lua_absindex(lua_State* L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

int adrastea_lua_isinteger(lua_State* L, int index) {
  constexpr lua_Number exact = 9007199254740992;  // 2^53
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  const lua_Number number = lua_tonumber(L, index);
  if (!(number >= -exact && number <= exact) || (number == 0 && std::signbit(number))) return 0;
  return static_cast<lua_Number>(static_cast<long long>(number)) == number ? 1 : 0;
}

const char* adrastea_lual_tolstring(lua_State* L, int index, std::size_t* size) {
  index = lua_absindex(L, index);
  if (luaL_callmeta(L, index, "__tostring") != 0) {
    if (lua_isstring(L, -1) == 0) luaL_error(L, "'__tostring' must return a string");
    return lua_tolstring(L, -1, size);
  }
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
      lua_pushvalue(L, index);
      break;
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, index) != 0 ? "true" : "false");
      break;
    case LUA_TNIL:
      lua_pushliteral(L, "nil");
      break;
    default: {
      const int name = luaL_getmetafield(L, index, "__name");
      const char* kind = name == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, index);
      lua_pushfstring(L, "%s: %p", kind, lua_topointer(L, index));
      if (name != LUA_TNIL) lua_remove(L, -2);
    }
  }
  return lua_tolstring(L, -1, size);
}

int adrastea_lual_getsubtable(lua_State* L, int index, const char* name) {
  index = lua_absindex(L, index);
  if (lua_getfield(L, index, name) == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, index, name);
  return 0;
}

void adrastea_lual_requiref(lua_State* L, const char* name, lua_CFunction open, int global) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, name);
  if (lua_toboolean(L, -1) == 0) {
    lua_pop(L, 1);
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
  }
  lua_remove(L, -2);
  if (global != 0) {
    lua_pushvalue(L, -1);
    lua_setglobal(L, name);
  }
}

void adrastea_lua_rawgetp(lua_State* L, int index, const void* key) {
  index = lua_absindex(L, index);
  lua_pushlightuserdata(L, const_cast<void*>(key));
  lua_rawget(L, index);
}

void adrastea_lua_rawsetp(lua_State* L, int index, const void* key) {
  index = lua_absindex(L, index);
  lua_pushlightuserdata(L, const_cast<void*>(key));
  lua_insert(L, -2);
  lua_rawset(L, index);
}

#endif

namespace lua_kernel {

#ifdef LUAJIT_VERSION_NUM

namespace {
const char session_key = 0;  // its address is the key
}

void set_session(lua_State* L, Session* session) {
  lua_pushlightuserdata(L, session);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &session_key);
}

Session* session_of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &session_key);
  auto* session = static_cast<Session*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return session;
}

#else

void set_session(lua_State* L, Session* session) {
  *static_cast<Session**>(lua_getextraspace(L)) = session;  // each new thread of Lua gets a copy
}

Session* session_of(lua_State* L) { return *static_cast<Session**>(lua_getextraspace(L)); }

#endif

#if LUA_VERSION_NUM >= 504

int resume_thread(lua_State* thread, lua_State* from, int arguments, int* results) {
  return lua_resume(thread, from, arguments, results);
}

int raise_memory_error(lua_State* L) {
  // Lua recognises its own text, which it made at start and never frees.
  lua_pushliteral(L, "not enough memory");
  return lua_error(L);
}

#else

namespace {

// LuaJIT counts no C calls, and would run out of the C stack: a level costs less than 1 KiB of its 8 MiB.
constexpr int most_nested_resumes = 2000;
thread_local int nested_resumes = 0;

/// Why `thread` cannot be resumed with so many arguments on it; nullptr when it can.
const char* refusal_to_resume(lua_State* thread, int arguments) {
  lua_Debug frame;
  if (lua_status(thread) == LUA_YIELD) return nested_resumes < most_nested_resumes ? nullptr : "C stack overflow";
  if (lua_status(thread) != LUA_OK) return "cannot resume dead coroutine";
  if (lua_getstack(thread, 0, &frame) != 0) return "cannot resume non-suspended coroutine";
  if (lua_gettop(thread) == arguments) return "cannot resume dead coroutine";  // its function has returned
  return nested_resumes < most_nested_resumes ? nullptr : "C stack overflow";
}

/// The allocator that refuses the next growth of a block. PUC's Lua collects all garbage then and tries again; LuaJIT does
/// not. After the last time the allocator that was there is back.
struct Refusal {
  lua_State* L = nullptr;
  lua_Alloc allocate = nullptr;
  void* data = nullptr;
  int times = 0;

  static void* call(void* self, void* block, std::size_t old_size, std::size_t new_size) {
    auto& refusal = *static_cast<Refusal*>(self);
    const bool grows = new_size > 0 && (block == nullptr || new_size > old_size);
    if (!grows) return refusal.allocate(refusal.data, block, old_size, new_size);
    if (--refusal.times == 0) lua_setallocf(refusal.L, refusal.allocate, refusal.data);
    return nullptr;
  }
};

thread_local Refusal refusal;  // lives on while the error leaves the function that raised it

}  // namespace

int resume_thread(lua_State* thread, lua_State* from, int arguments, int* results) {
  if (const char* why = refusal_to_resume(thread, arguments)) {
    lua_pop(thread, arguments);
    lua_pushstring(thread, why);
    return LUA_ERRRUN;
  }
  ++nested_resumes;
#ifdef LUAJIT_VERSION_NUM
  static_cast<void>(from);
  const int status = lua_resume(thread, arguments);
#else
  const int status = lua_resume(thread, from, arguments);
#endif
  --nested_resumes;
  *results = lua_gettop(thread);
  return status;
}

int raise_memory_error(lua_State* L) {
#ifdef LUAJIT_VERSION_NUM
  constexpr int attempts = 1;
#else
  constexpr int attempts = 2;
#endif
  luaL_checkstack(L, 2, nullptr);
  lua_newtable(L);  // before, since it may collect garbage, and finalizers may need memory
  lua_pushboolean(L, 1);
  refusal = {.L = L, .allocate = nullptr, .data = nullptr, .times = attempts};
  refusal.allocate = lua_getallocf(L, &refusal.data);
  lua_setallocf(L, &Refusal::call, &refusal);
  lua_rawseti(L, -2, 1);
  return luaL_error(L, "not enough memory");  // not reached: there is no room in an empty table
}

#endif

#ifdef LUAJIT_VERSION_NUM

namespace {

using SignalHandler = void (*)(int);

SignalHandler profiling_handler() noexcept {
  struct sigaction action = {};
  return sigaction(SIGPROF, nullptr, &action) == 0 ? action.sa_handler : SIG_DFL;
}

// What LuaJIT's profiler has set. Any other one belongs to somebody else, and may end the process.
std::atomic<SignalHandler> handler_of_profiler = nullptr;
static_assert(std::atomic<SignalHandler>::is_always_lock_free, "a signal handler uses it");

bool profiler_runs() noexcept {
  const SignalHandler handler = handler_of_profiler.load(std::memory_order_relaxed);
  return handler != nullptr && profiling_handler() == handler;
}

}  // namespace

void make_compiled_code_stoppable(lua_State* L) noexcept {
  if (profiler_runs()) return;
  const SignalHandler before = profiling_handler();
  // l: once in each line; i: a period in milliseconds of processor time, more than eleven days.
  luaJIT_profile_start(
      L, "li1000000000", [](void*, lua_State*, int, int) {}, nullptr);
  if (const SignalHandler now = profiling_handler(); now != before) handler_of_profiler = now;
}

void leave_compiled_code() noexcept {
  if (profiler_runs()) static_cast<void>(std::raise(SIGPROF));
}

#else

void make_compiled_code_stoppable(lua_State*) noexcept {}
void leave_compiled_code() noexcept {}

#endif

}  // namespace lua_kernel
