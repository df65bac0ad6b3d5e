// SPDX-License-Identifier: BSD-3-Clause
#include "support/atomic_file.hpp"
#include "unit/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <string>
#include <system_error>

namespace {

using adrastea::support::replace_file;
using adrastea::testing::read_text;
using adrastea::testing::TemporaryDirectory;
using adrastea::testing::write_text;
using testing::ElementsAre;
using testing::HasSubstr;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

std::string failure_of(const std::filesystem::path& path, const std::string& content) {
  try {
    replace_file(path, content);
  } catch (const std::system_error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(AtomicFile, MakesAPrivateFileWhateverTheUmask) {
  const TemporaryDirectory directory;
  for (const mode_t umask_now : {mode_t{0}, mode_t{0777}}) {
    const mode_t before = ::umask(umask_now);
    replace_file(directory / "file", "text");
    ::umask(before);
    EXPECT_EQ(mode_of(directory / "file"), 0600U);
  }
  EXPECT_EQ(read_text(directory / "file"), "text");
}

TEST(AtomicFile, ReplacesAndLeavesNothingBeside) {
  const TemporaryDirectory directory;
  write_text(directory / "file", "a longer old text");
  replace_file(directory / "file", "new");
  EXPECT_EQ(read_text(directory / "file"), "new");
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, ReadersOfTheOldFileKeepTheOldContent) {
  const TemporaryDirectory directory;
  write_text(directory / "file", "old");
  std::ifstream reader(directory / "file");
  replace_file(directory / "file", "new");
  std::string text;
  reader >> text;
  EXPECT_EQ(text, "old");
}

TEST(AtomicFile, ReplacesTheTargetOfALink) {
  const TemporaryDirectory directory;
  write_text(directory / "target", "old");
  std::filesystem::create_symlink("target", directory / "link");
  replace_file(directory / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(read_text(directory / "target"), "new");
}

TEST(AtomicFile, FailedRenameLeavesNoTemporaryFile) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "file");
  EXPECT_THAT(failure_of(directory / "file", "new"),
              HasSubstr("cannot replace " + (directory / "file").string() + ": Is a directory"));
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

TEST(AtomicFile, MissingDirectoryIsNamed) {
  const TemporaryDirectory directory;
  EXPECT_THAT(failure_of(directory / "no/file", "new"), HasSubstr("No such file or directory"));
}

/// The disk is full: RLIMIT_FSIZE fails write(2) in the same place.
TEST(AtomicFile, FailedWriteKeepsTheOldFile) {
  const TemporaryDirectory directory;
  write_text(directory / "file", "old");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string failure = failure_of(directory / "file", std::string(1000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(failure, HasSubstr("File too large"));
  EXPECT_EQ(read_text(directory / "file"), "old");
  EXPECT_THAT(directory.names(), ElementsAre("file"));
}

}  // namespace
