// SPDX-License-Identifier: BSD-3-Clause
#include "wire/signature.hpp"

#include "support/ids.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

namespace adrastea::wire {
// Not anonymous, because Signer::State, which the header names, holds one.
namespace openssl {

template <auto free_function>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    free_function(object);
  }
};
using Digest = std::unique_ptr<EVP_MD, Freed<EVP_MD_free>>;
using Mac = std::unique_ptr<EVP_MAC, Freed<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;

}  // namespace openssl

namespace {

using openssl::Digest;
using openssl::Mac;
using openssl::MacContext;
using support::Result;

constexpr std::string_view k_prefix = "hmac-";
constexpr std::size_t k_most_remembered = std::size_t{1} << 31U;

/// Python's hashlib names as OpenSSL spells them; other names stay, and OpenSSL takes them in any case.
std::string openssl_name(std::string_view digest) {
  if (digest == "blake2b") return "BLAKE2b512";
  if (digest == "blake2s") return "BLAKE2s256";
  std::string name{digest};
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

/// A fixed-length digest, or nullptr. OpenSSL also lists "NULL", whose every signature is empty.
Digest fetch_digest(const std::string& name) {
  Digest digest{EVP_MD_fetch(nullptr, name.c_str(), nullptr)};
  if (!digest || EVP_MD_get_size(digest.get()) <= 0) return nullptr;
  return (EVP_MD_get_flags(digest.get()) & EVP_MD_FLAG_XOF) == 0 ? std::move(digest) : nullptr;
}

MacContext keyed_context(std::string name, std::string_view key) {
  const Mac mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  if (!mac) return nullptr;
  MacContext context{EVP_MAC_CTX_new(mac.get())};
  const std::array<OSSL_PARAM, 2> parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                             OSSL_PARAM_construct_end()};
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
  if (!context || EVP_MAC_init(context.get(), bytes, key.size(), parameters.data()) != 1) return nullptr;
  return context;
}

/// "signature_scheme "…": why", on one line whatever the scheme holds.
std::string complaint(std::string_view scheme, const std::string& why) {
  constexpr std::size_t shown = 64;
  const nlohmann::json quoted = std::string{scheme.substr(0, shown)};
  return "signature_scheme " + quoted.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + ": " + why;
}

struct Hex {
  std::array<char, std::size_t{2} * EVP_MAX_MD_SIZE> digits;
  std::size_t length;
  [[nodiscard]] std::string_view view() const noexcept { return {digits.data(), length}; }
};

}  // namespace

struct Signer::State {
  openssl::MacContext context;  ///< keyed once; null: authentication is off

  /// Errors: std::bad_alloc; OpenSSL has no other reason to fail once the context is keyed.
  [[nodiscard]] Hex mac(const SignedFrames& frames) const {
    constexpr std::string_view hex_digits = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    std::size_t length = 0;
    // Without a key, init starts over with the one it has.
    bool good = EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1;
    for (const std::string_view frame : frames) {
      const auto* data = reinterpret_cast<const unsigned char*>(frame.data());
      good = good && EVP_MAC_update(context.get(), data, frame.size()) == 1;
    }
    good = good && EVP_MAC_final(context.get(), bytes.data(), &length, bytes.size()) == 1;
    if (!good) throw std::bad_alloc();
    Hex hex{.digits = {}, .length = 2 * length};
    for (std::size_t i = 0; i < length; ++i) {
      hex.digits.at(2 * i) = hex_digits[bytes.at(i) >> 4U];
      hex.digits.at(2 * i + 1) = hex_digits[bytes.at(i) & 15U];
    }
    return hex;
  }
};

Signer::Signer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;
Signer::~Signer() = default;

