// SPDX-License-Identifier: BSD-3-Clause
#include "server/iopub.hpp"

#include "server/output_target.hpp"
#include "support/fork_guard.hpp"
#include "support/utf8.hpp"
#include "unit/memory_publisher.hpp"

#include <adrastea/output.hpp>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

namespace {

using namespace adrastea;
using namespace std::chrono_literals;
using server::Context;
using server::Iopub;
using server::Stream;
using test::MemoryPublisher;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Context request(const std::string& msg_id) {
  auto context = std::make_shared<server::RequestContext>();
  context->origin = server::RequestContext::Origin::shell;
  context->parent_header = R"({"msg_id":")" + msg_id + R"("})";
  return context;
}

class RelayTest : public testing::Test {
 protected:
  /// A kernel's IOPub whose joined text waits for ever unless somebody flushes: what leaves earlier was due.
  Iopub& start(Limits limits = patient()) {
    limits_ = limits;
    auto signer = wire::Signer::create("hmac-sha256", "key");
    iopub_ = std::make_shared<Iopub>(Iopub::Parts{.socket = socket_,
                                                  .signer = std::move(signer).value(),
                                                  .identity = identity_,
                                                  .limits = limits_,
                                                  .capture = nullptr,
                                                  .give_up = [this] { return give_up_.load(); }});
    iopub_->start();
    return *iopub_;
  }
  static Limits patient() {
    Limits limits;
    limits.stream_delay = 1h;
    return limits;
  }
  /// Waits for what another thread is about to do; a failure, not a verdict, when it takes for ever.
  static void eventually(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      std::this_thread::yield();
    }
  }
  std::size_t connected(const std::string& topic = "", std::size_t capacity = 1'000'000) {
    const std::size_t subscriber = socket_.connect(topic, capacity);
    eventually([&] { return !socket_.received(subscriber).empty(); });
    return subscriber;
  }
  std::string text_of(std::size_t subscriber, const std::string& msg_id, const std::string& name = "stdout") const {
    std::string text;
    for (const auto& message : socket_.received(subscriber))
      if (message.msg_type() == "stream" && message.parent().value("msg_id", "") == msg_id &&
          message.content().at("name") == name)
        text += message.content().at("text").get<std::string>();
    return text;
  }
  std::vector<std::string> types_of(std::size_t subscriber) const {
    std::vector<std::string> types;
    for (const auto& message : socket_.received(subscriber)) types.push_back(message.msg_type());
    return types;
  }

  /// Takes a few messages at a time as long as it lives.
  std::jthread slow_reader(std::size_t subscriber) {
    return std::jthread([this, subscriber](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        socket_.resume(subscriber, 5);
        std::this_thread::yield();
      }
    });
  }

  MemoryPublisher socket_;
  std::shared_ptr<wire::Identity> identity_ = std::make_shared<wire::Identity>();
  Limits limits_;
  std::atomic<bool> give_up_{false};
  std::shared_ptr<Iopub> iopub_;
};

TEST_F(RelayTest, EverySubscriberGetsItsWelcomeFirstAndNobodyElses) {
  Iopub& iopub = start();
  const auto first = connected();
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  const auto second = connected();
  iopub.status(request("a"), Iopub::State::idle);
  iopub.flush();
  EXPECT_THAT(types_of(first), ElementsAre("iopub_welcome", "status", "status"));
  EXPECT_THAT(types_of(second), ElementsAre("iopub_welcome", "status"));
  const auto welcome = socket_.received(second).front();
  EXPECT_EQ(welcome.content(), nlohmann::json({{"subscription", ""}}));
  EXPECT_EQ(welcome.parent(), nlohmann::json::object());
  EXPECT_EQ(welcome.json(2).at("session"), identity_->session());
}

TEST_F(RelayTest, ASubscriberOfOneTopicGetsAWelcomeUnderItAndOnlyThatTopic) {
  Iopub& iopub = start();
  const auto subscriber = connected("stream");
  iopub.status(request("a"), Iopub::State::busy);
  iopub.text(request("a"), Stream::out, "x");
  iopub.flush();
  EXPECT_THAT(types_of(subscriber), ElementsAre("iopub_welcome", "stream"));
  EXPECT_EQ(socket_.received(subscriber).front().topic, "stream");
}

