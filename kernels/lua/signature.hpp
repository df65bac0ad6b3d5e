// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "scope.hpp"
#include "standard_library.hpp"

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// Parameter lists as they are written: "(a, b, ...)". Threads: interpreter. Errors: std::bad_alloc.

/// Of the function at `index`, inside of a Looking. Empty when nothing is known: it is a C function of some module.
std::string signature_of(lua_State* L, int index, const StandardValues& standard);

/// Of a function that stands in the code.
std::string signature_of(std::string_view code, const std::vector<Token>& tokens, TokenRange function);

/// What is left to write after `object:`.
std::string without_first_parameter(std::string_view signature);

}  // namespace lua_kernel
