// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

namespace adrastea::testing {
namespace {

class Comms : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Comms);

TEST_P(Comms, CarryBuffersBothWays) {
  start_here();
  SendOptions options;
  options.buffers = {std::string("\0\x01\xff", 3), "", std::string(200'000, 'b')};
  options.metadata = {{"m", 1}};
  const Exchange opened = client().exchange(Channel::shell, "comm_open",
                                            {{"comm_id", "c1"}, {"target_name", "echo"}, {"data", {{"x", 1}}}}, options);
  ASSERT_EQ(opened.published.size(), 1U) << client().transcript();
  EXPECT_EQ(opened.published.front().type(), "comm_msg");
  EXPECT_EQ(opened.published.front().content, (Json{{"comm_id", "c1"}, {"data", {{"opened", {{"x", 1}}}}}}));
  EXPECT_EQ(opened.published.front().buffers, options.buffers);
  EXPECT_EQ(opened.published.front().metadata, options.metadata);

  const Exchange echoed =
      client().exchange(Channel::shell, "comm_msg", {{"comm_id", "c1"}, {"data", {{"y", "z"}}}}, options);
  ASSERT_EQ(echoed.published.size(), 1U);
  EXPECT_EQ(echoed.published.front().content.at("data"), (Json{{"y", "z"}}));
  EXPECT_EQ(echoed.published.front().buffers, options.buffers);
  EXPECT_EQ(client().exchange(Channel::shell, "comm_info_request").reply->content.at("comms"),
            (Json{{"c1", {{"target_name", "echo"}}}}));

  const Exchange closed = client().exchange(Channel::shell, "comm_close", {{"comm_id", "c1"}, {"data", {{"bye", 1}}}});
  EXPECT_EQ(closed.shown(), (ShownList{{"stdout", R"(closed {"bye":1})"}})) << "on_close runs and no close is echoed";
  EXPECT_EQ(client().exchange(Channel::shell, "comm_info_request").reply->content.at("comms"), Json::object());
}

class CommRules : public SystemTest {
 protected:
  Exchange open(const std::string& id, const std::string& target) {
    return client().exchange(Channel::shell, "comm_open",
                             {{"comm_id", id}, {"target_name", target}, {"data", Json::object()}});
  }
  Exchange message(const std::string& id, const Json& data) {
    return client().exchange(Channel::shell, "comm_msg", {{"comm_id", id}, {"data", data}});
  }
  void expect_only_close(const Exchange& exchange, const std::string& id) {
    ASSERT_EQ(exchange.published.size(), 1U) << client().transcript();
    EXPECT_EQ(exchange.published.front().type(), "comm_close");
    EXPECT_EQ(exchange.published.front().content.at("comm_id"), id);
  }
};

TEST_F(CommRules, AnUnknownTargetIsClosedAtOnce) { expect_only_close(open("c", "no such target"), "c"); }

TEST_F(CommRules, ATargetThatThrowsIsClosed) {
  expect_only_close(open("c", "throws"), "c");
  EXPECT_EQ(client().exchange(Channel::shell, "comm_info_request").reply->content.at("comms"), Json::object());
}

TEST_F(CommRules, AMessageToNobodyIsAnsweredWithClose) { expect_only_close(message("nobody", {{"a", 1}}), "nobody"); }

TEST_F(CommRules, ACloseOfNobodyIsIgnored) {
  EXPECT_TRUE(
      client().exchange(Channel::shell, "comm_close", {{"comm_id", "nobody"}, {"data", Json::object()}}).published.empty());
}

TEST_F(CommRules, AHandlerThatThrowsHarmsNobody) {
  open("c", "echo");
  message("c", {{"throw", true}});
  const Exchange after = message("c", {{"fine", true}});
  ASSERT_EQ(after.published.size(), 1U);
  EXPECT_EQ(after.published.front().content.at("data"), (Json{{"fine", true}}));
  expect_probe_alive(client());
}

TEST_F(CommRules, AHandlerMayCloseItsOwnComm) {
  open("c", "echo");
  expect_only_close(message("c", {{"close", true}}), "c");
  expect_only_close(message("c", {{"a", 1}}), "c");
}

TEST_F(CommRules, TheSameIdTwiceIsSurvived) {
  open("c", "echo");
  open("c", "echo");
  expect_probe_alive(client());
}

TEST_F(CommRules, TheKernelOpensCommsToo) {
  const Exchange opened = client().run(R"(comm open front {"hello":1})");
  ASSERT_EQ(opened.published.size(), 2U) << client().transcript();
  const Message& open = opened.published.at(1);
  EXPECT_EQ(open.type(), "comm_open");
  EXPECT_EQ(open.content.at("target_name"), "front");
  EXPECT_EQ(open.content.at("data"), (Json{{"hello", 1}}));
  EXPECT_EQ(open.buffers, (Frames{"buffer", std::string("\0\xff", 2), ""}));
  const std::string id = open.content.at("comm_id").get<std::string>();

  const Exchange sent = client().run(R"(out before
comm send {"n":2}
out after)");
  EXPECT_EQ(sent.published.at(2).type(), "comm_msg") << "a comm message keeps its place among the outputs";
  EXPECT_EQ(sent.published.at(2).content, (Json{{"comm_id", id}, {"data", {{"n", 2}}}}));

  EXPECT_EQ(message(id, {{"from", "client"}}).text("stdout"), R"({"from":"client"})");
  const Exchange closed = client().run("comm close\ncomm close");
  EXPECT_EQ(closed.published.size(), 2U) << "closed at most once\n" << client().transcript();
  EXPECT_EQ(client().run(R"(comm send {})").status(), "error") << "a closed comm sends nothing";
}

}  // namespace
}  // namespace adrastea::testing
