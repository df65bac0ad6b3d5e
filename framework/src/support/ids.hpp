// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace adrastea::support {

/// `bytes` random bytes from the system, in lower-case hexadecimal. Threads: any. Errors: std::runtime_error when the
/// system has none.
[[nodiscard]] std::string random_hex(std::size_t bytes);

/// ISO 8601 in UTC with six fractional digits and a Z, as jupyter_client reads it: 2026-09-14T12:34:56.123456Z.
[[nodiscard]] std::string iso_time(std::chrono::system_clock::time_point when);

/// The same of what others write: any number of fractional digits, Z or an offset such as +01:00. Nothing for other text,
/// and for a time without a zone, which could mean any.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text);

}  // namespace adrastea::support
