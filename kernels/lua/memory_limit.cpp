// SPDX-License-Identifier: BSD-3-Clause
#include "memory_limit.hpp"

#include "interrupts.hpp"

#include <adrastea/errors.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <stdexcept>

namespace lua_kernel {
namespace {

constexpr std::size_t kilobyte = 1024;
constexpr std::size_t room_of_a_cell = kilobyte * kilobyte;
/// Larger than anything that raising an error, or showing it, needs.
constexpr std::size_t large_block = 64 * kilobyte;

std::size_t unit_of(std::string_view suffix) {
  if (suffix.empty()) return 1;
  if (suffix == "K" || suffix == "k") return kilobyte;
  if (suffix == "M" || suffix == "m") return kilobyte * kilobyte;
  if (suffix == "G" || suffix == "g") return kilobyte * kilobyte * kilobyte;
  throw std::invalid_argument("a size ends in a digit, K, M or G");
}

}  // namespace

std::size_t parse_size(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) throw std::invalid_argument("a size starts with a number");
  const std::size_t unit = unit_of(text.substr(static_cast<std::size_t>(end - text.data())));
  if (error != std::errc() || number > MemoryLimit::none / unit) throw std::invalid_argument("this size is too large");
  return number * unit;
}

std::size_t MemoryLimit::from_environment() {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return none;
  try {
    return parse_size(text);
  } catch (const std::invalid_argument& failure) {
    throw adrastea::StartupError(std::string(variable) + " is '" + text + "': " + failure.what() +
                                 "; it sets the memory that Lua may use, for example 512M");
  }
}

void MemoryLimit::attach(lua_State* L, std::size_t limit) {
  limit_ = limit;
  used_ =
      static_cast<std::size_t>(lua_gc(L, LUA_GCCOUNT, 0)) * kilobyte + static_cast<std::size_t>(lua_gc(L, LUA_GCCOUNTB, 0));
  allocate_ = lua_getallocf(L, &data_);
  lua_setallocf(L, &MemoryLimit::allocate, this);
}

void MemoryLimit::begin_cell() noexcept {
  was_met_ = false;
  allowed_ = limit_ == none ? none : std::max(limit_, used_ + room_of_a_cell);
}

std::string MemoryLimit::explanation() const {
  if (!was_met_) return {};
  return std::string("the limit is ") + std::to_string(limit_) + " bytes, set by " + variable;
}

bool MemoryLimit::refuses(std::size_t new_size, std::size_t growth) noexcept {
  if (!is_kept_) return false;
  if (interrupts_.stopping() && new_size >= large_block) return true;
  const bool meets_limit = growth > allowed_ || used_ > allowed_ - growth;
  was_met_ = was_met_ || meets_limit;
  return meets_limit;
}

/// Lua collects garbage and asks once more before it raises the error.
void* MemoryLimit::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto& limit = *static_cast<MemoryLimit*>(self);
  const std::size_t old = block != nullptr ? old_size : 0;  // for new blocks Lua tells their type there
  if (new_size > old && limit.refuses(new_size, new_size - old)) return nullptr;
  void* made = limit.allocate_(limit.data_, block, old_size, new_size);
  if (made != nullptr || new_size == 0) limit.used_ += new_size - old;
  return made;
}

}  // namespace lua_kernel
