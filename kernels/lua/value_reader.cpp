// SPDX-License-Identifier: BSD-3-Clause
#include "lexer.hpp"
#include "raw_access.hpp"
#include "session.hpp"
#include "stack_guard.hpp"
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <tuple>
#include <utility>

namespace lua_kernel {
namespace {

constexpr int stack_for_one_value = 12;

/// So many steps of a loop over a large table pass between two looks at the stop button.
constexpr std::size_t steps_between_looks = 4096;

std::string address_of(lua_State* L, int index) {
  std::array<char, 24> digits{};
  const auto address = reinterpret_cast<std::uintptr_t>(lua_topointer(L, index));
  const auto written = std::to_chars(digits.begin(), digits.end(), address, 16);
  return "0x" + std::string(digits.begin(), written.ptr);
}

/// The name in "name: 0x55d0c0de", where that is the value's address and all of the text: it says nothing of the value.
std::optional<std::string> name_before_address(lua_State* L, int index, std::string_view text) {
  constexpr std::string_view before_digits = ": 0x";
  const std::size_t end = text.rfind(before_digits);
  if (end == std::string_view::npos) return {};
  std::uintptr_t address = 0;
  const char* last = text.data() + text.size();
  const auto read = std::from_chars(text.data() + end + before_digits.size(), last, address, 16);
  const auto own = reinterpret_cast<std::uintptr_t>(lua_topointer(L, index));
  if (read.ec != std::errc() || read.ptr != last || address != own) return {};
  const std::string_view name = text.substr(0, end);
  return std::string(name == luaL_typename(L, index) ? std::string_view() : name);
}

/// Questions to a value that has a metatable: its __name, whether it has a __tostring, the text of that; or nothing.
int find_name(lua_State* L) { return luaL_getmetafield(L, 1, "__name") == LUA_TSTRING ? 1 : 0; }

int find_tostring(lua_State* L) {
  lua_pushboolean(L, luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL ? 1 : 0);
  return 1;
}

int call_tostring(lua_State* L) {
  if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) return 0;
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (lua_isstring(L, -1) == 0) return luaL_error(L, "'__tostring' returned a %s value", luaL_typename(L, -1));
  lua_tolstring(L, -1, nullptr);
  return 1;
}

enum class Answer { none, given, failed };

/// Asks one of them, protected. The answer, or the error, is on top then.
Answer ask_metatable(lua_State* L, int index, lua_CFunction question) {
  if (lua_checkstack(L, stack_for_one_value) == 0 || lua_getmetatable(L, index) == 0) return Answer::none;
  lua_pop(L, 1);
  lua_pushcfunction(L, question);
  lua_pushvalue(L, index);
  const MemoryLimit::Kept kept(Session::of(L).memory());
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) return Answer::failed;
  return lua_isnil(L, -1) ? Answer::none : Answer::given;
}

const char* status_of(lua_State* L, lua_State* thread) {
  lua_Debug frame;
  if (thread == L) return "running";
  if (lua_status(thread) == LUA_YIELD) return "suspended";
  if (lua_status(thread) != LUA_OK) return "failed";
  if (lua_getstack(thread, 0, &frame) != 0) return "normal";
  return lua_gettop(thread) == 0 ? "dead" : "suspended";
}

/// Where a thread waits, innermost Lua function first: " at [1]:2".
std::string place_in(lua_State* thread) {
  lua_Debug frame;
  for (int level = 0; level < 3 && lua_getstack(thread, level, &frame) != 0; ++level) {
    if (lua_getinfo(thread, "Sl", &frame) != 0 && frame.currentline > 0) {
      return " at " + std::string(frame.short_src) + ":" + std::to_string(frame.currentline);
    }
  }
  return {};
}

}  // namespace

/// What the metatable says.
struct ValueReader::OwnText {
  std::optional<std::string> text{};  // of __tostring, or how that failed
  std::string name{};
};

