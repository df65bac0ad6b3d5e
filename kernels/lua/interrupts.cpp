// SPDX-License-Identifier: BSD-3-Clause
#include "interrupts.hpp"

#include "compat.hpp"
#include "session.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

constexpr int every_event = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;

}  // namespace

void Interrupts::reset() noexcept {
  reason_.store(Reason::none, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // A hook that user code set stays. Ours may be left on a suspended coroutine too, where it finds no reason and goes.
  if (lua_gethook(main_) == &Interrupts::hook) lua_sethook(main_, nullptr, 0, 0);
  make_compiled_code_stoppable(main_);
}

void Interrupts::request(Reason reason) noexcept {
  if (reason_.load(std::memory_order_relaxed) == Reason::exiting) return;
  reason_.store(reason, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  lua_sethook(running_.load(std::memory_order_relaxed), &Interrupts::hook, every_event, 1);
  leave_compiled_code();
}

void Interrupts::request_input_failure(std::string_view why) noexcept {
  const std::size_t size = std::min(why.size(), input_failure_.size() - 1);
  *std::copy_n(why.data(), size, input_failure_.begin()) = '\0';
  if (!stopping()) request(Reason::input_failed);
}

int Interrupts::raise(lua_State* L) {
  Traceback& traceback = Session::of(L).traceback();
  if (traceback.empty()) traceback.capture(L, 0);  // no message handler will
  return raise_memory_error(L);
}

void Interrupts::hook(lua_State* L, lua_Debug*) {
  Interrupts& self = Session::of(L).interrupts();
  if (self.stopping()) self.raise(L);
  lua_sethook(L, nullptr, 0, 0);
  if (self.reason() == Reason::input_failed) {
    self.reason_.store(Reason::none, std::memory_order_relaxed);
    // The event may be the return of the C function that read: then its caller has the line.
    lua_Debug frame;
    const bool in_lua = lua_getstack(L, 0, &frame) != 0 && lua_getinfo(L, "l", &frame) != 0 && frame.currentline > 0;
    luaL_where(L, in_lua ? 0 : 1);
    lua_pushstring(L, self.input_failure_.data());
    lua_concat(L, 2);
    lua_error(L);
  }
}

void Interrupts::switch_to(lua_State* thread) noexcept {
  running_.store(thread, std::memory_order_relaxed);
  // A signal before this line left its reason, one after it finds the new thread.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (reason() != Reason::none) lua_sethook(thread, &Interrupts::hook, every_event, 1);
}

Interrupts::Running::Running(Interrupts& interrupts, lua_State* thread) noexcept
    : interrupts_(interrupts), before_(interrupts.running_.load(std::memory_order_relaxed)) {
  interrupts_.switch_to(thread);
}

Interrupts::Running::~Running() { interrupts_.switch_to(before_); }

}  // namespace lua_kernel
