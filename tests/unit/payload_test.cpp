// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/messages.hpp>
#include <adrastea/mime.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace adrastea {
namespace {

/// Base64 backwards, written anew: four characters are three bytes.
std::string decoded(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  for (std::size_t at = 0; at + 4 <= text.size(); at += 4) {
    std::size_t bits = 0;
    std::size_t padding = 0;
    for (const char c : text.substr(at, 4)) {
      padding += c == '=' ? 1 : 0;
      bits = bits << 6U | (c == '=' ? 0 : alphabet.find(c));
    }
    for (std::size_t i = 0; i < 3 - padding; ++i) bytes += static_cast<char>(bits >> (16 - 8 * i) & 0xFFU);
  }
  return bytes;
}

TEST(Base64, IsThatOfTheStandardsExamples) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, HasNoNewlinesHoweverLongAndGivesEveryByteBack) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7919 >> 3);
  const std::string text = base64(bytes);
  EXPECT_EQ(text.size(), (bytes.size() + 2) / 3 * 4);
  EXPECT_EQ(text.find_first_of("\r\n "), std::string::npos);
  EXPECT_EQ(decoded(text), bytes);
}

TEST(Base64, TakesViewsThatEndBeforeTheirStringDoes) {
  const std::string whole = "foobar";
  EXPECT_EQ(base64(std::string_view{whole}.substr(1, 3)), "b29i");
}

TEST(Payloads, HaveTheShapesOfTheProtocol) {
  EXPECT_EQ(page({{"text/plain", "help"}}), Json::parse(R"({"source":"page","data":{"text/plain":"help"},"start":0})"));
  EXPECT_EQ(page({{"text/plain", "help"}}, 12)["start"], 12);
  EXPECT_EQ(set_next_input("x = 1"), Json::parse(R"({"source":"set_next_input","text":"x = 1","replace":false})"));
  EXPECT_EQ(set_next_input("", true), Json::parse(R"({"source":"set_next_input","text":"","replace":true})"));
}

}  // namespace
}  // namespace adrastea
