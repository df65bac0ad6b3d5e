// SPDX-License-Identifier: BSD-3-Clause
#include "wire/json_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::wire {
namespace {

constexpr std::size_t k_depth = 8;

/// What the reference parser makes of it; discarded where it is not exactly one object.
Json reference(const std::string& text) {
  const bool is_object = text.find('{') == text.find_first_not_of(" \t\r\n") && text.find('\0') == std::string::npos;
  Json value = is_object ? Json::parse(text, nullptr, false) : Json(Json::value_t::discarded);
  return value.is_object() ? value : Json(Json::value_t::discarded);
}

/// Of the text, not of its value: what a duplicate key replaces is in it, too.
std::size_t depth_of(const std::string& text) {
  std::size_t deepest = 0;
  const auto look = [&](int depth, Json::parse_event_t event, const Json& /*value*/) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start)
      deepest = std::max(deepest, static_cast<std::size_t>(depth) + 1);
    return true;
  };
  const Json value = Json::parse(text, look, false);
  return value.is_discarded() ? 0 : deepest;
}

/// Ours takes what the reference takes, within the depth, and half surrogates, after which the reference takes the rest.
void expect_as_reference(const std::string& given) {
  std::string text = given;
  const auto parsed = parse_object(text, k_depth);
  if (parsed) {
    const Json expected = reference(text);
    ASSERT_EQ(parsed.value(), expected) << given;
    ASSERT_EQ(parsed.value().dump(), expected.dump()) << given;  // also the kinds of its numbers
    ASSERT_LE(depth_of(text), k_depth) << given;
    ASSERT_EQ(text.size(), given.size());
  } else {
    const Json expected = reference(given);
    const bool is_as_expected = parsed.error() == JsonFault::not_an_object
                                    ? expected.is_discarded()
                                    : expected.is_discarded() || depth_of(given) > k_depth;
    ASSERT_TRUE(is_as_expected) << given;
  }
}

/// Values of all kinds, good and bad, which random objects are made of.
constexpr std::array<std::string_view, 58> k_scalars{R"("")",
                                                     R"("a")",
                                                     R"("12345678")",
                                                     R"("1234567\n")",
                                                     R"("\"\\\/\b\f\n\r\t")",
                                                     R"("\u0041")",
                                                     R"("\u00e9")",
                                                     R"("\u20AC")",
                                                     R"("\ud83d\ude00")",
                                                     R"("\ud83d")",
                                                     R"("\ude00x")",
                                                     R"("\u0000")",
                                                     R"("\uFFFF")",
                                                     R"("\u12")",
                                                     R"("\u12g4")",
                                                     R"("\x")",
                                                     "\"\xc3\xa9\"",
                                                     "\"\xf0\x9f\x98\x80\"",
                                                     "\"\xc3\"",
                                                     "\"\xed\xa0\x80\"",
                                                     "\"\xc3\\n\xa9\"",
                                                     "\"1234567\x01\"",
                                                     "\"\x7f\"",
                                                     "\"\t\"",
                                                     "0",
                                                     "-0",
                                                     "7",
                                                     "-7",
                                                     "01",
                                                     "-",
                                                     "--1",
                                                     "+1",
                                                     "1.",
                                                     ".5",
                                                     "1.5",
                                                     "-1.5e3",
                                                     "1e5",
                                                     "1E+5",
                                                     "1e-5",
                                                     "1e",
                                                     "1e+",
                                                     "0.1",
                                                     "1e400",
                                                     "-1e400",
                                                     "1e-400",
                                                     "2.2250738585072011e-308",
                                                     "9007199254740993",
                                                     "9223372036854775807",
                                                     "9223372036854775808",
                                                     "-9223372036854775808",
                                                     "-9223372036854775809",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "123456789012345678901234567890",
                                                     "true",
                                                     "false",
                                                     "null",
                                                     "nul"};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }
  bool once_in(std::size_t times) { return below(times) == 0; }

  std::string space() { return once_in(8) ? std::string(1, " \t\r\n"[below(4)]) : ""; }
  std::string value(std::size_t depth) {
    if (depth < 12 && once_in(3)) return once_in(2) ? object(depth) : array(depth);
    return std::string(k_scalars.at(below(k_scalars.size())));
  }
  std::string array(std::size_t depth) {
    std::string text = "[" + space();
    for (std::size_t i = below(4); i > 0; --i)
      text += value(depth + 1) + space() + (i > 1 || once_in(30) ? "," : "") + space();
    return text + "]";
  }
  std::string object(std::size_t depth) {
    std::string text = "{" + space();
    for (std::size_t i = below(4); i > 0; --i)
      text += "\"" + std::string(1, "abc"[below(3)]) + "\"" + space() + ":" + space() + value(depth + 1) + space() +
              (i > 1 || once_in(30) ? "," : "") + space();
    return text + "}";
  }
  /// Some bytes replaced, removed or put in twice.
  std::string damaged(std::string text) {
    static constexpr std::string_view k_bytes = "{}[]\",:\\u0e-.\xff\xc3 \n\x01";
    for (std::size_t times = below(3); times > 0 && !text.empty(); --times) {
      const std::size_t at = below(text.size());
      if (once_in(3))
        text.erase(at, 1);
      else if (once_in(2))
        text.insert(at, 1, text[at]);
      else
        text[at] = once_in(40) ? '\0' : k_bytes[below(k_bytes.size())];
    }
    return text;
  }

 private:
  std::mt19937 engine_;
};

TEST(ParseObject, AgreesWithTheReferenceOnEveryKindOfValue) {
  for (const std::string_view value : k_scalars) {
    expect_as_reference("{\"a\":" + std::string(value) + "}");
    expect_as_reference("{\"a\":[" + std::string(value) + ",1]}");
    if (value.front() == '"') expect_as_reference("{" + std::string(value) + ":1}");
    for (std::size_t cut = 0; cut < value.size(); ++cut) expect_as_reference("{\"a\":" + std::string(value.substr(0, cut)));
  }
}

TEST(ParseObject, AgreesWithTheReferenceOnRandomText) {
  const char* given = std::getenv("ADRASTEA_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
  std::cout << "ADRASTEA_TEST_SEED=" << seed << std::endl;
  Random random(seed);
  std::size_t accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = random.damaged(random.space() + random.object(1) + random.space());
    ASSERT_NO_FATAL_FAILURE(expect_as_reference(text));
    std::string copy = text;
    accepted += parse_object(copy, k_depth) ? 1U : 0U;
  }
  EXPECT_GT(accepted, 5'000U);
}

TEST(ParseObject, TellsTooDeepFromBrokenBehindIt) {
  for (const char* text : {R"({"a":[[[[[[[[]]]]]]]]})", R"({"a":[[[[[[[[)", R"({"a":x,[[[[[[[[[)"}) {
    std::string frame = text;
    const auto parsed = parse_object(frame, k_depth);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), JsonFault::too_deep) << text;
  }
  std::string within = R"({"a":[[[[[[[]]]]]]]})";
  EXPECT_TRUE(parse_object(within, k_depth));
}

TEST(ParseObject, FindsTheEndOfAStringAtEveryOffset) {
  for (std::size_t length = 0; length < 40; ++length) {
    for (const std::string end : {"", "\\n", "\\u0041", "\xc3\xa9"}) {
      std::string text = R"({"a":")" + std::string(length, 'x') + end + R"(","b":1})";
      const Json expected = Json::parse(text);
      const auto parsed = parse_object(text, k_depth);
      ASSERT_TRUE(parsed) << text;
      EXPECT_EQ(parsed.value(), expected);
    }
  }
}

}  // namespace
}  // namespace adrastea::wire
