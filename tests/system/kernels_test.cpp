// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <csignal>

namespace adrastea::testing {
namespace {

class Echo : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Echo);

TEST_P(Echo, EchoesOverEveryTransport) {
  start_here({}, ADRASTEA_ECHO);
  KernelClient& client = connect();
  expect_alive(client, "hello \xc3\xa9", {{"stdout", "hello \xc3\xa9"}});
  EXPECT_EQ(client.exchange(Channel::shell, "kernel_info_request").reply->content.at("language_info").at("name"), "echo");
  // What the author did not write has answers that a client can live with.
  EXPECT_EQ(client.exchange(Channel::shell, "complete_request", {{"code", "ab"}, {"cursor_pos", 1}}).reply->content,
            (Json{{"status", "ok"},
                  {"matches", Json::array()},
                  {"cursor_start", 1},
                  {"cursor_end", 1},
                  {"metadata", Json::object()}}));
  EXPECT_EQ(
      client.exchange(Channel::shell, "inspect_request", {{"code", "ab"}, {"cursor_pos", 1}}).reply->content.at("found"),
      false);
  EXPECT_EQ(client.exchange(Channel::shell, "is_complete_request", {{"code", "ab"}}).reply->content.at("status"),
            "unknown");
}

TEST_F(SystemTest, EchosUserExpressionsShowNothingInTheCell) {
  start({}, ADRASTEA_ECHO);
  const Exchange cell = connect().run("shown", {.user_expressions = {{"e", "not shown"}}});
  EXPECT_EQ(cell.shown(), (ShownList{{"stdout", "shown"}}));
  EXPECT_EQ(cell.reply->content.at("user_expressions").at("e").at("status"), "ok");
}

class Lua : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Lua);

TEST_P(Lua, RunsRealCode) {
  start_here({}, ADRASTEA_LUA);
  KernelClient& client = connect();
  expect_alive(client, "print('a', 1)", {{"stdout", "a\t1\n"}});
  EXPECT_EQ(client.run("1 + 1").shown(), (ShownList{{"execute_result", "2"}}));
  EXPECT_EQ(client.run("local x = 5\nprint(x)").text("stdout"), "5\n");
  EXPECT_EQ(client.run("io.stderr:write('to stderr')").text("stderr"), "to stderr");
  EXPECT_EQ(client.run("io.write('before ') os.execute('echo child') print('after')").text("stdout"),
            "before child\nafter\n");
  EXPECT_EQ(client.run("error('broken')").status(), "error");
  EXPECT_EQ(client.run("this is no lua").status(), "error");
  EXPECT_EQ(client.run("x = 41").status(), "ok");
  EXPECT_EQ(client.run("x + 1").shown(), (ShownList{{"execute_result", "42"}}));
}

TEST_P(Lua, GivesEachUserExpressionAChunkOfItsOwn) {
  start_here({}, ADRASTEA_LUA);
  const std::string source = "debug.getinfo(function() end, 'S').short_src";
  const Exchange cell = connect().run("", {.user_expressions = {{"a", source}, {"b", source}}});
  const Json& values = cell.reply->content.at("user_expressions");
  EXPECT_EQ(values.at("a").at("data").at("text/plain"), "\"[expression 1]\"");
  EXPECT_EQ(values.at("b").at("data").at("text/plain"), "\"[expression 2]\"");
}

TEST_P(Lua, IsInterruptedInEndlessLoops) {
  start_here({}, ADRASTEA_LUA);
  KernelClient& client = connect();
  for (const bool by_signal : {true, false}) {
    const std::string id = client.execute("while true do end");
    client.expect_busy(id);
    client.expect_execute_input(id, "while true do end");
    if (by_signal) {
      kernel().signal_group(SIGINT);
    } else {
      EXPECT_EQ(client.exchange(Channel::control, "interrupt_request").status(), "ok");
    }
    EXPECT_EQ(client.take_published(id).type(), "error");
    client.expect_idle(id);
    client.expect_reply(id, "error");
    EXPECT_EQ(client.run("print('next')").text("stdout"), "next\n");
  }
}

TEST_P(Lua, ReadsInput) {
  start_here({}, ADRASTEA_LUA);
  KernelClient& client = connect();
  const std::string id = client.execute("local line = io.read()\nprint('read ' .. line)", {.allow_stdin = true});
  EXPECT_EQ(client.take(Channel::stdin_channel).type(), "input_request");
  client.input_reply("a line");
  EXPECT_NE(client.collect(id).text("stdout").find("read a line\n"), std::string::npos);
  EXPECT_EQ(client.run("io.read()").status(), "error") << "without allow_stdin";
}

}  // namespace
}  // namespace adrastea::testing
