// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string_view>
#include <unordered_map>
#include <vector>

namespace lua_kernel {

/// What is known of one name of Lua itself. The texts are Markdown with `code` marks only, so that they read well as
/// plain text too.
struct StandardEntry {
  std::string_view name;       ///< "string.rep"; methods of files are "file:read", of the module jupyter "bar:set"
  std::string_view signature;  ///< "(s, n [, sep])"; empty for what is no function
  std::string_view text;
};

/// All of them: the functions of each version of Lua that this kernel runs, the libraries, the constants.
const std::vector<StandardEntry>& standard_library();

/// The entry of that name, or nullptr.
const StandardEntry* standard_entry(std::string_view name);
const StandardEntry* keyword_entry(std::string_view keyword);

/// Finds the entry of a value, by whatever name it goes.
///
/// Threads: interpreter. Errors: std::bad_alloc. Lifetime: inside of a Looking (see raw_access.hpp).
class StandardValues {
 public:
  explicit StandardValues(lua_State* L);
  /// For the C function or the library at `index`; nullptr for anything else.
  [[nodiscard]] const StandardEntry* find(lua_State* L, int index) const;

 private:
  std::unordered_map<const void*, const StandardEntry*> entries_;
};

}  // namespace lua_kernel
