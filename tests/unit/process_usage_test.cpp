// SPDX-License-Identifier: BSD-3-Clause
#include "support/process_usage.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

namespace {

using adrastea::support::ProcessUsage;
using testing::AllOf;
using testing::Ge;
using testing::Gt;
using testing::Le;
using testing::Lt;

/// Uses one core for that much CPU time.
void burn(std::chrono::milliseconds time) {
  timespec start{};
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < time.count());
}

TEST(ProcessAge, GrowsWithTheProcess) {
  const auto before = adrastea::support::process_age();
  ASSERT_TRUE(before);
  burn(std::chrono::milliseconds(60));
  const auto after = adrastea::support::process_age();
  ASSERT_TRUE(after);
  EXPECT_GE((*after - *before).count(), 50);
}

TEST(ProcessAge, IsThatOfTheForkedProcess) {
  burn(std::chrono::milliseconds(60));
  const auto parents = adrastea::support::process_age();
  const auto then = std::chrono::steady_clock::now();
  ASSERT_TRUE(parents);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto own = adrastea::support::process_age();
    ::_exit(own && *own + std::chrono::milliseconds(40) <= *parents + (std::chrono::steady_clock::now() - then) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ProcessUsage, TellsWhatTheReplyNeeds) {
  ProcessUsage usage;
  const nlohmann::json content = usage.sample();
  EXPECT_EQ(content.at("pid"), ::getpid());
  EXPECT_FALSE(content.at("hostname").get<std::string>().empty());
  EXPECT_EQ(content.at("kernel_cpu"), 0.0);
  EXPECT_EQ(content.at("cpu_count"), std::thread::hardware_concurrency());
  EXPECT_THAT(content.at("kernel_memory").get<long>(), AllOf(Gt(100'000), Lt(10'000'000'000)));
  EXPECT_FALSE(content.contains("host_cpu_percent")) << "nothing to compare with yet";
  const auto& host = content.at("host_virtual_memory");
  for (const char* key :
       {"total", "available", "used", "free", "active", "inactive", "buffers", "cached", "shared", "slab"}) {
    EXPECT_THAT(host.at(key).get<long>(), AllOf(Ge(0), Le(host.at("total").get<long>()))) << key;
  }
  EXPECT_THAT(host.at("percent").get<double>(), AllOf(Ge(0.0), Le(100.0)));
}

TEST(ProcessUsage, CountsTheTimeSinceTheLastSample) {
  ProcessUsage usage;
  const auto start = std::chrono::steady_clock::now();
  static_cast<void>(usage.sample());
  burn(std::chrono::milliseconds(300));
  const nlohmann::json content = usage.sample();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  // 0.3 s of CPU in that time, give or take the clock's ticks of 10 ms.
  EXPECT_THAT(content.at("kernel_cpu").get<double>(), Ge(100.0 * 0.25 / wall.count()));
  EXPECT_THAT(content.at("host_cpu_percent").get<double>(), AllOf(Gt(0.0), Le(100.0)));
}

TEST(ProcessUsage, CountsChildren) {
  ProcessUsage usage;
  const long alone = usage.sample().at("kernel_memory").get<long>();
  int ready[2];
  int release[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(release), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr std::size_t size = 64U << 20U;
    const std::unique_ptr<char[]> memory(new char[size]);
    std::memset(memory.get(), 1, size);
    char byte = memory[size / 2];
    ::close(release[1]);
    if (::write(ready[1], &byte, 1) == 1) static_cast<void>(!::read(release[0], &byte, 1));
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(usage.sample().at("kernel_memory").get<long>(), Gt(alone + (50L << 20)));
  ::close(release[1]);
  ::waitpid(child, nullptr, 0);
  for (const int fd : {ready[0], ready[1], release[0]}) ::close(fd);
}

}  // namespace
