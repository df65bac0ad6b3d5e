// SPDX-License-Identifier: BSD-3-Clause
#include "json_values.hpp"

#include "raw_access.hpp"
#include "session.hpp"
#include "utf8.hpp"

#include <adrastea/errors.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lua_kernel {
namespace {

using adrastea::Json;

/// Below Limits::max_json_depth, which counts what the value is wrapped in too.
constexpr std::size_t max_depth = 200;
/// Shared tables appear once for each reference: without a limit 40 small ones could stand for 2^40 values.
constexpr std::size_t max_values = 5'000'000;
constexpr std::size_t max_text_bytes = std::size_t{1} << 30;
constexpr std::size_t values_between_looks = 4096;

char array_metatable_key = 0;

void push_array_metatable(lua_State* L) {
  lua_pushlightuserdata(L, &array_metatable_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
}

bool is_marked_array(lua_State* L, int table) {
  if (lua_getmetatable(L, table) == 0) return false;
  push_array_metatable(L);
  const bool marked = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return marked;
}

/// What the keys of a table are.
struct Keys {
  std::size_t texts = 0;
  std::size_t integers = 0;
  std::size_t others = 0;
  lua_Integer lowest = 1;
  lua_Integer highest = 0;

  [[nodiscard]] bool are_a_sequence() const {
    return texts + others == 0 && lowest == 1 && static_cast<std::size_t>(highest) == integers;
  }
};

/// Calls nothing of Lua that may raise; see docs of json_of for what it throws.
class JsonReader {
 public:
  explicit JsonReader(lua_State* L) : L_(L) {}

  Json read(int index) {
    count_value();
    switch (lua_type(L_, index)) {
      case LUA_TNIL:
        return nullptr;
      case LUA_TBOOLEAN:
        return lua_toboolean(L_, index) != 0;
      case LUA_TNUMBER:
        return read_number(index);
      case LUA_TSTRING:
        return read_text(text_at(L_, index));
      case LUA_TTABLE:
        return read_table(index);
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L_, index) == nullptr) return nullptr;
        [[fallthrough]];
      default:
        fail(std::string("a ") + lua_typename(L_, lua_type(L_, index)) + " cannot be JSON");
    }
  }

 private:
  /// A table that is being read, and the key that is looked at.
  struct Step {
    const void* table;
    std::string_view name{};  // the string is on Lua's stack meanwhile
    lua_Integer position = 0;
  };

  [[noreturn]] void fail(const std::string& why) const {
    const std::string where = path();
    throw std::invalid_argument(where.empty() ? why : "at " + where + ": " + why);
  }

  [[nodiscard]] std::string path() const {
    constexpr std::size_t steps_shown = 8;
    std::string text;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (i == steps_shown && steps_.size() > steps_shown) return text + "…";
      const Step& step = steps_[i];
      if (step.position != 0) {
        text += "[" + std::to_string(step.position) + "]";
      } else if (!step.name.empty()) {
        constexpr std::size_t name_shown = 40;
        const bool readable = utf8::find_invalid(step.name) == std::string_view::npos && step.name.size() <= name_shown;
        text += (text.empty() ? "" : ".") + (readable ? std::string(step.name) : "?");
      }
    }
    return text;
  }

  void count_value() {
    if (++values_ > max_values) fail("more than " + std::to_string(max_values) + " values");
    if (values_ % values_between_looks != 0) return;
    Session& session = Session::of(L_);
    if (session.interrupts().stopping() || session.frontend().interrupted()) throw adrastea::Interrupted();
  }

  Json read_number(int index) const {
    if (lua_isinteger(L_, index) != 0) return lua_tointeger(L_, index);
    const lua_Number number = lua_tonumber(L_, index);
    if (!std::isfinite(number)) return nullptr;
    return number;
  }

  std::string read_text(std::string_view text) {
    if (const std::size_t at = utf8::find_invalid(text); at != std::string_view::npos) {
      fail("the string is not UTF-8 (byte " + std::to_string(at + 1) + ")");
    }
    text_bytes_ += text.size();
    if (text_bytes_ > max_text_bytes) fail("more than " + std::to_string(max_text_bytes) + " bytes of text");
    return std::string(text);
  }

  Json read_table(int index) {
    const int table = lua_absindex(L_, index);
    const void* identity = lua_topointer(L_, table);
    if (steps_.size() == max_depth) fail("nested deeper than " + std::to_string(max_depth) + " levels");
    if (std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) { return step.table == identity; })) {
      fail("the table contains itself");
    }
    constexpr int slots = 6;
    if (lua_checkstack(L_, slots) == 0) throw std::bad_alloc();
    const Keys keys = keys_of(table);
    const bool marked = is_marked_array(L_, table);
    if (keys.others > 0) fail("a key is neither a string nor an integer");
    if (keys.texts > 0 && marked) fail("jupyter.array has string keys");
    if (keys.texts > 0 && keys.integers > 0) fail("integer and string keys in one table");
    steps_.push_back({identity});
    Json json = keys.integers > 0 || marked ? read_array(table, keys) : read_object(table);
    steps_.pop_back();
    return json;
  }

  Keys keys_of(int table) {
    Keys keys;
    for (lua_pushnil(L_); lua_next(L_, table) != 0; lua_pop(L_, 1)) {
      const int type = lua_type(L_, -2);
      if (type == LUA_TSTRING) {
        ++keys.texts;
      } else if (type == LUA_TNUMBER && lua_isinteger(L_, -2) != 0) {
        const lua_Integer key = lua_tointeger(L_, -2);
        keys.lowest = keys.integers == 0 ? key : std::min(keys.lowest, key);
        keys.highest = keys.integers == 0 ? key : std::max(keys.highest, key);
        ++keys.integers;
      } else {
        ++keys.others;
      }
    }
    return keys;
  }

  Json read_array(int table, const Keys& keys) {
    if (!keys.are_a_sequence()) {
      steps_.pop_back();
      fail("a sparse array: " + std::to_string(keys.integers) + (keys.integers == 1 ? " entry" : " entries") +
           " with indices from " + std::to_string(keys.lowest) + " to " + std::to_string(keys.highest) +
           "; fill it with jupyter.null, or make its keys strings");
    }
    Json json = Json::array();
    json.get_ref<Json::array_t&>().reserve(keys.integers);
    for (lua_Integer i = 1; i <= keys.highest; ++i) {
      steps_.back().position = i;
      lua_rawgeti(L_, table, i);
      json.push_back(read(-1));
      lua_pop(L_, 1);
    }
    return json;
  }

  Json read_object(int table) {
    Json json = Json::object();
    for (lua_pushnil(L_); lua_next(L_, table) != 0; lua_pop(L_, 1)) {
      const std::string_view name = text_at(L_, -2);
      if (utf8::find_invalid(name) != std::string_view::npos) fail("a key is not UTF-8");
      steps_.back().name = name;
      json[std::string(name)] = read(-1);
    }
    return json;
  }

  lua_State* L_;
  std::vector<Step> steps_;
  std::size_t values_ = 0;
  std::size_t text_bytes_ = 0;
};

