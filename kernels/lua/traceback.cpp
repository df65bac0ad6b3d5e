// SPDX-License-Identifier: BSD-3-Clause
#include "traceback.hpp"

#include "compat.hpp"
#include "finalizers.hpp"
#include "raw_access.hpp"
#include "text.hpp"

#include <charconv>
#include <exception>
#include <optional>
#include <system_error>

namespace lua_kernel {
namespace {

constexpr int frames_at_each_end = 10;
/// Of coroutines that resumed each other; more are left out in the middle.
constexpr std::size_t most_stacks = 8;

char noted_error;  // its address is a key of the registry

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

/// Whether a source without a mark is code, rather than a name that was given to load: the code of a function compiles.
bool is_code(lua_State* L, std::string_view source) {
  constexpr std::size_t longest_name = 4096;
  if (source.empty() || source.front() == '=' || source.front() == '@') return false;
  if (source.size() > longest_name) return true;
  if (lua_checkstack(L, 1) == 0) return false;
  const FinalizersHeldBack held_back(L);
  const bool compiles = luaL_loadbuffer(L, source.data(), source.size(), "=code") == LUA_OK;
  lua_pop(L, 1);
  return compiles;
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
    const std::string_view noted = text_at(L, -1);
    is_same = !noted.empty() && text_at(L, index).ends_with(noted);
  }
  lua_pop(L, 1);
  return is_same;
}

struct ModulePlace {
  std::string_view file;
  int line = 0;
};

/// Where the compiler stopped, in what require says of a file that does not compile.
std::optional<ModulePlace> place_in_module(std::string_view message) {
  constexpr std::string_view before_file = "' from file '";
  constexpr std::string_view after_file = "':\n\t";
  if (!message.starts_with("error loading module '")) return {};
  const std::size_t begin = message.find(before_file);
  const std::size_t end = message.find(after_file);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin + before_file.size()) return {};
  const std::string_view file = message.substr(begin + before_file.size(), end - begin - before_file.size());
  const std::string_view reason = message.substr(end + after_file.size());  // with a name that may be shortened
  for (std::size_t colon = reason.find(':'); colon != std::string_view::npos; colon = reason.find(':', colon + 1)) {
    int line = 0;
    const char* last = reason.data() + reason.size();
    const auto read = std::from_chars(reason.data() + colon + 1, last, line);
    if (read.ec == std::errc() && read.ptr != last && *read.ptr == ':') return ModulePlace{file, line};
  }
  return {};
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
  const bool has_mark = source.starts_with('=') || source.starts_with('@');
  if (has_mark) {
    described.source = source;
    described.line = frame.currentline;
  } else if (frame.currentline > 0 && is_code(L, source)) {
    described.source = " " + sources_.lines(source, frame.currentline, frame.currentline);
    described.line = 1;
  }
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
  if (const auto place = place_in_module(evalue)) {
    const std::string where = std::string(place->file) + ":" + std::to_string(place->line);
    const Frame frame{.text = "  " + coloured(green, where), .source = "@" + std::string(place->file), .line = place->line};
    lines.push_back(render(frame));
  }
  bool is_first = true;
  for (const Stack& stack : stacks_) {
    if (stack.empty()) continue;
    lines.emplace_back(is_first ? "stack traceback (innermost first):" : "resumed from:");
    is_first = false;
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
