// SPDX-License-Identifier: BSD-3-Clause
#include "interrupts.hpp"

#include "compat.hpp"
#include "session.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace lua_kernel {
namespace {

constexpr int every_event = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;

#ifdef LUAJIT_VERSION_NUM
constexpr bool threads_share_hook = true;
#else
constexpr bool threads_share_hook = false;
#endif

/// What __close handlers may take in all once the user pressed stop.
constexpr std::chrono::seconds time_to_close{1};

/// The innermost frame that is at a line of Lua code; false when there is none.
bool find_line(lua_State* L, lua_Debug& frame) {
  for (int level = 0; lua_getstack(L, level, &frame) != 0; ++level) {
    if (lua_getinfo(L, "Sl", &frame) != 0 && frame.currentline > 0) return true;
  }
  return false;
}

}  // namespace

void Interrupts::reset() noexcept {
  reason_.store(Reason::none, std::memory_order_relaxed);
  closing_ = {};
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // Ours may be left on a suspended coroutine too, where it finds no reason and goes.
  if (lua_gethook(main_) == &Interrupts::hook) remove_hook(main_);
  make_compiled_code_stoppable(main_);
}

void Interrupts::request(Reason reason) noexcept {
  if (reason_.load(std::memory_order_relaxed) == Reason::exiting) return;
  reason_.store(reason, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  set_hook(running_.load(std::memory_order_relaxed));
  leave_compiled_code();
}

/// Where a signal comes in between it keeps the same, since what belongs to a hook is read before the hook.
void Interrupts::set_hook(lua_State* L) noexcept {
  const UserHook hook{.mask = lua_gethookmask(L), .count = lua_gethookcount(L), .function = lua_gethook(L)};
  if ((L == main_ || threads_share_hook) && hook.function != &Interrupts::hook) user_hook_ = hook;
  lua_sethook(L, &Interrupts::hook, every_event, 1);
}

void Interrupts::remove_hook(lua_State* L) noexcept {
  const UserHook hook = L == main_ || threads_share_hook ? user_hook_ : UserHook();
  lua_sethook(L, hook.function, hook.mask, hook.count);
}

void Interrupts::request_input_failure(std::string_view why) noexcept {
  if (stopping()) return;
  const int size = static_cast<int>(std::min(why.size(), input_failure_.size()));
  lua_Debug frame;
  // Now, since the hook comes when the line that reads may have been left.
  if (find_line(running_.load(std::memory_order_relaxed), frame)) {
    std::snprintf(input_failure_.data(), input_failure_.size(), "%s:%d: %.*s", frame.short_src, frame.currentline, size,
                  why.data());
  } else {
    std::snprintf(input_failure_.data(), input_failure_.size(), "%.*s", size, why.data());
  }
  request(Reason::input_failed);
}

int Interrupts::raise(lua_State* L) {
  Traceback& traceback = Session::of(L).traceback();
  if (traceback.empty()) traceback.capture(L, 0);  // no message handler will
  Session::of(L).interrupts().closing_.is_unwinding = true;
  return raise_memory_error(L);
}

#if LUA_VERSION_NUM >= 504

/// Unwinding calls nothing but __close handlers, from the frame of the pcall that catches; its next event is its return.
bool Interrupts::may_close(lua_State* L, const lua_Debug& event) noexcept {
  if (reason() != Reason::interrupted) return false;
  const auto now = std::chrono::steady_clock::now();
  if (closing_.thread == nullptr) {
    lua_Debug catcher;
    if (!closing_.is_unwinding || event.event != LUA_HOOKCALL) return false;
    closing_.thread = L;
    closing_.catcher = lua_getstack(L, 1, &catcher) != 0 ? catcher.i_ci : nullptr;  // none: the cell ends with it
    if (closing_.end == std::chrono::steady_clock::time_point()) closing_.end = now + time_to_close;
  } else if (L == closing_.thread && event.i_ci == closing_.catcher) {
    closing_.thread = nullptr;
    closing_.is_unwinding = false;
  }
  return closing_.thread != nullptr && now < closing_.end;
}

#else

bool Interrupts::may_close(lua_State*, const lua_Debug&) noexcept { return false; }

#endif

void Interrupts::hook(lua_State* L, lua_Debug* event) {
  Interrupts& self = Session::of(L).interrupts();
  if (self.stopping()) {
    if (self.may_close(L, *event)) return;
    self.raise(L);
  }
  self.remove_hook(L);
  if (self.reason() == Reason::input_failed) {
    self.reason_.store(Reason::none, std::memory_order_relaxed);
    lua_pushstring(L, self.input_failure_.data());
    lua_error(L);
  }
}

void Interrupts::switch_to(lua_State* thread) noexcept {
  running_.store(thread, std::memory_order_relaxed);
  // A signal before this line left its reason, one after it finds the new thread.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (reason() != Reason::none) set_hook(thread);
}

Interrupts::Running::Running(Interrupts& interrupts, lua_State* thread) noexcept
    : interrupts_(interrupts), before_(interrupts.running_.load(std::memory_order_relaxed)) {
  interrupts_.switch_to(thread);
}

Interrupts::Running::~Running() {
  if (interrupts_.closing_.thread == interrupts_.running_.load(std::memory_order_relaxed)) {
    interrupts_.closing_.thread = nullptr;  // whether it returned, failed or waits
    interrupts_.closing_.is_unwinding = false;
  }
  interrupts_.switch_to(before_);
}

}  // namespace lua_kernel
