// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::wire {

/// header, parent_header, metadata, content: the four frames that a signature covers. Buffers are never signed.
using SignedFrames = std::array<std::string_view, 4>;

/// HMAC over the four frames (Messaging, "The Wire Protocol"; protocol version 5.5).
///
/// Usage: Signer::create(scheme, key), then sign() and verify().
/// Threads: one; copy() for each thread that signs.
/// Errors: create() returns a line that names the scheme; the others throw std::bad_alloc and nothing else.
/// Lifetime: a Signer that was moved from must not be used: it would crash rather than pass for switched off.
class Signer {
 public:
  /// `scheme` is "hmac-" and any digest OpenSSL has, in its or Python's spelling (hmac-sha256, hmac-sha3_256). An empty
  /// key switches authentication off: sign() gives "", verify() accepts everything.
  static support::Result<Signer, std::string> create(std::string_view scheme, std::string_view key);
  [[nodiscard]] Signer copy() const;
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;
  ~Signer();

  [[nodiscard]] bool enabled() const noexcept;
  /// Lower-case hexadecimal.
  [[nodiscard]] std::string sign(const SignedFrames& frames);
  /// Length first, then constant time; never reads past either. Upper-case digits are refused, as jupyter_client does.
  [[nodiscard]] bool verify(std::string_view signature, const SignedFrames& frames);

 private:
  struct State;
  explicit Signer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The signatures that were accepted lately, to refuse replays. One for all channels of a kernel.
///
/// What is remembered of a signature is 64 bits of a keyed hash (multilinear: strongly universal) of its first 128 bits.
/// Nobody can choose signatures that collide without the hash's key, which is random and never leaves the process, and the
/// chance that a message is taken for one of the others is capacity / 2^64: 2^-48 for Limits::digest_history.
///
/// Threads: any. Only verified signatures enter, so forged ones cannot push real ones out.
/// Memory: 16 to 24 bytes for each of `capacity`, which is at most 2^31; all of it from the first signature on.
/// Errors: std::runtime_error from the constructor when the system has no random bytes; std::bad_alloc.
class ReplayHistory {
 public:
  explicit ReplayHistory(std::size_t capacity);
  /// False when the signature is remembered already; otherwise remembers it, forgetting the oldest when full.
  [[nodiscard]] bool accept(std::string_view signature);

 private:
  using Fingerprint = std::uint64_t;
  /// Where a fingerprint lies in ring_, counted from 1; 0: nothing.
  using Place = std::uint32_t;
  struct HashKey {
    std::uint64_t high;
    std::uint64_t low;
  };

  [[nodiscard]] Fingerprint fingerprint(std::string_view signature) const noexcept;
  [[nodiscard]] std::size_t home(Fingerprint fingerprint) const noexcept { return fingerprint & (table_.size() - 1); }
  [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (table_.size() - 1); }
  [[nodiscard]] std::size_t find(Fingerprint fingerprint) const noexcept;
  void forget(Fingerprint fingerprint) noexcept;

  const std::size_t capacity_;
  std::array<HashKey, 5> hash_keys_{};
  std::mutex mutex_;
  std::vector<Fingerprint> ring_;  // guarded by mutex_
  std::size_t oldest_ = 0;         // guarded by mutex_: where the next one goes
  std::size_t count_ = 0;          // guarded by mutex_
  /// Guarded by mutex_. Open addressing: each fingerprint's place stands in the first slot from its home on that was free.
  /// At most half full.
  std::vector<Place> table_;
};

}  // namespace adrastea::wire
