// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <vector>

namespace lua_kernel {

class Frontend;
struct ProgressBar;

/// jupyter.progress and jupyter.progress_of: bars that are updated in place, at most 20 times a second each.
///
/// Nothing waits for that: a state that came too early is kept, and shown with a later one or at the end of the cell.
///
/// Threads: interpreter. Lifetime: longer than the Lua state that has the bars, which belong to Lua values.
class ProgressBars {
 public:
  /// Of the bars' metatable in the registry.
  static constexpr const char* type_name = "jupyter.Progress";

  /// Puts the functions into the module on top of the stack. May raise.
  static void install(lua_State* L);

  /// The end of a cell: shows what is not shown yet.
  void show_pending(Frontend& frontend) noexcept;

  /// For the bars: what show_pending() has to show.
  void add_pending(ProgressBar* bar) { pending_.push_back(bar); }
  void remove_pending(ProgressBar* bar) noexcept;

 private:
  std::vector<ProgressBar*> pending_;  // each at most once
};

}  // namespace lua_kernel
