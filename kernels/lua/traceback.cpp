// SPDX-License-Identifier: BSD-3-Clause
#include "traceback.hpp"

#include "compat.hpp"
#include "text.hpp"

#include <charconv>
#include <exception>

namespace lua_kernel {
namespace {

constexpr int frames_at_each_end = 10;
/// Of coroutines that resumed each other; more are left out in the middle.
constexpr std::size_t most_stacks = 8;

char noted_error;  // its address is a key of the registry

std::string_view string_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

std::string coloured(int colour, std::string_view text) {
  return "\033[" + std::to_string(colour) + "m" + std::string(text) + "\033[0m";
}
constexpr int red = 31;
constexpr int green = 32;
constexpr int cyan = 36;

/// Clients show the message a second time only here: its beginning will do.
std::string last_line(std::string_view ename, std::string_view evalue) {
  constexpr std::size_t most_bytes = 2000;
  return coloured(red, ename) + ": " + shortened(evalue, most_bytes);
}

bool is_c(const lua_Debug& frame) { return *frame.what == 'C'; }

/// "in function 'name'", in the words of Lua's own traceback.
std::string describe_function(const lua_Debug& frame, const std::string* builtin) {
  std::string text;
  const std::string_view kind = frame.namewhat;
  if (builtin != nullptr) {
    text = "function " + coloured(cyan, "'" + *builtin + "'");
  } else if (frame.name != nullptr && !kind.empty()) {
    text = kind == "method" || kind == "metamethod" || kind == "hook" ? std::string(kind) : "function";
    text += " " + coloured(cyan, "'" + std::string(frame.name) + "'");
  } else if (*frame.what == 'm') {
    text = "main chunk";
  } else if (is_c(frame)) {
    text = "a C function";
  } else {
    text = "function <" + std::string(frame.short_src) + ":" + std::to_string(frame.linedefined) + ">";
  }
  if (is_tail_call(frame)) text += " (called in place of its caller)";
  return text;
}

/// The number of frames; a stack that overflowed has 200 000, and each lua_getstack walks to its level.
int count_levels(lua_State* L) {
  lua_Debug frame;
  int low = 0;
  int high = 1;
  while (lua_getstack(L, high, &frame) != 0) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (lua_getstack(L, middle, &frame) != 0 ? low : high) = middle;
  }
  return lua_getstack(L, 0, &frame) != 0 ? low + 1 : 0;
}

/// Whether the error at `index` is the one that ended a coroutine, perhaps with a position put before it.
bool is_noted_error(lua_State* L, int index) {
  if (lua_checkstack(L, 2) == 0) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &noted_error);
  bool is_same = lua_rawequal(L, index, -1) != 0;
  if (!is_same && lua_type(L, index) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING) {
    const std::string_view noted = string_at(L, -1);
    is_same = !noted.empty() && string_at(L, index).ends_with(noted);
  }
  lua_pop(L, 1);
  return is_same;
}

}  // namespace

void Traceback::attach(lua_State* L) {
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &noted_error);
}

void Traceback::clear() {
  stacks_.clear();
  coroutines_.clear();
}

Traceback::Frame Traceback::describe(lua_State* L, const lua_Debug& frame) const {
  const std::string* builtin = nullptr;
  if (is_c(frame) && lua_checkstack(L, 1) != 0) {
    lua_Debug same = frame;
    lua_getinfo(L, "f", &same);
    builtin = builtins_.find(lua_topointer(L, -1));
    lua_pop(L, 1);
  }
  std::string where = frame.short_src;
  if (frame.currentline > 0) where += ":" + std::to_string(frame.currentline);
  Frame described{.text = "  " + coloured(green, where) + ": in " + describe_function(frame, builtin)};
  // Of code in a string the source is that code, which may be long: only its line is kept, as such a source again.
  const std::string_view source = frame.source;
  const bool is_code = !source.empty() && source.front() != '=' && source.front() != '@';
  described.source = is_code ? " " + sources_.lines(source, frame.currentline, frame.currentline) : source;
  described.line = is_code && frame.currentline > 0 ? 1 : frame.currentline;
  return described;
}

