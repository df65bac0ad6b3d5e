// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <array>

namespace lua_kernel {

/// The line between C++, whose exceptions unwind, and Lua, whose errors jump: how a function that Lua calls uses code that
/// throws.
///
/// Usage: const Failure failure = attempt(L, [&] { ...C++... }); if (failure) return failure.raise(L, argument);
/// The body must call nothing of Lua that may raise, and the frame around it must hold no object with a destructor.
/// Threads: interpreter.
class [[nodiscard]] Failure {
 public:
  explicit operator bool() const noexcept { return kind_ != Kind::none; }

  /// Raises it as Lua's own functions do: about an argument of the function that runs, or (0) about its call. Never
  /// returns.
  int raise(lua_State* L, int argument = 0) const;

  [[nodiscard]] const char* text() const noexcept { return text_.data(); }

  /// In a catch clause: keeps what the exception says. Longer texts are cut.
  void keep_current_exception(lua_State* L) noexcept;

 private:
  enum class Kind { none, error, out_of_memory, stop };
  void keep(const char* text) noexcept;

  Kind kind_ = Kind::none;
  std::array<char, 512> text_{};
};

template <class Body>
Failure attempt(lua_State* L, Body&& body) noexcept {
  Failure failure;
  try {
    body();
  } catch (...) {
    failure.keep_current_exception(L);
  }
  return failure;
}

}  // namespace lua_kernel
