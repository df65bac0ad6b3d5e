// SPDX-License-Identifier: BSD-3-Clause
#include "wire/decode.hpp"

#include "unit/wire_messages.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

namespace adrastea::wire {
namespace {

using testing::Receiver;
using testing::Sent;

using Kind = DecodeError::Kind;

/// The frames up to `count` after the delimiter, of a message that one identity leads.
Frames cut_after_delimiter(Frames frames, std::size_t count) {
  frames.resize(2 + count);
  return frames;
}

// ---- what is accepted ----

TEST(Decode, GivesEveryPartOfAMessage) {
  Receiver kernel;
  const Sent sent{.identities = {"proxy", "", "client"},
                  .header =
                      R"({"msg_id":"m","msg_type":"comm_msg","session":"s","username":"u","date":"d","version":"5.4",)"
                      R"("subshell_id":"sub","more":[1]})",
                  .parent_header = R"({"msg_id":"p"})",
                  .metadata = R"({"cellId":"c"})",
                  .content = R"({"comm_id":"é"})",
                  .buffers = {std::string("\0\xff", 2), "", "b"}};
  const auto result = kernel.receive(sent);
  ASSERT_TRUE(result) << result.error().detail;
  const Message& message = result.value();
  EXPECT_EQ(message.identities, sent.identities);
  EXPECT_EQ(message.header.msg_id, "m");
  EXPECT_EQ(message.header.msg_type, "comm_msg");
  EXPECT_EQ(message.header.session, "s");
  EXPECT_EQ(message.header.username, "u");
  EXPECT_EQ(message.header.date, "d");
  EXPECT_EQ(message.header.version, "5.4");
  EXPECT_EQ(message.header.subshell_id, "sub");
  EXPECT_EQ(message.header_bytes, sent.header);
  EXPECT_EQ(message.parent_header, Json::parse(sent.parent_header));
  EXPECT_EQ(message.metadata, Json::parse(sent.metadata));
  EXPECT_EQ(message.content, Json::parse(sent.content));
  EXPECT_EQ(message.content_error, std::nullopt);
  EXPECT_EQ(message.buffers, sent.buffers);
}

TEST(Decode, TakesAMessageWithoutIdentities) {
  Receiver kernel;
  const auto result = kernel.receive(Sent{.identities = {}});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.value().identities.empty());
}

TEST(Decode, AcceptsAnySignatureWhenTheKeyIsEmpty) {
  Receiver kernel{""};
  EXPECT_EQ(kernel.drops(Sent{}), std::nullopt);
  EXPECT_EQ(kernel.drops(Sent{.signature = "nonsense"}), std::nullopt);
}

TEST(Decode, AcceptsChangedBuffersBecauseTheProtocolDoesNotSignThem) {
  Receiver kernel;
  const std::string signature = kernel.sign(Sent{});
  const auto result = kernel.receive(Sent{.buffers = {"swapped", "appended"}, .signature = signature});
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().buffers, (Frames{"swapped", "appended"}));
}

// ---- frames ----

TEST(Decode, DropsWhatHasNoDelimiter) {
  Receiver kernel;
  for (const Frames& frames :
       {Frames{}, Frames{""}, Frames{"identity"}, Frames{std::string(1, '\0')}, Frames{"a", "b", "c"}}) {
    EXPECT_EQ(kernel.drops(frames), Kind::no_delimiter);
  }
}

TEST(Decode, DropsADelimiterThatIsNotExact) {
  Receiver kernel;
  const std::string exact = k_delimiter;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    Frames frames = kernel.frames(Sent{});
    frames[1][i] = static_cast<char>(frames[1][i] ^ 1);
    EXPECT_EQ(kernel.drops(frames), Kind::no_delimiter) << frames[1];
  }
  for (const std::string& other : {std::string("<ids|msg>"), exact + " ", exact + '\0', exact.substr(0, 8)}) {
    Frames frames = kernel.frames(Sent{});
    frames[1] = other;
    EXPECT_EQ(kernel.drops(frames), Kind::no_delimiter) << other;
  }
}

TEST(Decode, DropsFewerThanFiveFramesAfterTheDelimiter) {
  Receiver kernel;
  for (std::size_t count = 0; count < 5; ++count) {
    const auto result = kernel.receive(cut_after_delimiter(kernel.frames(Sent{}), count));
    ASSERT_FALSE(result) << count;
    EXPECT_EQ(result.error().kind, Kind::truncated) << count;
    EXPECT_EQ(result.error().detail, std::to_string(count) + " frames after the delimiter, 5 are needed");
  }
}

