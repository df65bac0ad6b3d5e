// SPDX-License-Identifier: BSD-3-Clause
// What kernels leave for later ones in Jupyter's data directory.
#include "system/fixture.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

namespace adrastea::testing {
namespace {

Json history(KernelClient& client, Json request = {{"hist_access_type", "tail"}, {"n", 1000}}) {
  request.update({{"raw", true}, {"output", request.value("output", false)}});
  return client.exchange(Channel::shell, "history_request", request).reply->content.at("history");
}

std::vector<std::string> inputs(KernelClient& client, const Json& request = {{"hist_access_type", "tail"}, {"n", 1000}}) {
  std::vector<std::string> found;
  for (const Json& entry : history(client, request)) found.push_back(entry.at(2));
  return found;
}

using Inputs = std::vector<std::string>;

/// One data directory for several kernels.
class KeptHistory : public SystemTest {
 public:
  KeptHistory() = default;
  KeptHistory(const KeptHistory&) = delete;
  KeptHistory& operator=(const KeptHistory&) = delete;
  ~KeptHistory() override { std::filesystem::remove_all(data_); }

 protected:
  [[nodiscard]] LaunchOptions options() const { return {.environment = {"JUPYTER_DATA_DIR=" + data_.string()}}; }
  [[nodiscard]] std::filesystem::path file(const std::string& kernel) const {
    return data_ / "adrastea" / "history" / (kernel + ".sqlite");
  }
  static void end(KernelProcess& process, KernelClient& client) {
    client.finish();
    ask_for_shutdown(client);
    EXPECT_EQ(process.wait(), (Ending{0, 0})) << process.stderr_text();
    client.finish(KernelClient::Kernel::ended);
  }
  /// The kernel works; its file does not, and one line in its log says why.
  void expect_memory_only(const std::string& cause) {
    start(options(), ADRASTEA_LUA);
    KernelClient& client = connect();
    EXPECT_EQ(client.run("1 + 1").shown(), (ShownList{{"execute_result", "2"}}));
    EXPECT_EQ(client.run("2 + 2").shown(), (ShownList{{"execute_result", "4"}}));
    EXPECT_EQ(inputs(client), (Inputs{"1 + 1", "2 + 2"}));
    const std::string log = kernel().stderr_text();
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    EXPECT_NE(log.find(cause), std::string::npos) << log;
  }

