// SPDX-License-Identifier: BSD-3-Clause
#include "unit/wire_messages.hpp"
#include "wire/decode.hpp"
#include "wire/encode.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::wire {
namespace {

using testing::Receiver;
using testing::Sent;

using Kind = DecodeError::Kind;
using std::string_literals::operator""s;

/// A member of Sent: one of the four JSON frames.
using FrameOf = std::string Sent::*;
const std::vector<FrameOf> k_required_frames{&Sent::header, &Sent::parent_header, &Sent::metadata};

Sent with(FrameOf frame, std::string text) {
  Sent sent;
  sent.*frame = std::move(text);
  return sent;
}

/// A header that is fine but for `member`, which comes last: "\"name\":value".
std::string header_with(const std::string& member) { return R"({"msg_id":"m","msg_type":"t",)" + member + "}"; }

/// What decode() makes of one frame's text, in each of the four places: dropped as `kind`, or answered with an error.
void expect_refused(const std::string& text, Kind kind) {
  for (const FrameOf frame : k_required_frames) EXPECT_EQ(Receiver{}.drops(with(frame, text)), kind) << text.substr(0, 80);
  Receiver kernel;
  const auto result = kernel.receive(with(&Sent::content, text));
  ASSERT_TRUE(result) << text.substr(0, 80);
  EXPECT_TRUE(result.value().content_error.has_value()) << text.substr(0, 80);
  EXPECT_EQ(result.value().content, Json::object());
}

Json content_of(std::string text) {
  Receiver kernel;
  const auto result = kernel.receive(with(&Sent::content, std::move(text)));
  if (!result || result.value().content_error) return "refused";
  return result.value().content;
}

void run_with_stack(std::size_t bytes, const std::function<void()>& work) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread{};
  const auto call = [](void* function) -> void* {
    (*static_cast<const std::function<void()>*>(function))();
    return nullptr;
  };
  auto* argument = const_cast<std::function<void()>*>(&work);
  ASSERT_EQ(pthread_create(&thread, &attributes, call, argument), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

std::string nested(std::size_t depth) {
  return R"({"msg_id":"m","msg_type":"t","x":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(JsonFrames, WithInvalidUtf8AreRefused) {
  for (const char* bytes :
       {"\x80", "\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\xbd\xed\xb8\x80", "\xf4\x90\x80\x80"}) {
    expect_refused(R"({"msg_id":"m","msg_type":"t","x":")"s + bytes + "\"}", Kind::bad_json);
    expect_refused(R"({"msg_id":"m","msg_type":"t",")"s + bytes + "\":1}", Kind::bad_json);
    expect_refused(R"({"msg_id":"m","msg_type":"t"} )"s + bytes, Kind::bad_json);
  }
}

TEST(JsonFrames, MustBeExactlyOneObject) {
  for (const std::string& text : {"null"s,
                                  "[]"s,
                                  "\"\""s,
                                  "0"s,
                                  "true"s,
                                  ""s,
                                  "   "s,
                                  "{"s,
                                  "}"s,
                                  "{}{}"s,
                                  "{},"s,
                                  "{} x"s,
                                  "[{}]"s,
                                  "{\"a\":}"s,
                                  "{'a':1}"s,
                                  "{\"a\":1,}"s,
                                  "// c\n{}"s,
                                  "{}/* c */"s,
                                  "\xef\xbb\xbf{}"s,
                                  "{}\xef\xbb\xbf"s,
                                  "{}\0"s,
                                  "{}\0x"s,
                                  "\0{}"s,
                                  "{\0}"s,
                                  "{\"a\":\"\0\"}"s,
                                  "{\"a\":\"\n\"}"s,
                                  "{\"a\":\"\\x\"}"s,
                                  "{\"a\":\"\\u12\"}"s,
                                  "{\"a\":\"\\"s,
                                  "{\"a\":\"\\u"s,
                                  "\v{}"s}) {
    expect_refused(text, Kind::bad_json);
  }
}

