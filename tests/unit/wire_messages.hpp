// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"
#include "wire/decode.hpp"
#include "wire/signature.hpp"

#include <adrastea/limits.hpp>

#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace adrastea::wire {

/// For failure messages.
inline void PrintTo(DecodeError::Kind kind, std::ostream* out) { *out << to_string(kind); }

}  // namespace adrastea::wire

/// Messages as a client sends them, and a kernel's end of the line to send them to.
namespace adrastea::wire::testing {

inline constexpr std::string_view k_scheme = "hmac-sha256";
inline constexpr std::string_view k_key = "a0436f6c-1916-498b-8eb9-e81ab9368e84";

inline Signer make_signer(std::string_view scheme = k_scheme, std::string_view key = k_key) {
  auto signer = Signer::create(scheme, key);
  if (!signer) throw std::runtime_error(signer.error());
  return std::move(signer).value();
}

struct Sent {
  Frames identities{"client-1"};
  std::string header =
      R"({"msg_id":"m1","msg_type":"execute_request","session":"s","username":"u","date":"","version":"5.3"})";
  std::string parent_header = "{}";
  std::string metadata = "{}";
  std::string content = R"({"code":"1+1"})";
  Frames buffers = {};
  std::optional<std::string> signature = {};  ///< nothing: the right one
};

/// One kernel's decoder with its key, history and limits.
class Receiver {
 public:
  explicit Receiver(std::string_view key = k_key, Limits with = {})
      : limits(with), signer(make_signer(k_scheme, key)), history(limits.digest_history) {}

  std::string sign(const Sent& sent) { return signer.sign({sent.header, sent.parent_header, sent.metadata, sent.content}); }

  Frames frames(const Sent& sent) {
    Frames all = sent.identities;
    all.emplace_back(k_delimiter);
    all.push_back(sent.signature.value_or(sign(sent)));
    all.insert(all.end(), {sent.header, sent.parent_header, sent.metadata, sent.content});
    all.insert(all.end(), sent.buffers.begin(), sent.buffers.end());
    return all;
  }

  support::Result<Message, DecodeError> receive(Frames all) { return decode(std::move(all), signer, history, limits); }
  support::Result<Message, DecodeError> receive(const Sent& sent) { return receive(frames(sent)); }

  /// Why a message is dropped; nothing when it is accepted.
  template <class What>
  std::optional<DecodeError::Kind> drops(What&& what) {
    const auto result = receive(std::forward<What>(what));
    if (result) return std::nullopt;
    return result.error().kind;
  }

  Limits limits;
  Signer signer;
  ReplayHistory history;
};

}  // namespace adrastea::wire::testing
