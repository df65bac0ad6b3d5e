// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <csignal>

namespace adrastea::testing {
namespace {

const ExecuteOptions k_asking{.allow_stdin = true};

class Stdin : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Stdin);

TEST_P(Stdin, AsksTheClientThatSentTheRequest) {
  start_here();
  KernelClient& other = (client(), connect());
  const std::string id = client().execute("out before\nfd1 prompt\ninput name? \nout after", k_asking);
  const Message prompt = client().expect_input_request(id, "name? ");
  EXPECT_EQ(prompt.content.at("password"), false);
  client().input_reply("Zeus");
  EXPECT_EQ(client().collect(id).text("stdout"), "beforepromptgot Zeusafter");
  other.exchange(Channel::shell, "kernel_info_request");
}

class StdinRules : public SystemTest {
 protected:
  /// Starts a cell that waits for input, and returns once it does.
  std::string ask(const std::string& code = "input ?") {
    std::string id = client().execute(code, k_asking);
    client().expect_input_request(id, "?");
    return id;
  }
  /// The cell goes on waiting: another client's control request is served, and nothing else comes.
  void expect_still_waiting() {
    client().exchange(Channel::control, "kernel_info_request");
    EXPECT_TRUE(kernel().running());
  }
};

TEST_F(StdinRules, FailsAtOnceWhenTheClientDoesNotAllowIt) {
  const Exchange cell = client().run("input ?");
  EXPECT_EQ(cell.status(), "error");
  EXPECT_EQ(cell.reply->content.at("ename"), "InputUnavailable");
  const Exchange missing = client().exchange(Channel::shell, "execute_request", {{"code", "input ?"}});
  EXPECT_EQ(missing.status(), "error") << "a missing allow_stdin is false";
}

TEST_F(StdinRules, FailsWhenTheClientHasNoStdinChannel) {
  client();
  KernelClient& deaf = connect({.connect_stdin = false});
  const std::string id = deaf.execute("input ?", k_asking);
  const Exchange cell = deaf.collect(id);
  EXPECT_EQ(cell.reply->content.at("ename"), "InputUnavailable");
}

TEST_F(StdinRules, ThePromptComesAfterWhatWasPrintedBefore) {
  const std::string id = client().execute("out shown\ninput ?", k_asking);
  client().expect_input_request(id, "?");
  // Between the prompt and its answer nothing more is published, so what comes now was sent before the prompt.
  client().expect_busy(id);
  client().expect_execute_input(id, "out shown\ninput ?");
  client().expect_stream(id, "stdout", "shown");
  client().input_reply("x");
  client().expect_stream(id, "stdout", "got x");
  client().expect_idle(id);
  client().expect_reply(id);
}

TEST_F(StdinRules, PasswordsAreMarkedAndNotLogged) {
  const std::string id = client().execute("password secret?", k_asking);
  EXPECT_EQ(client().expect_input_request(id, "secret?").content.at("password"), true);
  client().input_reply("hunter2");
  EXPECT_EQ(client().collect(id).text("stdout"), "got hunter2");
  EXPECT_EQ(kernel().stderr_text().find("hunter2"), std::string::npos);
}

TEST_F(StdinRules, EmptyLongAndStrangeValuesAreExact) {
  for (const std::string& value : {std::string(), std::string(1'000'000, 'v'), std::string("a\0b\n\xf0\x9f\x90\x90", 8)}) {
    const std::string id = ask();
    client().input_reply(value);
    EXPECT_EQ(client().collect(id).text("stdout"), "got " + value);
  }
  const std::string id = ask();
  client().input_reply("\x04");
  EXPECT_EQ(client().collect(id).text("stdout"), "end of input");
}

TEST_F(StdinRules, AnswersInOrder) {
  std::string code;
  for (int i = 0; i < 300; ++i) code += "input ?\n";
  const std::string id = client().execute(code, k_asking);
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    client().expect_input_request(id, "?");
    client().input_reply(std::to_string(i));
    expected += "got " + std::to_string(i);
  }
  EXPECT_EQ(client().collect(id).text("stdout"), expected);
}

