// SPDX-License-Identifier: BSD-3-Clause
#include "unit/wire_messages.hpp"
#include "wire/signature.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace {

std::atomic<std::size_t> live_bytes{0};

}  // namespace

// This program counts the memory that its C++ code holds. Inlined, malloc and delete would look like a mismatch to GCC.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(memory);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  if (memory != nullptr) live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace adrastea::wire {
namespace {

using testing::Receiver;
using testing::Sent;

using Kind = DecodeError::Kind;

/// Distinct in its first half, and of the length of a real one.
std::string signature(std::size_t number) {
  const std::string text = std::to_string(number);
  return std::string(32 - text.size(), '0') + text + std::string(32, '0');
}

TEST(ReplayHistory, RefusesWhatItRemembers) {
  ReplayHistory history{10};
  EXPECT_TRUE(history.accept("a"));
  EXPECT_TRUE(history.accept("b"));
  EXPECT_FALSE(history.accept("a"));
  EXPECT_FALSE(history.accept("b"));
}

TEST(ReplayHistory, ForgetsTheOldestFirstWhenItIsFull) {
  ReplayHistory history{3};
  for (const char* text : {"a", "b", "c"}) EXPECT_TRUE(history.accept(text));
  EXPECT_FALSE(history.accept("a"));  // being refused makes it no younger
  EXPECT_TRUE(history.accept("d"));
  EXPECT_FALSE(history.accept("b"));
  EXPECT_TRUE(history.accept("a"));
  EXPECT_TRUE(history.accept("b"));
  EXPECT_FALSE(history.accept("d"));
}

TEST(ReplayHistory, OfCapacityZeroIsOff) {
  ReplayHistory history{0};
  EXPECT_TRUE(history.accept("a"));
  EXPECT_TRUE(history.accept("a"));
}

TEST(ReplayHistory, TakesAllItsMemoryAtOnceAndLittle) {
  const std::size_t before = live_bytes;
  ReplayHistory history{Limits{}.digest_history};
  ASSERT_TRUE(history.accept("first"));
  const std::size_t taken = live_bytes - before;
  EXPECT_LE(taken, std::size_t{1100} << 10);
  for (std::size_t i = 0; i < 200'000; ++i) ASSERT_TRUE(history.accept(signature(i)));
  EXPECT_EQ(live_bytes - before, taken);
  EXPECT_FALSE(history.accept(signature(199'999)));
  EXPECT_TRUE(history.accept(signature(0)));
}

/// Of a capacity and as many signatures that searches pass the table's end, and holes that others have left.
TEST(ReplayHistory, RemembersExactlyTheLatestAtEveryMoment) {
  for (const std::size_t capacity : {1U, 2U, 3U, 7U, 64U}) {
    ReplayHistory history{capacity};
    std::deque<std::size_t> latest;
    std::minstd_rand random(1);
    for (int i = 0; i < 20'000; ++i) {
      const std::size_t number = random() % (3 * capacity);
      const bool is_known = std::find(latest.begin(), latest.end(), number) != latest.end();
      ASSERT_EQ(history.accept(signature(number)), !is_known) << capacity;
      if (is_known) continue;
      latest.push_back(number);
      if (latest.size() > capacity) latest.pop_front();
    }
  }
}

TEST(ReplayHistory, AcceptsEachSignatureOnceHoweverManyThreadsAsk) {
  constexpr std::size_t signatures = 5'000;
  ReplayHistory history{signatures};
  std::atomic<std::size_t> accepted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::size_t number = 0; number < signatures; ++number) accepted += history.accept(signature(number)) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, signatures);
}

TEST(Replay, OfAMessageIsDroppedTheSecondTime) {
  Receiver kernel;
  EXPECT_EQ(kernel.drops(Sent{}), std::nullopt);
  EXPECT_EQ(kernel.drops(Sent{}), Kind::replayed);
}

TEST(Replay, IsRefusedAlsoWithOtherIdentitiesAndBuffers) {
  Receiver kernel;
  EXPECT_EQ(kernel.drops(Sent{}), std::nullopt);
  EXPECT_EQ(kernel.drops(Sent{.identities = {"client-2"}, .buffers = {"new"}}), Kind::replayed);
}

TEST(Replay, IsStillRefusedAfterAFloodOfForgedSignatures) {
  Receiver kernel;
  ASSERT_EQ(kernel.drops(Sent{}), std::nullopt);
  for (std::size_t i = 0; i < 100'000; ++i) ASSERT_EQ(kernel.drops(Sent{.signature = signature(i)}), Kind::bad_signature);
  EXPECT_EQ(kernel.drops(Sent{}), Kind::replayed);
}

TEST(Replay, IsNotLookedForWithoutAKey) {
  Receiver kernel{""};
  EXPECT_EQ(kernel.drops(Sent{}), std::nullopt);
  EXPECT_EQ(kernel.drops(Sent{}), std::nullopt);
}

}  // namespace
}  // namespace adrastea::wire
