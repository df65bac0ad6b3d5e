// SPDX-License-Identifier: BSD-3-Clause
#include "support/ids.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

namespace adrastea::support {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

TEST(RandomHex, HasTwoLowerCaseDigitsForEachByte) {
  EXPECT_EQ(random_hex(0), "");
  for (const std::size_t bytes : {1U, 16U, 1000U}) {
    const std::string text = random_hex(bytes);
    EXPECT_EQ(text.size(), 2 * bytes);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos) << text;
  }
}

TEST(RandomHex, NeverRepeatsAndUsesEveryDigitEverywhere) {
  std::set<std::string> seen;
  std::set<char> first_digits;
  std::set<char> second_digits;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_hex(16);
    seen.insert(text);
    first_digits.insert(text[0]);
    second_digits.insert(text[1]);
  }
  EXPECT_EQ(seen.size(), 2000U);
  EXPECT_EQ(first_digits.size(), 16U);
  EXPECT_EQ(second_digits.size(), 16U);
}

TEST(IsoTime, HasSixFractionalDigitsAndAZ) {
  EXPECT_EQ(iso_time(Time{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(iso_time(Time{1'789'389'296s + 123'456us}), "2026-09-14T12:34:56.123456Z");
  EXPECT_EQ(iso_time(Time{1'709'251'199s + 999'999us}), "2024-02-29T23:59:59.999999Z");
  EXPECT_EQ(iso_time(Time{1us}), "1970-01-01T00:00:00.000001Z");
}

TEST(IsoTime, CutsWhatIsFinerThanMicroseconds) { EXPECT_EQ(iso_time(Time{1'999ns}), "1970-01-01T00:00:00.000001Z"); }

TEST(IsoTime, TakesTimesBeforeTheEpoch) { EXPECT_EQ(iso_time(Time{-1us}), "1969-12-31T23:59:59.999999Z"); }

}  // namespace
}  // namespace adrastea::support
