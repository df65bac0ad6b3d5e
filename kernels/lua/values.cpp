// SPDX-License-Identifier: BSD-3-Clause
#include "values.hpp"

#include "html_table.hpp"
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace lua_kernel {
namespace {

constexpr int most_values = 100;

/// As print does, tab separated; one under the other when a line cannot hold them.
std::string joined(const std::vector<std::string>& texts, std::size_t width) {
  std::size_t needed = 0;
  for (const std::string& text : texts) {
    needed += columns(text) + 1;
    if (text.find('\n') != std::string::npos) needed += width;
  }
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += needed > width ? '\n' : '\t';
    all += text;
  }
  return all;
}

}  // namespace

Display display_of(lua_State* L, int first, int last) {
  const ValueLimits limits;
  ValueReader reader(L, limits);
  std::vector<std::string> texts;
  const int end = std::min(last, first + most_values - 1);
  for (int index = first; index <= end; ++index) texts.push_back(layout(*reader.read(index), limits.columns));
  if (end < last) texts.push_back(more(static_cast<std::size_t>(last - end)));
  Display display;
  display.data["text/plain"] = joined(texts, limits.columns);
  if (first == last) {
    if (auto html = html_table(L, first)) display.data["text/html"] = std::move(*html);
  }
  return display;
}

int error_message(lua_State* L) {
  const bool readable = lua_type(L, 1) != LUA_TTABLE && lua_type(L, 1) != LUA_TUSERDATA;
  if (readable || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
    luaL_tolstring(L, 1, nullptr);
  } else {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  return 1;
}

}  // namespace lua_kernel