TEST(Decode, DropsAMessageInWhichARequiredFrameIsEmpty) {
  EXPECT_EQ(Receiver{}.drops(Sent{.header = ""}), Kind::bad_json);
  EXPECT_EQ(Receiver{}.drops(Sent{.parent_header = ""}), Kind::bad_json);
  EXPECT_EQ(Receiver{}.drops(Sent{.metadata = ""}), Kind::bad_json);
  EXPECT_EQ(Receiver{}.drops(Sent{.signature = ""}), Kind::unsigned_message);
  const auto without_content = Receiver{}.receive(Sent{.content = ""});
  ASSERT_TRUE(without_content);
  EXPECT_TRUE(without_content.value().content_error.has_value());
}

TEST(Decode, LetsTheFirstOfTwoDelimitersCount) {
  Receiver kernel;
  const auto later = kernel.receive(Sent{.buffers = {k_delimiter}});
  ASSERT_TRUE(later);
  EXPECT_EQ(later.value().buffers, Frames{k_delimiter});
  EXPECT_EQ(kernel.drops(Sent{.identities = {k_delimiter}}), Kind::bad_signature);
  EXPECT_EQ(kernel.drops(Sent{.identities = {"client", k_delimiter}}), Kind::bad_signature);
  Receiver open{""};
  EXPECT_EQ(open.drops(Sent{.identities = {k_delimiter}}), Kind::bad_json);
}

TEST(Decode, DropsMoreIdentitiesThanTheLimit) {
  Receiver kernel;
  EXPECT_EQ(kernel.drops(Sent{.identities = Frames(kernel.limits.max_identities, "i")}), std::nullopt);
  const auto result = kernel.receive(Sent{.identities = Frames(1000, "i")});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::too_many_identities);
  EXPECT_EQ(result.error().detail, "1000 identities, the limit is 64");
}

