// SPDX-License-Identifier: BSD-3-Clause
#include "wire/signature.hpp"

#include "unit/wire_messages.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

namespace adrastea::wire {
namespace {

using testing::k_key;
using testing::k_scheme;
using testing::make_signer;

constexpr SignedFrames k_frames{R"({"msg_id":"1"})", "{}", "{}", R"({"code":"1+1"})"};
constexpr std::string_view k_signature = "571f54ca20ac469366661f0eb466e6d650eee65ae12436bc786b76a5eb890b86";

TEST(Signature, EqualsWhatPythonsHmacMakesForEveryDigestName) {
  const std::vector<std::pair<std::string_view, std::string_view>> expected{
      {"hmac-md5", "37f4267b25e796a8318ade0a326ef59d"},
      {"hmac-sha1", "c06f5d47eb1a8eb4b7d92c192e3c42b785adad62"},
      {"hmac-sha224", "345ebbdbecad5a8a4006efe4573423712d8cb5f0c6855b35d94c12c3"},
      {"hmac-sha256", k_signature},
      {"hmac-sha384", "103677202027ac44396dcfff7469bbe86fde66b5c97e59c31d63180de88f07a073a0982ab852259a8fee46a99ce45633"},
      {"hmac-sha512",
       "3323e28f48012cc273df4e6a0e13ec530df18b45009a0d76f67cfd1d63fed976"
       "d17fe0bd0fe6d101d4534ba88d04e0fd4a467449ad1cd2e24e7a849cf094dbe0"},
      {"hmac-sha3_256", "1900775030926daf740d103e74f17c267e79dbf52f14cdd9aa08d5c624f8f5e7"},
      {"hmac-SHA3-256", "1900775030926daf740d103e74f17c267e79dbf52f14cdd9aa08d5c624f8f5e7"},
      {"hmac-sha3_512",
       "6e3a00f34625f3a7335620c0656e93857ef7b9f218a1e5f3cb55bf21512d04cc"
       "56f1638a05d87aa44717fe307a186e57fa3088a7a0be66786a7fcd2dc4d30ae1"},
      {"hmac-blake2b",
       "1b5574c9712a10292d2f40ad8a6af79c6ce3ef0f1129f75b4db522842b0c7322"
       "e84ada95044be8cdf4d6085d5663195a530eabc78e65dfc4235dddbbddecb73d"},
      {"hmac-blake2s", "b9fc79d044fddf9721a82cd4d6b93e0cc8fb01940f853eb3c732409bae4ae8e9"}};
  for (const auto& [scheme, signature] : expected) {
    Signer signer = make_signer(scheme);
    EXPECT_EQ(signer.sign(k_frames), signature) << scheme;
    EXPECT_TRUE(signer.verify(signature, k_frames)) << scheme;
  }
}

TEST(Signature, OfOneMessageIsIndependentOfThoseBefore) {
  Signer signer = make_signer();
  EXPECT_EQ(signer.sign(k_frames), k_signature);
  EXPECT_NE(signer.sign({"{}", "{}", "{}", "{}"}), k_signature);
  EXPECT_FALSE(signer.verify("", {"", "", "", ""}));
  EXPECT_EQ(signer.sign(k_frames), k_signature);
}

TEST(Signature, DependsOnTheKeyAndOnEachFrame) {
  EXPECT_NE(make_signer(k_scheme, "another key").sign(k_frames), k_signature);
  for (std::size_t i = 0; i < k_frames.size(); ++i) {
    SignedFrames changed = k_frames;
    changed.at(i) = "{ }";
    EXPECT_FALSE(make_signer().verify(k_signature, changed)) << "frame " << i;
  }
}

TEST(Signature, UsesTheKeysBytesAsTheyAre) {
  using std::string_view_literals::operator""sv;
  EXPECT_NE(make_signer(k_scheme, "k\0a"sv).sign(k_frames), make_signer(k_scheme, "k\0b"sv).sign(k_frames));
}

TEST(Signature, OfAnyOtherLengthIsRefused) {
  Signer signer = make_signer();
  for (std::size_t length = 0; length < k_signature.size(); ++length) {
    EXPECT_FALSE(signer.verify(k_signature.substr(0, length), k_frames)) << length;
  }
  for (std::size_t extra = 1; extra <= 200; ++extra) {
    EXPECT_FALSE(signer.verify(std::string{k_signature} + std::string(extra, '0'), k_frames)) << extra;
    EXPECT_FALSE(signer.verify(std::string{k_signature} + std::string(extra, '\0'), k_frames)) << extra;
  }
}

TEST(Signature, IsRefusedWithAnyOneCharacterChanged) {
  Signer signer = make_signer();
  for (std::size_t i = 0; i < k_signature.size(); ++i) {
    std::string changed{k_signature};
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(signer.verify(changed, k_frames)) << i;
    changed[i] = '\0';
    EXPECT_FALSE(signer.verify(changed, k_frames)) << i;
  }
}

TEST(Signature, InUpperCaseIsRefusedAsJupyterClientDoes) {
  std::string upper{k_signature};
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_FALSE(make_signer().verify(upper, k_frames));
}

/// Bytes that end where the readable memory ends: one byte further is a crash, also inside libraries that no sanitizer
/// sees.
class GuardedBytes {
 public:
  GuardedBytes()
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        memory_(static_cast<char*>(mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED || mprotect(memory_ + page_, page_, PROT_NONE) != 0)
      throw std::runtime_error("no guard page");
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(memory_, 2 * page_); }

