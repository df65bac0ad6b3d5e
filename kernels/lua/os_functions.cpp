// SPDX-License-Identifier: BSD-3-Clause
#include "os_functions.hpp"

#include "session.hpp"
#include "shell_command.hpp"

#include <cerrno>

namespace lua_kernel {
namespace {

/// The second argument (close the state) says nothing here: it is closed when the kernel ends.
int os_exit(lua_State* L) {
  const int status = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) != 0 ? EXIT_SUCCESS : EXIT_FAILURE)
                                         : static_cast<int>(luaL_optinteger(L, 1, EXIT_SUCCESS));
  Session& session = Session::of(L);
  session.frontend().exit(status);
  session.interrupts().request(Interrupts::Reason::exiting);
  return session.interrupts().raise(L);
}

int os_execute(lua_State* L) {
  const char* command = luaL_optstring(L, 1, nullptr);
  Session& session = Session::of(L);
  session.streams().flush();
  errno = 0;
  const int status = run_shell_command(command != nullptr ? command : "exit 0", session.frontend());
  const int error = errno;
  if (session.frontend().interrupted()) session.interrupts().request(Interrupts::Reason::interrupted);
  if (session.interrupts().stopping()) return session.interrupts().raise(L);
#ifdef LUAJIT_VERSION_NUM  // as in Lua 5.1: what system(3) returns
  lua_pushinteger(L, command != nullptr ? status : status == 0 ? 1 : 0);
  static_cast<void>(error);
  return 1;
#else
  if (command == nullptr) {
    lua_pushboolean(L, status == 0 ? 1 : 0);
    return 1;
  }
  errno = error;
  return luaL_execresult(L, status);
#endif
}

}  // namespace

void install_os_functions(lua_State* L) {
  constexpr luaL_Reg functions[] = {{"exit", os_exit}, {"execute", os_execute}, {nullptr, nullptr}};
  lua_getglobal(L, LUA_OSLIBNAME);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}

}  // namespace lua_kernel
