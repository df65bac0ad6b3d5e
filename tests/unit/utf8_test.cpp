// SPDX-License-Identifier: BSD-3-Clause
#include "support/utf8.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::support::utf8 {
namespace {

using std::string_literals::operator""s;

const std::string k_fffd = "\uFFFD";
/// One character of each length.
const std::vector<std::string> k_characters{"a", "é", "€", "\U0001F600"};
const std::string k_mixed = "a€é\U0001F600zé€€\U0001F600\U0001F600b";

/// By the formula of the encoding, not by the table that the code under test uses.
std::string encoded(char32_t c) {
  const auto tail = [c](unsigned shift) { return static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0U | (c >> 6U)), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0U | (c >> 12U)), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | (c >> 18U)), tail(12), tail(6), tail(0)};
}

TEST(Utf8, TakesEveryCodePointButSurrogates) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    ASSERT_EQ(is_valid(encoded(c)), !surrogate) << std::hex << static_cast<std::uint32_t>(c);
  }
  EXPECT_FALSE(is_valid(encoded(0x110000)));
}

TEST(Utf8, TakesNoOtherBytesThanTheOnesOfCodePoints) {
  std::size_t valid_pairs = 0;
  std::size_t valid_triples = 0;
  std::size_t valid_quad_starts = 0;
  for (unsigned first = 0x80; first < 0x100; ++first) {
    for (unsigned second = 0; second < 0x100; ++second) {
      const std::string pair{static_cast<char>(first), static_cast<char>(second)};
      valid_pairs += is_valid(pair) ? 1U : 0U;
      valid_quad_starts += is_valid(pair + "\x80\x80") && is_valid(pair + "\xBF\xBF") && !is_valid(pair) ? 1U : 0U;
      for (unsigned third = 0; third < 0x100; ++third) valid_triples += is_valid(pair + static_cast<char>(third)) ? 1U : 0U;
    }
  }
  EXPECT_EQ(valid_pairs, 0x800U - 0x80U);
  // Three bytes: one character of three, or one of two and an ASCII character.
  EXPECT_EQ(valid_triples, 0x10000U - 0x800U - 0x800U + valid_pairs * 0x80U);
  EXPECT_EQ(valid_quad_starts, 0x100000U / (64U * 64U));
}

TEST(Utf8, FindsABadByteWhereverItStands) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, 'x');
    text[at] = '\xFF';
    EXPECT_FALSE(is_valid(text)) << at;
    EXPECT_EQ(sanitized(text), std::string(at, 'x') + k_fffd + std::string(39 - at, 'x')) << at;
  }
  EXPECT_TRUE(is_valid(""));
  EXPECT_TRUE(is_valid("\0\x7F"s));
}

