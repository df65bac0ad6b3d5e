// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/checked_limits.hpp"

#include <adrastea/errors.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace adrastea::kernel {
namespace {

// So that sums and small multiples stay within their types.
constexpr std::size_t k_most_bytes = std::numeric_limits<std::size_t>::max() >> 8U;
constexpr std::chrono::milliseconds k_longest = std::chrono::years(1);
// A character of UTF-8 may not be cut.
constexpr std::size_t k_longest_character = 4;

template <class Number>
void require(const char* name, Number value, Number least, Number most, const char* unit) {
  if (std::cmp_greater_equal(value, least) && std::cmp_less_equal(value, most)) return;
  throw StartupError(std::string("Limits::") + name + " is " + std::to_string(value) + unit + "; it may be from " +
                     std::to_string(least) + " to " + std::to_string(most) + unit);
}

void require_size(const char* name, std::size_t value, std::size_t least) {
  require<std::size_t>(name, value, least, k_most_bytes, "");
}

void require_time(const char* name, std::chrono::milliseconds value) {
  require<std::int64_t>(name, value.count(), 0, k_longest.count(), " ms");
}

}  // namespace

void check(const Limits& limits) {
  require_size("max_frame_bytes", limits.max_frame_bytes, 1);
  require_size("max_message_bytes", limits.max_message_bytes, 1);
  require_size("max_frames", limits.max_frames, 1);
  require_size("max_identities", limits.max_identities, 1);
  require_size("max_json_depth", limits.max_json_depth, 1);
  require_size("digest_history", limits.digest_history, 0);
  require_size("max_stream_bytes", limits.max_stream_bytes, k_longest_character);
  require_size("subscriber_backlog_bytes", limits.subscriber_backlog_bytes, 0);
  require_size("subscriber_most_bytes", limits.subscriber_most_bytes, limits.subscriber_backlog_bytes);
  require("subscriber_queue_messages", limits.subscriber_queue_messages, 1, std::numeric_limits<int>::max(), "");
  require_time("stream_delay", limits.stream_delay);
  require_time("subscriber_patience", limits.subscriber_patience);
  require_time("stop_on_error_gap", limits.stop_on_error_gap);
  require_time("handshake", limits.handshake);
  require_time("stdin_connect", limits.stdin_connect);
  require_time("shutdown_deadline", limits.shutdown_deadline);
  require_time("linger", limits.linger);
}

}  // namespace adrastea::kernel
