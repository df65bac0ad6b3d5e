// SPDX-License-Identifier: BSD-3-Clause
#include "values.hpp"

#include "html_table.hpp"
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>
#include <limits>
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

ErrorText error_text(lua_State* L, int index) {
  ErrorText error;
  if (lua_type(L, index) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* message = lua_tolstring(L, index, &size);
    error.evalue.assign(message, size);
    return error;
  }
  ValueLimits limits;
  limits.whole_text_bytes = std::numeric_limits<std::size_t>::max();
  const auto node = ValueReader(L, limits).read(index);
  if (std::string name = metatable_name(L, index); !name.empty()) {
    if (node->kind == ValueNode::Kind::table) node->text.clear();
    error.ename = std::move(name);
  }
  error.evalue = layout(*node, limits.columns);
  return error;
}

}  // namespace lua_kernel