TEST_F(StdinRules, AReplyThatWasNotAskedForAnswersNothing) {
  // One thread of ZeroMQ's reads the kernel's stdin and shell sockets. So when a request that was sent on shell after these
  // has been answered, they are in the kernel before the next question is asked; once both are connected.
  const auto arrived = [&] { client().exchange(Channel::shell, "kernel_info_request"); };
  const std::string connected = ask();
  client().input_reply("connected");
  EXPECT_EQ(client().collect(connected).text("stdout"), "got connected");
  client().input_reply("stale");
  arrived();
  const std::string first = ask();
  client().input_reply("fresh");
  client().input_reply("second answer to one question");
  EXPECT_EQ(client().collect(first).text("stdout"), "got fresh");
  arrived();
  const std::string second = ask();
  SendOptions old;
  old.parent = {{"msg_id", "of another question"}, {"session", "s"}, {"username", "u"}, {"msg_type", "input_request"}};
  client().input_reply("names another question", old);
  client().input_reply("right");
  EXPECT_EQ(client().collect(second).text("stdout"), "got right");
}

TEST_F(StdinRules, AReplyThatNamesTheQuestionIsTaken) {
  const std::string id = client().execute("input ?", k_asking);
  const Message prompt = client().expect_input_request(id, "?");
  SendOptions named;
  named.parent = prompt.header;
  client().input_reply("named", named);
  EXPECT_EQ(client().collect(id).text("stdout"), "got named");
}

TEST_F(StdinRules, AForeignReplyIsIgnored) {
  KernelClient& foreign = (client(), connect());
  const std::string id = ask();
  foreign.input_reply("foreign");
  foreign.exchange(Channel::control, "kernel_info_request");
  expect_still_waiting();
  client().input_reply("own");
  EXPECT_EQ(client().collect(id).text("stdout"), "got own");
}

TEST_F(StdinRules, BadRepliesAreIgnored) {
  const std::string id = ask();
  Frames forged = client().frames_of("input_reply", {{"value", "forged"}});
  forged.at(1).assign(64, '0');
  client().send_frames(Channel::stdin_channel, forged);
  client().send_frames(Channel::stdin_channel, {"<IDS|MSG>"});
  client().send_frames(Channel::stdin_channel, {""});
  client().send_frames(Channel::stdin_channel, client().frames_of("execute_request", {{"code", "out a"}}));
  expect_still_waiting();
  client().input_reply("right");
  EXPECT_EQ(client().collect(id).text("stdout"), "got right");
}

TEST_F(StdinRules, AnInterruptEndsTheWaitAndNothingLeaks) {
  for (const bool by_signal : {true, false}) {
    const std::string id = ask();
    if (by_signal) {
      kernel().signal_group(SIGINT);
    } else {
      EXPECT_EQ(client().exchange(Channel::control, "interrupt_request").status(), "ok");
    }
    const Exchange cell = client().collect(id);
    EXPECT_EQ(cell.reply->content.at("ename"), "Interrupted");
    client().input_reply("too late");
    const std::string next = ask();
    client().input_reply("in time");
    EXPECT_EQ(client().collect(next).text("stdout"), "got in time");
  }
}

TEST_F(StdinRules, AShutdownEndsTheWait) {
  const std::string id = ask();
  ask_for_shutdown(client());
  EXPECT_EQ(client().collect(id).status(), "error");
  expect_end();
}

TEST_F(StdinRules, SigtermEndsTheWait) {
  const std::string id = ask();
  kernel().signal(SIGTERM);
  EXPECT_EQ(client().collect(id).status(), "error");
  EXPECT_EQ(kernel().wait().signal, 0);
  kernel_ended();
}

TEST_F(StdinRules, AnotherThreadCannotAsk) {
  const Exchange cell = client().run("threadinput ?", k_asking);
  EXPECT_EQ(cell.status(), "ok");
  EXPECT_FALSE(cell.text("stdout").empty());
  EXPECT_NE(cell.text("stdout"), "nothing") << "input() outside of the interpreter thread must throw";
}

TEST_F(StdinRules, ControlAndHeartbeatGoOn) {
  const std::string id = ask();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client().exchange(Channel::control, "kernel_info_request").status(), "ok");
    EXPECT_EQ(client().ping({"x"}), Frames{"x"});
  }
  client().input_reply("done");
  EXPECT_EQ(client().collect(id).status(), "ok");
}

}  // namespace
}  // namespace adrastea::testing
