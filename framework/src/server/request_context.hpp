// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "wire/message.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string>

namespace adrastea::server {

enum class Stream { out, err };
[[nodiscard]] constexpr const char* to_string(Stream stream) noexcept {
  return stream == Stream::out ? "stdout" : "stderr";
}

/// One request while it is served, and afterwards for as long as something may still be published for it.
///
/// It is passed along, never looked up: the interpreter keeps a stack of them, a thread that publishes keeps its own. A
/// message's parent is therefore fixed when the message is made.
/// Threads: immutable once serving began, but for the tails.
struct RequestContext {
  enum class Origin { none, shell, control };
  Origin origin = Origin::none;
  std::string msg_type;
  std::string parent_header = "{}";  ///< the request's header, byte for byte
  wire::Frames identities;
  bool silent = false;  ///< an execute_request that must not be seen on IOPub but for its status
  bool allow_stdin = false;

  /// Bytes of a character whose rest has not come yet, per stream: of what was written through Output, and of what was
  /// captured, which may come in between. Guarded by Outbox's mutex.
  using Tails = std::array<std::string, 2>;
  Tails tails;
  Tails captured_tails;
};

using Context = std::shared_ptr<RequestContext>;

}  // namespace adrastea::server