/// A key of a table and the place on the stack that holds it, which also keeps its text alive.
struct ValueReader::Key {
  enum class Order { number, string, other };
  Order order = Order::other;
  // A float key is never equal to an integer; near 2^53 it may round to the same number, and the integer decides.
  lua_Number number = 0;
  lua_Integer integer = 0;
  std::string_view text{};
  int slot = 0;

  static Key at(lua_State* L, int index) {
    Key key{.slot = index};
    if (lua_type(L, index) == LUA_TNUMBER) {
      key.order = Order::number;
      key.number = lua_tonumber(L, index);
      if (lua_isinteger(L, index) != 0) key.integer = lua_tointeger(L, index);
    } else if (lua_type(L, index) == LUA_TSTRING) {
      key.order = Order::string;
      key.text = text_at(L, index);
    } else {
      key.text = luaL_typename(L, index);
      key.integer = lua_toboolean(L, index);
    }
    return key;
  }

  bool operator<(const Key& other) const {
    return std::tie(order, number, integer, text) < std::tie(other.order, other.number, other.integer, other.text);
  }
};

bool ValueReader::stopping() const { return Session::of(L_).interrupts().stopping(); }

std::unique_ptr<ValueNode> ValueReader::read(int index) {
  const StackGuard guard(L_);
  index = lua_absindex(L_, index);
  seen_.clear();
  labels_ = 0;
  return read_nested(index, 0);
}

std::unique_ptr<ValueNode> ValueReader::read_nested(int index, int depth) {
  auto node = std::make_unique<ValueNode>();
  if (stopping() || lua_checkstack(L_, stack_for_one_value) == 0) return node;
  const std::size_t text_bytes = depth == 0 ? limits_.whole_text_bytes : limits_.text_bytes;
  if (lua_type(L_, index) == LUA_TNUMBER) {
    node->kind = ValueNode::Kind::number;
    node->text = number_text(L_, index);
  } else if (lua_type(L_, index) != LUA_TTABLE) {
    node->text = leaf_text(index, text_bytes);
  } else if (const auto seen = seen_.find(lua_topointer(L_, index)); seen != seen_.end()) {
    return refer_to(*seen->second);
  } else {
    OwnText own = own_text(index, text_bytes);
    if (!own.text) return read_table(index, std::move(own.name), depth);
    node->text = std::move(*own.text);
  }
  return node;
}

std::unique_ptr<ValueNode> ValueReader::refer_to(ValueNode& table) {
  auto node = std::make_unique<ValueNode>();
  node->kind = ValueNode::Kind::reference;
  node->target = &table;
  node->is_cycle = table.is_open;
  if (table.label == 0) table.label = ++labels_;
  return node;
}

std::unique_ptr<ValueNode> ValueReader::read_table(int index, std::string name, int depth) {
  auto node = std::make_unique<ValueNode>();
  node->kind = ValueNode::Kind::table;
  node->text = std::move(name);
  node->is_hidden = depth >= limits_.depth || entries_ >= limits_.total_entries;
  if (node->is_hidden) {
    const StackGuard guard(L_);
    lua_pushnil(L_);
    node->is_hidden = lua_next(L_, index) != 0;  // an empty one can be shown
    return node;
  }
  seen_.emplace(lua_topointer(L_, index), node.get());
  node->is_open = true;
  read_items(*node, index, depth);
  read_keys(*node, index, depth);
  node->is_open = false;
  return node;
}

std::size_t ValueReader::count_items(int index) {
  std::size_t count = 0;
  while (count % steps_between_looks != 0 || !stopping()) {
    lua_rawgeti(L_, index, static_cast<lua_Integer>(count) + 1);
    const bool is_end = lua_isnil(L_, -1);
    lua_pop(L_, 1);
    if (is_end) break;
    ++count;
  }
  return count;
}

void ValueReader::read_items(ValueNode& node, int index, int depth) {
  node.items_left = count_items(index);
  while (node.items_left > 0 && node.items < limits_.entries) {
    lua_rawgeti(L_, index, static_cast<lua_Integer>(node.items) + 1);
    if (!add_entry(node, {}, depth)) break;
    ++node.items;
    --node.items_left;
  }
}

