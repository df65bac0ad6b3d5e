// SPDX-License-Identifier: BSD-3-Clause
// History with its file: what other processes and later ones find, and what happens when the file cannot be used.
#include "services/history_store.hpp"

#include "services/history.hpp"
#include "services/sqlite.hpp"
#include "support/fork_guard.hpp"
#include "support/log.hpp"
#include "unit/child_process.hpp"
#include "unit/temporary_directory.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace adrastea::services {
namespace {

using adrastea::testing::ended_with;
using adrastea::testing::in_child;
using adrastea::testing::read_text;
using adrastea::testing::TemporaryDirectory;
using adrastea::testing::write_text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr const char* k_all = R"({"hist_access_type":"tail"})";

class HistoryFile : public ::testing::Test {
 public:
  HistoryFile() {
    support::fork_guard::install();
    log_ = ::open((home_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    support::log::open(log_, support::log::Level::warning);
  }
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;
  ~HistoryFile() override {
    support::log::set_fd(-1);
    ::close(log_);
  }

 protected:
  [[nodiscard]] History history(HistoryStore::Limits limits = {}) const {
    return History(std::make_unique<HistoryStore>(file_, limits));
  }
  static void execute(History& history, int count, const std::string& input,
                      const std::optional<std::string>& output = std::nullopt) {
    history.add(count, input, output);
    history.save();
  }
  /// A kernel's whole life.
  void session(const std::vector<std::string>& inputs, HistoryStore::Limits limits = {}) const {
    History kernel = history(limits);
    int count = 0;
    for (const std::string& input : inputs) execute(kernel, ++count, input);
    kernel.close();
  }
  static Json ask(History& history, const char* request) { return history.reply(Json::parse(request))["history"]; }
  [[nodiscard]] static std::vector<std::string> inputs(History& history, const char* request = k_all) {
    std::vector<std::string> found;
    for (const Json& entry : ask(history, request)) found.push_back(entry[2]);
    return found;
  }
  [[nodiscard]] std::vector<std::string> kept() const {
    History later = history();
    return inputs(later);
  }
  [[nodiscard]] std::int64_t integer(const char* sql) const { return sqlite::Database(file_, 0ms).integer(sql); }
  [[nodiscard]] std::string log() const { return read_text(home_ / "log"); }
  [[nodiscard]] std::int64_t warnings() const {
    const std::string text = log();
    return std::count(text.begin(), text.end(), '\n');
  }

  /// In memory all works, one warning tells, and nobody waits for long.
  void expect_memory_only(const std::string& cause) {
    const auto begun = std::chrono::steady_clock::now();
    History kernel = history();
    for (int count = 1; count <= 20; ++count) execute(kernel, count, "cell " + std::to_string(count));
    EXPECT_EQ(inputs(kernel).size(), 20U);
    EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"search","pattern":"*9"})"), ElementsAre("cell 9", "cell 19"));
    EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"range","session":0,"start":3,"stop":4})"), ElementsAre("cell 3"));
    EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"range","session":-1})"), IsEmpty());
    kernel.close();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    EXPECT_EQ(warnings(), 1) << log();
    EXPECT_THAT(log(), HasSubstr(file_.string()));
    EXPECT_THAT(log(), HasSubstr(cause));
    EXPECT_THAT(log(), HasSubstr("in memory only"));
  }

  const TemporaryDirectory home_;
  const std::filesystem::path file_ = home_ / "data" / "adrastea" / "history" / "moon.sqlite";

 private:
  int log_ = -1;
};

