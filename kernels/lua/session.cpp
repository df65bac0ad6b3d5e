// SPDX-License-Identifier: BSD-3-Clause
#include "session.hpp"

#include "chunk.hpp"
#include "compat.hpp"
#include "coroutines.hpp"
#include "debug_functions.hpp"
#include "finalizers.hpp"
#include "lua_program.hpp"
#include "mime_bundles.hpp"
#include "os_functions.hpp"

#include <new>
#include <stdexcept>

namespace lua_kernel {
namespace {

/// In Lua's words, which 5.3 puts after a place and before " for buffer allocation".
bool tells_of_memory(std::string_view message) {
  constexpr std::string_view words = "not enough memory";
  if (LUA_VERSION_NUM == 503 && message.ends_with(": not enough memory for buffer allocation")) return true;
  return message == words;
}

int set_up(lua_State* L) {
  set_session(L, static_cast<Session*>(lua_touserdata(L, 1)));
  luaL_openlibs(L);
  FunctionNames::attach(L);
  Traceback::attach(L);
  install_coroutines(L);
  install_debug_functions(L);
  install_os_functions(L);
  install_arg(L);
  Session::of(L).streams().install(L);
  JupyterModule::install(L);
  return 0;
}

/// The message handler: runs where the error was raised, before the stack is unwound.
int note_where(lua_State* L) {
  Session& session = Session::of(L);
  if (session.interrupts().stopping()) return 1;  // of a __close handler: where the cell was stopped is known
  session.traceback().capture_error(L, 1, 1);
  if (is_in_hook(L)) {  // it would do so in each cell to come, also in one that takes it away
    lua_sethook(L, nullptr, 0, 0);
    session.frontend().write_stderr("The debug hook raised an error and was removed.\n");
  }
  return 1;
}

std::string text_at_top(lua_State* L) {
  if (lua_type(L, -1) != LUA_TSTRING) return {};
  std::size_t size = 0;
  const char* text = lua_tolstring(L, -1, &size);
  return {text, size};
}

/// Of the values from `first` on, takes away what the cell has shown itself.
void remove_shown(lua_State* L, int first) {
  for (int index = lua_gettop(L); index >= first; --index) {
    if (JupyterModule::is_shown(L, index)) lua_remove(L, index);
  }
}

Outcome failed(std::string ename, std::string evalue, std::vector<std::string> traceback) {
  return {.failed = true, .ename = std::move(ename), .evalue = std::move(evalue), .traceback = std::move(traceback)};
}

}  // namespace

Session::Session(Frontend& frontend, std::size_t memory_limit)
    : frontend_(frontend), streams_(frontend, interrupts_), state_(luaL_newstate()) {
  lua_State* L = state_.get();
  if (L == nullptr) throw std::bad_alloc();
  memory_.attach(L, memory_limit);
  interrupts_.attach(L);
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, this);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) throw std::runtime_error("Lua cannot start: " + text_at_top(L));
  builtins_.read(L);
}

Session::~Session() { interrupts_.reset(); }

Session& Session::of(lua_State* L) { return *session_of(L); }

void Session::begin() {
  interrupts_.reset();
  // A signal that came before the line above is not lost: the frontend still knows of it.
  if (frontend_.interrupted()) interrupt();
  memory_.begin_cell();
  traceback_.clear();
  streams_.forget_input();
}

void Session::end() noexcept {
  streams_.flush();
  jupyter_.progress().show_pending(frontend_);
  interrupts_.reset();
}

Outcome Session::run(std::string_view code, std::string_view name) {
  begin();
  const std::string chunk_name = "=" + std::string(name);
  sources_.keep(chunk_name, code);
  const CompiledCell cell = compile_cell(state(), code, chunk_name);
  Outcome outcome;
  if (cell.status == CompiledCell::Status::compiled) {
    outcome = call(cell);
  } else {
    const std::string ename = cell.out_of_memory ? "LuaError" : "SyntaxError";
    outcome = failed(ename, cell.message, render_syntax_error(code, name, ename, cell.message));
  }
  end();
  return outcome;
}

Outcome Session::run_handler(lua_CFunction handler, const void* data) {
  begin();
  lua_State* L = state();
  lua_pushcfunction(L, note_where);
  lua_pushcfunction(L, handler);
  lua_pushlightuserdata(L, const_cast<void*>(data));
  Outcome outcome = call_protected(1, 0) == LUA_OK ? Outcome() : failure();
  lua_settop(L, 0);
  end();
  return outcome;
}

/// The message handler is at the bottom of the stack.
int Session::call_protected(int arguments, int results) {
  const MemoryLimit::Kept kept(memory_);
  const int status = lua_pcall(state(), arguments, results, 1);
  finish_finalizers(state(), status);
  return status;
}

/// Calls the function on the stack.
Outcome Session::call(const CompiledCell& cell) {
  lua_State* L = state();
  lua_pushcfunction(L, note_where);
  lua_insert(L, 1);
  Outcome outcome = call_protected(0, LUA_MULTRET) == LUA_OK ? values(cell) : failure();
  lua_settop(L, 0);
  return outcome;
}

/// The message handler and the cell's results are on the stack.
Outcome Session::values(const CompiledCell& cell) {
  lua_State* L = state();
  const int first = cell.placeholder ? 3 : 2;
  remove_shown(L, first);
  const int last = lua_gettop(L);
  // io.write and file:write return their file.
  if (cell.is_call && first == last && streams_.is_output(L, first)) return {};
  bool all_nil = true;
  for (int index = first; index <= last; ++index) all_nil = all_nil && lua_isnil(L, index);
  if (last < first || (all_nil && (cell.is_call || !cell.placeholder))) return {};
  Outcome outcome{.display = presentation_of(L, first, last)};
  return interrupts_.stopping() ? failure() : outcome;
}

/// The error value is on top.
Outcome Session::failure() {
  ErrorText error;
  if (interrupts_.reason() == Interrupts::Reason::input_failed) {
    error.evalue = interrupts_.input_failure();
  } else if (!interrupts_.stopping()) {
    error = error_text(state(), -1);
    const std::string explanation = memory_.explanation();
    if (tells_of_memory(error.evalue) && !explanation.empty()) error.evalue += ": " + explanation;
  }
  if (interrupts_.reason() == Interrupts::Reason::exiting) return {};
  if (interrupts_.reason() == Interrupts::Reason::interrupted) error = {"Interrupted", "the user interrupted the kernel"};
  auto lines = traceback_.render(error.ename, error.evalue);
  return failed(std::move(error.ename), std::move(error.evalue), std::move(lines));
}

}  // namespace lua_kernel
