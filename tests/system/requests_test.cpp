// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

namespace adrastea::testing {
namespace {

class Requests : public SystemTest {};

TEST_F(Requests, KernelInfoIsTheSameOnShellAndControl) {
  const Exchange shell = client().exchange(Channel::shell, "kernel_info_request");
  const Exchange control = client().exchange(Channel::control, "kernel_info_request");
  EXPECT_EQ(shell.reply->content, control.reply->content);
  EXPECT_EQ(shell.reply->content.at("protocol_version"), shell.reply->header.at("version"));
  EXPECT_EQ(shell.reply->content.at("implementation"), "probe");
  EXPECT_EQ(shell.reply->content.at("language_info").at("name"), "probe");
  EXPECT_EQ(shell.reply->content.at("language_info").at("file_extension"), ".probe");
  EXPECT_EQ(shell.reply->content.at("supported_features"), Json::array());
}

TEST_F(Requests, ControlAnswersWhileACellRuns) {
  const std::string cell = client().execute("spin");
  client().expect_busy(cell);
  client().expect_execute_input(cell, "spin");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client().exchange(Channel::control, "kernel_info_request").status(), "ok");
  EXPECT_EQ(client().exchange(Channel::control, "usage_request").reply->type(), "usage_reply");
  EXPECT_EQ(client().ping({"still", "", "there"}), (Frames{"still", "", "there"}));
  EXPECT_EQ(client().exchange(Channel::control, "interrupt_request").status(), "ok");
  client().expect_error(cell, "Interrupted");
  client().expect_idle(cell);
  client().expect_reply(cell, "error");
}

TEST_F(Requests, CompletionCountsCodePoints) {
  const std::string word = "a\xf0\x9f\x90\x90\xc3\xa9";  // three code points, seven bytes
  const Exchange reply =
      client().exchange(Channel::shell, "complete_request", {{"code", word + "rest"}, {"cursor_pos", 3}});
  EXPECT_EQ(reply.reply->content.at("matches"), Json::array({word + word}));
  EXPECT_EQ(reply.reply->content.at("cursor_start"), 0);
  EXPECT_EQ(reply.reply->content.at("cursor_end"), 3);
  EXPECT_TRUE(reply.published.empty());
}

TEST_F(Requests, CompletionCursorIsClampedOrAtTheEnd) {
  for (const Json& cursor : {Json(99), Json(nullptr), Json(2.0), Json(std::uint64_t{1} << 63U), Json(1e300)}) {
    const Exchange reply = client().exchange(Channel::shell, "complete_request", {{"code", "ab"}, {"cursor_pos", cursor}});
    EXPECT_EQ(reply.reply->content.at("cursor_end"), 2) << cursor;
  }
  const Exchange before = client().exchange(Channel::shell, "complete_request", {{"code", "ab"}, {"cursor_pos", -1}});
  EXPECT_EQ(before.reply->content.at("cursor_end"), 0);
  EXPECT_EQ(before.reply->content.at("matches"), Json::array());
}

TEST_F(Requests, InspectPassesCursorAndDetail) {
  const Exchange found = client().exchange(Channel::shell, "inspect_request",
                                           {{"code",
                                             "\xc3\xa9"
                                             "ab"},
                                            {"cursor_pos", 2},
                                            {"detail_level", 1}});
  EXPECT_EQ(found.reply->content.at("found"), true);
  EXPECT_EQ(found.reply->content.at("data").at("text/plain"),
            "\xc3\xa9"
            "a|1");
  const Exchange missing = client().exchange(Channel::shell, "inspect_request", {{"code", ""}, {"cursor_pos", 0}});
  EXPECT_EQ(missing.reply->content.at("found"), false);
  EXPECT_EQ(missing.reply->content.at("data"), Json::object());
  EXPECT_EQ(client().exchange(Channel::shell, "inspect_request", {{"code", "throw"}, {"cursor_pos", 0}}).status(), "error");
}

TEST_F(Requests, IsCompleteHasAnIndentOnlyWhenIncomplete) {
  EXPECT_EQ(client().exchange(Channel::shell, "is_complete_request", {{"code", "x"}}).reply->content,
            (Json{{"status", "complete"}}));
  EXPECT_EQ(client().exchange(Channel::shell, "is_complete_request", {{"code", "incomplete"}}).reply->content,
            (Json{{"status", "incomplete"}, {"indent", "  "}}));
  EXPECT_EQ(client().exchange(Channel::shell, "is_complete_request", {{"code", "invalid"}}).reply->content,
            (Json{{"status", "invalid"}}));
  EXPECT_EQ(client().exchange(Channel::shell, "is_complete_request", {{"code", "throw"}}).status(), "error");
}

TEST_F(Requests, HistoryInAllThreeWays) {
  client().run("result one");
  client().run("out unstored", {.store_history = false});
  client().run("out secret", {.silent = true});
  client().run("out two");
  client().run("result one");
  const auto history = [&](Json content) {
    return client().exchange(Channel::shell, "history_request", content).reply->content.at("history");
  };

  const Json tail = history({{"hist_access_type", "tail"}, {"n", 2}, {"raw", true}, {"output", false}});
  ASSERT_EQ(tail.size(), 2U);
  EXPECT_EQ(tail.at(0).at(2), "out two");
  EXPECT_EQ(tail.at(1).at(2), "result one");
  EXPECT_EQ(tail.at(1).at(1), 3);

  const Json range =
      history({{"hist_access_type", "range"}, {"session", 0}, {"start", 1}, {"stop", 3}, {"raw", true}, {"output", true}});
  ASSERT_EQ(range.size(), 2U);
  EXPECT_EQ(range.at(0).at(2), Json::array({"result one", "one"}));
  EXPECT_EQ(range.at(1).at(2), Json::array({"out two", nullptr}));
  EXPECT_EQ(history({{"hist_access_type", "range"},
                     {"session", tail.at(0).at(0)},
                     {"start", tail.at(0).at(1)},
                     {"stop", nullptr},
                     {"raw", true},
                     {"output", false}}),
            tail)
      << "the numbers of a tail can be asked for as a range";

  const Json search =
      history({{"hist_access_type", "search"}, {"pattern", "result *"}, {"n", 10}, {"raw", true}, {"output", false}});
  EXPECT_EQ(search.size(), 2U);
  const Json unique = history({{"hist_access_type", "search"},
                               {"pattern", "result *"},
                               {"n", 10},
                               {"unique", true},
                               {"raw", true},
                               {"output", false}});
  ASSERT_EQ(unique.size(), 1U);
  EXPECT_EQ(unique.at(0).at(1), 3) << "the latest of equal inputs";
  EXPECT_EQ(history({{"hist_access_type", "nonsense"}}), Json::array());
}

TEST_F(Requests, ConnectNamesThePorts) {
  const Json ports = client().exchange(Channel::shell, "connect_request").reply->content;
  const Json fields = kernel().connection().fields;
  for (const char* key : {"shell_port", "iopub_port", "stdin_port", "hb_port", "control_port"})
    EXPECT_EQ(ports.at(key), fields.at(key));
}

TEST_F(Requests, CommInfoWorksWithoutComms) {
  EXPECT_EQ(client().exchange(Channel::shell, "comm_info_request").reply->content.at("comms"), Json::object());
  EXPECT_EQ(client().exchange(Channel::shell, "comm_info_request", {{"target_name", nullptr}}).status(), "ok");
}

TEST_F(Requests, UsageTellsOfThisProcess) {
  const Json usage = client().exchange(Channel::control, "usage_request").reply->content;
  EXPECT_EQ(usage.at("pid"), kernel().pid());
  EXPECT_GT(usage.at("kernel_memory").get<double>(), 100'000.0);
  EXPECT_GE(usage.at("cpu_count").get<int>(), 1);
}

TEST_F(Requests, DebuggerAndSubshellsAreAnsweredAsMissing) {
  const Exchange debug =
      client().exchange(Channel::control, "debug_request",
                        {{"type", "request"}, {"seq", 7}, {"command", "initialize"}, {"arguments", Json::object()}});
  EXPECT_EQ(debug.reply->content.at("success"), false);
  EXPECT_EQ(debug.reply->content.at("request_seq"), 7);
  EXPECT_EQ(debug.reply->content.at("command"), "initialize");
  for (const char* type : {"create_subshell_request", "delete_subshell_request", "list_subshell_request"}) {
    EXPECT_EQ(client().exchange(Channel::control, type, {{"subshell_id", "x"}}, {.reply_due = true}).status(), "error")
        << type;
  }
  SendOptions subshell;
  subshell.header = {{"subshell_id", "no such subshell"}};
  EXPECT_EQ(client().run("out a", {.send = subshell}).status(), "ok") << "a kernel without subshells ignores the field";
}

TEST_F(Requests, UnknownTypesGetBusyAndIdle) {
  for (const std::string& type : {std::string("nonsense_request"), std::string("execute_reply"),
                                  std::string("noUnderscore"), std::string("_"), std::string(100'000, 'x')}) {
    for (const Channel channel : {Channel::shell, Channel::control}) {
      const Exchange exchange = client().exchange(channel, type);
      EXPECT_TRUE(exchange.published.empty());
    }
  }
  expect_probe_alive(client());
}

TEST_F(Requests, ShellRequestsOnControlAreAnswered) {
  for (const char* type : {"execute_request", "complete_request", "inspect_request", "is_complete_request",
                           "history_request", "comm_info_request"}) {
    const Exchange exchange =
        client().exchange(Channel::control, type, {{"code", "out a"}, {"cursor_pos", 0}, {"silent", true}});
    EXPECT_TRUE(exchange.reply.has_value()) << type;
  }
  expect_probe_alive(client());
}

TEST_F(Requests, InterruptOnShellIsAnswered) {
  EXPECT_EQ(client().exchange(Channel::shell, "interrupt_request").status(), "ok");
}

TEST_F(Requests, WhatTheTestForgetsMayStillCome) {
  for (int i = 0; i < 100; ++i) client().request(Channel::control, "kernel_info_request");
  client().forget_unasserted();
  client().exchange(Channel::control, "kernel_info_request");
}

struct WrongContent {
  const char* type;
  std::string content;
};

TEST_F(Requests, MalformedContentIsAnErrorReply) {
  const std::vector<WrongContent> cases{
      {"execute_request", "{}"},
      {"execute_request", R"({"code":null})"},
      {"execute_request", R"({"code":["out a"]})"},
      {"execute_request", R"({"code":"out a","silent":"yes"})"},
      {"execute_request", R"({"code":"out a","user_expressions":[1]})"},
      {"execute_request", "[]"},
      {"execute_request", "null"},
      {"execute_request", ""},
      {"execute_request", "{\"code\":\"\xff\xfe\"}"},
      {"execute_request", R"({"code":"out a"} trailing)"},
      {"complete_request", "{}"},
      {"complete_request", R"({"code":1,"cursor_pos":0})"},
      {"inspect_request", R"({"code":{}})"},
      {"is_complete_request", "{}"},
      {"kernel_info_request", "[]"},
      {"comm_info_request", R"({"target_name":5})"},
      {"shutdown_request", R"({"restart":"perhaps"})"},
  };
  for (const auto& [type, content] : cases) {
    SendOptions options;
    options.raw_content = content;
    const Exchange exchange = client().exchange(Channel::shell, type, Json::object(), options);
    EXPECT_EQ(exchange.status(), "error") << type << " " << content;
    EXPECT_FALSE(exchange.reply->content.at("evalue").get<std::string>().empty()) << type << " " << content;
  }
  expect_probe_alive(client());
}

TEST_F(Requests, EveryFieldOfEveryTypeIsSurvived) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> fields{
      {"execute_request", {"code", "silent", "store_history", "user_expressions", "allow_stdin", "stop_on_error"}},
      {"complete_request", {"code", "cursor_pos"}},
      {"inspect_request", {"code", "cursor_pos", "detail_level"}},
      {"is_complete_request", {"code"}},
      {"history_request", {"hist_access_type", "n", "session", "start", "stop", "pattern", "unique", "output", "raw"}},
      {"comm_info_request", {"target_name"}},
      {"comm_open", {"comm_id", "target_name", "data"}},
      {"comm_msg", {"comm_id", "data"}},
      {"comm_close", {"comm_id", "data"}},
      {"input_reply", {"value"}}};
  const std::vector<Json> values{nullptr,
                                 true,
                                 0,
                                 -1,
                                 1.5,
                                 1e300,
                                 std::uint64_t{18446744073709551615U},
                                 "",
                                 "text",
                                 Json::array(),
                                 Json::array({1}),
                                 Json::object(),
                                 Json{{"a", 1}}};
  for (const auto& [type, names] : fields) {
    for (const char* name : names) {
      for (const Json& value : values) {
        Json content{{"code", "out a"}, {"cursor_pos", 1},    {"hist_access_type", "search"}, {"pattern", "*"},
                     {"comm_id", "c"},  {"target_name", "t"}, {"data", Json::object()}};
        content[name] = value;
        const Exchange exchange = client().exchange(Channel::shell, type, content);
        if (!exchange.reply || std::string(type) == "is_complete_request") continue;
        EXPECT_TRUE(exchange.status() == "ok" || exchange.status() == "error") << type << content;
      }
    }
  }
  expect_probe_alive(client());
}

}  // namespace
}  // namespace adrastea::testing
