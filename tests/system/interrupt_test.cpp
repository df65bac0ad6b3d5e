// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <csignal>
#include <random>

namespace adrastea::testing {
namespace {

class Interrupt : public SystemTest {
 protected:
  /// A cell that has begun: its execute_input is here.
  std::string begin(const std::string& code) {
    std::string id = client().execute(code);
    client().expect_busy(id);
    client().expect_execute_input(id, code);
    return id;
  }
  void expect_interrupted(const std::string& id) {
    client().expect_error(id, "Interrupted");
    client().expect_idle(id);
    EXPECT_EQ(client().expect_reply(id, "error").content.at("ename"), "Interrupted");
  }
  void interrupt_by_message() { EXPECT_EQ(client().exchange(Channel::control, "interrupt_request").status(), "ok"); }
};

TEST_F(Interrupt, EndsWhateverACellDoes) {
  for (const char* code : {"spin", "poll", "sleep 1000", "read", "child echo begun; sleep 1000"}) {
    for (const bool by_signal : {true, false}) {
      SCOPED_TRACE(code);
      const std::string id = begin(code);
      const bool is_child = std::string(code).starts_with("child");
      // A ^C between system()'s "ignore it here" and the child's first moment reaches nobody; it has to run.
      if (is_child) client().expect_stream(id, "stdout", "begun\n");
      if (by_signal) {
        kernel().signal_group(SIGINT);
      } else {
        interrupt_by_message();
      }
      if (is_child) {
        // The child gets the signal as a member of the group, and the cell sees it fail.
        EXPECT_EQ(client().take_published(id).type(), "error");
        client().expect_idle(id);
        client().expect_reply(id, "error");
      } else {
        expect_interrupted(id);
      }
      expect_probe_alive(client());
    }
  }
}

TEST_F(Interrupt, WhenIdleIsNothing) {
  client();
  for (int i = 0; i < 1000; ++i) kernel().signal_group(SIGINT);
  expect_probe_alive(client());
  for (int i = 0; i < 100; ++i) interrupt_by_message();
  expect_probe_alive(client());
}

TEST_F(Interrupt, AbortsTheCellsThatWait) {
  const std::string id = begin("spin");
  const std::string waiting = client().execute("out must not run");
  // Once control has answered a later request, the earlier one on shell is in the kernel too; both go over local sockets.
  interrupt_by_message();
  expect_interrupted(id);
  const Exchange next = client().collect(waiting);
  EXPECT_TRUE(next.status() == "aborted" || next.text("stdout") == "must not run");
}

TEST_F(Interrupt, AStormInterruptsOnce) {
  const std::string id = begin("spin");
  for (int i = 0; i < 10'000; ++i) kernel().signal_group(SIGINT);
  expect_interrupted(id);
  expect_probe_alive(client());
}

TEST_F(Interrupt, EndsATightLoopOfPrints) {
  const std::string id = begin("endless text that goes on and on\\n");
  while (client().take_published(id).type() != "stream") {
  }
  interrupt_by_message();
  Message message = client().take_published(id);
  while (message.type() == "stream") message = client().take_published(id);
  EXPECT_EQ(message.type(), "error") << summary(message);
  client().expect_idle(id);
  client().expect_reply(id, "error");
}

TEST_F(Interrupt, NeverLeaksIntoTheNextCell) {
  // Each round races an interrupt with the end of its cell; whichever wins, the next cell, which gives up at the first sign
  // of an interrupt, must see none. The seed only varies where in the cell the interrupt falls.
  constexpr int rounds = 3000;
  std::mt19937 random(20260914);
  for (int round = 0; round < rounds; ++round) {
    const std::string racing = client().execute("steps " + std::to_string(random() % 3000));
    std::string interrupt;
    if (round % 2 == 0) {
      kernel().signal(SIGINT);
    } else {
      interrupt = client().request(Channel::control, "interrupt_request");
    }
    const Exchange cell = client().collect(racing);
    ASSERT_TRUE(cell.status() == "ok" || cell.reply->content.at("ename") == "Interrupted") << client().transcript();
    if (!interrupt.empty()) client().collect(interrupt);
    const Exchange next = client().run("steps 100\nout clean");
    ASSERT_EQ(next.text("stdout"), "clean") << "round " << round << "\n" << client().transcript();
  }
}

TEST_F(Interrupt, OtherSignalsAreHarmless) {
  const std::string id = begin("spin");
  for (const int number : {SIGPIPE, SIGCHLD, SIGWINCH, SIGCONT, SIGURG}) kernel().signal(number);
  interrupt_by_message();
  expect_interrupted(id);
  expect_probe_alive(client());
}

TEST_F(Interrupt, WorksByMessageWhenUserCodeReplacedTheSignal) {
  EXPECT_EQ(client().run("deaf").status(), "ok");
  const std::string id = begin("poll");
  interrupt_by_message();
  expect_interrupted(id);
  expect_probe_alive(client());
}

TEST_F(Interrupt, AStoppedKernelGoesOn) {
  client();
  kernel().signal(SIGSTOP);
  const std::string id = client().execute("out later");
  kernel().signal(SIGCONT);
  EXPECT_EQ(client().collect(id).text("stdout"), "later");
}

}  // namespace
}  // namespace adrastea::testing