TEST(JsonFrames, MayHaveWhiteSpaceAround) {
  EXPECT_EQ(content_of(" \t\r\n{\"a\":1}\n\r\t "), Json({{"a", 1}}));
  Receiver kernel;
  const std::string header = "\n" + Sent{}.header + "  ";
  const auto result = kernel.receive(with(&Sent::header, header));
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().header_bytes, header);
}

TEST(JsonFrames, WithLiteralsThatAreNoJsonAreRefused) {
  for (const char* number : {"NaN", "Infinity", "-Infinity", "nan", "01", "+1", "1.", ".5", "0x10", "1e", "--1"}) {
    expect_refused(R"({"msg_id":"m","msg_type":"t","x":)"s + number + "}", Kind::bad_json);
  }
}

TEST(JsonFrames, WithNumbersThatNoDoubleHoldsAreRefused) {
  for (const std::string& number : {"1e400"s, "-1e400"s, std::string(10'000, '9')}) {
    expect_refused(R"({"msg_id":"m","msg_type":"t","x":)" + number + "}", Kind::bad_json);
  }
}

TEST(JsonFrames, KeepNumbersAtTheEdges) {
  EXPECT_EQ(content_of(R"({"n":9223372036854775808})")["n"].get<std::uint64_t>(), std::uint64_t{1} << 63);
  EXPECT_EQ(content_of(R"({"n":18446744073709551616})")["n"].get<double>(), 18446744073709551616.0);
  EXPECT_EQ(content_of(R"({"n":-9223372036854775808})")["n"].get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(content_of(R"({"n":-0})")["n"], 0);
  EXPECT_EQ(content_of(R"({"n":1.5})")["n"], 1.5);
  EXPECT_EQ(content_of(R"({"n":1e-400})")["n"], 0.0);
}

TEST(JsonFrames, AreLimitedInDepthWhateverTheStack) {
#ifdef __SANITIZE_ADDRESS__
  constexpr std::size_t small_stack = std::size_t{4} << 20;  // red zones make each frame many times as large
#else
  constexpr std::size_t small_stack = std::size_t{256} << 10;
#endif
  for (const std::size_t depth : {std::size_t{64}, std::size_t{256}}) {
    run_with_stack(small_stack, [depth] {
      for (const FrameOf frame : {&Sent::header, &Sent::parent_header, &Sent::metadata, &Sent::content}) {
        Receiver kernel;
        const auto result = kernel.receive(with(frame, nested(depth)));
        ASSERT_TRUE(result) << depth;
        ASSERT_FALSE(result.value().content_error.has_value()) << depth;
        EXPECT_FALSE(to_text(result.value().content).empty());
      }
    });
  }
  for (const std::size_t depth : std::vector<std::size_t>{257, 1'000, 100'000, 1'000'000}) {
    run_with_stack(small_stack, [depth] { expect_refused(nested(depth), Kind::too_deep); });
    run_with_stack(small_stack, [depth] { expect_refused(R"({"a":)" + std::string(depth, '['), Kind::too_deep); });
  }
}

TEST(JsonFrames, CountOnlyBracketsOutsideOfStringsAsDepth) {
  const std::string brackets(1000, '[');
  EXPECT_EQ(content_of(R"({"code":"\"\\)" + brackets + R"("})"), Json({{"code", "\"\\" + brackets}}));
  EXPECT_EQ(content_of(R"({"a":[)" + std::string(1000, ' ') + R"([],[],{}],"b":[[]]})").size(), 2U);
  std::string wide = R"({"a":[)";
  for (int i = 0; i < 1000; ++i) wide += "[{}],";
  EXPECT_EQ(content_of(wide + "0]}")["a"].size(), 1001U);
}

