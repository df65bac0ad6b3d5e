// SPDX-License-Identifier: BSD-3-Clause
// How the five sockets end: what was sent arrives, nothing hangs, nothing stays behind, and a forked child does no harm.
#include "unit/child_process.hpp"
#include "unit/temporary_directory.hpp"
#include "unit/zmq_peer.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <thread>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::SizeIs;

std::size_t count(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

/// A thread that was joined is listed until the kernel has taken it off, which nobody is told.
std::size_t threads_left(std::size_t expected) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(5);
  while (count("/proc/self/task") > expected && steady_clock::now() < deadline) std::this_thread::yield();
  return count("/proc/self/task");
}

// ThreadSanitizer has a thread of its own from a program's first other thread on.
#ifdef __SANITIZE_THREAD__
constexpr std::size_t k_threads = 2;
#else
constexpr std::size_t k_threads = 1;
#endif

class BoundLife : public ::testing::TestWithParam<const char*> {
 protected:
  ConnectionInfo info() const {
    return GetParam() == std::string("tcp") ? tcp_info() : ipc_info((directory_ / "k").string());
  }
  TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(, BoundLife, ::testing::Values("tcp", "ipc"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(BoundLife, LeavesNoDescriptorNoThreadNoFile) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t descriptors = count("/proc/self/fd");
    ConnectionInfo got = info();
    { const auto bound = bind_all(got, Limits{}); }
    EXPECT_EQ(count("/proc/self/fd"), descriptors);
    EXPECT_EQ(threads_left(k_threads), k_threads);
    EXPECT_THAT(directory_.names(), IsEmpty());
  }
}

TEST_P(BoundLife, WhatWasSentLastArrives) {
  ConnectionInfo got = info();
  auto bound = bind_all(got, Limits{});
  ZmqPeer client(ZMQ_DEALER, got.endpoint(Channel::control), "me");
  client.send({"shutdown"});
  ASSERT_TRUE(await_message(*bound->control));
  ZmqPeer subscriber(ZMQ_SUB, got.endpoint(Channel::iopub));
  subscriber.subscribe("");
  ASSERT_TRUE(await_event(*bound->iopub));
  bound->iopub->set_filter("");
  EXPECT_TRUE(bound->iopub->try_send("status", shared({std::string(5 << 20, 'x')})));
  static_cast<void>(bound->control->send({"me", std::string(5 << 20, 'r')}));
  bound.reset();
  EXPECT_EQ(client.receive(), wire::Frames{std::string(5 << 20, 'r')});
  EXPECT_EQ(subscriber.receive(), (wire::Frames{"status", std::string(5 << 20, 'x')}));
}

TEST_P(BoundLife, PeersThatDoNotReadDelayTheEndByOneLinger) {
  Limits limits;
  limits.linger = milliseconds(300);
  ConnectionInfo got = info();
  auto bound = bind_all(got, limits);
  ZmqPeer shell(ZMQ_DEALER, got.endpoint(Channel::shell), "me");
  ZmqPeer control(ZMQ_DEALER, got.endpoint(Channel::control), "me");
  for (ZmqPeer* peer : {&shell, &control}) peer->set(ZMQ_RCVHWM, 1);
  shell.send({"x"});
  control.send({"x"});
  ASSERT_TRUE(await_message(*bound->shell));
  ASSERT_TRUE(await_message(*bound->control));
  for (int i = 0; i < 4000; ++i) {
    static_cast<void>(bound->shell->send({"me", std::string(100'000, 'x')}));
    static_cast<void>(bound->control->send({"me", std::string(100'000, 'x')}));
  }
  const auto start = steady_clock::now();
  bound.reset();
  EXPECT_THAT(steady_clock::now() - start, Lt(milliseconds(1500)));
}

TEST_P(BoundLife, EverythingIsDeliveredWhileTheInterpreterKeepsItsSockets) {
  ConnectionInfo got = info();
  auto bound = bind_all(got, Limits{});
  ZmqPeer client(ZMQ_DEALER, got.endpoint(Channel::control), "me");
  client.send({"shutdown"});
  ASSERT_TRUE(await_message(*bound->control));
  ZmqPeer shell(ZMQ_DEALER, got.endpoint(Channel::shell), "me");
  shell.send({"still"});
  const std::unique_ptr<Router> interpreters = std::move(bound->shell);
  static_cast<void>(bound->control->send({"me", "reply"}));
  bound->deliver_without_interpreter();
  EXPECT_EQ(bound->control, nullptr);
  EXPECT_EQ(bound->iopub, nullptr);
  EXPECT_EQ(client.receive(), wire::Frames{"reply"});
  EXPECT_FALSE(interpreters->readable());
  EXPECT_EQ(interpreters->receive(), std::nullopt);
  EXPECT_EQ(interpreters->send({"me", "too late"}), Router::Sent::yes);
  ZmqPeer heart(ZMQ_REQ, got.endpoint(Channel::heartbeat));
  heart.send({"ping"});
  EXPECT_EQ(heart.receive(), wire::Frames{"ping"});
  bound->remove_files();
  EXPECT_THAT(directory_.names(), IsEmpty());
  bound.reset();
  EXPECT_EQ(interpreters->receive(), std::nullopt) << "a socket may outlive Bound";
}

TEST_P(BoundLife, AForkedChildNeitherHangsNorTakesAnything) {
  ConnectionInfo got = info();
  auto bound = bind_all(got, Limits{});
  ZmqPeer subscriber(ZMQ_SUB, got.endpoint(Channel::iopub));
  subscriber.subscribe("");
  ASSERT_TRUE(await_event(*bound->iopub));
  bound->iopub->set_filter("");
  ZmqPeer client(ZMQ_DEALER, got.endpoint(Channel::shell), "me");
  client.send({"for the parent"});
  ASSERT_TRUE(await_readable(*bound->shell));
  const auto files = directory_.names();

  const int status = in_child([&] {
    if (bound->shell->readable() || bound->shell->receive()) return 1;
    if (!bound->iopub->try_send("child", shared({"x"}))) return 2;
    if (bound->stdin_channel->send({"me", "x"}) != Router::Sent::yes) return 3;
    bound->deliver_without_interpreter();
    bound.reset();
    return 0;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
  EXPECT_TRUE(ended_with(in_child([]() -> int { std::exit(4); }), 4));

  EXPECT_EQ(directory_.names(), files);
  EXPECT_EQ(bound->shell->receive(), (wire::Frames{"me", "for the parent"}));
  EXPECT_TRUE(bound->iopub->try_send("parent", shared({"y"})));
  EXPECT_EQ(subscriber.receive(), (wire::Frames{"parent", "y"}));
}

TEST_P(BoundLife, AChildMayBeAKernelOfItsOwn) {
  ConnectionInfo parents = info();
  const auto bound = bind_all(parents, Limits{});
  const int status = in_child([&] {
    ConnectionInfo got = info();
    got.ports = {};
    const auto own = bind_all(got, Limits{});
    ZmqPeer client(ZMQ_DEALER, got.endpoint(Channel::shell), "me");
    client.send({"hello"});
    return await_message(*own->shell) == wire::Frames{"me", "hello"} ? 0 : 1;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
}

TEST(BoundFiles, GoWhenTheProcessExitsInTheMidstOfThings) {
  const TemporaryDirectory directory;
  const int status = in_child([&]() -> int {
    ConnectionInfo got = ipc_info((directory / "k").string());
    static Bound* kept = bind_all(got, Limits{}).release();
    if (kept == nullptr || directory.names().size() != 5) ::_exit(1);
    std::exit(5);
  });
  EXPECT_TRUE(ended_with(status, 5)) << status;
  EXPECT_THAT(directory.names(), IsEmpty());
}

}  // namespace
