// SPDX-License-Identifier: BSD-3-Clause
// Which requests an error aborts, and what becomes of those that wait when the kernel ends.
#include "server/shell_loop.hpp"
#include "support/ids.hpp"
#include "unit/memory_publisher.hpp"
#include "unit/memory_router.hpp"
#include "unit/wire_messages.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace adrastea::server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using wire::testing::make_signer;
using Date = std::chrono::system_clock::time_point;

/// Fails the executes whose code is "fail"; `on_execute` is what happens meanwhile.
class FakeHandler : public Handler {
 public:
  std::function<void()> on_execute = [] {};

  void prepare(RequestContext& /*context*/, const wire::Message& /*request*/) noexcept override {}
  std::optional<Reply> handle(const Context& /*context*/, const wire::Message& request) override {
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

  void client_sends(const std::string& msg_type, const std::string& code, Date date, const std::string& session = "s") {
    const nlohmann::json header{
        {"msg_id", "m" + std::to_string(++count_)}, {"msg_type", msg_type}, {"session", session}, {"username", "u"},
        {"date", support::iso_time(date)},          {"version", "5.3"}};
    client_sends(header, code);
  }
  void client_sends(const nlohmann::json& header, const std::string& code) {
    wire::Outgoing out;
    out.header = header.dump();
    out.content = nlohmann::json{{"code", code}}.dump();
    wire::Frames frames{"client"};
    for (auto& frame : wire::encode(std::move(out), signer_)) frames.push_back(std::move(frame));
    socket_.incoming.push_back(std::move(frames));
  }
  void executes(const std::string& code, Date date, const std::string& session = "s") {
    client_sends("execute_request", code, date, session);
  }
  /// The statuses that were answered since the last call.
  std::vector<std::string> statuses() {
    std::vector<std::string> all;
    for (const auto& frames : std::exchange(socket_.sent, {}))
      all.push_back(nlohmann::json::parse(frames.at(6)).at("status"));
    return all;
  }
  ShellLoop loop(std::chrono::milliseconds window = 1h) {
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
            window};
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
  const Date now_ = std::chrono::system_clock::now();
};

TEST_F(ShellLoopTest, AnErrorAbortsWhatWaits) {
  ShellLoop shell = loop();
  for (const char* code : {"fail", "a", "b"}) executes(code, now_);
  client_sends("kernel_info_request", "", now_);
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "aborted", "aborted", "ok"));
}

TEST_F(ShellLoopTest, AnErrorAbortsWhatWasOnItsWay) {
  ShellLoop shell = loop();
  executes("fail", now_);
  EXPECT_TRUE(shell.step());
  executes("the next cell of a Run All", now_);
  executes("and one more", now_ + 1us);
  client_sends("kernel_info_request", "", now_);
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "aborted", "aborted", "ok"));
}

TEST_F(ShellLoopTest, AnErrorAbortsNothingThatWasSentBecauseOfIt) {
  ShellLoop shell = loop();
  executes("fail", now_);
  // The client reacts to the reply as fast as a client can, while its kernel is still busy sending idle.
  EXPECT_TRUE(shell.step());
  executes("runs", std::chrono::system_clock::now());
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "ok"));
}

TEST_F(ShellLoopTest, AnErrorAbortsNothingOfOthersOnItsWay) {
  ShellLoop shell = loop();
  executes("fail", now_);
  EXPECT_TRUE(shell.step());
  executes("another client, whose clock may differ", now_, "other");
  executes("sent before the cell that failed", now_ - 1s);
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "ok", "ok"));
}

TEST_F(ShellLoopTest, ADateThatMeansNothingAbortsNothingOnItsWay) {
  for (const char* date : {"", "yesterday", "2026-11-21T00:00:00", "9999-99-99T00:00:00Z"}) {
    ShellLoop shell = loop();
    const auto header = [&](const char* msg_id) {
      return nlohmann::json{{"msg_id", msg_id + std::string(date)},
                            {"msg_type", "execute_request"},
                            {"session", "s"},
                            {"username", "u"},
                            {"date", date},
                            {"version", "5.3"}};
    };
    client_sends(header("1"), "fail");
    EXPECT_TRUE(shell.step());
    client_sends(header("2"), "runs");
    EXPECT_TRUE(shell.step());
    EXPECT_THAT(statuses(), ElementsAre("error", "ok")) << date;
  }
}

TEST_F(ShellLoopTest, TheWindowEnds) {
  ShellLoop shell = loop(0ms);
  executes("fail", now_);
  EXPECT_TRUE(shell.step());
  executes("runs", now_);
  EXPECT_TRUE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("error", "ok"));
}

TEST_F(ShellLoopTest, WhatWaitsAtTheEndIsAborted) {
  ShellLoop shell = loop();
  handler_.on_execute = [this] { stopping_ = true; };
  for (const char* code : {"ends the kernel", "a", "b"}) executes(code, now_);
  client_sends("complete_request", "", now_);
  client_sends("comm_msg", "", now_);
  EXPECT_FALSE(shell.step());
  EXPECT_THAT(statuses(), ElementsAre("ok"));
  shell.abort_rest();
  EXPECT_THAT(statuses(), ElementsAre("aborted", "aborted", "aborted"));
  EXPECT_THAT(socket_.incoming, IsEmpty());
}

}  // namespace
}  // namespace adrastea::server
