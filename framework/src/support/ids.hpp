// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

namespace adrastea::support {

/// Random bytes from the system: OpenSSL's generator costs a start more than all else that OpenSSL does for
/// it. Threads: any. Errors: std::runtime_error when the system has none.
void fill_random(std::span<std::byte> bytes);

/// `bytes` random bytes from the system, in lower-case hexadecimal. Threads: any. Errors: std::runtime_error when the
/// system has none.
[[nodiscard]] std::string random_hex(std::size_t bytes);

/// ISO 8601 in UTC with six fractional digits and a Z, as jupyter_client reads it: 2026-09-14T12:34:56.123456Z.
[[nodiscard]] std::string iso_time(std::chrono::system_clock::time_point when);

}  // namespace adrastea::support
