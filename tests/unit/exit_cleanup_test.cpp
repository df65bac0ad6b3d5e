// SPDX-License-Identifier: BSD-3-Clause
#include "support/exit_cleanup.hpp"
#include "unit/child_process.hpp"
#include "unit/temporary_directory.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace {

using adrastea::support::ExitFile;
using adrastea::testing::ended_with;
using adrastea::testing::in_child;
using adrastea::testing::TemporaryDirectory;
using adrastea::testing::write_text;
using testing::ElementsAre;
using testing::IsEmpty;
using enum ExitFile::Only;

/// A file with an owner that outlives every destructor, as in a process that ends in the midst of things.
void leave(const std::filesystem::path& path) {
  write_text(path, "x");
  static std::vector<ExitFile>* kept = new std::vector<ExitFile>;
  kept->emplace_back(path, any_file_there);
}

TEST(ExitCleanup, DestructionRemovesTheFile) {
  const TemporaryDirectory directory;
  write_text(directory / "a", "x");
  {
    ExitFile first(directory / "a", any_file_there);
    const ExitFile second = std::move(first);
    EXPECT_THAT(directory.names(), ElementsAre("a"));
  }
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(ExitCleanup, ExitRemovesWhatIsLeft) {
  const TemporaryDirectory directory;
  const int status = in_child([&]() -> int {
    leave(directory / "a");
    leave(directory / "b");
    std::exit(7);
  });
  EXPECT_TRUE(ended_with(status, 7)) << status;
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(ExitCleanup, ACrashHandlerRemovesWhatIsLeft) {
  const TemporaryDirectory directory;
  const int status = in_child([&]() -> int {
    leave(directory / "a");
    std::signal(SIGABRT, [](int) {
      ExitFile::unlink_all();
      ::_exit(3);
    });
    std::abort();
  });
  EXPECT_TRUE(ended_with(status, 3)) << status;
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(ExitCleanup, AForkedChildRemovesNothing) {
  const TemporaryDirectory directory;
  write_text(directory / "a", "x");
  auto file = std::make_unique<ExitFile>(directory / "a", any_file_there);
  EXPECT_TRUE(ended_with(in_child([&]() -> int { std::exit(0); }), 0));
  EXPECT_TRUE(ended_with(in_child([&] {
                           file.reset();
                           ExitFile::unlink_all();
                           return 0;
                         }),
                         0));
  EXPECT_THAT(directory.names(), ElementsAre("a"));
  file.reset();
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(ExitCleanup, AnotherFileAtThePathStays) {
  const TemporaryDirectory directory;
  write_text(directory / "a", "x");
  ExitFile file(directory / "a", this_inode);
  std::filesystem::rename(directory / "a", directory / "moved");
  write_text(directory / "a", "another's");
  ExitFile::unlink_all();
  file.remove();
  EXPECT_THAT(directory.names(), ElementsAre("a", "moved"));
}

TEST(ExitCleanup, ARelativePathMeansWhatItMeantAtFirst) {
  const TemporaryDirectory directory;
  const int status = in_child([&]() -> int {
    std::filesystem::current_path(directory.path());
    leave("a");
    std::filesystem::current_path("/");
    std::exit(0);
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
  EXPECT_THAT(directory.names(), IsEmpty());
}

TEST(ExitCleanup, SlotsAreUsedAgainAndAFullTableOnlyCostsTheExit) {
  const TemporaryDirectory directory;
  for (int round = 0; round < 3; ++round) {
    std::vector<ExitFile> files;
    for (int i = 0; i < 200; ++i) {
      write_text(directory / std::to_string(i), "x");
      files.emplace_back(directory / std::to_string(i), any_file_there);
    }
    files.clear();
    EXPECT_THAT(directory.names(), IsEmpty());
  }
  write_text(directory / "last", "x");
  const ExitFile file(directory / "last", any_file_there);
  ExitFile::unlink_all();
  EXPECT_THAT(directory.names(), IsEmpty());
}

}  // namespace
