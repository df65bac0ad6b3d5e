// SPDX-License-Identifier: BSD-3-Clause
// Which requests an error aborts, and what becomes of those that wait when the kernel ends.
#include "server/shell_loop.hpp"
#include "unit/memory_publisher.hpp"
#include "unit/memory_router.hpp"
#include "unit/wire_messages.hpp"

#include <gmock/gmock.h>
#include <poll.h>

#include <chrono>

namespace adrastea::server {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using wire::testing::make_signer;

/// Fails the executes whose code is "fail"; `on_execute` is what happens meanwhile.
class FakeHandler : public Handler {
 public:
  std::function<void()> on_execute = [] {};

  void prepare(RequestContext& /*context*/, const wire::Message& /*request*/) noexcept override {}
  std::optional<Reply> handle(const Context& /*context*/, wire::Message& request) override {
    if (request.header.msg_type != "execute_request") return Reply{.content = {{"status", "ok"}}};
    on_execute();
    const bool fails = request.content.at("code") == "fail";
    return Reply{.content = {{"status", fails ? "error" : "ok"}}, .abort_queue = fails};
  }
  Reply aborted(const wire::Message& /*request*/) override { return {.content = {{"status", "aborted"}}}; }
};

class ShellLoopTest : public testing::Test {
 protected:
  ShellLoopTest() { iopub_->start(); }

  void client_sends(const std::string& msg_type, const std::string& code = "") {
    wire::Outgoing out;
    out.header = nlohmann::json{
        {"msg_id", "m" + std::to_string(++count_)},
        {"msg_type", msg_type},
        {"session", "s"},
        {"username", "u"},
        {"date", ""},
        {"version",
         "5.3"}}.dump();
    out.content = nlohmann::json{{"code", code}}.dump();
    wire::Frames frames{"client"};
    for (auto& frame : wire::encode(std::move(out), signer_)) frames.push_back(std::move(frame));
    socket_.incoming.push_back(std::move(frames));
  }
  void executes(const std::string& code) { client_sends("execute_request", code); }
  /// The statuses that were answered since the last call.
  std::vector<std::string> statuses() {
    std::vector<std::string> all;
    for (const auto& frames : std::exchange(socket_.sent, {}))
      all.push_back(nlohmann::json::parse(frames.at(6)).at("status"));
    return all;
  }
  ShellLoop loop(std::chrono::milliseconds gap = 0ms) {
    return {socket_,
            RequestServer({.socket = socket_,
                           .iopub = *iopub_,
                           .signer = signer_.copy(),
                           .history = replays_,
                           .identity = *identity_,
                           .limits = limits_,
                           .handler = handler_,
                           .origin = RequestContext::Origin::shell}),
            interrupts_,
            wakeup_,
            stopping_,
            gap,
            {.due = [] { return std::nullopt; }, .run = [] {}}};
  }

  int count_ = 0;
  Limits limits_;
  wire::Signer signer_ = make_signer();
  wire::ReplayHistory replays_{1000};
  std::shared_ptr<wire::Identity> identity_ = std::make_shared<wire::Identity>();
  test::MemoryRouter socket_;
  test::MemoryPublisher publisher_;
  FakeHandler handler_;
  Wakeup wakeup_;
  std::atomic<bool> stopping_{false};
  Interrupts interrupts_{[] {}, wakeup_, false};
  std::shared_ptr<Iopub> iopub_ = std::make_shared<Iopub>(Iopub::Parts{.socket = publisher_,
                                                                       .signer = signer_.copy(),
                                                                       .identity = identity_,
                                                                       .limits = limits_,
                                                                       .capture = nullptr,
                                                                       .give_up = [] { return false; }});
  bool sent_because_of_it_ = false;
};

TEST_F(ShellLoopTest, AnErrorAbortsWhatWaits) {
  ShellLoop shell = loop();
  for (const char* code : {"fail", "a", "b"}) executes(code);
  client_sends("kernel_info_request");
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "aborted", "aborted", "ok"));
}

TEST_F(ShellLoopTest, ASignalIsUsedUpByTheStepItWakes) {
  const auto is_signalled = [this] {
    pollfd signalled{.fd = wakeup_.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&signalled, 1, 0) == 1;
  };
  ShellLoop shell = loop();
  for (const bool waits : {true, false, true, false, false}) {  // who steps without wait() polls by themselves
    wakeup_.signal();
    if (waits) shell.wait();
    EXPECT_TRUE(shell.step());
    EXPECT_FALSE(is_signalled()) << waits;
  }
}

TEST_F(ShellLoopTest, ASignalThatComesAfterTheWaitWakesTheNextOne) {
  ShellLoop shell = loop();
  wakeup_.signal();
  shell.wait();
  wakeup_.signal();
  EXPECT_TRUE(shell.step());
  wakeup_.signal();
  shell.wait();
  EXPECT_TRUE(shell.step());
}

TEST_F(ShellLoopTest, AnErrorAbortsWhatIsOnItsWay) {
  ShellLoop shell = loop();
  executes("fail");
  // Each arrives only when the kernel looks once more for whether something does.
  for (const char* code : {"the next cell of a Run All", "and one more"}) {
    executes(code);
    socket_.still_on_their_way.push_back(std::move(socket_.incoming.back()));
    socket_.incoming.pop_back();
  }
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "aborted", "aborted"));
}

TEST_F(ShellLoopTest, AnErrorAfterALongRunIsAnsweredAtOnce) {
  ShellLoop shell = loop(25ms);
  handler_.on_execute = [] {
    for (const auto begun = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begun < 50ms;) {
    }
  };
  executes("fail");
  executes("comes later");
  socket_.still_on_their_way.push_back(std::move(socket_.incoming.back()));
  socket_.incoming.pop_back();
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "ok"));
}

TEST_F(ShellLoopTest, AnErrorAbortsNothingThatWasSentBecauseOfIt) {
  ShellLoop shell = loop();
  executes("fail");
  socket_.on_send = [this] {
    if (!sent_because_of_it_) executes("runs");
    sent_because_of_it_ = true;
  };
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "ok"));
}

TEST_F(ShellLoopTest, ABurstThatNeverEndsCannotHoldBackTheReply) {
  ShellLoop shell = loop();
  executes("fail");
  socket_.on_empty = [this] { executes("more"); };
  handler_.on_execute = [this] { socket_.on_send = [this] { socket_.on_empty = {}; }; };
  EXPECT_TRUE(shell.step());
  const auto answered = statuses();
  EXPECT_EQ(answered.front(), "error");
  // The last one may have come when the wait was over already.
  EXPECT_THAT(std::vector(answered.begin() + 1, answered.end() - 1), Each("aborted"));
}

TEST_F(ShellLoopTest, WhatWaitsAtTheEndIsAborted) {
  ShellLoop shell = loop();
  handler_.on_execute = [this] { stopping_ = true; };
  for (const char* code : {"ends the kernel", "a", "b"}) executes(code);
  client_sends("complete_request");
  client_sends("comm_msg");
  EXPECT_FALSE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("ok"));
  shell.abort_rest();
  EXPECT_THAT(statuses(), ElementsAre("aborted", "aborted", "aborted"));
  EXPECT_THAT(socket_.incoming, IsEmpty());
}

}  // namespace
}  // namespace adrastea::server