  std::string_view put(std::string_view bytes) {
    char* begin = memory_ + page_ - bytes.size();
    std::memcpy(begin, bytes.data(), bytes.size());
    return {begin, bytes.size()};
  }

 private:
  std::size_t page_;
  char* memory_;
};

TEST(Signature, IsVerifiedWithoutReadingPastItsEnd) {
  GuardedBytes guarded;
  Signer signer = make_signer();
  for (std::size_t length = 0; length <= k_signature.size(); ++length) {
    const bool whole = length == k_signature.size();
    EXPECT_EQ(signer.verify(guarded.put(k_signature.substr(0, length)), k_frames), whole) << length;
  }
}

TEST(Signature, IsMadeWithoutReadingPastAFramesEnd) {
  for (std::size_t i = 0; i < k_frames.size(); ++i) {
    GuardedBytes guarded;
    SignedFrames frames = k_frames;
    frames.at(i) = guarded.put(frames.at(i));
    EXPECT_EQ(make_signer().sign(frames), k_signature) << "frame " << i;
  }
}

TEST(SignatureScheme, ThatNobodyKnowsIsAnErrorLineThatNamesIt) {
  for (const std::string_view scheme :
       {"hmac-md5foo", "sha256", "", "hmac", "hmac-", "HMAC-sha256", "hmac-shake_128", "hmac-SHAKE256", "hmac-null",
        "hmac-sha256,provider=none", "hmac-KECCAK-KMAC-128", "hmac-\n\xff"}) {
    const auto signer = Signer::create(scheme, k_key);
    ASSERT_FALSE(signer) << scheme;
    EXPECT_EQ(signer.error().find('\n'), std::string::npos) << signer.error();
    EXPECT_EQ(signer.error().rfind("signature_scheme \"", 0), 0U) << signer.error();
    if (scheme.find('\n') == std::string_view::npos) {
      EXPECT_NE(signer.error().find('"' + std::string{scheme} + '"'), std::string::npos) << signer.error();
    }
  }
}

TEST(SignatureScheme, LeavesAnErrorOfAReadableLengthWhateverItsOwn) {
  const auto signer = Signer::create("hmac-" + std::string(1'000'000, 'x'), k_key);
  ASSERT_FALSE(signer);
  EXPECT_LT(signer.error().size(), 200U);
}

TEST(EmptyKey, SwitchesAuthenticationOffInBothDirections) {
  Signer signer = make_signer(k_scheme, "");
  EXPECT_FALSE(signer.enabled());
  EXPECT_EQ(signer.sign(k_frames), "");
  EXPECT_TRUE(signer.verify("", k_frames));
  EXPECT_TRUE(signer.verify("whatever", k_frames));
  EXPECT_FALSE(signer.copy().enabled());
}

TEST(SignerCopies, SignInManyThreadsAsTheOriginalDoes) {
  Signer original = make_signer();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([signer = original.copy()]() mutable {
      for (int round = 0; round < 1000; ++round) ASSERT_EQ(signer.sign(k_frames), k_signature);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(original.sign(k_frames), k_signature);
}

TEST(SignerCopies, OutliveTheOriginal) {
  Signer copy = make_signer().copy();
  EXPECT_TRUE(copy.enabled());
  EXPECT_EQ(copy.sign(k_frames), k_signature);
}

}  // namespace
}  // namespace adrastea::wire