TEST_F(HistoryFile, IsMadeWithTheFirstCellAndForItsOwnerAlone) {
  History kernel = history();
  EXPECT_FALSE(std::filesystem::exists(home_ / "data"));
  execute(kernel, 1, "x");
  struct stat found {};
  ASSERT_EQ(::stat(file_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat((file_.string() + "-wal").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(file_.parent_path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0700U);
  kernel.close();
  EXPECT_EQ(warnings(), 0) << log();
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(file_.parent_path()))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, ElementsAre("moon.sqlite"));
}

TEST_F(HistoryFile, IsToBeWrittenAtOnceAndThenAfterARest) {
  History kernel = history({.rest = 1'000'000});
  EXPECT_EQ(kernel.due(), std::nullopt);
  kernel.add(1, "first");
  ASSERT_TRUE(kernel.due().has_value());
  EXPECT_LE(*kernel.due(), 0s);
  kernel.save();
  EXPECT_EQ(kernel.due(), std::nullopt) << "all is stored";
  kernel.add(2, "second");
  ASSERT_TRUE(kernel.due().has_value());
  EXPECT_GT(*kernel.due(), 0s);
  kernel.close();
  EXPECT_EQ(integer("SELECT count(*) FROM lines"), 2);
}

TEST_F(HistoryFile, OfAKernelThatRanNothingIsNeverMade) {
  History kernel = history();
  EXPECT_EQ(kernel.due(), std::nullopt);
  kernel.save();
  kernel.close();
  EXPECT_FALSE(std::filesystem::exists(home_ / "data"));
}

TEST_F(HistoryFile, HoldsOneSessionPerKernel) {
  session({"a", "b"});
  session({"c"});
  History kernel = history();
  EXPECT_EQ(ask(kernel, k_all), Json::parse(R"([[1,1,"a"],[1,2,"b"],[2,1,"c"]])"));
  execute(kernel, 1, "d");
  EXPECT_EQ(ask(kernel, k_all), Json::parse(R"([[1,1,"a"],[1,2,"b"],[2,1,"c"],[3,1,"d"]])"));
  EXPECT_EQ(ask(kernel, R"({"hist_access_type":"tail","n":2})"), Json::parse(R"([[2,1,"c"],[3,1,"d"]])"));
  EXPECT_EQ(integer("SELECT count(*) FROM sessions WHERE start LIKE '2___-__-__T%' AND end >= start"), 2);
  EXPECT_EQ(integer("SELECT count(*) FROM sessions WHERE end IS NULL"), 1);
}

TEST_F(HistoryFile, SurvivesAKernelThatIsKilled) {
  const int status = in_child([&] {
    support::fork_guard::install();
    History kernel = history();
    execute(kernel, 1, "first");
    execute(kernel, 2, "last words");
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_THAT(kept(), ElementsAre("first", "last words"));
}

TEST_F(HistoryFile, KeepsTextAsItIs) {
  const std::string strange = "a\0b 'q' \"é\" \xF0\x9F\x8C\x99\n"s;
  History kernel = history();
  execute(kernel, 1, strange, strange);
  execute(kernel, 2, "no output");
  execute(kernel, 3, "empty output", "");
  kernel.close();
  History later = history();
  const Json found = ask(later, R"({"hist_access_type":"range","session":-1,"output":true})");
  EXPECT_EQ(found, Json::array({{1, 1, {strange, strange}}, {1, 2, {"no output", nullptr}}, {1, 3, {"empty output", ""}}}));
}

TEST_F(HistoryFile, TakesNoHugeTexts) {
  History kernel = history();
  execute(kernel, 1, std::string(HistoryStore::k_max_input + 1, 'x'));
  execute(kernel, 2, "large", std::string(HistoryStore::k_max_output + 1, 'y'));
  execute(kernel, 3, std::string(HistoryStore::k_max_input, 'z'), std::string(HistoryStore::k_max_output, 'z'));
  EXPECT_EQ(ask(kernel, k_all).size(), 3U);  // in memory they are all there
  kernel.close();
  History later = history();
  const Json found = ask(later, R"({"hist_access_type":"tail","output":true})");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], Json::array({1, 2, {"large", nullptr}}));
  EXPECT_EQ(found[1][2][1].get<std::string>().size(), HistoryStore::k_max_output);
}

TEST_F(HistoryFile, GivesRangesOfEverySession) {
  session({"a1", "a2", "a3"});
  session({"b1"});
  History kernel = history();
  const auto range = [&](Json request) {
    request["hist_access_type"] = "range";
    return inputs(kernel, request.dump().c_str());
  };
  EXPECT_THAT(range({{"session", -1}}), ElementsAre("b1"));  // also before this session has a number
  execute(kernel, 1, "c1");
  execute(kernel, 2, "c2");
  EXPECT_THAT(range({{"session", 0}}), ElementsAre("c1", "c2"));
  EXPECT_THAT(range({{"session", 3}, {"start", 2}}), ElementsAre("c2"));
  EXPECT_THAT(range({{"session", -1}}), ElementsAre("b1"));
  EXPECT_THAT(range({{"session", -2}, {"start", 2}, {"stop", 3}}), ElementsAre("a2"));
  EXPECT_THAT(range({{"session", 1}, {"start", -2}}), ElementsAre("a2", "a3"));
  EXPECT_THAT(range({{"session", 1}, {"stop", -1}}), ElementsAre("a1", "a2"));
  for (const std::int64_t none : {std::int64_t{-3}, std::int64_t{4}, std::numeric_limits<std::int64_t>::min(),
                                  std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_THAT(range({{"session", none}}), IsEmpty()) << none;
  }
}

TEST_F(HistoryFile, IsSearchedLatestFirst) {
  session({"x = 1", "y", "x = 2"});
  session({"x = 1"});
  History kernel = history();
  execute(kernel, 1, "x = 3");
  execute(kernel, 2, "y");
  EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"search","pattern":"x*"})"),
              ElementsAre("x = 1", "x = 2", "x = 1", "x = 3"));
  EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"search","pattern":"x = ?","n":2})"), ElementsAre("x = 1", "x = 3"));
  EXPECT_EQ(ask(kernel, R"({"hist_access_type":"search","pattern":"*","unique":true})"),
            Json::parse(R"([[1,3,"x = 2"],[2,1,"x = 1"],[3,1,"x = 3"],[3,2,"y"]])"));
}

