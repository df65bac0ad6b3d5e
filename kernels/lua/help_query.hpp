// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string_view>

namespace lua_kernel {

/// A cell that asks for help: `?name`, `name?`, and with two marks for the source too. A name is `a.b:c` or a keyword.
struct HelpQuery {
  std::string_view name;  ///< part of the cell's code
  int detail_level = 0;
};

/// Nothing for any other cell. No Lua code looks like a query: a question mark has no meaning in it.
std::optional<HelpQuery> parse_help_query(std::string_view code);

}  // namespace lua_kernel
