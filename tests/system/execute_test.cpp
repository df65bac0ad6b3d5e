// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <array>

namespace adrastea::testing {
namespace {

class Execute : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Execute);

TEST_P(Execute, PublishesEverythingInOrder) {
  start_here();
  const std::string code = "out a\nerr b\ndisplay c\nfd1 d\nresult e";
  const std::string id = client().execute(code);
  client().expect_busy(id);
  EXPECT_EQ(client().expect_execute_input(id, code), 1);
  client().expect_stream(id, "stdout", "a");
  client().expect_stream(id, "stderr", "b");
  client().expect_display(id, "c");
  client().expect_stream(id, "stdout", "d");
  client().expect_result(id, "e");
  client().expect_idle(id);
  const Message reply = client().expect_reply(id);
  EXPECT_EQ(reply.content.at("execution_count"), 1);
  EXPECT_EQ(reply.content.at("user_expressions"), Json::object());
  EXPECT_EQ(reply.content.at("payload"), Json::array());
  expect_probe_alive(client());
}

class ExecuteRules : public SystemTest {};

TEST_F(ExecuteRules, CountsStoredExecutionsOnly) {
  EXPECT_EQ(client().run("").reply->content.at("execution_count"), 0) << "an empty cell reads the counter";
  EXPECT_EQ(client().run("out a").reply->content.at("execution_count"), 1);
  EXPECT_EQ(client().run("out a", {.store_history = false}).reply->content.at("execution_count"), 1);
  EXPECT_EQ(client().run("out a", {.silent = true}).reply->content.at("execution_count"), 1);
  EXPECT_EQ(client().run("error E v").reply->content.at("execution_count"), 2) << "a failed cell counts";
  EXPECT_EQ(client().run("out a").reply->content.at("execution_count"), 3);
}

TEST_F(ExecuteRules, SilentShowsNothing) {
  const Exchange cell =
      client().run("out a\ndisplay b\nresult c", {.silent = true, .user_expressions = {{"x", "result 5"}}});
  EXPECT_TRUE(cell.published.empty()) << client().transcript();
  EXPECT_EQ(cell.status(), "ok");
  EXPECT_EQ(cell.reply->content.at("user_expressions").at("x").at("data").at("text/plain"), "5");
  const Exchange failed = client().run("error E v", {.silent = true});
  EXPECT_TRUE(failed.published.empty()) << client().transcript();
  EXPECT_EQ(failed.reply->content.at("ename"), "E");
}

TEST_F(ExecuteRules, SilentErrorsAbortNothing) {
  const std::string failing = client().execute("error E v", {.silent = true});
  const std::string next = client().execute("out next");
  EXPECT_EQ(client().collect(failing).status(), "error");
  EXPECT_EQ(client().collect(next).status(), "ok");
}

TEST_F(ExecuteRules, UnstoredCodeStillShows) {
  const Exchange cell = client().run("out a", {.store_history = false});
  EXPECT_EQ(cell.published.front().type(), "execute_input");
  EXPECT_EQ(cell.shown(), (ShownList{{"stdout", "a"}}));
}

TEST_F(ExecuteRules, UserExpressionsFailOneByOne) {
  const Exchange cell =
      client().run("", {.user_expressions = {{"good", "result 1"}, {"bad", "error E v"}, {"odd", "throw int"}}});
  const Json& values = cell.reply->content.at("user_expressions");
  EXPECT_EQ(values.at("good"), (Json{{"status", "ok"}, {"data", {{"text/plain", "1"}}}, {"metadata", Json::object()}}));
  EXPECT_EQ(values.at("bad").at("status"), "error");
  EXPECT_EQ(values.at("bad").at("ename"), "E");
  EXPECT_EQ(values.at("odd").at("status"), "error");
  EXPECT_TRUE(cell.shown().empty()) << client().transcript();
}

TEST_F(ExecuteRules, ErrorIsPublishedOnceAndAnswered) {
  const std::string id = client().execute("out before\nerror MyError some text");
  client().expect_busy(id);
  client().expect_execute_input(id, "out before\nerror MyError some text");
  client().expect_stream(id, "stdout", "before");
  const Message error = client().expect_error(id, "MyError");
  EXPECT_EQ(error.content.at("evalue"), "some text");
  EXPECT_EQ(error.content.at("traceback"), Json::array({"MyError: some text"}));
  client().expect_idle(id);
  const Message reply = client().expect_reply(id, "error");
  for (const char* key : {"ename", "evalue", "traceback"}) EXPECT_EQ(reply.content.at(key), error.content.at(key));
  EXPECT_EQ(reply.content.at("execution_count"), 1);
}

TEST_F(ExecuteRules, WhateverIsThrownBecomesAnError) {
  for (const char* what : {"std", "int", "null", "bad_alloc", "own", "deep"}) {
    const Exchange cell = client().run(std::string("throw ") + what);
    EXPECT_EQ(cell.status(), "error") << what;
    ASSERT_EQ(cell.shown().size(), 1U) << what << client().transcript();
    EXPECT_EQ(cell.shown().front().kind, "error") << what;
    EXPECT_FALSE(cell.reply->content.at("traceback").empty()) << what;
  }
  expect_probe_alive(client());
}

TEST_F(ExecuteRules, KeepsWhatTheAuthorThrew) {
  const Exchange cell = client().run("throw own");
  EXPECT_EQ(cell.reply->content.at("ename"), "OwnError");
  EXPECT_EQ(cell.reply->content.at("evalue"), "own value");
  EXPECT_EQ(cell.reply->content.at("traceback"), Json::array({"first line", "OwnError: own value"}));
  EXPECT_NE(client().run("throw std").reply->content.at("evalue").get<std::string>().find("thrown by the cell"),
            std::string::npos);
}

TEST_F(ExecuteRules, PayloadsArriveInTheReply) {
  const Exchange cell = client().run("page some text\nnext more code");
  const Json expected{{{"source", "page"}, {"data", {{"text/plain", "some text"}}}, {"start", 3}},
                      {{"source", "set_next_input"}, {"text", "more code"}, {"replace", true}}};
  EXPECT_EQ(cell.reply->content.at("payload"), expected);
}

TEST_F(ExecuteRules, InterpreterSeesTheRequest) {
  ExecuteOptions options{.store_history = false, .allow_stdin = true, .stop_on_error = false};
  options.send.metadata = {{"cellId", "cell-7"}, {"other", 1}};
  const Exchange cell = client().run("request", options);
  const Json seen = Json::parse(cell.text("stdout"));
  EXPECT_EQ(seen, (Json{{"silent", false},
                        {"store_history", false},
                        {"allow_stdin", true},
                        {"stop_on_error", false},
                        {"execution_count", 0},
                        {"cell_id", "cell-7"},
                        {"msg_id", cell.id},
                        {"metadata", options.send.metadata}}));
}

TEST_F(ExecuteRules, DefaultsAreTheProtocols) {
  const Exchange cell = client().exchange(Channel::shell, "execute_request", {{"code", "request"}});
  const Json seen = Json::parse(cell.text("stdout"));
  EXPECT_EQ(seen.at("silent"), false);
  EXPECT_EQ(seen.at("store_history"), true);
  EXPECT_EQ(seen.at("allow_stdin"), false);
  EXPECT_EQ(seen.at("stop_on_error"), true);
}

TEST_F(ExecuteRules, CodeWithZerosAndEveryPlaneComesBack) {
  const std::string code = std::string("out \xf0\x9f\x90\x90 \xc3\xa9 ") + '\0' + "end";
  const Exchange cell = client().run(code);
  EXPECT_EQ(cell.published.front().content.at("code"), code);
  EXPECT_EQ(cell.text("stdout"), code.substr(4));
}

TEST_F(ExecuteRules, ParentIsTheRequestsHeaderByteForByte) {
  // The oracle compares the bytes of every parent with the header as it was sent; here the header is an odd one.
  SendOptions options;
  options.header = {{"unknown", {{"nested", {1, 2.5, nullptr, "\xc3\xa4"}}}}, {"date", "not a date"}, {"version", "99.0"}};
  const Exchange cell = client().run("out a\ndisplay b", {.send = options});
  EXPECT_EQ(cell.reply->parent_header.at("unknown"), options.header.at("unknown"));
  EXPECT_EQ(cell.published.back().parent_header.at("date"), "not a date");
}

TEST_F(ExecuteRules, UpdateAndClearAreMessagesOfTheirOwn) {
  const Exchange cell = client().run("display a\nupdate id-a b\nclear wait\nclear");
  ASSERT_EQ(cell.published.size(), 5U) << client().transcript();
  EXPECT_EQ(cell.published.at(1).content.at("transient").at("display_id"), "id-a");
  EXPECT_EQ(cell.published.at(2).type(), "update_display_data");
  EXPECT_EQ(cell.published.at(2).content.at("transient").at("display_id"), "id-a");
  EXPECT_EQ(cell.published.at(3).content, (Json{{"wait", true}}));
  EXPECT_EQ(cell.published.at(4).content, (Json{{"wait", false}}));
}

TEST_F(ExecuteRules, AnErrorAbortsTheWaitingExecutesAndOnlyThose) {
  // The first cell holds the interpreter until all others have been sent and a control request was answered after them.
  const std::string gate = client().execute("input ready?\nerror Stop here", {.allow_stdin = true});
  const std::array<const char*, 4> others{"kernel_info_request", "complete_request", "comm_info_request",
                                          "history_request"};
  std::vector<std::string> executes;
  std::vector<std::string> rest;
  for (int i = 0; i < 1000; ++i) {
    if (i % 5 == 0) {
      rest.push_back(client().request(
          Channel::shell, others.at(static_cast<std::size_t>(i / 5) % others.size()),
          {{"code", "x"}, {"cursor_pos", 1}, {"hist_access_type", "tail"}, {"n", 1}, {"output", false}, {"raw", true}}));
    } else {
      executes.push_back(client().execute("out must not run"));
    }
  }
  client().expect_input_request(gate, "ready?");
  client().exchange(Channel::control, "kernel_info_request");
  client().input_reply("go");
  EXPECT_EQ(client().collect(gate).status(), "error");
  for (const auto& id : executes) {
    const Exchange aborted = client().collect(id);
    ASSERT_EQ(aborted.status(), "aborted");
    ASSERT_TRUE(aborted.published.empty());
  }
  for (const auto& id : rest) ASSERT_EQ(client().collect(id).status(), "ok");
  EXPECT_EQ(client().run("out runs").shown(), (ShownList{{"stdout", "runs"}}));
}

TEST_F(ExecuteRules, StopOnErrorFalseLetsTheQueueRun) {
  const std::string gate = client().execute("input ready?\nerror Stop here", {.allow_stdin = true, .stop_on_error = false});
  const std::string next = client().execute("out runs");
  client().expect_input_request(gate, "ready?");
  client().input_reply("go");
  EXPECT_EQ(client().collect(gate).status(), "error");
  EXPECT_EQ(client().collect(next).text("stdout"), "runs");
}

TEST_F(ExecuteRules, AQueueOfCellsIsAnsweredInOrder) {
  std::vector<std::string> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(client().execute("out " + std::to_string(i)));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Exchange cell = client().collect(ids.at(i));
    ASSERT_EQ(cell.text("stdout"), std::to_string(i));
    ASSERT_EQ(cell.reply->content.at("execution_count"), i + 1);
  }
}

}  // namespace
}  // namespace adrastea::testing
