// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_handles.hpp"
#include "unit/zmq_peer.hpp"

#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;

class PublisherTest : public ::testing::Test {
 protected:
  static Limits small_queue() {
    Limits limits;
    limits.subscriber_queue_messages = 4;
    limits.linger = std::chrono::milliseconds(0);
    return limits;
  }
  [[nodiscard]] std::string endpoint() const { return info_.endpoint(Channel::iopub); }
  [[nodiscard]] Publisher& iopub() { return *bound_->iopub; }
  /// Takes the event that must come next.
  void expect_event(bool subscribe, const std::string& topic) {
    const auto event = await_event(iopub());
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, subscribe ? Publisher::Event::Kind::subscribed : Publisher::Event::Kind::unsubscribed);
    EXPECT_EQ(event->topic, topic);
  }

  ConnectionInfo info_ = tcp_info();
  std::unique_ptr<Bound> bound_ = bind_all(info_, small_queue());
};

TEST_F(PublisherTest, EverySubscriberHasItsEvent) {
  ZmqPeer first(ZMQ_SUB, endpoint());
  first.subscribe("");
  expect_event(true, "");
  ZmqPeer second(ZMQ_SUB, endpoint());
  second.subscribe("");
  expect_event(true, "");
  first.unsubscribe("");
  expect_event(false, "");
  EXPECT_EQ(iopub().next_event(), std::nullopt) << "no more";
}

