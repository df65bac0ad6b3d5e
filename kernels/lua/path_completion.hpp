// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

/// Files and modules that go on with what was typed, sorted. Unreadable directories offer nothing; of huge ones only the
/// first thousands of entries are looked at.
///
/// Threads: interpreter. Errors: std::bad_alloc.

/// What can follow the last slash of a path; directories end in a slash.
std::vector<std::string> complete_path(std::string_view path);

/// Whole names for require: modules that are loaded or in package.preload, files of package.path and package.cpath, and
/// the first parts ("pl.") of those in folders. Inside of a Looking.
std::vector<std::string> complete_module(lua_State* L, std::string_view name);

}  // namespace lua_kernel
