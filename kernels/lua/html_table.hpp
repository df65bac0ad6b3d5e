// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <optional>
#include <string>

namespace lua_kernel {

/// An HTML table for a list of records (tables with names for keys) or of equally long lists; nothing for other values,
/// and for tables whose metatable gives them a text of their own.
///
/// Of a large table the first rows and columns are shown, and the rest is counted.
///
/// Threads, errors: as ValueReader.
std::optional<std::string> html_table(lua_State* L, int index);

}  // namespace lua_kernel