TEST_F(PublisherTest, NothingReachesASubscriberBeforeItsFilter) {
  ZmqPeer peer(ZMQ_SUB, endpoint());
  peer.subscribe("");
  expect_event(true, "");
  EXPECT_TRUE(iopub().try_send("a", shared({"too early"})));
  iopub().set_filter("");
  EXPECT_TRUE(iopub().try_send("a", shared({"b", "", std::string(100'000, 'c')})));
  EXPECT_EQ(peer.receive(), (wire::Frames{"a", "b", "", std::string(100'000, 'c')}));
  iopub().remove_filter("");
  EXPECT_TRUE(iopub().try_send("a", shared({"too late"})));
  iopub().set_filter("");
  EXPECT_TRUE(iopub().try_send("", shared({})));
  EXPECT_EQ(peer.receive(), wire::Frames{""});
}

TEST_F(PublisherTest, FiltersAreTheLastSubscribersOwn) {
  ZmqPeer first(ZMQ_SUB, endpoint());
  first.subscribe("");
  expect_event(true, "");
  iopub().set_filter("1.");
  ZmqPeer second(ZMQ_SUB, endpoint());
  second.subscribe("");
  expect_event(true, "");
  iopub().set_filter("2.");
  EXPECT_TRUE(iopub().try_send("1.x", shared({"one"})));
  EXPECT_TRUE(iopub().try_send("2.x", shared({"two"})));
  EXPECT_EQ(first.receive(), (wire::Frames{"1.x", "one"}));
  EXPECT_EQ(second.receive(), (wire::Frames{"2.x", "two"}));
}

TEST_F(PublisherTest, AFullSubscriberStopsOnlyItsOwnTopics) {
  ZmqPeer stopped(ZMQ_SUB, endpoint());
  stopped.set(ZMQ_RCVHWM, 1);
  stopped.subscribe("");
  expect_event(true, "");
  iopub().set_filter("1.");
  ZmqPeer live(ZMQ_SUB, endpoint());
  live.subscribe("");
  expect_event(true, "");
  iopub().set_filter("2.");

  // A queue is emptied behind the test's back until nothing fits into the sockets any more: refused means full at that
  // moment.
  const wire::Frames large{std::string(1 << 20, 'x'), "end"};
  int taken = 0;
  const auto fill = [&] {
    while (taken < 1000 && iopub().try_send("1.", shared(large))) ++taken;
  };
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(iopub().readable());  // looks at what was read meanwhile
    fill();
    ASSERT_LT(taken, 1000) << "never full";
    ASSERT_TRUE(iopub().try_send("2.", shared({std::to_string(i)})));
    ASSERT_EQ(live.receive(), (wire::Frames{"2.", std::to_string(i)}));
  }
  // All or nothing: what was taken comes whole, what was refused not at all.
  wire::Frames expected = large;
  expected.insert(expected.begin(), "1.");
  for (int i = 0; i < taken; ++i) ASSERT_EQ(stopped.receive(), expected) << i;
  while (!iopub().try_send("1.", shared({"again"}))) ASSERT_FALSE(await_readable(iopub())) << "only to let time pass";
  EXPECT_EQ(stopped.receive(), (wire::Frames{"1.", "again"}));
}

TEST_F(PublisherTest, LargeFramesAreSharedUntilTheLastSubscriberHasThem) {
  ZmqPeer peer(ZMQ_SUB, endpoint());
  peer.set(ZMQ_RCVHWM, 1);
  peer.subscribe("");
  expect_event(true, "");
  iopub().set_filter("1.");
  std::promise<void> freed;
  SharedFrames body(new const wire::Frames{std::string(1 << 20, 'x'), "small"}, [&](const wire::Frames* frames) {
    delete frames;
    freed.set_value();
  });
  int taken = 0;
  while (taken < 1000 && iopub().try_send("1.", body)) ++taken;
  ASSERT_LT(taken, 1000) << "never full";
  EXPECT_GT(body.use_count(), 1) << "what waits in the queue was copied";
  EXPECT_LE(body.use_count(), 1 + taken) << "small frames are copied";
  body.reset();
  for (int i = 0; i < taken; ++i) ASSERT_EQ(peer.receive()->at(1), std::string(1 << 20, 'x')) << i;
  EXPECT_EQ(freed.get_future().wait_for(std::chrono::milliseconds(k_patience_ms)), std::future_status::ready);
}

TEST(ZmqPart, MovesLargeFramesAndCopiesSmallOnes) {
  for (const std::size_t size : {std::size_t{1} << 20, std::size_t{100}}) {
    std::string bytes(size, 'x');
    const char* const at = bytes.data();
    ZmqPart part(std::move(bytes));
    EXPECT_EQ(part.bytes(), std::string(size, 'x'));
    EXPECT_EQ(part.bytes().data() == at, size > 100);
  }
}

TEST(ZmqPart, SharesLargeFramesAndCopiesSmallOnes) {
  for (const std::size_t size : {std::size_t{1} << 20, std::size_t{100}}) {
    const auto owner = std::make_shared<const std::string>(size, 'x');
    {
      ZmqPart part(*owner, owner);
      EXPECT_EQ(part.bytes(), *owner);
      EXPECT_EQ(part.bytes().data() == owner->data(), size > 100);
      EXPECT_EQ(owner.use_count(), size > 100 ? 2 : 1);
    }
    EXPECT_EQ(owner.use_count(), 1);
  }
}

TEST_F(PublisherTest, GarbageFromAnXsubIsIgnored) {
  ZmqPeer rude(ZMQ_XSUB, endpoint());
  rude.send({""});
  rude.send({"x"});
  rude.send({"\2"});
  rude.send({"a", "b"});
  rude.send({"", "", ""});
  rude.send(wire::Frames(1000, "frame"));
  rude.send({std::string("\1topic")});
  expect_event(true, "topic");
  iopub().set_filter("topic");
  ZmqPeer polite(ZMQ_SUB, endpoint());
  polite.subscribe("");
  expect_event(true, "");
  iopub().set_filter("");
  EXPECT_TRUE(iopub().try_send("x", shared({"y"})));
  EXPECT_EQ(polite.receive(), (wire::Frames{"x", "y"}));
}

TEST_F(PublisherTest, WhatIsTooLongForASubscriptionEndsOnlyItsConnection) {
  ZmqPeer rude(ZMQ_XSUB, endpoint());
  rude.send({std::string(10 << 20, 'x')});
  ZmqPeer long_winded(ZMQ_SUB, endpoint());
  long_winded.subscribe(std::string(1024, 't'));
  ZmqPeer polite(ZMQ_SUB, endpoint());
  polite.subscribe(std::string(1000, 'p'));
  expect_event(true, std::string(1000, 'p'));
}

TEST_F(PublisherTest, ASubscriberThatLeftIsForgotten) {
  {
    ZmqPeer gone(ZMQ_SUB, endpoint());
    gone.subscribe("gone");
    expect_event(true, "gone");
    iopub().set_filter("gone");
  }
  expect_event(false, "gone");
  iopub().remove_filter("gone");
  iopub().set_filter("gone");
  EXPECT_TRUE(iopub().try_send("gone", shared({"x"})));
}

}  // namespace
