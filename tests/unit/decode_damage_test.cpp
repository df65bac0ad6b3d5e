// SPDX-License-Identifier: BSD-3-Clause
#include "unit/wire_messages.hpp"
#include "wire/decode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

namespace adrastea::wire {
namespace {

using testing::Receiver;
using testing::Sent;

// Places in the frames of recorded(), which one identity leads.
constexpr std::size_t k_signature_at = 2;
constexpr std::size_t k_header_at = 3;
constexpr std::size_t k_content_at = 6;

Sent recorded() {
  return {.identities = {std::string("\0\x6b\x8b\x45\x67", 5)},
          .header = R"({"date":"2026-03-02T10:00:00.123456Z","msg_id":"29f1_7","msg_type":"execute_request",)"
                    R"("session":"29f1","subshell_id":null,"username":"zo\u00eb","version":"5.4"})",
          .metadata = R"({"cellId":"0a6e","deletedCells":[],"recordTiming":false})",
          .content = R"({"allow_stdin":true,"code":"print('\ud83d\ude00 naïve')\n","silent":false,"stop_on_error":true,)"
                     R"("store_history":true,"user_expressions":{"a":"1+1"}})",
          .buffers = {std::string("\x00\x01\xfe\xff", 4), ""}};
}

std::string in_hex(const Frames& frames) {
  std::ostringstream out;
  for (const Frame& frame : frames) {
    for (const char c : frame)
      out << "0123456789abcdef"[(static_cast<unsigned char>(c) >> 4U)] << "0123456789abcdef"[c & 15];
    out << '\n';
  }
  return out.str();
}

/// Replay history off: thousands of variants of one message come in.
Receiver kernel_without_history() { return Receiver{testing::k_key, {.digest_history = 0}}; }

/// What must hold of whatever decode() lets through.
void expect_sound(const Message& message, const Frames& frames) {
  const Json header = Json::parse(message.header_bytes, nullptr, false);
  ASSERT_TRUE(header.is_object()) << in_hex(frames);
  EXPECT_EQ(header["msg_type"], message.header.msg_type) << in_hex(frames);
  EXPECT_EQ(header["msg_id"], message.header.msg_id) << in_hex(frames);
  EXPECT_FALSE(message.header.msg_type.empty()) << in_hex(frames);
  EXPECT_TRUE(message.parent_header.is_object()) << in_hex(frames);
  EXPECT_TRUE(message.metadata.is_object()) << in_hex(frames);
  EXPECT_TRUE(message.content.is_object()) << in_hex(frames);
}

void sign_again(Receiver& kernel, Frames& frames) {
  frames[k_signature_at] =
      kernel.signer.sign({frames[k_header_at], frames[k_header_at + 1], frames[k_header_at + 2], frames[k_content_at]});
}

/// Decodes damaged frames; they may be accepted only when the signature still covers them.
void expect_survived(Receiver& kernel, const Frames& damaged, const Frames& original, bool signed_again) {
  const auto result = kernel.receive(damaged);
  if (!result) {
    EXPECT_FALSE(result.error().detail.empty()) << in_hex(damaged);
    return;
  }
  expect_sound(result.value(), damaged);
  if (signed_again) return;
  ASSERT_GE(damaged.size(), k_content_at + 1);
  EXPECT_TRUE(std::equal(original.begin() + 1, original.begin() + k_content_at + 1, damaged.begin() + 1))
      << in_hex(damaged);
}

TEST(DamagedMessages, CutAnywhereAreDroppedOrWhole) {
  Receiver kernel = kernel_without_history();
  const Frames original = kernel.frames(recorded());
  for (std::size_t last = 0; last < original.size(); ++last) {
    for (std::size_t length = 0; length <= original[last].size(); ++length) {
      Frames cut(original.begin(), original.begin() + static_cast<std::ptrdiff_t>(last) + 1);
      cut.back().resize(length);
      SCOPED_TRACE("frame " + std::to_string(last) + " cut to " + std::to_string(length) + " bytes");
      expect_survived(kernel, cut, original, false);
      const bool has_all = last > k_content_at || (last == k_content_at && length == original[last].size());
      EXPECT_EQ(static_cast<bool>(kernel.receive(cut)), has_all);
    }
  }
}

TEST(DamagedMessages, WithOneFrameCutAndSignedAgainAreDroppedOrAnswered) {
  Receiver kernel = kernel_without_history();
  const Frames original = kernel.frames(recorded());
  for (std::size_t frame = k_header_at; frame <= k_content_at; ++frame) {
    for (std::size_t length = 0; length < original[frame].size(); ++length) {
      Frames cut = original;
      cut[frame].resize(length);
      sign_again(kernel, cut);
      const auto result = kernel.receive(cut);
      ASSERT_EQ(static_cast<bool>(result), frame == k_content_at) << frame << ' ' << length;
      EXPECT_EQ(result && result.value().content_error.has_value(), frame == k_content_at) << frame << ' ' << length;
    }
  }
}

TEST(DamagedMessages, SurviveAHundredThousandRandomFlips) {
  const char* given = std::getenv("ADRASTEA_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "ADRASTEA_TEST_SEED=" << seed << std::endl;
  std::mt19937_64 random{seed};
  const auto below = [&random](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>{0, bound - 1}(random);
  };

  Receiver kernel = kernel_without_history();
  const Frames original = kernel.frames(recorded());
  int accepted = 0;
  for (int round = 0; round < 100'000 && !::testing::Test::HasFailure(); ++round) {
    Frames damaged = original;
    for (std::size_t flips = 1 + below(2); flips > 0; --flips) {
      Frame& frame = damaged[below(damaged.size() - 1)];  // the last one is empty
      char& c = frame[below(frame.size())];
      c = static_cast<char>(c ^ static_cast<char>(1 + below(255)));
    }
    const bool signed_again = below(2) == 0;
    if (signed_again) sign_again(kernel, damaged);
    expect_survived(kernel, damaged, original, signed_again);
    accepted += static_cast<bool>(kernel.receive(std::move(damaged))) ? 1 : 0;
  }
  // Both ways out were taken often: the test would prove nothing if every message failed at the first check.
  EXPECT_GT(accepted, 10'000);
  EXPECT_LT(accepted, 90'000);
}

}  // namespace
}  // namespace adrastea::wire
