// SPDX-License-Identifier: BSD-3-Clause
#include "lua_program.hpp"

#include "session.hpp"
#include "text.hpp"

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace lua_kernel {
namespace {

struct InitVariable {
  const char* name = nullptr;
  std::string_view value{};
};

InitVariable find_lua_init() {
#ifdef LUA_VERSUFFIX
  if (const char* value = std::getenv("LUA_INIT" LUA_VERSUFFIX)) return {"LUA_INIT" LUA_VERSUFFIX, value};
#endif
  if (const char* value = std::getenv("LUA_INIT")) return {"LUA_INIT", value};
  return {};
}

}  // namespace

void install_arg(lua_State* L) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, program_invocation_name);
  lua_rawseti(L, -2, 0);
  lua_setglobal(L, "arg");
}

std::string run_lua_init(Session& session) {
  const InitVariable init = find_lua_init();
  if (init.name == nullptr) return {};
  std::string code(init.value);
  if (init.value.starts_with('@')) {
    code = "dofile(" + quoted(init.value.substr(1), std::numeric_limits<std::size_t>::max()) + ")";
  }
  const Outcome outcome = session.run(code, init.name);
  if (!outcome.failed) return {};
  std::string text = std::string("Error in ") + init.name + "\n";
  for (const std::string& line : outcome.traceback) text += line + "\n";
  return text;
}

}  // namespace lua_kernel
