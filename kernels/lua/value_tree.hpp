// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "function_names.hpp"

#include <lua.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lua_kernel {

/// How much of a value is shown. Whatever is left out is counted in the text.
struct ValueLimits {
  int depth = 10;                        ///< tables in tables
  std::size_t entries = 100;             ///< of one table: so many items, and so many other keys
  std::size_t total_entries = 5000;      ///< of all tables together: what keeps 100 in 100 in 100 from being a million
  std::size_t text_bytes = 500;          ///< of a string, or of what __tostring returns, inside a table
  std::size_t whole_text_bytes = 20000;  ///< the same, where it is the whole value
  std::size_t columns = 80;              ///< a table that needs more gets a line for each entry
  bool asks_tostring = true;             ///< the one thing that runs code of the user
};

/// A Lua value, read far enough to be shown: no Lua code runs, and none can change it, while it is laid out.
struct ValueNode {
  enum class Kind {
    number,
    text,  ///< anything else that is no table, and tables that have a text of their own
    table,
    reference,  ///< to a table that stands elsewhere in the tree
  };
  struct Entry {
    std::string key;  ///< as in a constructor, `name = `; empty for an item
    std::unique_ptr<ValueNode> value;
  };

  Kind kind = Kind::text;
  std::string text{};  ///< the value; of a table its __name
  std::vector<Entry> entries{};
  std::size_t items = 0;  ///< so many of the entries are items: 1, 2, 3 …
  std::size_t items_left = 0;
  std::size_t keys_left = 0;
  bool is_hidden = false;  ///< too deep: nothing of it was read
  bool is_open = false;    ///< being read: a reference to it is a cycle
  bool is_cycle = false;   ///< of a reference
  int label = 0;           ///< the number by which references name it; 0 when there are none
  ValueNode* target = nullptr;
};

/// Reads values, with raw access only: of the user's code nothing but __tostring runs.
///
/// Threads: interpreter. Errors: std::bad_alloc; Lua errors never leave it, and it uses only functions of Lua that raise
/// none where it is not protected. After a stop (Interrupts::stopping) it reads nothing more. Leaves the stack as it was.
class ValueReader {
 public:
  explicit ValueReader(lua_State* L, const ValueLimits& limits = {}) : L_(L), limits_(limits) {}

  std::unique_ptr<ValueNode> read(int index);

 private:
  struct OwnText;
  struct Key;

  std::unique_ptr<ValueNode> read_nested(int index, int depth);
  std::unique_ptr<ValueNode> read_table(int index, std::string name, int depth);
  std::unique_ptr<ValueNode> refer_to(ValueNode& table);
  void read_items(ValueNode& node, int index, int depth);
  void read_keys(ValueNode& node, int index, int depth);
  std::vector<Key> select_keys(int index, std::size_t items, std::size_t wanted, std::size_t& left);
  bool add_entry(ValueNode& node, std::string key, int depth);
  OwnText own_text(int index, std::size_t text_bytes);
  std::string key_text(int index);
  std::string leaf_text(int index, std::size_t text_bytes);
  std::string function_text(int index);
  std::string name_of(const void* function);
  std::size_t count_items(int index);
  [[nodiscard]] bool stopping() const;

  lua_State* L_;
  ValueLimits limits_;
  std::size_t entries_ = 0;
  int labels_ = 0;
  std::unordered_map<const void*, ValueNode*> seen_;
  std::optional<FunctionNames> names_;  // read for the first function that is no builtin
};

/// In readable, indented Lua syntax: what fits stands on one line.
std::string layout(const ValueNode& node, std::size_t width);
/// All of it on one line, whatever its length.
std::string layout_line(const ValueNode& node);

/// The __name in its metatable, or its beginning; empty when there is none.
std::string metatable_name(lua_State* L, int index);
/// Whether its metatable has a __tostring.
bool has_own_text(lua_State* L, int index);

/// A number as Lua would read it back to the last bit. `index` must hold a number.
std::string number_text(lua_State* L, int index);

}  // namespace lua_kernel
