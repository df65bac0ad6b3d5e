// SPDX-License-Identifier: BSD-3-Clause
#include "standard_streams.hpp"

#include "session.hpp"

#include <adrastea/errors.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace lua_kernel {
namespace {

/// The `close` of a standard file: it stays open, as in lua(1).
int keep_open(lua_State* L) {
  static_cast<luaL_Stream*>(luaL_checkudata(L, 1, LUA_FILEHANDLE))->closef = keep_open;
  luaL_pushfail(L);
  lua_pushliteral(L, "cannot close standard file");
  return 2;
}

/// Sets io[name], and makes it the default file of io[set_default] where there is one. io is on top.
void install_file(lua_State* L, std::FILE* file, const char* name, const char* set_default) {
  auto* stream = static_cast<luaL_Stream*>(lua_newuserdatauv(L, sizeof(luaL_Stream), 0));
  stream->closef = nullptr;  // closed, should luaL_setmetatable raise
  stream->f = file;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  stream->closef = keep_open;
  if (set_default != nullptr) {
    lua_getfield(L, -2, set_default);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
  }
  lua_setfield(L, -2, name);
}

/// One write for the whole line, whatever a __tostring in it prints meanwhile.
int print(lua_State* L) {
  Session& session = Session::of(L);
  const int count = lua_gettop(L);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int index = 1; index <= count; ++index) {
    if (index > 1) luaL_addchar(&buffer, '\t');
    luaL_tolstring(L, index, nullptr);
    luaL_addvalue(&buffer);
  }
  luaL_addchar(&buffer, '\n');
  session.streams().flush();
  session.frontend().write_stdout({luaL_buffaddr(&buffer), luaL_bufflen(&buffer)});
  return 0;
}

}  // namespace

StandardStreams::StandardStreams(Frontend& frontend, Interrupts& interrupts)
    : frontend_(frontend),
      interrupts_(interrupts),
      out_(open_writer(this, write_out)),
      err_(open_writer(this, write_err)),
      in_(open_reader(this, read_in)) {}

void StandardStreams::install(lua_State* L) {
  lua_getglobal(L, LUA_IOLIBNAME);
  install_file(L, in_.get(), "stdin", "input");
  install_file(L, out_.get(), "stdout", "output");
  install_file(L, err_.get(), "stderr", nullptr);
  lua_pop(L, 1);
  lua_register(L, "print", print);
  lua_setwarnf(L, warn, this);
}

/// As in lua(1): off until warn("@on"); errors in __gc arrive here too. May be called where Lua allows no error.
void StandardStreams::warn(void* context, const char* message, int to_continue) {
  auto& self = *static_cast<StandardStreams*>(context);
  const std::string_view text = message;
  if (!self.inside_warning_ && to_continue == 0 && text.starts_with('@')) {
    if (text == "@on") self.shows_warnings_ = true;
    if (text == "@off") self.shows_warnings_ = false;
    return;
  }
  if (self.shows_warnings_) {
    if (!self.inside_warning_) self.frontend_.write_stderr("Lua warning: ");
    self.frontend_.write_stderr(text);
    if (to_continue == 0) self.frontend_.write_stderr("\n");
  }
  self.inside_warning_ = to_continue != 0;
}

void StandardStreams::flush() noexcept {
  static_cast<void>(std::fflush(out_.get()));
  static_cast<void>(std::fflush(err_.get()));
}

void StandardStreams::forget_input() noexcept {
  unread_.clear();
  discard_input(in_.get());
}

ssize_t StandardStreams::write_out(void* self, const char* data, std::size_t size) {
  static_cast<StandardStreams*>(self)->frontend_.write_stdout({data, size});
  return static_cast<ssize_t>(size);
}

ssize_t StandardStreams::write_err(void* self, const char* data, std::size_t size) {
  static_cast<StandardStreams*>(self)->frontend_.write_stderr({data, size});
  return static_cast<ssize_t>(size);
}

/// Called by the C library, below Lua: what fails here is raised by Interrupts at the next instruction of Lua.
ssize_t StandardStreams::read_in(void* context, char* data, std::size_t size) {
  auto& self = *static_cast<StandardStreams*>(context);
  try {
    if (self.unread_.empty()) {
      self.flush();
      auto line = self.frontend_.input("", false);
      if (!line) return 0;
      self.unread_ = std::move(*line);
      self.unread_ += '\n';
    }
    const std::size_t taken = self.unread_.copy(data, size);
    self.unread_.erase(0, taken);
    return static_cast<ssize_t>(taken);
  } catch (const adrastea::Interrupted&) {
    self.interrupts_.request(Interrupts::Reason::interrupted);
  } catch (const std::exception& failure) {
    self.interrupts_.request_input_failure(failure.what());
  } catch (...) {
    self.interrupts_.request_input_failure("no line could be read");
  }
  errno = EINTR;
  return -1;
}

}  // namespace lua_kernel
