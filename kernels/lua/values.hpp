// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>

#include <lua.hpp>

#include <string>

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

/// An error value of any type, in the protocol's words.
struct ErrorText {
  std::string ename = "LuaError";  ///< the __name of the value's metatable, where there is one
  std::string evalue{};            ///< a string whole; other values as display_of shows them
};

/// Threads, errors: as display_of.
ErrorText error_text(lua_State* L, int index);

}  // namespace lua_kernel
