// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frontend.hpp"
#include "function_names.hpp"
#include "interrupts.hpp"
#include "jupyter_module.hpp"
#include "memory_limit.hpp"
#include "source_texts.hpp"
#include "standard_streams.hpp"
#include "traceback.hpp"
#include "values.hpp"

#include <lua.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {

struct CompiledCell;

/// What a cell came to.
struct Outcome {
  /// What to show for its values; empty when it has none or failed.
  Display display{};
  bool failed = false;
  std::string ename{};
  std::string evalue{};
  std::vector<std::string> traceback{};
};

/// Lua as the notebook sees it: one Lua state, in which cells run one after the other.
///
/// Lua is a C library that leaves functions with longjmp. Therefore: C++ exceptions end before Lua's frames, and no
/// object with a destructor stands in a frame that a Lua error can cross.
///
/// Threads: the one that constructs it; interrupt() also from a signal handler on it. Errors: std::bad_alloc and
/// std::system_error; errors of Lua code are Outcomes. Lifetime: shorter than the frontend's.
class Session {
 public:
  explicit Session(Frontend& frontend, std::size_t memory_limit = MemoryLimit::none);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs a cell. `name` is what messages call it: "[3]".
  Outcome run(std::string_view code, std::string_view name);
  /// As a cell that has no value: calls `handler` with `data` (a light userdata).
  Outcome run_handler(lua_CFunction handler, const void* data);

  /// Stops run(). Async-signal-safe.
  void interrupt() noexcept { interrupts_.request(Interrupts::Reason::interrupted); }

  /// For the functions that Lua code calls. Works on each thread of Lua.
  static Session& of(lua_State* L);
  Frontend& frontend() { return frontend_; }
  Interrupts& interrupts() { return interrupts_; }
  StandardStreams& streams() { return streams_; }
  MemoryLimit& memory() { return memory_; }
  JupyterModule& jupyter() { return jupyter_; }
  Traceback& traceback() { return traceback_; }
  [[nodiscard]] const SourceTexts& sources() const { return sources_; }
  /// The functions that were there before the first cell.
  [[nodiscard]] const FunctionNames& builtins() const { return builtins_; }
  /// For compiling; the stack is empty between cells.
  lua_State* state() { return state_.get(); }
  /// For what others keep and call later: empty once the session ends.
  [[nodiscard]] std::weak_ptr<Session> reference() const { return reference_; }

 private:
  struct CloseState {
    void operator()(lua_State* L) const noexcept { lua_close(L); }
  };

  void begin();
  void end() noexcept;
  Outcome call(const CompiledCell& cell);
  Outcome values(const CompiledCell& cell);
  int call_protected(int arguments, int results);
  Outcome failure();

  Frontend& frontend_;
  SourceTexts sources_;
  FunctionNames builtins_;
  Traceback traceback_{sources_, builtins_};
  Interrupts interrupts_;
  MemoryLimit memory_{interrupts_};
  StandardStreams streams_;
  JupyterModule jupyter_;
  std::unique_ptr<lua_State, CloseState> state_;               // closed first: finalizers may still print
  std::shared_ptr<Session> reference_{this, [](Session*) {}};  // owns nothing
};

}  // namespace lua_kernel
