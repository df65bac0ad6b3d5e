// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <string_view>

namespace lua_kernel {

/// Stops Lua code from the outside, so that no pcall can keep it running.
///
/// A stop sets a debug hook on the running thread of Lua that raises before the next instruction, and again before each
/// one after it, until the cell is left. A coroutine has a hook of its own (but in LuaJIT), and Lua does not tell which
/// thread runs: so every resume goes through a Running (see coroutines.cpp), which knows, and hands the hook on when the
/// thread changes.
///
/// What is raised is Lua's own memory error: the one error that goes past the message handlers of xpcall, in which user
/// code would otherwise run with hooks switched off and could loop for ever. Nobody gets to see its text: wherever a
/// pcall returns it, the hook raises again first.
///
/// On its way out a stop lets the __close handlers of Lua 5.4 run, all of them for one second together: a stop is
/// repeated until it works, so that the user cannot be asked to insist. Not those of a coroutine that is stopped: Lua
/// leaves its hooks switched off, and nothing could end a handler.
///
/// Beyond reach, as in lua(1): a C function that loops in itself (a hard string pattern) and __gc, which Lua runs
/// without hooks.
///
/// Threads: interpreter; request() also from a signal handler on it.
class Interrupts {
 public:
  enum class Reason {
    none,
    interrupted,  ///< the user pressed stop: until the cell ends
    exiting,      ///< os.exit: until the cell ends
    input_failed  ///< raised once, as an ordinary error: a C stream cannot raise where it fails
  };

  /// Once, before anything else.
  void attach(lua_State* main) noexcept {
    main_ = main;
    running_.store(main, std::memory_order_relaxed);
  }

  /// Before and after a cell: nothing is stopped.
  void reset() noexcept;

  /// Async-signal-safe.
  void request(Reason reason) noexcept;
  void request_input_failure(std::string_view why) noexcept;

  [[nodiscard]] Reason reason() const noexcept { return reason_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string_view input_failure() const noexcept { return input_failure_.data(); }
  [[nodiscard]] bool stopping() const noexcept { return reason() == Reason::interrupted || reason() == Reason::exiting; }

  /// Raises what pcall cannot keep; for C functions that see that they are to stop. Never returns.
  int raise(lua_State* L);

  /// While it lives, `thread` is what a signal stops. Around lua_resume and lua_resetthread only: they return errors and
  /// raise none, so the destructor is never jumped over.
  class Running {
   public:
    Running(Interrupts& interrupts, lua_State* thread) noexcept;
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Interrupts& interrupts_;
    lua_State* before_;
  };

 private:
  /// Where __close handlers run while the stack is unwound.
  struct Closing {
    bool is_unwinding = false;  // an error was raised, and what catches it was not seen to return
    lua_State* thread = nullptr;
    const void* catcher = nullptr;
    std::chrono::steady_clock::time_point end{};
  };

  /// What user code had on the main thread, where it is back after the stop. On coroutines it is gone.
  struct UserHook {
    int mask = 0;
    int count = 0;
    lua_Hook function = nullptr;
  };

  static void hook(lua_State* L, lua_Debug* event);
  void set_hook(lua_State* L) noexcept;
  void remove_hook(lua_State* L) noexcept;
  bool may_close(lua_State* L, const lua_Debug& event) noexcept;
  void switch_to(lua_State* thread) noexcept;

  lua_State* main_ = nullptr;
  std::atomic<lua_State*> running_{nullptr};
  std::atomic<Reason> reason_{Reason::none};
  Closing closing_;
  UserHook user_hook_;
  // Not a std::string: the hook raises it past C++ frames. Longer reasons are cut.
  std::array<char, 256> input_failure_{};

  static_assert(std::atomic<lua_State*>::is_always_lock_free && std::atomic<Reason>::is_always_lock_free,
                "a signal handler uses them");
};

}  // namespace lua_kernel
