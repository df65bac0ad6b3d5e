// SPDX-License-Identifier: BSD-3-Clause
#include "standard_streams.hpp"

#include "compat.hpp"
#include "raw_access.hpp"
#include "session.hpp"

#include <adrastea/errors.hpp>

#include <stdio_ext.h>

#include <algorithm>
#include <array>
#include <exception>

namespace lua_kernel {
namespace {

/// Makes one of the standard files that the io library has made use another C stream. io is on top. A file is a userdata
/// that begins with its FILE* in every Lua, which C modules rely on too; what follows keeps `close` from closing this one.
void redirect(lua_State* L, const char* name, std::FILE* file) {
  lua_getfield(L, -1, name);
  *static_cast<std::FILE**>(luaL_checkudata(L, -1, LUA_FILEHANDLE)) = file;
  lua_pop(L, 1);
}

void write_line(Session& session, std::string_view line) {
  session.streams().flush();
  session.frontend().write_stdout(line);
}

/// A line of any length.
void print_long(lua_State* L, int count) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int index = 1; index <= count; ++index) {
    const std::string_view text = text_at(L, index);
    luaL_addlstring(&buffer, text.data(), text.size());
    luaL_addchar(&buffer, index < count ? '\t' : '\n');
  }
  luaL_pushresult(&buffer);
  write_line(Session::of(L), text_at(L, -1));
}

/// One write for the whole line, whatever a __tostring in it prints meanwhile. Few are so long that Lua must make a string
/// of them, which costs as much as all the rest.
int print(lua_State* L) {
  const int count = lua_gettop(L);
  for (int index = 1; index <= count; ++index) {
    if (lua_type(L, index) == LUA_TSTRING) continue;
    luaL_tolstring(L, index, nullptr);
    lua_replace(L, index);
  }
  std::array<char, 256> line{};
  std::size_t size = 0;
  for (int index = 1; index <= count; ++index) {
    const std::string_view text = text_at(L, index);
    if (text.size() >= line.size() - size) {  // what follows it needs room, too
      print_long(L, count);
      return 0;
    }
    size += text.copy(line.data() + size, text.size());
    if (index < count) line.at(size++) = '\t';
  }
  line.at(size++) = '\n';
  write_line(Session::of(L), {line.data(), size});
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
  redirect(L, "stdin", in_.get());
  redirect(L, "stdout", out_.get());
  redirect(L, "stderr", err_.get());
  lua_pop(L, 1);
  lua_register(L, "print", print);
#if LUA_VERSION_NUM >= 504
  lua_setwarnf(L, warn, this);
#endif
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
  for (std::FILE* file : {out_.get(), err_.get()})
    if (::__fpending(file) > 0) static_cast<void>(std::fflush(file));
}

void StandardStreams::forget_input() noexcept {
  unread_.clear();
  discard_input(in_.get());
}

bool StandardStreams::is_output(lua_State* L, int index) const noexcept {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_rawlen(L, index) < sizeof(std::FILE*)) return false;
  const std::FILE* file = *static_cast<std::FILE**>(lua_touserdata(L, index));  // of other userdata any bytes
  return file == out_.get() || file == err_.get();
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
  return 0;  // the end of the input, rather than an error, which Lua's functions would raise themselves in part
}

}  // namespace lua_kernel