TEST_F(RelayTest, ATopicThatIsNoTextGetsNoWelcomeButItsMessages) {
  Iopub& iopub = start();
  const auto odd = socket_.connect("\xff");
  const auto other = connected();
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  EXPECT_THAT(socket_.received(odd), SizeIs(0));
  EXPECT_THAT(types_of(other), ElementsAre("iopub_welcome", "status"));
}

TEST_F(RelayTest, TheFirstTextLeavesAtOnceAndLaterTextIsJoined) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  const Context cell = request("a");
  iopub.text(cell, Stream::out, "first");
  eventually([&] { return text_of(subscriber, "a") == "first"; });
  for (int i = 0; i < 1000; ++i) iopub.text(cell, Stream::out, "x");
  EXPECT_EQ(text_of(subscriber, "a"), "first");
  iopub.complete(cell);
  EXPECT_EQ(text_of(subscriber, "a"), "first" + std::string(1000, 'x'));
  EXPECT_THAT(types_of(subscriber), ElementsAre("iopub_welcome", "stream", "stream"));
}

TEST_F(RelayTest, TextThatNobodyFlushesLeavesAfterTheDelay) {
  Limits limits;
  limits.stream_delay = 20ms;
  Iopub& iopub = start(limits);
  const auto subscriber = connected();
  iopub.text(request("a"), Stream::out, "first ");
  iopub.text(request("a"), Stream::out, "second");
  eventually([&] { return text_of(subscriber, "a") == "first second"; });
}

TEST_F(RelayTest, TextKeepsItsPlaceAmongOtherMessagesAndBetweenStreams) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  const Context cell = request("a");
  iopub.text(cell, Stream::out, "1");
  iopub.text(cell, Stream::err, "2");
  iopub.text(cell, Stream::out, "3");
  iopub.publish(cell, "display_data", {{"data", nlohmann::json::object()}});
  iopub.text(cell, Stream::out, "4");
  iopub.status(cell, Iopub::State::idle);
  iopub.flush();
  std::string order;
  for (const auto& message : socket_.received(subscriber))
    order +=
        message.msg_type() == "stream" ? message.content().at("text").get<std::string>() : message.msg_type().substr(0, 1);
  EXPECT_EQ(order, "i123d4s");
}

TEST_F(RelayTest, ACharacterSplitOverWritesIsPutTogetherAgain) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  const Context cell = request("a");
  for (const char byte : std::string("a€😀é")) iopub.text(cell, Stream::out, std::string(1, byte));
  iopub.complete(cell);
  EXPECT_EQ(text_of(subscriber, "a"), "a€😀é");
}

TEST_F(RelayTest, HalfACharacterAtTheEndAndBadBytesBecomeReplacementCharacters) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  const Context cell = request("a");
  iopub.text(cell, Stream::out, "x\xff");
  iopub.text(cell, Stream::out, "y\xe2\x82");
  iopub.complete(cell);
  EXPECT_EQ(text_of(subscriber, "a"), "x\uFFFDy\uFFFD");
}

TEST_F(RelayTest, ALongTextIsCutIntoMessagesAtCharacterBorders) {
  Limits limits = patient();
  limits.max_stream_bytes = 10;
  Iopub& iopub = start(limits);
  const auto subscriber = connected();
  const Context cell = request("a");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "€é";
  iopub.text(cell, Stream::out, text);
  iopub.complete(cell);
  EXPECT_EQ(text_of(subscriber, "a"), text);
  for (const auto& message : socket_.received(subscriber))
    if (message.msg_type() == "stream") {
      EXPECT_LE(message.content().at("text").get_ref<const std::string&>().size(), 10U);
    }
}

TEST_F(RelayTest, OutputOfAThreadBelongsToTheRequestItWasStartedIn) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  Output out(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, request("first"), 256}));
  iopub.status(request("second"), Iopub::State::busy);
  std::thread([out]() mutable { out.write_stdout("late"); }).join();
  iopub.flush();
  EXPECT_EQ(text_of(subscriber, "first"), "late");
  EXPECT_EQ(text_of(subscriber, "second"), "");
}

