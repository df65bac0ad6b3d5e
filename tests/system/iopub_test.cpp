// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"
#include "system/raw_peers.hpp"

#include <csignal>
#include <map>
#include <regex>
#include <sstream>

namespace adrastea::testing {
namespace {

class Welcome : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Welcome);

// KernelClient fails when its first message is not the welcome for its topic, with the topic as first frame.
TEST_P(Welcome, IsTheFirstThingThatEachSubscriberSees) {
  start_here();
  const std::string id = client().execute("endless text without end ");
  // In the middle of it. None stays: each would be one more that the flood has to reach.
  for (int i = 0; i < 20; ++i)
    KernelClient(kernel().connection(), {.process_fd = kernel().pidfd()}).finish(KernelClient::Kernel::ended);
  client().exchange(Channel::control, "interrupt_request");
  EXPECT_EQ(client().collect(id).status(), "error");
  expect_probe_alive(client());
}

TEST_P(Welcome, ComesForOtherTopicsToo) {
  start_here();
  client();
  for (const char* topic : {"stream", "\xc3\xa9\xc3\xa9", "x"}) {
    KernelClient& picky = connect({.topic = topic});
    picky.finish(KernelClient::Kernel::ended);  // it hears no status, so it can assert nothing more
  }
  expect_probe_alive(client());
}

class Iopub : public SystemTest {};

TEST_F(Iopub, NothingIsLostAfterTheWelcome) {
  client();
  for (int i = 0; i < 300; ++i) {
    KernelClient joiner(kernel().connection(), {.process_fd = kernel().pidfd()});
    ASSERT_EQ(joiner.run("out " + std::to_string(i)).text("stdout"), std::to_string(i));
    joiner.finish();
  }
}

TEST_F(Iopub, EveryClientSeesWhatTheOthersDo) {
  KernelClient& other = (client(), connect());
  const Exchange cell = client().run("out a\nerr b\nresult c");
  other.exchange(Channel::shell, "kernel_info_request");
  std::vector<std::string> seen;
  for (const auto& message : other.take_foreign()) {
    if (message.parent_id() == cell.id) seen.push_back(message.type());
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"status", "execute_input", "stream", "stream", "execute_result", "status"}));
}

TEST_F(Iopub, UpstreamNoiseIsIgnored) {
  client();
  send_upstream(kernel().connection());
  expect_probe_alive(client());
}

class Captured : public SystemTest {};

TEST_F(Captured, WhatCCodeAndChildrenWriteKeepsItsPlace) {
  const Exchange cell = client().run(
      "out a\nfd1 b\nout c\nfd2 d\nout e\nchild echo f\nerr g\nprintf h\nout i\nchild echo j >&2\ndisplay k\nfd1 l\nresult "
      "m");
  const ShownList expected{{"stdout", "abc"},     {"stderr", "d"},  {"stdout", "ef\n"},
                           {"stderr", "g"},       {"stdout", "hi"}, {"stderr", "j\n"},
                           {"display_data", "k"}, {"stdout", "l"},  {"execute_result", "m"}};
  EXPECT_EQ(cell.shown(), expected);
}

TEST_F(Captured, UnflushedStdioBelongsToItsCell) {
  EXPECT_EQ(client().run("printf no newline").text("stdout"), "no newline");
  EXPECT_EQ(client().run("out next").text("stdout"), "next");
}