TEST(Sanitized, ReplacesEachMaximalPartAsTheUnicodeStandardShows) {
  const auto times = [](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += k_fffd;
    return text;
  };
  EXPECT_EQ(sanitized("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), times(8) + "A");
  EXPECT_EQ(sanitized("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), times(8) + "A");
  EXPECT_EQ(sanitized("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), times(5) + "A" + times(2) + "B");
  EXPECT_EQ(sanitized("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), times(4) + "A");
  EXPECT_EQ(sanitized("ok\xF0\x9F\x98"), "ok" + k_fffd);
}

TEST(Sanitized, LeavesValidTextAsItIs) { EXPECT_EQ(sanitized(k_mixed + '\0' + k_mixed), k_mixed + '\0' + k_mixed); }

TEST(IncompleteTail, CountsTheBytesOfACharacterThatIsNotThereYet) {
  for (const std::string& before : {""s, "x"s, "xyz"s, "é"s, "\xFF"s}) {
    for (const std::string& c : k_characters) {
      for (std::size_t length = 1; length < c.size(); ++length) {
        EXPECT_EQ(incomplete_tail(before + c.substr(0, length)), length) << before << c;
      }
      EXPECT_EQ(incomplete_tail(before + c), 0U) << before << c;
    }
  }
  EXPECT_EQ(incomplete_tail(""), 0U);
}

TEST(IncompleteTail, IsZeroForBytesThatCanNeverBecomeACharacter) {
  for (const char* bytes : {"\x80", "\xBF\xBF\xBF\xBF", "\xC0", "\xC1", "\xF5", "\xFF", "\xE0\x80", "\xED\xA0", "\xF0\x80",
                            "\xF4\x90", "\xF0\x80\x80", "é\x80", "x\x80\x80"}) {
    EXPECT_EQ(incomplete_tail(bytes), 0U) << ::testing::PrintToString(bytes);
  }
}

TEST(IncompleteTail, LetsTextThatComesInPiecesBePutTogetherWhole) {
  for (std::size_t step = 1; step <= 5; ++step) {
    std::string whole;
    std::string kept;
    for (std::size_t at = 0; at < k_mixed.size(); at += step) {
      kept += k_mixed.substr(at, step);
      const std::size_t length = kept.size() - incomplete_tail(kept);
      EXPECT_TRUE(is_valid(kept.substr(0, length))) << "step " << step << " at " << at;
      whole += kept.substr(0, length);
      kept.erase(0, length);
    }
    EXPECT_EQ(whole, k_mixed) << "step " << step;
    EXPECT_EQ(kept, "");
  }
}

TEST(CutBefore, GivesTheLongestPieceOfWholeCharacters) {
  for (std::size_t limit = 0; limit <= k_mixed.size() + 3; ++limit) {
    std::size_t expected = std::min(limit, k_mixed.size());
    while (!is_valid(k_mixed.substr(0, expected))) --expected;
    EXPECT_EQ(cut_before(k_mixed, limit), expected) << limit;
  }
}

TEST(CutBefore, IsTheLimitItselfInBytesThatAreNoUtf8) {
  for (const std::string& bytes : {std::string(20, '\x80'), std::string(20, '\xFF'), std::string(20, '\xE0')}) {
    for (std::size_t limit = 0; limit <= 20; ++limit) EXPECT_EQ(cut_before(bytes, limit), limit);
  }
}

TEST(CutBefore, KeepsTheBeginningOfACharacterTogetherToo) { EXPECT_EQ(cut_before("ab\xF0\x9F\x98", 4), 2U); }

TEST(Offsets, TranslateBetweenCodePointsAndBytes) {
  const std::vector<std::size_t> begins{0, 1, 4, 6, 10, 11, 13, 16, 19, 23, 27, 28};
  for (std::size_t code_point = 0; code_point < begins.size(); ++code_point) {
    EXPECT_EQ(byte_offset(k_mixed, code_point), begins[code_point]);
    EXPECT_EQ(code_point_offset(k_mixed, begins[code_point]), code_point);
  }
}

TEST(Offsets, AreClampedToTheText) {
  EXPECT_EQ(byte_offset("é", 2), 2U);
  EXPECT_EQ(byte_offset("é", static_cast<std::size_t>(-1)), 2U);
  EXPECT_EQ(code_point_offset("é", 3), 1U);
  EXPECT_EQ(code_point_offset("é", static_cast<std::size_t>(-1)), 1U);
  EXPECT_EQ(byte_offset("", 1), 0U);
  EXPECT_EQ(code_point_offset("", 1), 0U);
}

TEST(Offsets, InsideACharacterCountAsItsBeginning) {
  for (std::size_t byte = 1; byte < 5; ++byte) EXPECT_EQ(code_point_offset("a\U0001F600b", byte), 1U) << byte;
  EXPECT_EQ(code_point_offset("a\U0001F600b", 5), 2U);
}

TEST(Next, WalksOverCharactersAndBadBytes) {
  const std::string text = "aé€\U0001F600\xFF\xE2\x82z\xF0\x9F";
  std::u32string walked;
  for (std::size_t at = 0; at < text.size();) walked += next(text, at);
  EXPECT_EQ(walked, U"aé€\U0001F600\uFFFD\uFFFDz\uFFFD");
}

}  // namespace
}  // namespace adrastea::support::utf8