/// The keys come first, all of them: reading their values may run code that changes the table.
void ValueReader::read_keys(ValueNode& node, int index, int depth) {
  const StackGuard guard(L_);
  if (lua_checkstack(L_, static_cast<int>(limits_.entries) + stack_for_one_value) == 0) return;
  const auto keys = select_keys(index, node.items + node.items_left, limits_.entries, node.keys_left);
  for (const Key& key : keys) {
    std::string text = key_text(key.slot);
    lua_pushvalue(L_, key.slot);
    lua_rawget(L_, index);
    if (!add_entry(node, std::move(text), depth)) break;
    --node.keys_left;
  }
}

/// Pushes the first keys in order and counts all of them. A heap keeps the least, so that a million are not sorted.
std::vector<ValueReader::Key> ValueReader::select_keys(int index, std::size_t items, std::size_t wanted,
                                                       std::size_t& left) {
  const int base = lua_gettop(L_);
  lua_settop(L_, base + static_cast<int>(wanted));
  std::vector<Key> keys;
  std::size_t steps = 0;
  lua_pushnil(L_);
  while (lua_next(L_, index) != 0) {
    lua_pop(L_, 1);
    if (++steps % steps_between_looks == 0 && stopping()) break;
    const int top = lua_gettop(L_);
    Key key = Key::at(L_, top);
    const bool is_item = lua_isinteger(L_, top) != 0 && key.integer >= 1 && static_cast<std::size_t>(key.integer) <= items;
    if (is_item) continue;
    ++left;
    if (keys.size() == wanted) {
      if (!(key < keys.front())) continue;
      std::pop_heap(keys.begin(), keys.end());
      key.slot = keys.back().slot;
      keys.back() = key;
    } else {
      key.slot = base + 1 + static_cast<int>(keys.size());
      keys.push_back(key);
    }
    lua_pushvalue(L_, top);
    lua_replace(L_, key.slot);
    std::push_heap(keys.begin(), keys.end());
  }
  std::sort_heap(keys.begin(), keys.end());
  return keys;
}

/// Takes the value from the top; false when there is no room for it any more.
bool ValueReader::add_entry(ValueNode& node, std::string key, int depth) {
  const bool has_room = entries_ < limits_.total_entries && !stopping();
  if (has_room) {
    ++entries_;
    node.entries.push_back({std::move(key), read_nested(lua_gettop(L_), depth + 1)});
  }
  lua_pop(L_, 1);
  return has_room;
}

std::string ValueReader::key_text(int index) {
  switch (lua_type(L_, index)) {
    case LUA_TSTRING: {
      const std::string_view text = text_at(L_, index);
      const TokenList list = tokenize(text.substr(0, limits_.text_bytes));
      const bool is_name = list.tokens.size() == 1 && list.tokens[0].kind == TokenKind::name && list.tokens[0].begin == 0 &&
                           list.tokens[0].end == text.size();
      return is_name ? std::string(text) + " = " : "[" + quoted(text, limits_.text_bytes) + "] = ";
    }
    case LUA_TNUMBER:
      return "[" + number_text(L_, index) + "] = ";
    default:
      return "[" + leaf_text(index, limits_.text_bytes) + "] = ";
  }
}

ValueReader::OwnText ValueReader::own_text(int index, std::size_t text_bytes) {
  OwnText own;
  const StackGuard guard(L_);
  const Answer answer = limits_.asks_tostring ? ask_metatable(L_, index, call_tostring) : Answer::none;
  if (stopping()) return own;
  auto only_name =
      answer == Answer::given && lua_istable(L_, index) ? name_before_address(L_, index, text_at(L_, -1)) : std::nullopt;
  if (only_name) {
    own.name = only_name->empty() ? metatable_name(L_, index) : shortened(*only_name, limits_.text_bytes);
  } else if (answer == Answer::given) {
    own.text = shortened(text_at(L_, -1), text_bytes);
  } else if (answer == Answer::failed) {
    const std::string why = lua_type(L_, -1) == LUA_TSTRING ? shortened(text_at(L_, -1), limits_.text_bytes)
                                                            : std::string("a ") + luaL_typename(L_, -1) + " value";
    own.text = luaL_typename(L_, index) + (": " + address_of(L_, index)) + " (error in __tostring: " + why + ")";
  } else {
    own.name = metatable_name(L_, index);
  }
  return own;
}

