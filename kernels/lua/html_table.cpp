// SPDX-License-Identifier: BSD-3-Clause
#include "html_table.hpp"

#include "raw_access.hpp"
#include "session.hpp"
#include "stack_guard.hpp"
#include "text.hpp"
#include "value_tree.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace lua_kernel {
namespace {

constexpr std::size_t most_rows = 60;
constexpr std::size_t most_columns = 20;
/// With more the rows have nothing in common.
constexpr std::size_t most_names = 1000;
constexpr std::size_t cell_bytes = 200;  // of a name or a cell
constexpr std::size_t keys_between_looks = 4096;
constexpr int stack_for_rows = 8;

constexpr ValueLimits cell_limits{.depth = 2,
                                  .entries = 10,
                                  .total_entries = most_rows * most_columns * 10,
                                  .text_bytes = 60,
                                  .whole_text_bytes = cell_bytes,
                                  .columns = 0};

class HtmlTable {
 public:
  HtmlTable(lua_State* L, int table) : L_(L), table_(table), reader_(L, cell_limits) {}

  std::optional<std::string> make() {
    if (!count_rows() || !agree_on_columns()) return {};
    write_head();
    for (std::size_t row = 1; row <= shown_rows(); ++row) write_row(row);
    write_rest();
    return std::move(html_) + "</tbody>\n</table>";
  }

 private:
  enum class Shape { record, list, other };

  [[nodiscard]] std::size_t shown_rows() const { return std::min(rows_, most_rows); }

  /// False when there are none, or anything else in the table.
  bool count_rows() {
    std::size_t keys = 0;
    lua_pushnil(L_);
    while (lua_next(L_, table_) != 0) {
      const bool is_row = lua_istable(L_, -1) && lua_isinteger(L_, -2) != 0;
      lua_pop(L_, 1);
      const bool stopping = ++keys % keys_between_looks == 0 && Session::of(L_).interrupts().stopping();
      if (!is_row || stopping) return false;
    }
    while (rows_ < keys && push_row(rows_ + 1)) ++rows_, lua_pop(L_, 1);
    return rows_ == keys && rows_ > 0;
  }

  /// Pushes a value, whatever it is by now: __tostring may have changed the table.
  bool push_row(std::size_t row) {
    lua_rawgeti(L_, table_, static_cast<lua_Integer>(row));
    return lua_istable(L_, -1);
  }

  bool agree_on_columns() {
    for (std::size_t row = 1; row <= shown_rows(); ++row) {
      const StackGuard guard(L_);
      if (!push_row(row) || has_own_text(L_, -1)) return false;
      std::size_t keys = 0;
      const Shape shape = look_at_row(keys);
      if (row == 1) shape_ = shape, length_ = keys;
      const bool agrees = shape == shape_ || (keys == 0 && shape_ == Shape::record);
      if (!agrees || shape == Shape::other || (shape_ == Shape::list && keys != length_)) return false;
    }
    if (shape_ == Shape::record) length_ = names_.size();
    names_.erase(names_.size() > most_columns ? std::next(names_.begin(), most_columns) : names_.end(), names_.end());
    return length_ > 0;
  }

  /// The row is on top. Keeps its names, and counts its keys.
  Shape look_at_row(std::size_t& keys) {
    bool is_record = true;
    bool is_list = true;
    lua_Integer last = 0;
    lua_pushnil(L_);
    while (lua_next(L_, -2) != 0) {
      lua_pop(L_, 1);
      is_record = is_record && lua_type(L_, -1) == LUA_TSTRING && lua_rawlen(L_, -1) <= cell_bytes;
      is_list = is_list && lua_isinteger(L_, -1) != 0 && lua_tointeger(L_, -1) > 0;
      if ((!is_record && !is_list) || ++keys > most_names || names_.size() > most_names) return Shape::other;
      if (is_record) names_.emplace(text_at(L_, -1));
      if (is_list) last = std::max(last, lua_tointeger(L_, -1));
    }
    if (keys == 0) return Shape::list;
    if (is_record) return Shape::record;
    return static_cast<std::size_t>(last) == keys ? Shape::list : Shape::other;
  }