/// So many cells, "cell 1" to "cell <count>", of which only the latest are still in memory.
History long_session(History kernel, int count) {
  for (int line = 1; line <= count; ++line) {
    kernel.add(line, "cell " + std::to_string(line), std::to_string(line % 7));
    if (line % 100 == 0) kernel.save();
  }
  return kernel;
}

TEST_F(HistoryFile, HasTheEarlierLinesOfALongSession) {
  session({"another"});
  History kernel = long_session(history(), 3050);
  const auto range = [&](int start, int stop) {
    const Json request = {{"hist_access_type", "range"}, {"start", start}, {"stop", stop}};
    return inputs(kernel, request.dump().c_str());
  };
  EXPECT_THAT(range(1, 3), ElementsAre("cell 1", "cell 2"));
  EXPECT_THAT(range(3050, 0), ElementsAre("cell 3050"));
  const std::vector<std::string> all = range(0, 0);
  ASSERT_EQ(all.size(), 3050U);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], "cell " + std::to_string(i + 1));
  EXPECT_EQ(ask(kernel, R"({"hist_access_type":"range","output":true,"start":-3049,"stop":3})"),
            Json::parse(R"([[2,2,["cell 2","2"]]])"));
  EXPECT_EQ(ask(kernel, R"({"hist_access_type":"search","pattern":"*cell [12]"})"),
            Json::parse(R"([[2,1,"cell 1"],[2,2,"cell 2"]])"));
  EXPECT_EQ(ask(kernel, R"({"hist_access_type":"tail","n":3051})").front(), Json::parse(R"([1,1,"another"])"));
}

TEST_F(HistoryFile, IsInPlaceOfMemoryForEarlierLines) {
  History kernel = long_session(history(), 3000);
  std::filesystem::remove_all(file_.parent_path());
  EXPECT_EQ(inputs(kernel).size(), 1000U) << "in memory";
  kernel.add(3001, std::string(5 << 20, 'x'), std::nullopt);
  kernel.save();
  EXPECT_EQ(inputs(kernel).size(), 1001U) << "nothing is forgotten that could not be stored";
}