/// Anything but a number; a table as a key.
std::string ValueReader::leaf_text(int index, std::size_t text_bytes) {
  const int type = lua_type(L_, index);
  if (type == LUA_TNIL || type == LUA_TNONE) return "nil";
  if (type == LUA_TBOOLEAN) return lua_toboolean(L_, index) != 0 ? "true" : "false";
  if (type == LUA_TSTRING) return quoted(text_at(L_, index), text_bytes);
  OwnText own = own_text(index, text_bytes);
  if (own.text) return std::move(*own.text);
  if (type == LUA_TFUNCTION) return function_text(index);
  if (type == LUA_TLIGHTUSERDATA) {
    return lua_touserdata(L_, index) == nullptr ? "null" : "light userdata: " + address_of(L_, index);
  }
  std::string text = (own.name.empty() ? std::string(luaL_typename(L_, index)) : own.name) + ": " + address_of(L_, index);
  if (lua_State* thread = lua_tothread(L_, index); thread != nullptr) {
    text += std::string(" (") + status_of(L_, thread) + place_in(thread) + ")";
  }
  return text;
}

std::string ValueReader::function_text(int index) {
  const StackGuard guard(L_);
  const void* function = lua_topointer(L_, index);
  lua_Debug info;
  lua_pushvalue(L_, index);
  if (lua_getinfo(L_, ">S", &info) == 0) return "function: " + address_of(L_, index);
  if (*info.what != 'C') {
    const std::string name = name_of(function);
    return "function: " + name + (name.empty() ? "" : " ") + info.short_src + ":" + std::to_string(info.linedefined);
  }
  if (const std::string* builtin = Session::of(L_).builtins().find(function)) return "function: " + *builtin + " (builtin)";
  const std::string name = name_of(function);
  return "function: " + (name.empty() ? address_of(L_, index) : name) + " (C)";
}

std::string ValueReader::name_of(const void* function) {
  if (!names_) names_.emplace().read(L_);
  const std::string* name = names_->find(function);
  return name != nullptr ? *name : std::string();
}

std::string metatable_name(lua_State* L, int index) {
  const StackGuard guard(L);
  const Answer answer = ask_metatable(L, lua_absindex(L, index), find_name);
  constexpr std::size_t most_bytes = 200;
  return answer == Answer::given ? shortened(text_at(L, -1), most_bytes) : std::string();
}

bool has_own_text(lua_State* L, int index) {
  const StackGuard guard(L);
  return ask_metatable(L, lua_absindex(L, index), find_tostring) == Answer::given && lua_toboolean(L, -1) != 0;
}

std::string number_text(lua_State* L, int index) {
  std::array<char, 64> digits{};
  if (lua_isinteger(L, index) != 0) {
    const auto written = std::to_chars(digits.begin(), digits.end(), lua_tointeger(L, index));
    return {digits.begin(), written.ptr};
  }
  const lua_Number number = lua_tonumber(L, index);
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  // As tostring writes it, with more digits where those do not tell it from its neighbours.
  for (int precision = 14; precision <= 17; ++precision) {
    const auto written = std::to_chars(digits.begin(), digits.end(), number, std::chars_format::general, precision);
    lua_Number back = 0;
    std::from_chars(digits.begin(), written.ptr, back);
    if (back != number && precision < 17) continue;
    const std::string text(digits.begin(), written.ptr);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  return {};
}

}  // namespace lua_kernel
