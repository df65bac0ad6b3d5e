// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_context.hpp"
#include "server/wakeup.hpp"
#include "transport/sockets.hpp"
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <adrastea/limits.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace adrastea::server {

/// Asks the client of a request for a line (Messaging, "Messages on the stdin ROUTER/DEALER channel").
///
/// Threads: interpreter. Errors: InputUnavailable, Interrupted.
class StdinChannel {
 public:
  struct Parts {
    transport::Router& socket;
    Iopub& iopub;
    wire::Signer signer;
    wire::ReplayHistory& history;
    wire::Identity& identity;
    const Limits& limits;
    const Wakeup& wakeup;             ///< signalled by interrupts and by the end of the kernel
    std::function<bool()> cancelled;  ///< whether to stop waiting
  };
  explicit StdinChannel(Parts parts) : parts_(std::move(parts)) {}

  /// Everything published before is shown before the prompt. Nothing: end of input (a lone ^D).
  std::optional<std::string> ask(const Context& context, std::string_view prompt, bool password);

 private:
  void discard_stale();
  std::string send_request(const Context& context, std::string_view prompt, bool password);
  /// The value, when `frames` are the answer to `msg_id` by the client that was asked.
  std::optional<std::string> accept(wire::Frames frames, const Context& context, const std::string& msg_id);
  void wait(int timeout_ms);

  Parts parts_;
};

}  // namespace adrastea::server
