// SPDX-License-Identifier: BSD-3-Clause
#include "support/fork_guard.hpp"
#include "unit/child_process.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fork_guard = adrastea::support::fork_guard;
using adrastea::testing::ended_with;
using adrastea::testing::in_child;

TEST(ForkGuard, KnowsTheChildAndItsChildren) {
  fork_guard::install();
  fork_guard::install();
  EXPECT_FALSE(fork_guard::in_forked_child());
  const int status = in_child([] {
    if (!fork_guard::in_forked_child()) return 1;
    const int inner = in_child([] { return fork_guard::in_forked_child() ? 0 : 1; });
    return ended_with(inner, 0) ? 0 : 2;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
  EXPECT_FALSE(fork_guard::in_forked_child());
}

/// A child in which no fork handler has run is in the state of one before fork() has come back.
TEST(ForkGuard, KnowsAChildBeforeForkHasComeBackInIt) {
  fork_guard::install();
  EXPECT_FALSE(fork_guard::in_newborn_child());
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) ::_exit(fork_guard::in_newborn_child() ? 0 : 1);
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(ended_with(status, 0)) << status;
}

TEST(ForkGuard, AChildMayBecomeAnOriginalItself) {
  fork_guard::install();
  const fork_guard::Owner parents;
  const int status = in_child([&] {
    fork_guard::install();
    const fork_guard::Owner own;
    return !fork_guard::in_forked_child() && !parents.is_this_process() && own.is_this_process() ? 0 : 1;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
  EXPECT_TRUE(parents.is_this_process());
}

}  // namespace
