// SPDX-License-Identifier: BSD-3-Clause
#include "coroutines.hpp"

#include "compat.hpp"
#include "session.hpp"

namespace lua_kernel {
namespace {

lua_State* check_coroutine(lua_State* L) {
  lua_State* thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread != nullptr, 1, "coroutine");
  return thread;
}

/// Neither failed, nor (of those that were resumed) ended.
bool is_alive(lua_State* thread) { return lua_status(thread) == LUA_OK || lua_status(thread) == LUA_YIELD; }

/// Moves `arguments` values to the thread and runs it. Returns the number of results, or -1 with the error, on L.
int resume(lua_State* L, lua_State* thread, int arguments) {
  if (lua_checkstack(thread, arguments) == 0) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, thread, arguments);
  Session& session = Session::of(L);
  const bool was_alive = is_alive(thread);
  int status = LUA_OK;
  int results = 0;
  {
    const Interrupts::Running running(session.interrupts(), thread);
    status = resume_thread(thread, L, arguments, &results);
  }
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(thread, L, 1);
    if (session.interrupts().stopping()) {
      session.traceback().add_resumer(L);
    } else if (was_alive && !is_alive(thread)) {
      session.traceback().note_failure(L, thread, lua_gettop(L));
    }
    return -1;
  }
  if (lua_checkstack(L, results + 1) == 0) {
    lua_pop(thread, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(thread, L, results);
  return results;
}

int coroutine_resume(lua_State* L) {
  lua_State* thread = check_coroutine(L);
  const int results = resume(L, thread, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0 ? 1 : 0);
  const int pushed = results >= 0 ? results : 1;
  lua_insert(L, -(pushed + 1));
  return pushed + 1;
}

#if LUA_VERSION_NUM >= 504

/// Closes what a thread left open; true when that went well, otherwise its error is on the thread.
bool reset(lua_State* L, lua_State* thread) {
  const Interrupts::Running running(Session::of(L).interrupts(), thread);
  return lua_resetthread(thread) == LUA_OK;
}

#endif

int call_wrapped(lua_State* L) {
  lua_State* thread = lua_tothread(L, lua_upvalueindex(1));
  const int results = resume(L, thread, lua_gettop(L));
  if (results >= 0) return results;
  const int status = lua_status(thread);
#if LUA_VERSION_NUM >= 504
  // It failed, rather than could not be resumed. After a stop its handlers would run without hooks, perhaps for ever.
  if (status != LUA_OK && status != LUA_YIELD && !Session::of(L).interrupts().stopping()) {
    reset(L, thread);
    lua_xmove(thread, L, 1);
  }
#endif
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

int coroutine_wrap(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* thread = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, thread, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

#if LUA_VERSION_NUM >= 504

int coroutine_close(lua_State* L) {
  lua_State* thread = check_coroutine(L);
  lua_Debug frame;
  if (thread == L) return luaL_error(L, "cannot close a running coroutine");
  if (lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &frame) != 0) {
    return luaL_error(L, "cannot close a normal coroutine");
  }
  const bool well = reset(L, thread);
  lua_pushboolean(L, well ? 1 : 0);
  if (well) return 1;
  lua_xmove(thread, L, 1);
  return 2;
}

#endif

}  // namespace

void install_coroutines(lua_State* L) {
  constexpr luaL_Reg functions[] = {
#if LUA_VERSION_NUM >= 504
    {"close", coroutine_close},
#endif
    {"resume", coroutine_resume},
    {"wrap", coroutine_wrap},
    {nullptr, nullptr}
  };
  lua_getglobal(L, LUA_COLIBNAME);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}

}  // namespace lua_kernel
