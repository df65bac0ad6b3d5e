// SPDX-License-Identifier: BSD-3-Clause
#include "unit/wire_messages.hpp"
#include "wire/signature.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
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

TEST(ReplayHistory, StaysWithinEightMebibytesAndAcceptsWhatItForgot) {
  const std::size_t before = live_bytes;
  ReplayHistory history{Limits{}.digest_history};
  for (std::size_t i = 0; i < 70'000; ++i) ASSERT_TRUE(history.accept(signature(i)));
  EXPECT_LE(live_bytes - before, std::size_t{8} << 20);
  EXPECT_FALSE(history.accept(signature(69'999)));
  EXPECT_TRUE(history.accept(signature(0)));
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