  const std::filesystem::path data_ = [] {
    std::string path = "/tmp/adrastea-data.XXXXXX";
    return std::filesystem::path(::mkdtemp(path.data()));
  }();
};

TEST_F(KeptHistory, IsThereAfterARestart) {
  for (const char* program : {ADRASTEA_LUA, ADRASTEA_ECHO}) {
    {
      KernelProcess first(program, options());
      KernelClient client(first.connection());
      client.run("6 * 7");
      client.run("unstored = 1", {.store_history = false});
      client.run("last");
      end(first, client);
    }
    KernelProcess second(program, options());
    KernelClient client(second.connection());
    EXPECT_EQ(inputs(client), (Inputs{"6 * 7", "last"}));
    client.run("third");
    EXPECT_EQ(history(client), Json::parse(R"([[1,1,"6 * 7"],[1,2,"last"],[2,1,"third"]])"));
    EXPECT_EQ(inputs(client, {{"hist_access_type", "range"}, {"session", 0}}), Inputs{"third"});
    EXPECT_EQ(inputs(client, {{"hist_access_type", "range"}, {"session", -1}, {"start", 2}}), Inputs{"last"});
    EXPECT_EQ(inputs(client, {{"hist_access_type", "search"}, {"pattern", "6*"}}), Inputs{"6 * 7"});
    end(second, client);
  }
  EXPECT_TRUE(std::filesystem::exists(file("lua")));
  EXPECT_TRUE(std::filesystem::exists(file("echo")));
}

TEST_F(KeptHistory, IsThereAfterAKernelWasKilled) {
  {
    KernelProcess first(ADRASTEA_LUA, options());
    KernelClient client(first.connection());
    client.run("x = 1");
    client.run("x = 2");
    // A line is written within milliseconds after its idle; another kernel sees it.
    start(options(), ADRASTEA_LUA);
    KernelClient& witness = connect();
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (inputs(witness).size() < 2 && std::chrono::steady_clock::now() < give_up) {
    }
    first.signal(SIGKILL);
    first.wait();
    client.finish(KernelClient::Kernel::ended);
  }
  KernelProcess second(ADRASTEA_LUA, options());
  KernelClient client(second.connection());
  EXPECT_EQ(inputs(client), (Inputs{"x = 1", "x = 2"}));
  end(second, client);
}

TEST_F(KeptHistory, OfTwentyKernelsAtOnceIsComplete) {
  constexpr int k_kernels = 20;
  constexpr int k_cells = 10;
  std::vector<std::unique_ptr<KernelProcess>> kernels;
  std::vector<std::unique_ptr<KernelClient>> clients;
  kernels.reserve(k_kernels);
  clients.reserve(k_kernels);
  for (int i = 0; i < k_kernels; ++i) kernels.push_back(std::make_unique<KernelProcess>(ADRASTEA_LUA, options()));
  for (const auto& kernel : kernels) clients.push_back(std::make_unique<KernelClient>(kernel->connection()));
  for (int cell = 1; cell <= k_cells; ++cell) {
    std::vector<std::string> waiting;
    waiting.reserve(k_kernels);
    for (int i = 0; i < k_kernels; ++i)
      waiting.push_back(
          clients.at(static_cast<std::size_t>(i))->execute("k = " + std::to_string(i) + "; n = " + std::to_string(cell)));
    for (int i = 0; i < k_kernels; ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_EQ(clients.at(at)->collect(waiting.at(at)).status(), "ok");
    }
  }
  for (int i = 0; i < k_kernels; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(inputs(*clients.at(at), {{"hist_access_type", "range"}, {"session", 0}}).size(), std::size_t{k_cells});
    end(*kernels.at(at), *clients.at(at));
    EXPECT_EQ(kernels.at(at)->stderr_text(), "");
  }
  start(options(), ADRASTEA_LUA);
  std::map<int, Inputs> sessions;
  for (const Json& entry : history(connect())) sessions[entry.at(0)].push_back(entry.at(2));
  EXPECT_EQ(sessions.size(), std::size_t{k_kernels});
  for (const auto& [number, cells] : sessions) {
    const std::string kernel = cells.front().substr(0, cells.front().find(';'));
    Inputs expected;
    for (int cell = 1; cell <= k_cells; ++cell) expected.push_back(kernel + "; n = " + std::to_string(cell));
    EXPECT_EQ(cells, expected);
  }
}

TEST_F(KeptHistory, LeavesNoFileOfAKernelThatRanNothing) {
  KernelProcess process(ADRASTEA_LUA, options());
  KernelClient client(process.connection());
  client.exchange(Channel::shell, "kernel_info_request");
  client.run("silent = 1", {.silent = true});
  end(process, client);
  EXPECT_TRUE(std::filesystem::is_empty(data_));
}

TEST_F(KeptHistory, CanBeSwitchedOff) {
  const auto without_file = [&](LaunchOptions options) {
    KernelProcess process(ADRASTEA_LUA, std::move(options));
    KernelClient client(process.connection());
    client.run("x = 1");
    EXPECT_EQ(history(client), Json::parse(R"([[1,1,"x = 1"]])"));
    end(process, client);
    EXPECT_TRUE(std::filesystem::is_empty(data_));
    return process.stderr_text();
  };
  LaunchOptions by_word = options();
  by_word.arguments = {"--no-history"};
  EXPECT_EQ(without_file(by_word), "");
  for (const char* value : {"off", "memory"}) {
    LaunchOptions by_variable = options();
    by_variable.environment.push_back(std::string("ADRASTEA_HISTORY=") + value);
    EXPECT_EQ(without_file(by_variable), "") << value;
  }
}

TEST_F(KeptHistory, SaysWhenItsSwitchIsMisspelt) {
  LaunchOptions misspelt = options();
  misspelt.environment.emplace_back("ADRASTEA_HISTORY=of");
  start(misspelt, ADRASTEA_LUA);
  KernelClient& client = connect();
  client.run("x = 1");
  EXPECT_EQ(inputs(client), (Inputs{"x = 1"}));
  EXPECT_NE(kernel().stderr_text().find("ADRASTEA_HISTORY must be on, off or memory, not of"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(file("lua")));
}

TEST_F(KeptHistory, InAFileOfRandomBytesIsInMemoryOnly) {
  std::filesystem::create_directories(file("lua").parent_path());
  std::ofstream(file("lua")) << std::string(10'000, '?');
  expect_memory_only("not a database");
}

TEST_F(KeptHistory, WhereADirectoryIsInTheWayIsInMemoryOnly) {
  std::filesystem::create_directories(file("lua"));
  expect_memory_only("not a file");
}

TEST_F(KeptHistory, WhereNothingCanBeWrittenIsInMemoryOnly) {
  std::ofstream(data_ / "adrastea") << "a file";
  expect_memory_only("cannot create its directory");
}

TEST_F(KeptHistory, WhereTheSystemAllowsNobodyToWriteIsInMemoryOnly) {
  LaunchOptions nowhere = options();
  nowhere.environment = {"JUPYTER_DATA_DIR=/proc/nowhere"};
  start(nowhere, ADRASTEA_LUA);
  KernelClient& client = connect();
  EXPECT_EQ(client.run("1 + 1").shown(), (ShownList{{"execute_result", "2"}}));
  // The line is written after the cell's reply, and before the next one's.
  EXPECT_EQ(inputs(client), (Inputs{"1 + 1"}));
  EXPECT_NE(kernel().stderr_text().find("in memory only"), std::string::npos);
}

TEST_F(KeptHistory, IsNotTouchedByChildrenOfACell) {
  start(options(), ADRASTEA_PROBE);
  KernelClient& client = connect();
  client.run("out before");
  client.run("fork exit 0");
  client.run("fork return");
  client.run("out after");
  EXPECT_EQ(inputs(client), (Inputs{"out before", "fork exit 0", "fork return", "out after"}));
  // A sanitizer has its own say about children there.
  EXPECT_EQ(kernel().stderr_text().find("history"), std::string::npos) << kernel().stderr_text();
}

}  // namespace
}  // namespace adrastea::testing
