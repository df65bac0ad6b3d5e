// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string_view>

/// UTF-8 in Lua's strings, which may hold any bytes. Threads: any. Errors: none.
namespace lua_kernel::utf8 {

/// The length of the character at `at`, or 0 for bytes that are none (overlong forms and surrogates included).
/// Precondition: at < text.size().
[[nodiscard]] std::size_t character_size(std::string_view text, std::size_t at) noexcept;

/// The first byte that belongs to no character; npos when all is well.
[[nodiscard]] std::size_t find_invalid(std::string_view text) noexcept;

}  // namespace lua_kernel::utf8
