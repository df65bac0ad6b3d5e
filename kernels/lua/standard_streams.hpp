// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "callback_file.hpp"
#include "frontend.hpp"

#include <lua.hpp>

#include <string>

namespace lua_kernel {

class Interrupts;

/// io.stdin, io.stdout, io.stderr, print and warn, connected with the notebook.
///
/// The three are Lua files over C streams whose callbacks call Frontend, so that Lua's own io library does the rest: all
/// formats of read, lines, setvbuf, io.output, io.type, chained writes.
///
/// Threads: interpreter. Lifetime: longer than the Lua state they are installed in.
class StandardStreams {
 public:
  StandardStreams(Frontend& frontend, Interrupts& interrupts);

  /// May raise: call it protected.
  void install(lua_State* L);

  /// Sends what user code made io.stdout or io.stderr hold back (setvbuf).
  void flush() noexcept;
  /// A cell starts without what is left of lines that were typed for an earlier one.
  void forget_input() noexcept;

  /// Whether the value is io.stdout or io.stderr as install() made them.
  [[nodiscard]] bool is_output(lua_State* L, int index) const noexcept;

 private:
  static void warn(void* self, const char* message, int to_continue);
  static ssize_t write_out(void* self, const char* data, std::size_t size);
  static ssize_t write_err(void* self, const char* data, std::size_t size);
  static ssize_t read_in(void* self, char* data, std::size_t size);

  Frontend& frontend_;
  Interrupts& interrupts_;
  bool shows_warnings_ = false;
  bool inside_warning_ = false;
  std::string unread_;  // the rest of a line that was longer than the C stream's buffer
  CallbackFile out_;
  CallbackFile err_;
  CallbackFile in_;
};

}  // namespace lua_kernel