TEST_F(RelayTest, ASilentRequestShowsItsStatusOnly) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  const Context cell = request("a");
  cell->silent = true;
  Output out(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, cell, 256}));
  iopub.status(cell, Iopub::State::busy);
  out.write_stdout("x");
  out.display({{"text/plain", "x"}});
  out.clear();
  iopub.complete(cell);
  iopub.status(cell, Iopub::State::idle);
  iopub.flush();
  EXPECT_THAT(types_of(subscriber), ElementsAre("iopub_welcome", "status", "status"));
}

TEST_F(RelayTest, ThreadsThatPrintTogetherLoseNothingAndKeepEachTheirOrder) {
  Iopub& iopub = start(Limits{});
  const auto subscriber = connected();
  constexpr int k_threads = 8;
  constexpr int k_lines = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < k_threads; ++t)
    threads.emplace_back([&iopub, cell = request(std::to_string(t))] {
      for (int i = 0; i < k_lines; ++i) iopub.text(cell, Stream::out, std::to_string(i) + "\n");
    });
  for (std::thread& thread : threads) thread.join();
  iopub.flush();
  std::string expected;
  for (int i = 0; i < k_lines; ++i) expected += std::to_string(i) + "\n";
  for (int t = 0; t < k_threads; ++t) EXPECT_EQ(text_of(subscriber, std::to_string(t)), expected);
}

Limits impatient() {
  Limits limits;
  limits.stream_delay = 0ms;
  limits.max_stream_bytes = 1000;
  limits.subscriber_backlog_bytes = 10'000;
  limits.subscriber_patience = 30ms;
  return limits;
}

TEST_F(RelayTest, AStoppedSubscriberStarvesNobodyAndLosesNoStatus) {
  Iopub& iopub = start(impatient());
  const auto live = connected();
  const auto stopped = connected("", 5);
  std::string printed;
  const Context cell = request("a");
  iopub.status(cell, Iopub::State::busy);
  for (int i = 0; i < 500; ++i) {
    const std::string text(1000, static_cast<char>('a' + i % 26));
    iopub.text(cell, Stream::out, text);
    printed += text;
  }
  iopub.publish(cell, "execute_result", {{"data", nlohmann::json::object()}});
  iopub.status(cell, Iopub::State::idle);
  iopub.flush();
  EXPECT_EQ(text_of(live, "a"), printed);
  EXPECT_EQ(text_of(live, "a", "stderr"), "");

  socket_.resume(stopped);
  iopub.flush();
  const std::string seen = text_of(stopped, "a");
  const std::string marker = text_of(stopped, "a", "stderr");
  ASSERT_LT(seen.size(), printed.size());
  EXPECT_EQ(seen, printed.substr(0, seen.size()));
  EXPECT_THAT(marker, HasSubstr("[" + std::to_string(printed.size() - seen.size()) + " bytes of output were dropped"));
  const auto types = types_of(stopped);
  ASSERT_GE(types.size(), 3U);
  EXPECT_EQ(types[types.size() - 2], "execute_result");
  EXPECT_EQ(types.back(), "status");
  EXPECT_EQ(types[types.size() - 3], "stream");  // the marker stands where the text is missing
}

TEST_F(RelayTest, DisplaysForAStoppedSubscriberAreBoundedToo) {
  Iopub& iopub = start(impatient());
  const auto live = connected();
  const auto stopped = connected("", 5);
  const Context cell = request("a");
  const auto count = [&](std::size_t subscriber, const char* type) {
    const auto types = types_of(subscriber);
    return std::count(types.begin(), types.end(), type);
  };
  for (int i = 0; i < 500; ++i) {
    iopub.publish_from_user_code(cell, "update_display_data", {{"data", std::string(1000, 'x')}});
    iopub.publish_from_user_code(cell, "comm_msg", {{"comm_id", "c"}});
  }
  iopub.flush();
  EXPECT_EQ(count(live, "update_display_data"), 500);

  socket_.resume(stopped);
  iopub.flush();
  EXPECT_LT(count(stopped, "update_display_data"), 50);
  EXPECT_EQ(count(stopped, "comm_msg"), 500);
  EXPECT_THAT(text_of(stopped, "a", "stderr"), HasSubstr("bytes of output were dropped"));
}