/// Calls `push` for each value of an array or object; iterators alone, which have no destructors.
void push_table(lua_State* L, const Json& json) {
  lua_createtable(L, json.is_array() ? static_cast<int>(std::min<std::size_t>(json.size(), 1 << 20)) : 0, 0);
  if (json.is_array()) {
    push_array_metatable(L);
    lua_setmetatable(L, -2);
  }
  lua_Integer position = 0;
  for (auto item = json.begin(); item != json.end(); ++item) {
    if (json.is_array()) {
      push_json(L, *item);
      lua_rawseti(L, -2, ++position);
    } else {
      lua_pushlstring(L, item.key().data(), item.key().size());
      push_json(L, *item);
      lua_rawset(L, -3);
    }
  }
}

}  // namespace

Json json_of(lua_State* L, int index) {
  const int top = lua_gettop(L);
  try {
    Json json = JsonReader(L).read(lua_absindex(L, index));
    lua_settop(L, top);
    return json;
  } catch (...) {
    lua_settop(L, top);
    throw;
  }
}

Json json_object_of(lua_State* L, int index) {
  if (lua_isnoneornil(L, index)) return Json::object();
  Json json = json_of(L, index);
  if (!json.is_object())
    throw std::invalid_argument(std::string("table with string keys expected, got ") + json.type_name());
  return json;
}

void push_json(lua_State* L, const Json& json) {
  luaL_checkstack(L, 4, "JSON nests too deep");
  switch (json.type()) {
    case Json::value_t::boolean:
      lua_pushboolean(L, *json.get_ptr<const bool*>() ? 1 : 0);
      return;
    case Json::value_t::number_integer:
      lua_pushinteger(L, static_cast<lua_Integer>(*json.get_ptr<const Json::number_integer_t*>()));
      return;
    case Json::value_t::number_unsigned: {
      const Json::number_unsigned_t number = *json.get_ptr<const Json::number_unsigned_t*>();
      if (number > static_cast<Json::number_unsigned_t>(std::numeric_limits<lua_Integer>::max())) {
        lua_pushnumber(L, static_cast<lua_Number>(number));
      } else {
        lua_pushinteger(L, static_cast<lua_Integer>(number));
      }
      return;
    }
    case Json::value_t::number_float:
      lua_pushnumber(L, *json.get_ptr<const Json::number_float_t*>());
      return;
    case Json::value_t::string: {
      const std::string& text = *json.get_ptr<const std::string*>();
      lua_pushlstring(L, text.data(), text.size());
      return;
    }
    case Json::value_t::array:
    case Json::value_t::object:
      return push_table(L, json);
    default:
      return push_json_null(L);
  }
}

void push_json_null(lua_State* L) { lua_pushlightuserdata(L, nullptr); }

int json_array(lua_State* L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  push_array_metatable(L);
  if (lua_getmetatable(L, 1) != 0) {
    luaL_argcheck(L, lua_rawequal(L, -1, -2) != 0, 1, "the table has a metatable already");
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  return 1;
}

void prepare_json(lua_State* L) {
  lua_pushlightuserdata(L, &array_metatable_key);
  lua_newtable(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

}  // namespace lua_kernel