Result<Signer, std::string> Signer::create(std::string_view scheme, std::string_view key) {
  if (key.empty()) return Signer{std::make_unique<State>()};
  if (scheme.substr(0, k_prefix.size()) != k_prefix) {
    return complaint(scheme, "must be hmac- and the name of a digest, such as hmac-sha256");
  }
  const std::string_view digest = scheme.substr(k_prefix.size());
  std::string name = openssl_name(digest);
  // A digest that OpenSSL does not have is our error to report: nothing of it may stay in the thread's error queue.
  ERR_set_mark();
  MacContext context = fetch_digest(name) ? keyed_context(std::move(name), key) : nullptr;
  ERR_pop_to_mark();
  if (!context) return complaint(scheme, "OpenSSL has no such digest of fixed length for HMAC; Jupyter's is hmac-sha256");
  return Signer{std::make_unique<State>(State{std::move(context)})};
}

Signer Signer::copy() const {
  auto state = std::make_unique<State>();
  if (state_->context) {
    state->context.reset(EVP_MAC_CTX_dup(state_->context.get()));
    if (!state->context) throw std::bad_alloc();
  }
  return Signer{std::move(state)};
}

bool Signer::enabled() const noexcept { return state_->context != nullptr; }

std::string Signer::sign(const SignedFrames& frames) {
  return enabled() ? std::string{state_->mac(frames).view()} : std::string{};
}

bool Signer::verify(std::string_view signature, const SignedFrames& frames) {
  if (!enabled()) return true;
  const Hex expected = state_->mac(frames);
  return signature.size() == expected.length &&
         CRYPTO_memcmp(signature.data(), expected.digits.data(), expected.length) == 0;
}

ReplayHistory::ReplayHistory(std::size_t capacity) : capacity_(std::min(capacity, k_most_remembered)) {
  if (capacity_ == 0) return;
  support::fill_random(std::as_writable_bytes(std::span(hash_keys_)));
}

bool ReplayHistory::accept(std::string_view signature) {
  if (capacity_ == 0) return true;
  const Fingerprint added = fingerprint(signature);
  const std::lock_guard lock{mutex_};
  if (table_.empty()) {
    ring_.resize(capacity_);
    table_.resize(2 * std::bit_ceil(capacity_));
  }
  if (table_[find(added)] != 0) return false;
  if (count_ == capacity_)
    forget(ring_[oldest_]);
  else
    ++count_;
  ring_[oldest_] = added;
  oldest_ = (oldest_ + 1) % capacity_;
  table_[find(added)] = static_cast<Place>(oldest_ == 0 ? capacity_ : oldest_);
  return true;
}

/// The upper half of a sum of products modulo 2^128.
ReplayHistory::Fingerprint ReplayHistory::fingerprint(std::string_view signature) const noexcept {
  __extension__ using Wide = unsigned __int128;
  const auto wide = [](const HashKey& key) { return (Wide{key.high} << 64U) | key.low; };
  std::array<std::uint64_t, 4> words{};
  std::memcpy(words.data(), signature.data(), std::min(signature.size(), sizeof words));
  Wide sum = wide(hash_keys_.back());
  for (std::size_t i = 0; i < words.size(); ++i) sum += wide(hash_keys_.at(i)) * words.at(i);
  return static_cast<Fingerprint>(sum >> 64U);
}

/// The slot that holds it, or the free one where it would go.
std::size_t ReplayHistory::find(Fingerprint fingerprint) const noexcept {
  std::size_t slot = home(fingerprint);
  while (table_[slot] != 0 && ring_[table_[slot] - 1] != fingerprint) slot = after(slot);
  return slot;
}

/// What lies behind it moves up, so that no search ends in the hole.
void ReplayHistory::forget(Fingerprint fingerprint) noexcept {
  std::size_t hole = find(fingerprint);
  table_[hole] = 0;
  for (std::size_t slot = after(hole); table_[slot] != 0; slot = after(slot)) {
    const std::size_t wanted = home(ring_[table_[slot] - 1]);
    const std::size_t mask = table_.size() - 1;
    if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;  // its home is behind the hole
    table_[hole] = std::exchange(table_[slot], 0);
    hole = slot;
  }
}

}  // namespace adrastea::wire
