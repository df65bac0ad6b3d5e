// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace lua_kernel {

class Interrupts;

/// A bound on the memory of a Lua state, so that a cell that asks for too much fails, and not the machine.
///
/// It is kept while the user's code runs: what the kernel itself asks Lua for, where an error would have nowhere to go, is
/// beyond it. Each cell may have a megabyte more than is in use, so that one that lets go of memory can always run.
///
/// It is also how a stop reaches C functions that gather a long text and never return to Lua, as io.read on /dev/zero:
/// while the cell is to stop they get no large block any more.
///
/// Threads: interpreter. Lifetime: longer than the state's.
class MemoryLimit {
 public:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  static constexpr const char* variable = "ADRASTEA_LUA_MEMORY_LIMIT";

  explicit MemoryLimit(const Interrupts& interrupts) : interrupts_(interrupts) {}

  /// What the environment variable says. Errors: adrastea::StartupError when that is no size.
  static std::size_t from_environment();

  /// Once, before the state is used.
  void attach(lua_State* L, std::size_t limit);

  void begin_cell() noexcept;

  /// For the message of a cell that failed: empty unless the limit was met in it.
  [[nodiscard]] std::string explanation() const;

  /// While it lives the limit is kept. Around protected calls only, in frames that no Lua error crosses.
  class Kept {
   public:
    explicit Kept(MemoryLimit& limit) noexcept : limit_(limit), before_(limit.is_kept_) { limit_.is_kept_ = true; }
    ~Kept() { limit_.is_kept_ = before_; }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

   private:
    MemoryLimit& limit_;
    bool before_;
  };

 private:
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  [[nodiscard]] bool refuses(std::size_t new_size, std::size_t growth) noexcept;

  const Interrupts& interrupts_;
  lua_Alloc allocate_ = nullptr;  // the state's own
  void* data_ = nullptr;
  std::size_t limit_ = none;
  std::size_t allowed_ = none;  // in this cell
  std::size_t used_ = 0;
  bool is_kept_ = false;
  bool was_met_ = false;
};

/// "512M" and the like: bytes, or with K, M or G behind the number. Errors: std::invalid_argument.
std::size_t parse_size(std::string_view text);

}  // namespace lua_kernel
