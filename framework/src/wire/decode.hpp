// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/result.hpp"
#include "wire/message.hpp"
#include "wire/signature.hpp"

#include <adrastea/limits.hpp>

#include <string>

namespace adrastea::wire {

/// Why a message was dropped. Each has a test.
struct DecodeError {
  enum class Kind {
    too_many_frames,
    too_large,
    no_delimiter,
    too_many_identities,
    truncated,
    unsigned_message,
    bad_signature,
    replayed,
    bad_json,
    too_deep,
    bad_header,
  };
  Kind kind;
  std::string detail;  ///< what, where and the limit, on one line; holds nothing of an unauthenticated message's text
};

[[nodiscard]] const char* to_string(DecodeError::Kind kind) noexcept;

/// Frames as they came from a ROUTER → a message.
///
/// The order is fixed: frame count, sizes, delimiter, identities, signature, replay, JSON with its depth limit, shape;
/// nothing unauthenticated is parsed. Each JSON frame must be exactly one object: the signature covers only the
/// concatenation, so anything looser would let bytes move from one frame to the next.
/// Errors: never throws; out of memory is reported as too_large.
[[nodiscard]] support::Result<Message, DecodeError> decode(Frames frames, Signer& signer, ReplayHistory& history,
                                                           const Limits& limits) noexcept;

}  // namespace adrastea::wire
