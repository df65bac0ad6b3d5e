// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"
#include "system/raw_peers.hpp"

#include <array>
#include <random>

namespace adrastea::testing {
namespace {

/// Frames that must be dropped without an answer, a status or harm. The signed part is an execute_request that would print.
class Malformed : public SystemTest {
 protected:
  Frames good() { return client().frames_of("execute_request", {{"code", "out executed a message that it had to drop"}}); }

  /// Sends the frames on all three sockets; leaves no trace but a line in the log.
  void expect_dropped(const Frames& frames) {
    for (const Channel channel : {Channel::shell, Channel::control, Channel::stdin_channel})
      client().send_frames(channel, frames);
  }
  /// Nothing of what was sent before has caused any message: the oracle knows no request that it could belong to.
  void expect_no_trace() {
    expect_probe_alive(client());
    EXPECT_TRUE(client().take_foreign().empty()) << client().transcript();
  }
};

TEST_F(Malformed, Signatures) {
  const std::string right = good().at(1);
  std::vector<std::string> wrong{"", std::string(64, '0'), std::string(64, '\0'), "\xff", std::string(1'000'000, 'a')};
  for (std::size_t length = 1; length < right.size(); ++length) wrong.push_back(right.substr(0, length));
  for (const std::size_t extra : {1U, 2U, 63U, 200U}) wrong.push_back(right + std::string(extra, 'a'));
  for (const auto& signature : wrong) {
    Frames frames = good();
    // A prefix must be that of the frames it comes with, so that only its length is wrong.
    frames.at(1) = signature == right.substr(0, signature.size()) ? frames.at(1).substr(0, signature.size()) : signature;
    expect_dropped(frames);
  }
  Frames upper = good();
  for (char& digit : upper.at(1)) digit = static_cast<char>(std::toupper(digit));
  if (upper.at(1) != good().at(1)) expect_dropped(upper);
  expect_no_trace();
}

TEST_F(Malformed, Replays) {
  const Frames original = client().frames_of("execute_request", {{"code", "out once"}});
  const std::string id = client().send_request(Channel::shell, original);
  // The oracle fails on a second busy or reply.
  client().send_frames(Channel::shell, original);
  EXPECT_EQ(client().collect(id).text("stdout"), "once");
  client().send_frames(Channel::control, original);  // one memory for all channels
  for (int i = 0; i < 1000; ++i) {
    Frames forged = good();
    forged.at(1).assign(64, static_cast<char>('a' + i % 6));
    client().send_frames(Channel::shell, forged);
  }
  client().send_frames(Channel::shell, original);  // forged signatures do not push real ones out of the memory
  expect_no_trace();
}

TEST_F(Malformed, FrameCounts) {
  const Frames frames = good();
  const std::vector<Frames> noise{
      {""}, {"x"}, {"", ""}, {"<IDS|MSG>"}, {"<ids|msg>", "", "", "", "", ""}, {"<IDS|MSG", "a"}, Frames(100, "")};
  for (const auto& few : noise) expect_dropped(few);
  for (std::size_t count = 1; count < frames.size(); ++count)
    expect_dropped(Frames(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count)));
  for (std::size_t index = 0; index < frames.size(); ++index) {
    Frames changed = good();
    changed.at(index).clear();
    expect_dropped(changed);
  }
  Frames identities(1000, "identity");
  for (const auto& frame : good()) identities.push_back(frame);
  expect_dropped(identities);
  expect_no_trace();
}

TEST_F(Malformed, JsonThatIsNotOneObject) {
  const std::string header = good().at(2);
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& bad :
       {std::string("null"), std::string("[]"), std::string("\"\""), std::string("{}{}"), std::string("{} x"),
        std::string("{\"a\":NaN}"), std::string("{\"a\":\"\xff\"}"), std::string("\xef\xbb\xbf{}"),
        std::string("{\"a\":") + deep + "}", std::string("{\"a\"")}) {
    for (std::size_t index = 0; index < 3; ++index) {
      std::array<std::string, 4> parts{header, "{}", "{}", R"({"code":"out executed"})"};
      parts.at(index) = bad;
      expect_dropped(client().codec().encode({parts[0], parts[1], parts[2], parts[3]}));
    }
  }
  expect_no_trace();
}

TEST_F(Malformed, HeadersThatNameNothing) {
  for (const char* field : {"msg_id", "msg_type", "session"}) {
    for (const Json& value : {Json(nullptr), Json(5), Json::array(), Json::object()}) {
      Json header = Json::parse(good().at(2));
      header[field] = value;
      expect_dropped(client().codec().encode({header.dump(), "{}", "{}", R"({"code":"out executed"})"}));
    }
  }
  expect_probe_alive(client());
}

TEST_F(Malformed, BytesMovedBetweenFrames) {
  // The signature covers the concatenation only, so it fits these too.
  const Frames frames = good();
  for (std::size_t from = 2; from < 5; ++from) {
    Frames moved = good();
    moved.at(from) += moved.at(from + 1).substr(0, 1);
    moved.at(from + 1).erase(0, 1);
    expect_dropped(moved);
  }
  expect_no_trace();
}

TEST_F(Malformed, BuffersAreNotSigned) {
  // The protocol leaves them out of the signature: they are accepted as they come, up to the limit of frames.
  SendOptions options;
  options.buffers = Frames(1000, "");
  EXPECT_EQ(client().run("out a", {.send = options}).status(), "ok");
  Frames bomb = good();
  bomb.resize(100'000);
  expect_dropped(bomb);
  expect_no_trace();
}

TEST_F(Malformed, IdentitiesComeBackAsTheyCame) {
  // A proxy puts its own identities before the message.
  Frames proxied{"", "proxy"};
  for (const auto& frame : client().frames_of("kernel_info_request")) proxied.push_back(frame);
  const Exchange exchange = client().collect(client().send_request(Channel::shell, proxied));
  EXPECT_EQ(exchange.reply->identities, (Frames{"", "proxy"}));
  expect_probe_alive(client());
}

TEST_F(Malformed, RandomBitsOfRealMessages) {
  const std::uint32_t seed = 20260914;
  std::mt19937 random(seed);
  const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) {
    Frames frames = good();
    std::string& frame = frames.at(1 + pick(frames.size() - 1));
    if (frame.empty()) continue;
    for (int flips = 0; flips < 2; ++flips) frame.at(pick(frame.size())) = static_cast<char>(random());
    // Unsigned, so none of it may be believed, unless both flips changed nothing.
    const std::string signature = client().codec().sign({frames.at(2), frames.at(3), frames.at(4), frames.at(5)});
    if (signature == frames.at(1)) continue;
    client().send_frames(pick(2) == 0 ? Channel::shell : Channel::control, frames);
  }
  expect_no_trace();
}

TEST_F(Malformed, GarbageOverTcp) {
  start({.transport = Transport::port0});
  client();
  std::mt19937 random(7);
  std::string noise(65536, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  for (const Channel channel :
       {Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control, Channel::heartbeat}) {
    for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02", 4), noise,
                                     std::string(), std::string(64, '\xff')}) {
      for (int i = 0; i < 20; ++i) send_bytes(kernel().connection(), channel, bytes);
    }
  }
  expect_probe_alive(client());
}

TEST_F(Malformed, HeartbeatsOfAnyShape) {
  client();
  for (const Frames& frames : {Frames{""}, Frames{std::string(10'000'000, 'h')}, Frames(10, "f"), Frames{"", "", ""},
                               Frames{std::string("\0\xff", 2)}}) {
    EXPECT_EQ(client().ping(frames), frames);
  }
}

}  // namespace
}  // namespace adrastea::testing
