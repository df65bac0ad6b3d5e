// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "wire/message.hpp"
#include "wire/signature.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace adrastea::wire {

/// Who this kernel process is on the wire: one session, one user, and msg_ids that never repeat.
///
/// Threads: any. Lifetime: that of the kernel; every message of every channel carries its session, because JupyterLab takes
/// another session for another kernel.
class Identity {
 public:
  Identity();
  [[nodiscard]] const std::string& session() const noexcept { return session_; }
  /// A new header with its own msg_id, stamped now; and the same as JSON text, for those who need nothing else of it.
  [[nodiscard]] Header next_header(std::string_view msg_type);
  [[nodiscard]] std::string next_header_json(std::string_view msg_type);

 private:
  [[nodiscard]] std::string next_msg_id();

  const std::string session_;
  const std::string username_;
  // Of the JSON text; they never change.
  std::string msg_id_begin_;  ///< from the first brace to before the msg_id's number
  std::string fixed_fields_;  ///< from the comma behind the date on
  std::atomic<std::uint64_t> count_{0};
};

/// The JSON text of a header frame.
[[nodiscard]] std::string header_json(const Header& header);

/// JSON text that is always valid UTF-8 (bad bytes become U+FFFD) and has no NaN or Infinity (they become null).
/// Precondition: depth_within(value, limit), because serialising recurses.
[[nodiscard]] std::string to_text(const Json& value);

/// {"name":…,"text":…} of a `stream` message, without building a JSON tree. `text` must be valid UTF-8.
[[nodiscard]] std::string stream_content(std::string_view name, std::string_view text);

/// Whether no object or array nests deeper than `limit`. Needs no stack, whatever the depth.
[[nodiscard]] bool depth_within(const Json& value, std::size_t limit);

/// A message to send: JSON frames already serialised.
struct Outgoing {
  std::string header;
  std::string parent_header = "{}";
  std::string metadata = "{}";
  std::string content = "{}";
  Frames buffers = {};
};

/// Delimiter, signature, the four frames, the buffers. Identities or the topic go before them.
[[nodiscard]] Frames encode(Outgoing message, Signer& signer);

}  // namespace adrastea::wire