TEST_F(Captured, CharactersAreWholeHoweverTheyAreWritten) {
  EXPECT_EQ(client().run("fd1 \\xf0\\x9f\nfd1 \\x90\\x90").text("stdout"), "\xf0\x9f\x90\x90");
  EXPECT_EQ(client().run("out \\xf0\nout \\x9f\\x90\nout \\x90").text("stdout"), "\xf0\x9f\x90\x90");
  EXPECT_EQ(client().run("fd1 \\xf0\\x9f\nout x\nfd1 \\x90\\x90").text("stdout"), "x\xf0\x9f\x90\x90")
      << "nor does what is printed in between break a character";
  EXPECT_EQ(client().run("out a\\xffb\\xc3").text("stdout"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(client().run("fd1 \\xe2\\x82").text("stdout"), "\xef\xbf\xbd") << "half a character at the end of a cell";
  EXPECT_EQ(client().run("fd1 \\xac").text("stdout"), "\xef\xbf\xbd") << "and it does not wait for the next cell";
  EXPECT_EQ(client().run("out nul\\x00 esc\\x1b[31m").text("stdout"), std::string("nul\0 esc\x1b[31m", 13));
}

TEST_F(Captured, TheServersLogGetsACopy) {
  client().run("fd2 for the log");
  EXPECT_NE((kernel().stderr_text() + kernel().stdout_text()).find("for the log"), std::string::npos);
}

TEST_F(Captured, AChildMayWriteALot) {
  const Exchange cell = client().run("child yes 123456789012345678901234567890123456789 | head -c 20000000");
  EXPECT_EQ(cell.text("stdout").size(), 20'000'000U);
}

TEST_F(Captured, AlternatingStreamsStayInOrder) {
  std::string code;
  ShownList expected;
  for (int i = 0; i < 2000; ++i) {
    code += "out o" + std::to_string(i) + "\nerr e" + std::to_string(i) + "\n";
    expected.push_back({"stdout", "o" + std::to_string(i)});
    expected.push_back({"stderr", "e" + std::to_string(i)});
  }
  EXPECT_EQ(client().run(code).shown(), expected);
}

TEST_F(Captured, LateOutputBelongsToTheCellThatStartedIt) {
  const std::string starter = client().execute("later from the thread");
  client().allow_late_output(starter);
  EXPECT_TRUE(client().collect(starter).shown().empty());
  const Exchange between = client().run("out between");
  EXPECT_EQ(between.text("stdout"), "between");
  EXPECT_TRUE(client().run("release").shown().empty());
  client().expect_stream(starter, "stdout", "from the thread");
}

TEST_F(Captured, ThreadsOfACellMayPrintAtOnce) {
  std::string code;
  for (int i = 0; i < 16; ++i) code += "thread 1000 t" + std::to_string(i) + "-\n";
  const Exchange cell = client().run(code + "release");
  std::map<std::string, int> next;
  std::istringstream lines(cell.text("stdout"));
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find('-');
    ASSERT_NE(dash, std::string::npos) << "torn line " << line;
    EXPECT_EQ(std::stoi(line.substr(dash + 1)), next[line.substr(0, dash)]++) << line;
  }
  EXPECT_EQ(next.size(), 16U);
  for (const auto& [thread, count] : next) EXPECT_EQ(count, 1000) << thread;
}

class Flood : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Over, Flood, ::testing::Values(Transport::tcp, Transport::ipc), transport_name);

/// What a marker in the place of dropped text says; 0 for other text.
std::size_t dropped_bytes(const std::string& text) {
  static const std::regex marker(R"(^\n\[(\d+) bytes of output were dropped: .*\]\n$)");
  std::smatch match;
  return std::regex_match(text, match, marker) ? std::stoul(match[1]) : 0;
}

constexpr std::size_t k_megabyte = std::size_t{1} << 20U;

TEST_P(Flood, IsExactForALiveClientAndBounded) {
  start_here();
  client().run("out warm");
  const std::size_t before = kernel().resident_bytes();
  const Exchange cell = client().run("flood 50000000");
  EXPECT_EQ(cell.text("stdout").size(), 50'000'000U);
  EXPECT_LT(cell.published.size(), 20'000U) << "small prints are joined";
  // A live client may lag by what ZeroMQ and the backlog hold for it, and no more.
  EXPECT_LT(kernel().resident_bytes(), before + 160 * k_megabyte);
}

TEST_P(Flood, WithoutSubscribersCostsNoMemory) {
  start_here();
  KernelClient& blind = connect({.subscribe = false});
  const std::size_t before = kernel().resident_bytes();
  const std::string id = blind.execute("flood 200000000");
  EXPECT_EQ(blind.expect_reply(id).content.at("status"), "ok");
  EXPECT_LT(kernel().resident_bytes(), before + 32 * k_megabyte);
  blind.finish(KernelClient::Kernel::ended);
  connect();
  kernel().signal(SIGTERM);
  kernel().wait();
  kernel_ended();
}

TEST_P(Flood, AStoppedSubscriberHoldsUpNobodyForLong) {
  constexpr std::size_t flood = 200'000'000;
  start_here();
  client();
  StoppedSubscriber stopped(kernel().connection());
  const Exchange cell = client().run("flood " + std::to_string(flood));
  EXPECT_EQ(cell.text("stdout").size(), flood) << "the live client gets every byte";
  EXPECT_LT(kernel().resident_bytes(), 200 * k_megabyte);
  const Exchange next = client().run("out later");
  EXPECT_EQ(next.text("stdout"), "later");

  std::size_t text = 0;
  std::size_t dropped = 0;
  int idles = 0;
  for (const auto& message : stopped.resume_until_idle(next.id)) {
    const Json& content = message.content;
    if (content.value("execution_state", "") == "idle") ++idles;
    if (message.type() != "stream" || message.parent_id() != cell.id) continue;
    const std::string printed = content.at("text").get<std::string>();
    const std::size_t told = dropped_bytes(printed);
    dropped += told;
    if (told == 0) text += printed.size();
  }
  EXPECT_EQ(idles, 2) << "no status is dropped";
  EXPECT_GT(dropped, 0U) << "what was dropped is told";
  EXPECT_EQ(text + dropped, flood) << "and told exactly";
}

}  // namespace
}  // namespace adrastea::testing