void Traceback::take(lua_State* L, int first, int last, Stack& stack) const {
  for (int level = first; level < last; ++level) {
    lua_Debug frame;
    if (lua_getstack(L, level, &frame) == 0 || lua_getinfo(L, frame_fields, &frame) == 0) return;
    stack.push_back(describe(L, frame));
  }
}

Traceback::Stack Traceback::frames(lua_State* L, int level) const {
  Stack stack;
  int end = count_levels(L);
  lua_Debug frame;
  while (end > level && lua_getstack(L, end - 1, &frame) != 0 && lua_getinfo(L, "S", &frame) != 0 && is_c(frame)) --end;
  const int left_out = end - level - 2 * frames_at_each_end;
  if (left_out <= 1) {
    take(L, level, end, stack);
  } else {
    take(L, level, level + frames_at_each_end, stack);
    stack.push_back({.text = "  ... (" + std::to_string(left_out) + " more)"});
    take(L, end - frames_at_each_end, end, stack);
  }
  return stack;
}

void Traceback::add(std::vector<Stack>& stacks, lua_State* L, int level) const {
  if (stacks.size() == most_stacks) stacks.erase(stacks.begin() + most_stacks / 2);
  stacks.push_back(frames(L, level));
}

void Traceback::capture(lua_State* L, int level) noexcept {
  try {
    stacks_.clear();
    add(stacks_, L, level);
  } catch (const std::exception&) {
    stacks_.clear();  // no memory: the message alone has to do
  }
}

void Traceback::capture_error(lua_State* L, int level, int error) noexcept {
  try {
    stacks_.clear();
    if (!coroutines_.empty() && is_noted_error(L, error)) stacks_ = coroutines_;
    add(stacks_, L, level);
  } catch (const std::exception&) {
    stacks_.clear();
  }
}

void Traceback::note_failure(lua_State* L, lua_State* coroutine, int error) noexcept {
  try {
    if (!is_noted_error(L, error)) coroutines_.clear();
    add(coroutines_, coroutine, 0);
    lua_pushvalue(L, error);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &noted_error);  // a key that is there: needs no memory
  } catch (const std::exception&) {
    coroutines_.clear();
  }
}

void Traceback::add_resumer(lua_State* L) noexcept {
  try {
    add(stacks_, L, 0);
  } catch (const std::exception&) {
    stacks_.clear();
  }
}

std::string Traceback::render(const Frame& frame) const {
  constexpr std::size_t most_bytes = 200;
  const std::string line = shortened(readable_line(sources_.lines(frame.source, frame.line, frame.line)), most_bytes);
  return line.empty() ? frame.text : frame.text + "\n      " + line;
}

std::vector<std::string> Traceback::render(std::string_view ename, std::string_view evalue) const {
  std::vector<std::string> lines;
  for (const Stack& stack : stacks_) {
    if (stack.empty()) continue;
    lines.emplace_back(lines.empty() ? "stack traceback (innermost first):" : "resumed from:");
    for (const Frame& frame : stack) lines.push_back(render(frame));
  }
  lines.push_back(last_line(ename, evalue));
  return lines;
}

std::vector<std::string> render_syntax_error(std::string_view code, std::string_view chunk, std::string_view ename,
                                             std::string_view evalue) {
  std::vector<std::string> lines;
  const std::string prefix = std::string(chunk) + ":";
  int number = 0;
  if (evalue.starts_with(prefix)) {
    std::from_chars(evalue.data() + prefix.size(), evalue.data() + evalue.size(), number);
  }
  for (int skip = 1; skip < number && !code.empty(); ++skip) {
    const std::size_t newline = code.find('\n');
    code = newline == std::string_view::npos ? std::string_view() : code.substr(newline + 1);
  }
  const std::string_view line = code.substr(0, code.find('\n'));
  if (number > 0 && !line.empty()) {
    lines.push_back("  " + coloured(green, prefix + std::to_string(number)) + ": " + shortened(readable_line(line), 200));
  }
  lines.push_back(last_line(ename, evalue));
  return lines;
}

}  // namespace lua_kernel