TEST_F(HistoryFile, HasHugeTextsInMemoryUntilTheNextCell) {
  History kernel = history();
  execute(kernel, 1, "small");
  execute(kernel, 2, std::string(5 << 20, 'x'));
  EXPECT_THAT(inputs(kernel), ElementsAre("small", std::string(5 << 20, 'x')));
  execute(kernel, 3, "after it");
  EXPECT_THAT(inputs(kernel), ElementsAre("small", "after it"));
}

TEST_F(HistoryFile, LosesNothingOfTwentyKernelsAtOnce) {
  constexpr int k_kernels = 20;
  constexpr int k_cells = 40;
  std::array<int, 2> gate{};
  ASSERT_EQ(::pipe(gate.data()), 0);
  std::vector<pid_t> children;
  for (int kernel = 0; kernel < k_kernels; ++kernel) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(60);
      support::fork_guard::install();
      char byte = 0;
      ::close(gate[1]);
      static_cast<void>(::read(gate[0], &byte, 1));  // all begin when the parent closes its end
      History mine = history();
      for (int count = 1; count <= k_cells; ++count)
        execute(mine, count, std::to_string(kernel) + " " + std::to_string(count));
      mine.close();
      ::_exit(mine.reply({})["history"].empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(ended_with(status, 0));
  }
  History later = history();
  std::map<int, std::vector<std::string>> sessions;
  for (const Json& entry : ask(later, k_all)) sessions[entry[0]].push_back(entry[2]);
  EXPECT_EQ(sessions.size(), static_cast<std::size_t>(k_kernels));
  for (const auto& [number, cells] : sessions) {
    ASSERT_EQ(cells.size(), static_cast<std::size_t>(k_cells));
    const std::string kernel = cells.front().substr(0, cells.front().find(' '));
    for (int count = 1; count <= k_cells; ++count) {
      EXPECT_EQ(cells.at(static_cast<std::size_t>(count - 1)), kernel + " " + std::to_string(count));
    }
  }
}

TEST_F(HistoryFile, IsNotTheBusinessOfAForkedChild) {
  History kernel = history();
  execute(kernel, 1, "parent");
  EXPECT_TRUE(ended_with(in_child([&] {
                           execute(kernel, 2, "child");
                           kernel.close();
                           History(std::move(kernel));  // its end, too
                           return 0;
                         }),
                         0));
  EXPECT_TRUE(std::filesystem::exists(file_.string() + "-wal"));
  execute(kernel, 2, "parent again");
  kernel.close();
  EXPECT_THAT(kept(), ElementsAre("parent", "parent again"));
}

TEST_F(HistoryFile, ForgetsTheOldestLinesAndTheirSessions) {
  const HistoryStore::Limits small{.max_lines = 10, .max_file_bytes = 1 << 30};
  session({"1", "2", "3", "4", "5", "6"}, small);
  session({"a", "b", "c", "d", "e", "f", "g", "h"}, small);
  session({"the first cell tidies up"}, small);
  EXPECT_THAT(kept(), ElementsAre("6", "a", "b", "c", "d", "e", "f", "g", "h", "the first cell tidies up"));
  session(std::vector<std::string>(9, "x"), small);
  session({"again"}, small);
  EXPECT_EQ(kept().size(), 10U);
  EXPECT_EQ(integer("SELECT min(id) FROM sessions"), 4);
}

TEST_F(HistoryFile, StaysBoundedInOneLongSession) {
  const HistoryStore::Limits small{.max_lines = 100, .max_file_bytes = 1 << 30};
  session(std::vector<std::string>(3000, "cell"), small);
  EXPECT_LE(kept().size(), 100U + 500U);
}

