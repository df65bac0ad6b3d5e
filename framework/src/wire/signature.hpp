// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

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
/// Threads: any. Only verified signatures enter, so forged ones cannot push real ones out.
class ReplayHistory {
 public:
  explicit ReplayHistory(std::size_t capacity) : capacity_(capacity) {}
  /// False when the signature is remembered already; otherwise remembers it, forgetting the oldest when full.
  [[nodiscard]] bool accept(std::string_view signature);

 private:
  /// A signature's first 128 bits: enough to tell signatures apart, and half the memory.
  using Fingerprint = std::array<char, 32>;
  struct Hash {
    std::size_t operator()(const Fingerprint& fingerprint) const noexcept;
  };

  const std::size_t capacity_;
  std::mutex mutex_;
  std::unordered_set<Fingerprint, Hash> known_;  // guarded by mutex_
  std::deque<const Fingerprint*> oldest_first_;  // guarded by mutex_; points into known_
};

}  // namespace adrastea::wire
