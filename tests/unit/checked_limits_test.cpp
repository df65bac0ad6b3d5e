// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/checked_limits.hpp"

#include <adrastea/errors.hpp>

#include <gmock/gmock.h>

#include <limits>
#include <string>

namespace {

using adrastea::Limits;
using adrastea::kernel::check;
using ::testing::StartsWith;

template <class Change>
std::string complaint(Change&& change) {
  Limits limits;
  change(limits);
  try {
    check(limits);
    return "none";
  } catch (const adrastea::StartupError& error) {
    return error.what();
  }
}

TEST(CheckedLimits, TakesTheDefaultsAndTheLeast) {
  EXPECT_EQ(complaint([](Limits&) {}), "none");
  EXPECT_EQ(complaint([](Limits& limits) {
              limits.digest_history = limits.subscriber_backlog_bytes = 0;
              limits.max_stream_bytes = 4;
              limits.stream_delay = limits.linger = std::chrono::milliseconds(0);
            }),
            "none");
}

TEST(CheckedLimits, NamesWhatIsTooSmall) {
  EXPECT_THAT(complaint([](Limits& limits) { limits.max_stream_bytes = 3; }),
              StartsWith("Limits::max_stream_bytes is 3; it may be from 4 to "));
  EXPECT_THAT(complaint([](Limits& limits) { limits.subscriber_queue_messages = 0; }),
              StartsWith("Limits::subscriber_queue_messages is 0; it may be from 1 to "));
  EXPECT_THAT(complaint([](Limits& limits) { limits.subscriber_most_bytes = 16777215; }),
              StartsWith("Limits::subscriber_most_bytes is 16777215; it may be from 16777216 to "));
  EXPECT_EQ(complaint([](Limits& limits) { limits.linger = std::chrono::milliseconds(-1); }),
            "Limits::linger is -1 ms; it may be from 0 to 31556952000 ms");
}

TEST(CheckedLimits, NamesWhatWouldOverflow) {
  EXPECT_THAT(complaint([](Limits& limits) { limits.subscriber_backlog_bytes = std::numeric_limits<std::size_t>::max(); }),
              StartsWith("Limits::subscriber_backlog_bytes is 18446744073709551615; it may be from 0 to "));
  EXPECT_THAT(complaint([](Limits& limits) { limits.subscriber_patience = std::chrono::milliseconds::max(); }),
              StartsWith("Limits::subscriber_patience is 9223372036854775807 ms; it may be from 0 to "));
}

}  // namespace
