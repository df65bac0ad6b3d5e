// SPDX-License-Identifier: BSD-3-Clause
#include "server/timer.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>

namespace adrastea::server {
namespace {

using namespace std::chrono_literals;

bool readable_within(const Timer& timer, std::chrono::milliseconds time) {
  pollfd waiting{.fd = timer.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, static_cast<int>(time.count())) == 1;
}

TEST(Timer, IsSilentUntilItIsSet) {
  const Timer timer;
  EXPECT_FALSE(timer.passed());
  EXPECT_FALSE(readable_within(timer, 10ms));
}

TEST(Timer, WakesWhenItsTimeHasComeAndNotBefore) {
  for (int i = 0; i < 100; ++i) {
    Timer timer;
    const auto begun = std::chrono::steady_clock::now();
    timer.start(2ms);
    ASSERT_TRUE(readable_within(timer, 20s));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 2ms);
    EXPECT_TRUE(timer.passed()) << "it woke who then finds nothing to do";
  }
}

TEST(Timer, WakesAtOnceForATimeThatIsNoMore) {
  for (const auto after : {0ns, -1ns, std::chrono::nanoseconds(-1h)}) {
    Timer timer;
    timer.start(after);
    EXPECT_TRUE(readable_within(timer, 20s)) << after.count();
    EXPECT_TRUE(timer.passed());
  }
}

TEST(Timer, KeepsATimeThatHasNotCome) {
  Timer timer;
  timer.start(1h);
  timer.start(0ns);
  EXPECT_FALSE(readable_within(timer, 20ms));
  EXPECT_FALSE(timer.passed());
}

TEST(Timer, TakesANewTimeOnceTheOldOneHasCome) {
  Timer timer;
  timer.start(0ns);
  ASSERT_TRUE(readable_within(timer, 20s));
  timer.start(1h);
  EXPECT_FALSE(readable_within(timer, 20ms));
  EXPECT_FALSE(timer.passed());
}

TEST(Timer, ForgetsItsTime) {
  Timer timer;
  timer.clear();
  timer.start(10ms);
  timer.clear();
  EXPECT_FALSE(readable_within(timer, 50ms));
  timer.start(0ns);
  ASSERT_TRUE(readable_within(timer, 20s));
  timer.clear();
  EXPECT_FALSE(readable_within(timer, 10ms));
  EXPECT_FALSE(timer.passed());
  timer.start(0ns);
  EXPECT_TRUE(readable_within(timer, 20s)) << "after clear() it can be set again";
}

}  // namespace
}  // namespace adrastea::server
