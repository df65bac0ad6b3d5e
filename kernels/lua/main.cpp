// SPDX-License-Identifier: BSD-3-Clause
#include "lua_interpreter.hpp"

#include <adrastea/kernel.hpp>

int main(int argc, char** argv) {
  return adrastea::run<lua_kernel::LuaInterpreter>(
      argc, argv, {.name = "lua", .display_name = "Lua " LUA_VERSION_MAJOR "." LUA_VERSION_MINOR});
}
