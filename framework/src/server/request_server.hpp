// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_context.hpp"
#include "transport/sockets.hpp"
#include "wire/decode.hpp"
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <adrastea/limits.hpp>
#include <adrastea/messages.hpp>

#include <functional>
#include <optional>
#include <string>

namespace adrastea::server {

/// What a handler answers. The msg_type is the request's, with _reply for _request.
struct Reply {
  Json content = Json::object();
  Json metadata = Json::object();
  Buffers buffers{};
  /// The execute_requests that wait already are to be answered with "aborted" (stop_on_error).
  bool abort_queue = false;
  /// Called when the reply has been sent, before idle.
  std::function<void()> after{};
  /// JSON text that is made already, in place of `content` and `metadata`; empty: it is not. An error is always in
  /// `content`.
  std::string content_text{};
  std::string metadata_text{};
};

/// What services make of a request. Called on the thread that owns the channel: shell on the interpreter thread, control on
/// the thread "control".
class Handler {
 public:
  virtual ~Handler() = default;
  /// Sets what publishing depends on (silent, allow_stdin) before busy is sent. Must not throw.
  virtual void prepare(RequestContext& context, const wire::Message& request) noexcept = 0;
  /// Nothing: no reply is due (comm messages, unknown types). May throw anything: the reply then is an error. May take
  /// metadata and buffers out of `request`.
  virtual std::optional<Reply> handle(const Context& context, wire::Message& request) = 0;
  /// The reply to a request that is not run: an execute_request because one before it failed, any because the kernel ends.
  virtual Reply aborted(const wire::Message& request) = 0;
};

/// {"status":"error",…} of whatever is being thrown: call it in a catch block. Never throws, whatever what() does.
[[nodiscard]] Json error_content_of_current_exception() noexcept;
[[nodiscard]] Json error_content(std::string_view ename, std::string_view evalue);

/// Serves one channel: frames → message, busy, handler, reply, idle.
///
///     busy(R) < everything R publishes < reply(R) < idle(R)
///
/// Threads: that of the channel. Errors: none leave it; a message that does not decode is logged and dropped.
class RequestServer {
 public:
  struct Parts {
    transport::Router& socket;
    Iopub& iopub;
    wire::Signer signer;
    wire::ReplayHistory& history;
    wire::Identity& identity;
    const Limits& limits;
    Handler& handler;
    RequestContext::Origin origin;
  };
  explicit RequestServer(Parts parts) : parts_(std::move(parts)) {}

  /// The next message that decodes, or nothing when none waits; also nothing after many that do not.
  [[nodiscard]] std::optional<wire::Message> receive();
  /// Takes the identities and the header's bytes out of `request`.
  [[nodiscard]] Context make_context(wire::Message& request);

  /// `abort_waiting` is called for a reply with abort_queue before that is sent: what a client sends because it has seen
  /// the error must not count as having waited.
  void serve(const Context& context, wire::Message& request, const std::function<void()>& abort_waiting = {});
  void serve_aborted(wire::Message& request);
  /// Sends the latest idle, for which serve() leaves the time to the caller.
  void flush() { parts_.iopub.flush(); }

 private:
  [[nodiscard]] std::optional<Reply> handle(const Context& context, wire::Message& request);
  void send(const Context& context, const Reply& reply);

  Parts parts_;
};

}  // namespace adrastea::server
