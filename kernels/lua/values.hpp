// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>

#include <lua.hpp>

namespace lua_kernel {

/// What a notebook shows for a value.
struct Display {
  adrastea::MimeBundle data = adrastea::Json::object();
  adrastea::Json metadata = adrastea::Json::object();
};

/// What to show for the values at the stack indices from `first` to `last`. A __tostring that fails is reported in the
/// text. One value that is a list of records, or of lists, is an HTML table too.
///
/// Threads: interpreter. Errors: std::bad_alloc; Lua errors never leave it. After a stop (Interrupts::stopping) it is not
/// complete, and the caller has to stop too.
Display display_of(lua_State* L, int first, int last);

/// A lua_CFunction: turns an error value, of any type, into its message. Raises what __tostring raises.
int error_message(lua_State* L);

}  // namespace lua_kernel