TEST_F(RelayTest, WhatAStoppedSubscriberTakesOfTheMemoryIsBounded) {
  Limits limits = impatient();
  limits.subscriber_most_bytes = 20'000;
  Iopub& iopub = start(limits);
  const auto live = connected();
  const auto stopped = connected("", 5);
  constexpr int cells = 500;
  for (int i = 0; i < cells; ++i) iopub.status(request(std::to_string(i)), Iopub::State::idle);
  iopub.flush();
  EXPECT_THAT(types_of(live), SizeIs(cells + 1));

  socket_.resume(stopped);
  iopub.flush();
  const auto kept = types_of(stopped);
  EXPECT_GT(kept.size(), 20U);
  EXPECT_LT(kept.size(), 100U);
  EXPECT_EQ(kept.back(), "stream") << "the marker, where the rest would be";
  EXPECT_EQ(std::count(kept.begin(), kept.end(), "stream"), 1);
  iopub.status(request("later"), Iopub::State::idle);
  iopub.flush();
  EXPECT_EQ(socket_.received(stopped).back().parent().at("msg_id"), "later");
}

TEST_F(RelayTest, ASubscriberThatCaughtUpLosesNothingMore) {
  Iopub& iopub = start(impatient());
  const auto slow = connected("", 5);
  for (int i = 0; i < 500; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  socket_.resume(slow);
  iopub.flush();
  iopub.text(request("b"), Stream::out, "afterwards");
  iopub.flush();
  EXPECT_EQ(text_of(slow, "b"), "afterwards");
}

TEST_F(RelayTest, ASlowSubscriberThatReadsGetsEverything) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto slow = connected("", 5);
  const std::jthread reader = slow_reader(slow);
  for (int i = 0; i < 500; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  eventually([&] { return text_of(slow, "a").size() == 500'000; });
  EXPECT_EQ(text_of(slow, "a", "stderr"), "");
}

TEST_F(RelayTest, ASubscriberOfOneTopicDoesNotFollowForThoseOfEverything) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  connected("status");
  const auto slow = connected("", 5);
  const std::jthread reader = slow_reader(slow);
  for (int i = 0; i < 500; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  iopub.complete(request("a"));
  EXPECT_EQ(text_of(slow, "a").size(), 500'000U);
  EXPECT_EQ(text_of(slow, "a", "stderr"), "");
}

TEST_F(RelayTest, ASlowSubscriberNeverHoldsUpAnother) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;  // this test would not end
  Iopub& iopub = start(limits);
  const auto live = connected();
  const auto slow = connected("", 5);
  for (int cell = 0; cell < 20; ++cell) {
    const Context context = request(std::to_string(cell));
    for (int i = 0; i < 50; ++i) iopub.text(context, Stream::out, std::string(1000, 'x'));
    iopub.complete(context);
    EXPECT_EQ(text_of(live, std::to_string(cell)).size(), 50'000U);
  }
  socket_.resume(slow);
  iopub.flush();
  EXPECT_THAT(text_of(slow, "19", "stderr"), HasSubstr("bytes of output were dropped"));
}

TEST_F(RelayTest, AnInterruptEndsTheWaitForASlowSubscriber) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  connected("", 1);
  auto printing = std::async(std::launch::async, [&] {
    for (int i = 0; i < 100; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  });
  give_up_ = true;
  printing.get();  // would never return
}

TEST_F(RelayTest, AStatusNeverWaitsForASlowSubscriber) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto stopped = connected("", 1);
  for (int i = 0; i < 1000; ++i) iopub.status(request(std::to_string(i)), Iopub::State::busy);
  socket_.resume(stopped);
  iopub.flush();
  EXPECT_THAT(types_of(stopped), SizeIs(1001));
}

TEST_F(RelayTest, ManyClientsComeAndGoAndTheLastStillHears) {
  Iopub& iopub = start();
  for (int i = 0; i < 100; ++i) {
    const auto client = connected();
    iopub.status(request("a"), Iopub::State::busy);
    iopub.flush();
    EXPECT_THAT(types_of(client), ElementsAre("iopub_welcome", "status"));
    socket_.disconnect(client);
  }
  const auto one = connected();
  const auto other = connected();
  iopub.status(request("b"), Iopub::State::busy);
  iopub.flush();
  EXPECT_THAT(types_of(one), ElementsAre("iopub_welcome", "status"));
  EXPECT_THAT(types_of(other), ElementsAre("iopub_welcome", "status"));
}

TEST_F(RelayTest, NothingIsSentForAClientThatHasGoneBeforeItWasNoticed) {
  for (int i = 0; i < 3; ++i) socket_.disconnect(socket_.connect(""));
  socket_.disconnect(socket_.connect("topic"));
  start();
  const auto alive = connected();
  iopub_->status(request("r"), Iopub::State::idle);
  iopub_->flush();
  EXPECT_THAT(types_of(alive), ElementsAre("iopub_welcome", "status"));
  EXPECT_EQ(socket_.sent_to_the_gone(), 0U);
}

TEST_F(RelayTest, NorWhenAnotherClientHasItsDescriptor) {
  const auto alive = socket_.reach(1);
  const auto gone = socket_.reach(2);
  for (const auto client : {alive, gone}) socket_.subscribe(client);
  socket_.disconnect(gone);
  const auto successor = socket_.reach(2);
  start();
  iopub_->status(request("r"), Iopub::State::idle);
  iopub_->flush();  // before the successor comes, whichever thread sends
  socket_.subscribe(successor);
  eventually([&] { return !socket_.received(successor).empty(); });
  EXPECT_THAT(types_of(alive), ElementsAre("iopub_welcome", "status"));
  EXPECT_THAT(types_of(successor), ElementsAre("iopub_welcome"));
  EXPECT_EQ(socket_.sent_to_the_gone(), 0U);
}

// The end of a connection comes later than its descriptor is another's, and than that one's subscription.
TEST_F(RelayTest, AClientHearsThatHasTheDescriptorOfOneWhoseEndIsNotKnownYet) {
  const auto gone = socket_.reach(1);
  socket_.subscribe(gone);
  socket_.close(gone);
  const auto successor = socket_.reach(1);
  start();
  iopub_->flush();
  socket_.subscribe(successor);
  eventually([&] { return !socket_.received(successor).empty(); });
  socket_.end(gone);
  iopub_->status(request("r"), Iopub::State::idle);
  iopub_->flush();
  EXPECT_THAT(types_of(successor), ElementsAre("iopub_welcome", "status"));
  EXPECT_EQ(socket_.sent_to_the_gone(), 0U);
}

TEST_F(RelayTest, AndSoDoesOneThatComesBeforeThatClientSubscribes) {
  const auto gone = socket_.reach(1);
  socket_.subscribe(gone);
  socket_.close(gone);
  const auto successor = socket_.reach(1);
  start();
  iopub_->flush();
  socket_.end(gone);
  const auto newcomer = socket_.reach(2);
  socket_.subscribe(newcomer);
  iopub_->status(request("r"), Iopub::State::idle);
  iopub_->flush();
  socket_.subscribe(successor);
  for (const auto client : {newcomer, successor}) eventually([&] { return !socket_.received(client).empty(); });
  EXPECT_THAT(types_of(newcomer), ElementsAre("iopub_welcome", "status"));
  EXPECT_THAT(types_of(successor), ElementsAre("iopub_welcome"));
  EXPECT_EQ(socket_.sent_to_the_gone(), 0U);
}

TEST_F(RelayTest, AClientIsWelcomeWhileAnotherLeaves) {
  const auto before = socket_.connect("");
  const auto after = socket_.connect("");
  socket_.disconnect(before);
  start();
  eventually([&] { return !socket_.received(after).empty(); });
  EXPECT_EQ(socket_.sent_to_the_gone(), 0U);
}

TEST_F(RelayTest, AClientThatComesLaterIsNotHeldUpByOneThatStopped) {
  Iopub& iopub = start(impatient());
  connected("", 1);
  for (int i = 0; i < 100; ++i) iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();  // the thread "iopub" may be sending still, and what it has not sent is for newcomers too
  for (int i = 0; i < 20; ++i) {
    const auto client = connected();
    iopub.status(request("b"), Iopub::State::idle);
    iopub.flush();
    EXPECT_THAT(types_of(client), ElementsAre("iopub_welcome", "status")) << i << [&] {
      std::string t;
      for (const auto& m : socket_.received(client)) t += m.topic + " " + m.parent().dump() + m.content().dump() + "\n";
      return t;
    }();
    socket_.disconnect(client);
  }
}

TEST_F(RelayTest, WhatFitsAgainIsSentWhicheverLookAtTheSocketUsesUpTheNotice) {
  Limits limits = patient();
  limits.subscriber_patience = 1h;
  std::atomic<int> looks{0};
  std::atomic<int> resumed_at{0};
  std::atomic<std::size_t> slow{0};
  socket_.on_look = [&] {
    if (++looks == resumed_at) socket_.resume(slow);
  };
  Iopub& iopub = start(limits);
  for (int look = 1; look <= 12; ++look) {
    slow = connected("", 1);
    iopub.status(request("a"), Iopub::State::busy);
    iopub.flush();
    looks = 0;
    resumed_at = look;
    iopub.status(request("a"), Iopub::State::idle);
    iopub.flush();
    if (looks < look) socket_.resume(slow);
    eventually([&] { return socket_.received(slow).size() == 3; });
    resumed_at = 0;
    socket_.disconnect(slow);
  }
  iopub.stop();  // what on_look refers to ends here
}

TEST_F(RelayTest, RichOutputWaitsForASlowSubscriberToo) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto slow = connected("", 1);
  std::atomic<int> published{0};
  auto cell = std::async(std::launch::async, [&] {
    for (int i = 0; i < 100; ++i) {
      iopub.publish_from_user_code(request("a"), "display_data", {{"data", std::string(1000, 'x')}});
      ++published;
    }
  });
  eventually([&] { return published > 5; });
  EXPECT_LT(published, 100);
  while (published < 100) {
    socket_.resume(slow, 1);
    std::this_thread::yield();
  }
  cell.get();
}

TEST_F(RelayTest, GarbageFromAPeerTakesNothingFromThoseWhoSubscribeMeanwhile) {
  Iopub& iopub = start();
  const auto before = connected();
  const auto late = socket_.connect_behind_garbage(3);
  for (const auto client : late) eventually([&] { return !socket_.received(client).empty(); });
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  for (const auto client : late) {
    const auto types = types_of(client);
    EXPECT_EQ(types.front(), "iopub_welcome");
    EXPECT_EQ(std::count(types.begin(), types.end(), "status"), 1);
  }
  const auto types = types_of(before);
  EXPECT_EQ(std::count(types.begin(), types.end(), "status"), 1);
}

TEST_F(RelayTest, WhatAPeerCancelsWithoutHavingItMakesNobodyDeaf) {
  Iopub& iopub = start();
  const auto all = connected();
  const auto some = connected("status");
  constexpr int stranger = 1000;
  for (const char* topic : {"", "", "status", "none"}) socket_.cancel(stranger, topic);
  const auto later = connected();
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  for (const auto client : {all, some, later}) EXPECT_THAT(types_of(client), ElementsAre("iopub_welcome", "status"));
}

TEST_F(RelayTest, NorDoesItAfterGarbage) {
  Iopub& iopub = start();
  const auto clients = socket_.connect_behind_garbage(2);
  for (const auto client : clients) eventually([&] { return !socket_.received(client).empty(); });
  for (int i = 0; i < 5; ++i) socket_.cancel(1000);
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  for (const auto client : clients) EXPECT_EQ(types_of(client).back(), "status");
}

TEST_F(RelayTest, ASecondSubscriptionOfOneConnectionKeepsWhatWaits) {
  Limits limits = patient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto slow = connected("", 1);
  iopub.status(request("a"), Iopub::State::busy);
  iopub.flush();
  socket_.subscribe(slow);
  iopub.status(request("a"), Iopub::State::idle);
  iopub.flush();
  socket_.resume(slow);
  eventually([&] { return socket_.received(slow).size() == 4; });
  EXPECT_THAT(types_of(slow), ElementsAre("iopub_welcome", "status", "iopub_welcome", "status"));
}

// A group without a client takes everything, and then nobody would wait for those who are there.
TEST_F(RelayTest, NobodyIsLeftToFollowForOneThatSubscribedTwiceOrWasThereBeforeGarbage) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto twice = connected();
  socket_.subscribe(twice);
  eventually([&] { return socket_.received(twice).size() == 2; });
  socket_.disconnect(twice);
  for (const bool after_garbage : {false, true}) {
    if (after_garbage) socket_.connect_behind_garbage(0);
    const auto slow = connected("", 5);
    std::thread printer([&] {
      for (int i = 0; i < 100; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
      iopub.flush();
    });
    eventually([&] {
      socket_.resume(slow, 5);
      return text_of(slow, "a").size() == 100'000 || !text_of(slow, "a", "stderr").empty();
    });
    printer.join();
    EXPECT_EQ(text_of(slow, "a", "stderr"), "");
    socket_.disconnect(slow);
  }
}

TEST_F(RelayTest, ALargeDisplayWaitsForASubscriberThatHasNothingElseToWaitFor) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto live = connected();
  const auto slow = connected("", 1);
  iopub.publish_from_user_code(request("a"), "display_data", {{"data", std::string(50'000, 'x')}});
  iopub.flush();
  socket_.resume(slow);
  iopub.flush();
  EXPECT_THAT(types_of(live), ElementsAre("iopub_welcome", "display_data"));
  EXPECT_THAT(types_of(slow), ElementsAre("iopub_welcome", "display_data"));
}

TEST_F(RelayTest, WhatACellPrintsAfterAnInterruptIsBoundedToo) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  const auto stopped = connected("", 5);
  give_up_ = true;
  for (int i = 0; i < 500; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  socket_.resume(stopped);
  iopub.flush();
  EXPECT_LT(text_of(stopped, "a").size(), 100'000U);
  EXPECT_THAT(text_of(stopped, "a", "stderr"), HasSubstr("bytes of output were dropped"));
}

TEST_F(RelayTest, AForkedChildPublishesNothingAndWaitsForNobody) {
  Limits limits = impatient();
  limits.subscriber_patience = 1h;
  Iopub& iopub = start(limits);
  connected("", 1);
  give_up_ = true;
  for (int i = 0; i < 30; ++i) iopub.text(request("a"), Stream::out, std::string(1000, 'x'));
  give_up_ = false;
  support::fork_guard::install();
  const pid_t child = ::fork();
  if (child == 0) {
    iopub.publish_from_user_code(request("a"), "display_data", {{"data", "x"}});
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  give_up_ = true;
}

TEST_F(RelayTest, AfterStopNothingIsPublishedAndNothingBreaks) {
  Iopub& iopub = start();
  const auto subscriber = connected();
  Output out(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, request("a"), 256}));
  iopub.stop();
  out.write_stdout("x");
  out.display({{"text/plain", "x"}});
  iopub.flush();
  EXPECT_THAT(types_of(subscriber), ElementsAre("iopub_welcome"));
}

TEST_F(RelayTest, DataThatNestsTooDeepOrIsNoObjectIsRefusedToTheAuthor) {
  start();
  Output out(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, request("a"), 256}));
  nlohmann::json deep = nlohmann::json::object();
  for (int i = 0; i < 100'000; ++i) {
    nlohmann::json outer = nlohmann::json::object();
    outer["x"] = std::move(deep);
    deep = std::move(outer);
  }
  EXPECT_THROW(out.display(std::move(deep)), std::invalid_argument);
  EXPECT_THROW(out.display(nlohmann::json::array()), std::invalid_argument);
  EXPECT_THROW(out.update_display("", {{"text/plain", "x"}}), std::invalid_argument);
}

}  // namespace