TEST(JsonFrames, HaveTheirDepthLimitNamedInTheError) {
  Receiver kernel;
  const auto header = kernel.receive(with(&Sent::header, nested(257)));
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().detail, "header nests deeper than 256");
  const auto content = kernel.receive(with(&Sent::content, nested(257)));
  ASSERT_TRUE(content);
  EXPECT_EQ(content.value().content_error, "content nests deeper than 256");
  const auto metadata = kernel.receive(with(&Sent::metadata, "[]"));
  ASSERT_FALSE(metadata);
  EXPECT_EQ(metadata.error().detail, "metadata is not exactly one valid JSON object");
}

TEST(LoneSurrogates, BecomeReplacementCharacters) {
  EXPECT_EQ(content_of(R"({"code":"\ud83d"})")["code"], "\uFFFD");
  EXPECT_EQ(content_of(R"({"code":"a\uDE00b"})")["code"], "a\uFFFDb");
  EXPECT_EQ(content_of(R"({"code":"\ud83d\ud83d"})")["code"], "\uFFFD\uFFFD");
  EXPECT_EQ(content_of(R"({"code":"\ud83d\ud83d\ude00"})")["code"], "\uFFFD\U0001F600");
  EXPECT_EQ(content_of(R"({"code":"\ude00\ud83d"})")["code"], "\uFFFD\uFFFD");
  EXPECT_EQ(content_of(R"({"code":"\ud83d\n"})")["code"], "\uFFFD\n");
  EXPECT_EQ(content_of(R"({"code":"\ud83d\u0041"})")["code"], "\uFFFDA");
  EXPECT_EQ(content_of(R"({"\ud83d":1})"), Json({{"\uFFFD", 1}}));
}

TEST(LoneSurrogates, AreNotSeenInPairsNorInEscapedBackslashes) {
  EXPECT_EQ(content_of(R"({"code":"\ud83d\ude00"})")["code"], "\U0001F600");
  EXPECT_EQ(content_of(R"({"code":"\\ud83d"})")["code"], "\\ud83d");
  EXPECT_EQ(content_of(R"({"code":"\\\ud83d"})")["code"], "\\\uFFFD");
  EXPECT_EQ(content_of(R"({"code":"\ud83"})"), "refused");
}

TEST(LoneSurrogates, AreMendedInTheHeaderThatGoesBack) {
  Receiver kernel;
  const auto result = kernel.receive(with(&Sent::header, header_with(R"("username":"\ud83d")")));
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().header.username, "\uFFFD");
  EXPECT_EQ(result.value().header_bytes, header_with(R"("username":"\ufffd")"));
  EXPECT_EQ(Json::parse(result.value().header_bytes)["username"], "\uFFFD");
}

TEST(Text, IsTakenWholeWithNulAndNoncharacters) {
  const Json content = content_of(R"({"code":"a\u0000b\uffff\ufdd0c"})");
  EXPECT_EQ(content["code"].get<std::string>(), "a\0b\uFFFF\uFDD0c"s);
  Receiver kernel;
  const auto result = kernel.receive(with(&Sent::header, header_with(R"("session":"a\u0000b")")));
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().header.session, "a\0b"s);
}

TEST(DuplicateKeys, TakeTheLastValue) {
  Receiver kernel;
  const Sent sent{.header = header_with(R"("msg_type":"second")"), .content = R"({"code":"first","code":"last"})"};
  const auto result = kernel.receive(sent);
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().header.msg_type, "second");
  EXPECT_EQ(result.value().content["code"], "last");
  EXPECT_EQ(Json::parse(result.value().header_bytes)["msg_type"], "second");
}

const std::vector<std::string> k_other_types{"null", "true", "3", "1.5", "[]", "{}", R"(["x"])"};

