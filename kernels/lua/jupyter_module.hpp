// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "progress.hpp"

#include <lua.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace lua_kernel {

/// `local jupyter = require "jupyter"`: rich output, prompts, progress bars and comms for Lua code.
///
/// Threads: interpreter. Lifetime: longer than the Lua state it is installed in.
class JupyterModule {
 public:
  JupyterModule();

  /// The module's place in the registry, where help finds it also before `require` was called.
  static constexpr const char* registry_name = "jupyter";

  /// Makes `require "jupyter"` work. May raise: call it protected.
  static void install(lua_State* L);

  /// Whether the value stands for something that is shown already: a handle or a bar.
  static bool is_shown(lua_State* L, int index);

  /// Neither this run of the kernel nor another one uses it again. Ends with a NUL.
  using DisplayId = std::array<char, 40>;
  DisplayId new_display_id() noexcept;

  ProgressBars& progress() { return progress_; }

  /// A text on its way from C++ to Lua: pushing it may raise, and then nobody must be left who has to free it.
  std::string& text_to_push() { return text_to_push_; }

 private:
  std::uint64_t run_;  // random
  std::uint64_t displays_ = 0;
  ProgressBars progress_;
  std::string text_to_push_;
};

}  // namespace lua_kernel
