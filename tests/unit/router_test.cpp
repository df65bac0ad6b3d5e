// SPDX-License-Identifier: BSD-3-Clause
#include "unit/zmq_peer.hpp"

#include <gmock/gmock.h>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;
using ::testing::Each;
using ::testing::SizeIs;

class RouterTest : public ::testing::Test {
 protected:
  explicit RouterTest(const Limits& limits = {}) : bound_(bind_all(info_, limits)) {}
  ConnectionInfo info_ = tcp_info();
  std::unique_ptr<Bound> bound_;
};

TEST_F(RouterTest, FramesGoBothWaysVerbatim) {
  ZmqPeer client(ZMQ_DEALER, info_.endpoint(Channel::shell), std::string("i\0d", 3));
  const wire::Frames body{"", std::string("\0\xff\n", 3), std::string(200'000, 'x'), ""};
  client.send(body);
  const auto got = await_message(*bound_->shell);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->front(), std::string("i\0d", 3));
  EXPECT_EQ(wire::Frames(got->begin() + 1, got->end()), body);
  EXPECT_EQ(bound_->shell->send(*got), Router::Sent::yes);
  EXPECT_EQ(client.receive(), body);
}

TEST_F(RouterTest, NothingWaitsAtFirst) {
  EXPECT_FALSE(bound_->shell->readable());
  EXPECT_EQ(bound_->shell->receive(), std::nullopt);
}

TEST_F(RouterTest, ABurstComesWholeAndInOrder) {
  ZmqPeer client(ZMQ_DEALER, info_.endpoint(Channel::shell), "me");
  for (int i = 0; i < 5000; ++i) client.send({std::to_string(i)});
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(await_message(*bound_->shell), (wire::Frames{"me", std::to_string(i)}));
  for (int i = 0; i < 5000; ++i) static_cast<void>(bound_->shell->send({"me", std::to_string(i)}));
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(client.receive(), wire::Frames{std::to_string(i)});
}

TEST_F(RouterTest, ShellAndControlDropWhatNobodyGets) {
  EXPECT_EQ(bound_->shell->send({"nobody", "x"}), Router::Sent::yes);
  EXPECT_EQ(bound_->control->send({"nobody", "x"}), Router::Sent::yes);
  EXPECT_EQ(bound_->shell->send({}), Router::Sent::yes);
  EXPECT_EQ(bound_->shell->send({"nobody"}), Router::Sent::yes);
}

TEST_F(RouterTest, StdinTellsThatNobodyIsThere) {
  EXPECT_EQ(bound_->stdin_channel->send({"me", "prompt", "more"}), Router::Sent::no_such_peer);
  ZmqPeer client(ZMQ_DEALER, info_.endpoint(Channel::stdin_channel), "me");
  client.send({"hello"});
  ASSERT_TRUE(await_message(*bound_->stdin_channel));
  EXPECT_EQ(bound_->stdin_channel->send({"me", "prompt", "more"}), Router::Sent::yes);
  EXPECT_EQ(client.receive(), (wire::Frames{"prompt", "more"}));
}

TEST_F(RouterTest, AClientThatComesBackReplacesItsOldSelf) {
  ZmqPeer old(ZMQ_DEALER, info_.endpoint(Channel::shell), "me");
  old.send({"1"});
  ASSERT_TRUE(await_message(*bound_->shell));
  ZmqPeer again(ZMQ_DEALER, info_.endpoint(Channel::shell), "me");
  again.send({"2"});
  EXPECT_EQ(await_message(*bound_->shell), (wire::Frames{"me", "2"}));
  EXPECT_EQ(bound_->shell->send({"me", "reply"}), Router::Sent::yes);
  EXPECT_EQ(again.receive(), wire::Frames{"reply"});
}

class LimitedRouterTest : public RouterTest {
 protected:
  static Limits small() {
    Limits limits;
    limits.max_frames = 10;
    limits.max_message_bytes = 1000;
    limits.max_frame_bytes = 5000;
    return limits;
  }
  LimitedRouterTest() : RouterTest(small()) {}
};

TEST_F(LimitedRouterTest, TooMuchIsReadToItsEndAndGivenUpToTheLimit) {
  ZmqPeer client(ZMQ_DEALER, info_.endpoint(Channel::shell), "me");
  client.send(wire::Frames(500, "x"));
  client.send({std::string(600, 'a'), std::string(600, 'b'), std::string(600, 'c')});
  client.send({"after"});
  const auto many = await_message(*bound_->shell);
  ASSERT_TRUE(many);
  EXPECT_THAT(*many, SizeIs(11)) << "one more than the limit";

  const auto large = await_message(*bound_->shell);
  ASSERT_TRUE(large);
  std::size_t bytes = 0;
  for (const auto& frame : *large) bytes += frame.size();
  EXPECT_EQ(bytes, 1001U) << "one more than the limit";
  EXPECT_EQ(await_message(*bound_->shell), (wire::Frames{"me", "after"}));
}

TEST_F(LimitedRouterTest, AFrameOverItsLimitEndsOnlyItsConnection) {
  ZmqPeer rude(ZMQ_DEALER, info_.endpoint(Channel::shell), "rude");
  rude.send({std::string(100'000, 'x')});
  ZmqPeer client(ZMQ_DEALER, info_.endpoint(Channel::shell), "me");
  client.send({"fine"});
  EXPECT_EQ(await_message(*bound_->shell), (wire::Frames{"me", "fine"}));
}

}  // namespace