TEST(HeaderFields, ThatNameTheMessageMustBeStrings) {
  for (const std::string name : {"msg_id", "msg_type"}) {
    for (const std::string& value : k_other_types) {
      const auto result = Receiver{}.receive(with(&Sent::header, header_with('"' + name + "\":" + value)));
      ASSERT_FALSE(result) << name << value;
      EXPECT_EQ(result.error().kind, Kind::bad_header) << name << value;
      EXPECT_EQ(result.error().detail.rfind("header." + name, 0), 0U) << result.error().detail;
    }
  }
  EXPECT_EQ(Receiver{}.drops(with(&Sent::header, R"({"msg_type":"t"})")), Kind::bad_header);
  EXPECT_EQ(Receiver{}.drops(with(&Sent::header, R"({"msg_id":"m"})")), Kind::bad_header);
  EXPECT_EQ(Receiver{}.drops(with(&Sent::header, R"({"msg_id":"m","msg_type":""})")), Kind::bad_header);
  EXPECT_EQ(Receiver{}.drops(with(&Sent::header, "{}")), Kind::bad_header);
}

TEST(HeaderFields, ThatOnlyInformMayBeAbsentButMustBeStrings) {
  Receiver kernel;
  const auto bare = kernel.receive(with(&Sent::header, R"({"msg_id":"m","msg_type":"t"})"));
  ASSERT_TRUE(bare);
  const Header& read = bare.value().header;
  EXPECT_EQ(read.session + read.username + read.date + read.version, "");
  for (const std::string name : {"session", "username", "date", "version"}) {
    for (const std::string& value : k_other_types) {
      EXPECT_EQ(kernel.drops(with(&Sent::header, header_with('"' + name + "\":" + value))), Kind::bad_header)
          << name << value;
    }
  }
}

TEST(HeaderFields, ThatNobodyKnowsMayBeOfAnyTypeAndAreKept) {
  for (const std::string& value : k_other_types) {
    const std::string header = header_with("\"unknown\":" + value);
    const auto result = Receiver{}.receive(with(&Sent::header, header));
    ASSERT_TRUE(result) << header;
    EXPECT_EQ(result.value().header_bytes, header);
  }
}

TEST(HeaderFields, NameASubshellWithAStringOrNull) {
  Receiver kernel;
  const auto none = kernel.receive(with(&Sent::header, header_with(R"("subshell_id":null)")));
  ASSERT_TRUE(none);
  EXPECT_EQ(none.value().header.subshell_id, std::nullopt);
  for (const char* value : {"true", "3", "[]", "{}"}) {
    EXPECT_EQ(kernel.drops(with(&Sent::header, header_with(R"("subshell_id":)"s + value))), Kind::bad_header) << value;
  }
}

TEST(Content, OfAnotherTypeIsAnErrorToAnswerAndNotADrop) {
  for (const std::string& value : {"null"s, "true"s, "3"s, "1.5"s, "[]"s, "\"x\""s})
    EXPECT_EQ(content_of(value), "refused") << value;
}

TEST(Content, KeepsFieldsThatNobodyKnows) {
  EXPECT_EQ(content_of(R"({"code":"1","new":{"deep":[1,2]}})")["new"], Json({{"deep", {1, 2}}}));
}

TEST(Content, MayHaveAMillionKeys) {
  std::string text = "{";
  for (int i = 0; i < 1'000'000; ++i) text += '"' + std::to_string(i) + "\":0,";
  text += "\"last\":1}";
  EXPECT_EQ(content_of(std::move(text)).size(), 1'000'001U);
}

TEST(Content, MayHoldVeryLongStrings) {
  const std::string plain(50'000'000, 'x');
  EXPECT_EQ(content_of(R"({"code":")" + plain + "\"}")["code"].get_ref<const std::string&>(), plain);
  std::string escapes = R"({"code":")";
  for (int i = 0; i < 10'000'000 / 6; ++i) escapes += "\\u0041";
  EXPECT_EQ(content_of(escapes + "\"}")["code"].get_ref<const std::string&>(), std::string(10'000'000 / 6, 'A'));
}

}  // namespace
}  // namespace adrastea::wire