  [[nodiscard]] std::size_t shown_columns() const { return std::min(length_, most_columns); }

  /// Of the key on top of the stack; shown_columns() when it has none.
  std::size_t column_of_key() {
    if (shape_ == Shape::list) return std::min(static_cast<std::size_t>(lua_tointeger(L_, -1)) - 1, shown_columns());
    if (lua_type(L_, -1) != LUA_TSTRING) return shown_columns();
    const auto name = names_.find(text_at(L_, -1));
    return name != names_.end() ? static_cast<std::size_t>(std::distance(names_.begin(), name)) : shown_columns();
  }

  void write_head() {
    html_ = "<table>\n<thead><tr><th></th>";
    auto name = names_.begin();
    for (std::size_t column = 0; column < shown_columns(); ++column) {
      const std::string title = shape_ == Shape::list ? std::to_string(column + 1) : *name++;
      html_ += "<th>" + html_escaped(title) + "</th>";
    }
    if (length_ > shown_columns()) html_ += "<th>" + more(length_ - shown_columns()) + "</th>";
    html_ += "</tr></thead>\n<tbody>\n";
  }

  void write_row(std::size_t row) {
    const StackGuard guard(L_);
    html_ += "<tr><th>" + std::to_string(row) + "</th>";
    const int cells = lua_gettop(L_) + 1;
    lua_settop(L_, lua_gettop(L_) + static_cast<int>(shown_columns()));
    if (push_row(row)) take_cells(cells);
    for (std::size_t column = 0; column < shown_columns(); ++column) write_cell(cells + static_cast<int>(column));
    if (length_ > shown_columns()) html_ += "<td></td>";
    html_ += "</tr>\n";
  }

  /// All values of a row before any of them is asked for its text. The row is on top.
  void take_cells(int cells) {
    lua_pushnil(L_);
    while (lua_next(L_, -2) != 0) {
      lua_pushvalue(L_, -2);
      const std::size_t column = column_of_key();
      lua_pop(L_, 1);
      if (column < shown_columns()) {
        lua_replace(L_, cells + static_cast<int>(column));
      } else {
        lua_pop(L_, 1);
      }
    }
  }

  void write_cell(int index) {
    const int type = lua_type(L_, index);
    html_ += "<td";
    html_ += type == LUA_TNUMBER ? ">" : " style=\"text-align: left\">";
    if (type == LUA_TSTRING) {
      html_ += html_escaped(shortened(text_at(L_, index), cell_bytes));
    } else if (type != LUA_TNIL) {
      html_ += html_escaped(shortened(layout_line(*reader_.read(index)), cell_bytes));
    }
    html_ += "</td>";
  }

  void write_rest() {
    if (rows_ == shown_rows()) return;
    const std::size_t columns = 1 + shown_columns() + (length_ > shown_columns() ? 1 : 0);
    html_ += "<tr><td colspan=\"" + std::to_string(columns) + "\" style=\"text-align: left\">" +
             more(rows_ - shown_rows()) + "</td></tr>\n";
  }

  lua_State* L_;
  int table_;
  ValueReader reader_;
  std::string html_;
  std::size_t rows_ = 0;
  Shape shape_ = Shape::other;
  std::set<std::string, std::less<>> names_;  // the columns of records
  std::size_t length_ = 0;                    // of each list, or how many names there are
};

}  // namespace

std::optional<std::string> html_table(lua_State* L, int index) {
  const StackGuard guard(L);
  index = lua_absindex(L, index);
  if (!lua_istable(L, index) || has_own_text(L, index)) return {};
  if (lua_checkstack(L, static_cast<int>(most_columns) + stack_for_rows) == 0) return {};
  return HtmlTable(L, index).make();
}

}  // namespace lua_kernel
