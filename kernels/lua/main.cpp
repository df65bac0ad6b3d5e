// SPDX-License-Identifier: BSD-3-Clause
#include "compat.hpp"
#include "lua_interpreter.hpp"

#include <adrastea/kernel.hpp>

int main(int argc, char** argv) {
  return adrastea::run<lua_kernel::LuaInterpreter>(argc, argv,
                                                   {.name = "lua", .display_name = std::string(lua_kernel::display_name)});
}
