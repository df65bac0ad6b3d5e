// SPDX-License-Identifier: BSD-3-Clause
#include "wire/encode.hpp"

#include "support/utf8.hpp"
#include "unit/wire_messages.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace adrastea::wire {
namespace {

using testing::make_signer;

std::string random_bytes(std::mt19937& random, std::size_t length) {
  std::uniform_int_distribution<int> byte{0, 255};
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(byte(random));
  return text;
}

Json nested_value(std::size_t depth) {
  Json value;
  for (std::size_t i = 0; i < depth; ++i)
    value = i % 2 == 0 ? Json::array({std::move(value)}) : Json{{"k", std::move(value)}};
  return value;
}

// ---- text ----

TEST(StreamContent, IsWhatTheJsonLibraryWritesForAnyText) {
  std::mt19937 random{7};
  for (std::size_t length = 0; length < 2000; ++length) {
    const std::string text = support::utf8::sanitized(random_bytes(random, length % 97));
    ASSERT_EQ(stream_content("stdout", text), Json({{"name", "stdout"}, {"text", text}}).dump()) << "length " << length;
  }
}

TEST(StreamContent, EscapesEachAsciiCharacterAsTheJsonLibraryDoes) {
  for (int c = 0; c < 128; ++c) {
    const std::string text = "a" + std::string(1, static_cast<char>(c)) + "b";
    EXPECT_EQ(stream_content("stderr", text), Json({{"name", "stderr"}, {"text", text}}).dump()) << c;
  }
}

TEST(ToText, ReplacesBytesThatAreNoUtf8) {
  const std::string text = to_text({{"bad\xff", "a\xc3"}});
  EXPECT_TRUE(support::utf8::is_valid(text));
  EXPECT_EQ(Json::parse(text), Json({{"bad\uFFFD", "a\uFFFD"}}));
}

TEST(ToText, LeavesUnicodeUnescaped) { EXPECT_EQ(to_text({{"k", "é\U0001F600"}}), "{\"k\":\"é\U0001F600\"}"); }

TEST(ToText, WritesNullForWhatJsonHasNoWordFor) {
  using Limits = std::numeric_limits<double>;
  EXPECT_EQ(to_text({{"a", Limits::quiet_NaN()}, {"b", Limits::infinity()}, {"c", -Limits::infinity()}}),
            R"({"a":null,"b":null,"c":null})");
}

TEST(ToText, WritesNullForValuesThatParsingDiscarded) {
  const Json discarded = Json::parse("{", nullptr, false);
  EXPECT_EQ(to_text(discarded), "null");
  EXPECT_EQ(to_text({{"data", {{"application/json", discarded}}}, {"list", {1, discarded, "<discarded>"}}}),
            R"({"data":{"application/json":null},"list":[1,null,"<discarded>"]})");
}

TEST(DepthWithin, CountsObjectsAndArraysAndNothingElse) {
  EXPECT_TRUE(depth_within(nullptr, 0));
  EXPECT_TRUE(depth_within("text", 0));
  EXPECT_FALSE(depth_within(Json::object(), 0));
  EXPECT_TRUE(depth_within(Json::object(), 1));
  for (const std::size_t depth : std::vector<std::size_t>{1, 2, 3, 255, 256, 257}) {
    EXPECT_TRUE(depth_within(nested_value(depth), depth)) << depth;
    EXPECT_FALSE(depth_within(nested_value(depth), depth - 1)) << depth;
  }
}

TEST(DepthWithin, LooksIntoEveryBranch) {
  const Json value = {
      {"a", {1, 2, {{"b", Json::array()}}}}, {"c", Json::object()}, {"d", {{"e", {{"f", nested_value(3)}}}}}};
  EXPECT_TRUE(depth_within(value, 6));
  EXPECT_FALSE(depth_within(value, 5));
}

TEST(DepthWithin, NeedsNoStackForAMillionLevels) { EXPECT_FALSE(depth_within(nested_value(1'000'000), 256)); }

// ---- headers ----

TEST(HeaderJson, HoldsEveryField) {
  const Header header{.msg_id = "m\"1\"",
                      .msg_type = "status",
                      .session = "s",
                      .username = "Zoë\n",
                      .date = "2026-03-02T10:00:00.123456Z",
                      .version = "5.5",
                      .subshell_id = std::nullopt};
  Json expected = {{"msg_id", "m\"1\""},
                   {"msg_type", "status"},
                   {"session", "s"},
                   {"username", "Zoë\n"},
                   {"date", "2026-03-02T10:00:00.123456Z"},
                   {"version", "5.5"}};
  EXPECT_EQ(Json::parse(header_json(header)), expected);
  Header in_subshell = header;
  in_subshell.subshell_id = "sub";
  expected["subshell_id"] = "sub";
  EXPECT_EQ(Json::parse(header_json(in_subshell)), expected);
}

TEST(Identity, StampsEachHeaderWithOneSessionAndADateThatClientsCanRead) {
  // The dates that jupyter_client parses; others stay text there.
  const std::regex date{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?)"};
  Identity identity;
  EXPECT_TRUE(std::regex_match(identity.session(), std::regex{"[0-9a-f]{32}"})) << identity.session();
  for (const char* type : {"status", "execute_reply"}) {
    const Header header = identity.next_header(type);
    EXPECT_EQ(header.msg_type, type);
    EXPECT_EQ(header.session, identity.session());
    EXPECT_EQ(header.msg_id.rfind(identity.session() + "_", 0), 0U) << header.msg_id;
    EXPECT_EQ(header.version, k_protocol_version);
    EXPECT_TRUE(std::regex_match(header.date, date)) << header.date;
    EXPECT_EQ(header.subshell_id, std::nullopt);
  }
  EXPECT_NE(Identity{}.session(), identity.session());
}

TEST(Identity, NeverRepeatsAMessageIdWhateverTheThread) {
  Identity identity;
  constexpr std::size_t per_thread = 2000;
  std::vector<std::vector<std::string>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids) {
    threads.emplace_back([&identity, &mine] {
      for (std::size_t i = 0; i < per_thread; ++i) mine.push_back(identity.next_header("status").msg_id);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), ids.size() * per_thread);
}

TEST(Identity, IsNamedAfterTheUserInValidUtf8) {
  ASSERT_EQ(setenv("USER", "zo\xeb", 1), 0);
  EXPECT_EQ(Identity{}.next_header("status").username, "zo\uFFFD");
  ASSERT_EQ(setenv("USER", "", 1), 0);
  EXPECT_EQ(Identity{}.next_header("status").username, "username");
  ASSERT_EQ(unsetenv("USER"), 0);
  EXPECT_EQ(Identity{}.next_header("status").username, "username");
}

// ---- messages ----

TEST(Encode, PutsDelimiterSignatureFourFramesAndBuffersInThisOrder) {
  Signer signer = make_signer();
  const Frames frames = encode(
      {.header = "{\"h\":1}", .parent_header = "{}", .metadata = "{}", .content = "{\"c\":1}", .buffers = {"b1", ""}},
      signer);
  EXPECT_EQ(frames, (Frames{"<IDS|MSG>", make_signer().sign({"{\"h\":1}", "{}", "{}", "{\"c\":1}"}), "{\"h\":1}", "{}",
                            "{}", "{\"c\":1}", "b1", ""}));
}

TEST(Encode, LeavesTheSignatureEmptyWithoutAKey) {
  Signer off = make_signer(testing::k_scheme, "");
  EXPECT_EQ(encode({.header = "{}"}, off), (Frames{"<IDS|MSG>", "", "{}", "{}", "{}", "{}"}));
}

TEST(Encode, MakesWhatDecodeReadsBackWithEveryByteOfTheBuffers) {
  std::mt19937 random{11};
  Identity identity;
  testing::Receiver kernel;
  Signer signer = make_signer();
  const Header header = identity.next_header("comm_msg");
  const Json content = {{"comm_id", "é"}, {"data", {{"n", 1.5}, {"list", {1, nullptr, "\n"}}}}};
  const std::string parent = R"({"msg_id":"p","msg_type":"execute_request","extra":{"kept":true}})";
  const Frames buffers{random_bytes(random, 100'000), "", std::string(3, '\0'), k_delimiter};
  Frames frames = encode({.header = header_json(header),
                          .parent_header = parent,
                          .metadata = "{}",
                          .content = to_text(content),
                          .buffers = buffers},
                         signer);
  frames.insert(frames.begin(), "topic");

  const auto result = kernel.receive(std::move(frames));
  ASSERT_TRUE(result) << result.error().detail;
  const Message& message = result.value();
  EXPECT_EQ(message.identities, Frames{"topic"});
  EXPECT_EQ(message.header.msg_id, header.msg_id);
  EXPECT_EQ(message.header.date, header.date);
  EXPECT_EQ(message.header_bytes, header_json(header));
  EXPECT_EQ(message.parent_header, Json::parse(parent));
  EXPECT_EQ(message.content, content);
  EXPECT_EQ(message.buffers, buffers);
}

TEST(Encode, SendsARequestsHeaderBackVerbatimAsParent) {
  testing::Receiver kernel;
  const testing::Sent sent{.header = "{ \"msg_id\" : \"m\",\"msg_type\":\"t\", \"more\": 1.50 }"};
  auto request = kernel.receive(sent);
  ASSERT_TRUE(request);
  Identity identity;
  Signer signer = make_signer();
  const Frames reply = encode(
      {.header = header_json(identity.next_header("t_reply")), .parent_header = request.value().header_bytes}, signer);
  EXPECT_EQ(reply[3], sent.header);
}

}  // namespace
}  // namespace adrastea::wire
