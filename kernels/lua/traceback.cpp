// SPDX-License-Identifier: BSD-3-Clause
#include "traceback.hpp"

#include "compat.hpp"

#include <charconv>
#include <exception>

namespace lua_kernel {
namespace {

constexpr int frames_at_each_end = 10;

std::string coloured(int colour, std::string_view text) {
  return "\033[" + std::to_string(colour) + "m" + std::string(text) + "\033[0m";
}
constexpr int red = 31;
constexpr int green = 32;
constexpr int cyan = 36;

std::string last_line(std::string_view ename, std::string_view evalue) {
  return coloured(red, ename) + ": " + std::string(evalue);
}

bool is_c(const lua_Debug& frame) { return *frame.what == 'C'; }

std::string describe(const lua_Debug& frame) {
  std::string where = frame.short_src;
  if (frame.currentline > 0) where += ":" + std::to_string(frame.currentline);
  std::string line = "  " + coloured(green, where) + ": in ";
  const std::string_view kind = frame.namewhat;
  if (frame.name != nullptr && !kind.empty()) {
    line += kind == "method" || kind == "metamethod" || kind == "hook" ? std::string(kind) : "function";
    line += " " + coloured(cyan, "'" + std::string(frame.name) + "'");
  } else if (*frame.what == 'm') {
    line += "main chunk";
  } else if (is_c(frame)) {
    line += "a C function";
  } else {
    line += "function <" + std::string(frame.short_src) + ":" + std::to_string(frame.linedefined) + ">";
  }
  if (is_tail_call(frame)) line += " (called in place of its caller)";
  return line;
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

}  // namespace

void Traceback::take(lua_State* L, int first, int last) {
  for (int level = first; level < last; ++level) {
    lua_Debug frame;
    if (lua_getstack(L, level, &frame) == 0 || lua_getinfo(L, frame_fields, &frame) == 0) return;
    frames_.push_back(describe(frame));
  }
}

void Traceback::capture(lua_State* L, int level) noexcept {
  try {
    frames_.clear();
    int end = count_levels(L);
    lua_Debug frame;
    while (end > level && lua_getstack(L, end - 1, &frame) != 0 && lua_getinfo(L, "S", &frame) != 0 && is_c(frame)) --end;
    const int left_out = end - level - 2 * frames_at_each_end;
    if (left_out <= 1) return take(L, level, end);
    take(L, level, level + frames_at_each_end);
    frames_.push_back("  ... (" + std::to_string(left_out) + " more)");
    take(L, end - frames_at_each_end, end);
  } catch (const std::exception&) {
    frames_.clear();  // no memory: the message alone has to do
  }
}

std::vector<std::string> Traceback::render(std::string_view ename, std::string_view evalue) const {
  std::vector<std::string> lines;
  if (!frames_.empty()) lines.emplace_back("stack traceback (innermost first):");
  lines.insert(lines.end(), frames_.begin(), frames_.end());
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
    lines.push_back("  " + coloured(green, prefix + std::to_string(number)) + ": " + std::string(line));
  }
  lines.push_back(last_line(ename, evalue));
  return lines;
}

}  // namespace lua_kernel
