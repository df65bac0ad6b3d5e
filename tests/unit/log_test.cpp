// SPDX-License-Identifier: BSD-3-Clause
#include "support/log.hpp"
#include "support/line_budget.hpp"
#include "support/unique_fd.hpp"
#include "support/utf8.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <string>

namespace {

using adrastea::support::LineBudget;
using adrastea::support::UniqueFd;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::Eq;
using testing::MatchesRegex;
using testing::Optional;
namespace log = adrastea::support::log;
namespace utf8 = adrastea::support::utf8;

/// A pipe in place of the server's stderr; the log writes into it for the length of a test.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
    EXPECT_EQ(::fcntl(reader_.get(), F_SETFL, O_NONBLOCK), 0);
    log::open(writer_.get(), log::Level::warning);
  }
  LogTest(const LogTest&) = delete;
  LogTest& operator=(const LogTest&) = delete;
  ~LogTest() override { log::open(-1, log::Level::error); }

  /// What lies in the pipe now.
  std::string taken() {
    std::string all;
    std::array<char, 8192> some{};
    for (ssize_t got = 0; (got = ::read(reader_.get(), some.data(), some.size())) > 0;) {
      all.append(some.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

  /// Leaves no room for another byte. The descriptor is blocking again afterwards, as a server's stderr is.
  void fill() {
    const int flags = ::fcntl(writer_.get(), F_GETFL);
    ASSERT_EQ(::fcntl(writer_.get(), F_SETFL, flags | O_NONBLOCK), 0);
    const std::string page(PIPE_BUF, '.');
    while (::write(writer_.get(), page.data(), page.size()) > 0) {
    }
    ASSERT_EQ(::fcntl(writer_.get(), F_SETFL, flags), 0);
  }

  UniqueFd reader_;
  UniqueFd writer_;
};

TEST_F(LogTest, WritesLinesWithNameTimeAndLevel) {
  log::warning("first");
  log::error("second");
  const std::string stamp = "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9][0-9][0-9]";
  EXPECT_THAT(taken(),
              MatchesRegex("\\[adrastea\\] " + stamp + " warning: first\n\\[adrastea\\] " + stamp + " error: second\n"));
}

TEST_F(LogTest, WritesFromTheLevelOnThatWasAskedFor) {
  log::info("hidden");
  log::set_level(log::Level::info);
  log::debug("hidden");
  log::info("shown");
  const std::string text = taken();
  EXPECT_THAT(text, EndsWith(" info: shown\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(LogTest, EscapesControlCharacters) {
  log::warning("a\nb\x1b[31m\tc {} %v ü");
  EXPECT_THAT(taken(), EndsWith(" warning: a\\x0ab\\x1b[31m\\x09c {} %v ü\n"));
}

TEST_F(LogTest, DropsLinesThatAFullPipeCannotTakeAndCountsThem) {
  fill();
  log::error("lost");
  log::error("lost, too");
  EXPECT_THAT(taken(), testing::Not(testing::HasSubstr("lost")));
  log::error("read again");
  EXPECT_THAT(taken(), ContainsRegex("warning: 2 lines were left out here\n.* error: read again\n"));
}

TEST_F(LogTest, CutsALineAtWhatAPipeTakesAtOnce) {
  std::string text = "x";
  for (int i = 0; i < PIPE_BUF; ++i) text += "ü";
  log::warning(text);
  const std::string line = taken();
  EXPECT_THAT(line, EndsWith("ü…\n"));
  EXPECT_LE(line.size(), std::size_t{PIPE_BUF});
  EXPECT_GT(line.size(), std::size_t{PIPE_BUF - 8});
  EXPECT_TRUE(utf8::is_valid(line));
}

TEST_F(LogTest, OutlivesTheReader) {
  reader_.reset();
  log::error("nobody reads this");  // SIGPIPE would end the test here
}

TEST_F(LogTest, WritesNowhereWithoutADescriptor) {
  log::open(-1, log::Level::debug);
  log::error("nowhere");
  EXPECT_EQ(taken(), "");
}

TEST_F(LogTest, LimitsABurst) {
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) log::error("burst");
  const auto windows =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count() + 1;
  const std::string text = taken();
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GE(lines, 20);
  EXPECT_LE(lines, 21 * windows);  // each further second begins with the count of what was left out
}

TEST(LineBudget, AdmitsTwentyLinesASecondAndCountsTheRest) {
  LineBudget budget;
  const LineBudget::Time start{std::chrono::hours{1}};
  for (std::size_t i = 0; i < LineBudget::k_lines_per_second; ++i) {
    EXPECT_THAT(budget.admit(start + std::chrono::milliseconds{i}), Optional(Eq(0U)));
  }
  EXPECT_EQ(budget.admit(start + std::chrono::milliseconds{500}), std::nullopt);
  EXPECT_EQ(budget.admit(start + std::chrono::milliseconds{999}), std::nullopt);
  EXPECT_THAT(budget.admit(start + std::chrono::milliseconds{1000}), Optional(Eq(2U)));
  EXPECT_THAT(budget.admit(start + std::chrono::milliseconds{1001}), Optional(Eq(0U)));
}

TEST(LineBudget, CountsLinesThatWereLostOnTheWay) {
  LineBudget budget;
  const LineBudget::Time start{std::chrono::hours{1}};
  EXPECT_THAT(budget.admit(start), Optional(Eq(0U)));
  budget.lost(3);
  EXPECT_THAT(budget.admit(start), Optional(Eq(3U)));
  EXPECT_THAT(budget.admit(start), Optional(Eq(0U)));
}

}  // namespace