TEST(Decode, TakesEmptyBuffersUpToTheLimitOfFrames) {
  Receiver kernel{""};
  const std::size_t most = kernel.limits.max_frames - 7;  // identity, delimiter, signature, four frames
  for (const std::size_t count : {std::size_t{1}, std::size_t{1024}, most}) {
    const auto result = kernel.receive(Sent{.buffers = Frames(count)});
    ASSERT_TRUE(result) << count;
    EXPECT_EQ(result.value().buffers.size(), count);
  }
  EXPECT_EQ(kernel.drops(Sent{.buffers = Frames(most + 1)}), Kind::too_many_frames);
  const auto result = kernel.receive(Sent{.buffers = Frames(100'000)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::too_many_frames);
  EXPECT_EQ(result.error().detail, "100007 frames, the limit is 65536");
}

TEST(Decode, DropsAFrameOverTheLimit) {
  Receiver kernel{testing::k_key, {.max_frame_bytes = 1000}};
  EXPECT_EQ(kernel.drops(Sent{.buffers = {std::string(1000, 'x')}}), std::nullopt);
  const auto result = kernel.receive(Sent{.buffers = {std::string(1001, 'x')}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::too_large);
  EXPECT_EQ(result.error().detail, "1001 bytes in one frame, the limit is 1000");
}

TEST(Decode, DropsAMessageWhoseFramesAreTooLargeTogether) {
  Receiver kernel{testing::k_key, {.max_message_bytes = 10'000}};
  EXPECT_EQ(kernel.drops(Sent{.buffers = Frames(9, std::string(1000, 'x'))}), std::nullopt);
  EXPECT_EQ(kernel.drops(Sent{.buffers = Frames(10, std::string(1000, 'x'))}), Kind::too_large);
}

// ---- signature ----

TEST(Decode, DropsAWrongSignature) {
  Receiver kernel;
  EXPECT_EQ(kernel.drops(Sent{.signature = std::string(64, '0')}), Kind::bad_signature);
  EXPECT_EQ(kernel.drops(Sent{.signature = kernel.sign(Sent{.content = R"({"code":"2"})"})}), Kind::bad_signature);
}

TEST(Decode, DropsAnUnsignedMessageWhenThereIsAKey) {
  Receiver kernel;
  EXPECT_EQ(kernel.drops(Sent{.signature = ""}), Kind::unsigned_message);
}

TEST(Decode, DropsEveryPartOfTheRightSignatureAndTheRightOneWithMore) {
  Receiver kernel;
  const std::string right = kernel.sign(Sent{});
  for (std::size_t length = 1; length < right.size(); ++length) {
    EXPECT_EQ(kernel.drops(Sent{.signature = right.substr(0, length)}), Kind::bad_signature) << length;
  }
  for (std::size_t extra = 1; extra <= 200; ++extra) {
    EXPECT_EQ(kernel.drops(Sent{.signature = right + std::string(extra, '0')}), Kind::bad_signature) << extra;
    EXPECT_EQ(kernel.drops(Sent{.signature = right + std::string(extra, '\0')}), Kind::bad_signature) << extra;
  }
  EXPECT_EQ(kernel.drops(Sent{.signature = std::string(64, '\0')}), Kind::bad_signature);
}

TEST(Decode, DropsTheRightSignatureInUpperCase) {
  Receiver kernel;
  std::string upper = kernel.sign(Sent{});
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(kernel.drops(Sent{.signature = upper}), Kind::bad_signature);
}

TEST(Decode, DropsBytesThatWereMovedFromOneFrameToTheNext) {
  Receiver kernel;
  const std::string signature = kernel.sign(Sent{.metadata = R"({})", .content = R"({"a":1})"});
  EXPECT_EQ(kernel.drops(Sent{.metadata = R"({}{)", .content = R"("a":1})", .signature = signature}), Kind::bad_json);
  Receiver second;
  EXPECT_EQ(second.drops(Sent{.metadata = R"({}{"a":1})", .content = "", .signature = signature}), Kind::bad_json);
  Receiver third;
  EXPECT_EQ(third.drops(Sent{.parent_header = "{}{}", .metadata = R"({"a":1})", .content = "", .signature = signature}),
            Kind::bad_json);
}

TEST(Decode, AcceptsMovedWhiteSpaceBecauseBothFramesStayTheSameObjects) {
  Receiver kernel;
  const std::string signature = kernel.sign(Sent{.metadata = "{} ", .content = R"({"a":1})"});
  const auto result = kernel.receive(Sent{.metadata = "{}", .content = R"( {"a":1})", .signature = signature});
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().metadata, Json::object());
  EXPECT_EQ(result.value().content, Json({{"a", 1}}));
}

// ---- the fixed order ----

TEST(Decode, ChecksInOneOrderSoThatNothingUnauthenticatedIsParsed) {
  Receiver kernel{testing::k_key, {.max_message_bytes = 2000, .max_frames = 80, .max_identities = 64}};
  const std::string deep(2001, '[');
  const Sent worst{.identities = Frames(90, "i"), .header = deep, .signature = "forged"};
  Frames frames = kernel.frames(worst);
  EXPECT_EQ(kernel.drops(frames), Kind::too_many_frames);
  frames.erase(frames.begin(), frames.begin() + 20);
  EXPECT_EQ(kernel.drops(frames), Kind::too_large);
  frames[72] = R"({"a":)" + std::string(300, '[');
  Frames lost = frames;
  lost[70] = "no delimiter";
  EXPECT_EQ(kernel.drops(lost), Kind::no_delimiter);
  EXPECT_EQ(kernel.drops(frames), Kind::too_many_identities);
  frames.erase(frames.begin(), frames.begin() + 10);
  Frames few = frames;
  few.pop_back();
  EXPECT_EQ(kernel.drops(few), Kind::truncated);
  EXPECT_EQ(kernel.drops(frames), Kind::bad_signature);
  frames[61] = "";
  EXPECT_EQ(kernel.drops(frames), Kind::unsigned_message);
  frames[61] = kernel.sign(Sent{.header = frames[62]});
  EXPECT_EQ(kernel.drops(frames), Kind::too_deep);
  EXPECT_EQ(kernel.drops(frames), Kind::replayed);
}

TEST(DecodeErrors, AllHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  constexpr int kinds = 11;
  for (int kind = 0; kind < kinds; ++kind) names.insert(to_string(static_cast<Kind>(kind)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kinds));
  EXPECT_EQ(names.count("unknown"), 0U);
}

TEST(DecodeErrors, HoldNothingOfAMessageThatIsNotAuthentic) {
  Receiver kernel;
  const std::string secret = "attacker\ntext";
  for (const Frames& frames :
       {Frames{secret}, Frames{secret, k_delimiter, secret}, kernel.frames(Sent{.header = secret, .signature = secret}),
        kernel.frames(Sent{.identities = Frames(100, secret)})}) {
    const auto result = kernel.receive(frames);
    ASSERT_FALSE(result);
    EXPECT_FALSE(result.error().detail.empty());
    EXPECT_EQ(result.error().detail.find("attacker"), std::string::npos);
    EXPECT_EQ(result.error().detail.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace adrastea::wire