TEST_F(HistoryFile, StaysBoundedInBytes) {
  const HistoryStore::Limits small{.max_lines = 100'000, .max_file_bytes = 2 << 20};
  for (int i = 0; i < 4; ++i) session(std::vector<std::string>(1100, std::string(2000, 'x')), small);
  EXPECT_LT(std::filesystem::file_size(file_), std::size_t{8} << 20);
  // How many of them depends on the disk: a slow one gets fewer and larger writes.
  EXPECT_EQ(integer("SELECT max(id) FROM lines"), 4400) << "the latest";
  EXPECT_EQ(integer("SELECT max(id) - min(id) + 1 - count(*) FROM lines"), 0) << "without holes";
}

TEST_F(HistoryFile, KeepsTheNewestWhereOneWriteIsLargerThanTheLimit) {
  const HistoryStore::Limits small{.max_lines = 100'000, .max_file_bytes = 64 << 10};
  History kernel = history(small);
  for (int count = 1; count <= 1100; ++count) kernel.add(count, std::string(2000, 'x'), std::nullopt);
  kernel.close();
  EXPECT_EQ(integer("SELECT max(id) FROM lines"), 1100);
}

TEST_F(HistoryFile, ARangeThatDoesNotFitEndsWhereItDoesNot) {
  History kernel(std::make_unique<HistoryStore>(file_), 10'000);
  int count = 0;
  for (const std::size_t size : {3000U, 8000U, 3000U}) execute(kernel, ++count, std::string(size, 'x'));
  EXPECT_THAT(inputs(kernel, R"({"hist_access_type":"range","session":0,"start":1,"stop":4})"),
              ElementsAre(std::string(3000, 'x')));
}

TEST_F(HistoryFile, OfRandomBytesIsLeftAlone) {
  std::filesystem::create_directories(file_.parent_path());
  std::string bytes(100'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i * 31 + i / 7);
  write_text(file_, bytes);
  expect_memory_only("not a database");
  EXPECT_EQ(read_text(file_), bytes);
}

TEST_F(HistoryFile, ThatIsDamagedInside) {
  session(std::vector<std::string>(500, std::string(200, 'x')));
  std::string bytes = read_text(file_);
  std::fill(bytes.begin() + 4096, bytes.end(), '\x5A');
  write_text(file_, bytes);
  expect_memory_only("malformed");
}

TEST_F(HistoryFile, ThatIsCutOff) {
  session(std::vector<std::string>(500, std::string(200, 'x')));
  std::filesystem::resize_file(file_, 5000);
  expect_memory_only("malformed");
}

TEST_F(HistoryFile, OfALaterVersionIsLeftAlone) {
  session({"x"});
  sqlite::Database(file_, 0ms).run("PRAGMA user_version=2");
  expect_memory_only("later version");
  EXPECT_EQ(integer("SELECT count(*) FROM lines"), 1);
}

TEST_F(HistoryFile, OfAnotherProgramIsLeftAlone) {
  std::filesystem::create_directories(file_.parent_path());
  write_text(file_, "");
  sqlite::Database(file_, 0ms).run("CREATE TABLE lines (other TEXT)");
  expect_memory_only("already exists");
}

TEST_F(HistoryFile, InPlaceOfWhichThereIsADirectory) {
  std::filesystem::create_directories(file_);
  expect_memory_only("not a file");
}

TEST_F(HistoryFile, InPlaceOfWhichThereIsAFifo) {
  std::filesystem::create_directories(file_.parent_path());
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  expect_memory_only("not a file");
}

TEST_F(HistoryFile, WhoseDirectoryCannotBeMade) {
  write_text(home_ / "data", "a file");
  expect_memory_only("cannot create its directory: Not a directory");
}

/// Root may write everywhere: then the test is somebody else in a child.
TEST_F(HistoryFile, InADirectoryThatIsReadOnly) {
  session({"x"});
  ASSERT_EQ(::chmod(home_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file_.c_str(), 0444), 0);
  const std::vector<std::filesystem::path> directories{home_ / "data", home_ / "data/adrastea", file_.parent_path()};
  for (const auto& directory : directories) ASSERT_EQ(::chmod(directory.c_str(), 0555), 0);
  const int status = in_child([&] {
    support::fork_guard::install();
    constexpr uid_t k_nobody = 65534;
    if (::geteuid() == 0 &&
        (::setresgid(k_nobody, k_nobody, k_nobody) != 0 || ::setresuid(k_nobody, k_nobody, k_nobody) != 0))
      return 2;
    expect_memory_only("cannot be used");
    return HasFailure() ? 1 : 0;
  });
  for (const auto& directory : directories) ASSERT_EQ(::chmod(directory.c_str(), 0700), 0);
  EXPECT_TRUE(ended_with(status, 0)) << log();
}

TEST_F(HistoryFile, ForWhichThereIsNoSpace) {
  session({"before"});
  const int status = in_child([&] {
    support::fork_guard::install();
    // Nobody ignores SIGXFSZ here: it would end the process.
    const rlimit none{20'000, 20'000};
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) return 2;
    History kernel = history();
    for (int count = 1; count <= 50; ++count) execute(kernel, count, std::string(1000, 'x'));
    const std::size_t found = ask(kernel, k_all).size();
    kernel.close();
    return found == 50 ? 0 : static_cast<int>(found) + 3;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
  EXPECT_EQ(warnings(), 1) << log();
  EXPECT_THAT(log(), HasSubstr("in memory only"));
  EXPECT_EQ(kept().front(), "before");
}

TEST_F(HistoryFile, ThatIsRemovedWhileInUse) {
  History kernel = history();
  execute(kernel, 1, "old");
  std::filesystem::remove(file_);
  session({"of a new file"});  // finds what the old one left beside it
  execute(kernel, 2, "homeless");
  execute(kernel, 3, "still");
  EXPECT_THAT(inputs(kernel), ElementsAre("old", "homeless", "still"));
  History third = history();
  execute(third, 1, "third");
  kernel.close();
  execute(third, 2, "fourth");
  third.close();
  EXPECT_EQ(warnings(), 1) << log();
  EXPECT_THAT(log(), HasSubstr("removed or replaced"));
  EXPECT_THAT(kept(), ElementsAre("of a new file", "third", "fourth"));
}

/// Holds all of the file, as a tool does that repairs it.
class Locked {
 public:
  explicit Locked(const std::filesystem::path& file) : database_(file, 0ms) {
    database_.run("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO sessions (start) VALUES ('locked')");
  }

 private:
  sqlite::Database database_;
};

TEST_F(HistoryFile, ThatIsLocked) {
  session({"x"});
  const Locked locked(file_);
  expect_memory_only("locked");
}

TEST_F(HistoryFile, ThatWasLockedForAWhileGetsAllCells) {
  session({"x"});
  History kernel = history();
  {
    const Locked locked(file_);
    const auto begun = std::chrono::steady_clock::now();
    for (int count = 1; count <= 5; ++count) execute(kernel, count, "while locked " + std::to_string(count));
    EXPECT_EQ(inputs(kernel).size(), 5U);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);  // one wait of 200 ms for all of them
    EXPECT_EQ(ask(kernel, k_all)[0][0], 0);                   // no number yet
  }
  kernel.close();
  EXPECT_EQ(warnings(), 1) << log();
  EXPECT_EQ(kept().size(), 6U);
}

TEST_F(HistoryFile, ThatOthersReadAndWriteMeanwhileIsNoProblem) {
  History kernel = history();
  execute(kernel, 1, "one");
  sqlite::Database reader(file_, 0ms);
  sqlite::Statement rows(reader, "SELECT line FROM lines");
  ASSERT_TRUE(rows.step());
  execute(kernel, 2, "two");
  kernel.close();
  EXPECT_EQ(kept().size(), 2U);
  EXPECT_EQ(warnings(), 0) << log();
}

TEST(HistoryFileName, IsTheKernelsWithNothingOfAPath) {
  ::setenv("JUPYTER_DATA_DIR", "/data", 1);
  EXPECT_EQ(history_file("lua"), "/data/adrastea/history/lua.sqlite");
  EXPECT_EQ(history_file("../é/C++"), "/data/adrastea/history/..%2F%C3%A9%2FC%2B%2B.sqlite");
  ::setenv("JUPYTER_DATA_DIR", "data", 1);
  EXPECT_TRUE(history_file("lua").is_absolute());
  ::unsetenv("JUPYTER_DATA_DIR");
}

}  // namespace
}  // namespace adrastea::services
