// SPDX-License-Identifier: BSD-3-Clause
#include "server/stdin_channel.hpp"

#include "support/log.hpp"
#include "wire/decode.hpp"

#include <adrastea/errors.hpp>

#include <poll.h>

#include <array>
#include <chrono>
#include <utility>

namespace adrastea::server {

std::optional<std::string> StdinChannel::ask(const Context& context, std::string_view prompt, bool password) {
  if (!context->allow_stdin) throw InputUnavailable("this client does not allow input (allow_stdin is false)");
  parts_.iopub.complete(context);
  discard_stale();
  const std::string msg_id = send_request(context, prompt, password);
  while (true) {
    while (auto frames = parts_.socket.receive()) {
      auto value = accept(std::move(*frames), context, msg_id);
      if (!value) continue;
      if (*value == "\x04") return std::nullopt;
      return value;
    }
    if (parts_.cancelled()) throw Interrupted();
    wait(-1);
  }
}

void StdinChannel::discard_stale() {
  // Read to the end, but not decoded: they must not enter the replay history before they have a meaning.
  while (parts_.socket.receive()) {
  }
}

std::string StdinChannel::send_request(const Context& context, std::string_view prompt, bool password) {
  const wire::Header header = parts_.identity.next_header("input_request");
  wire::Outgoing out;
  out.header = wire::header_json(header);
  out.parent_header = context->parent_header;
  out.content = wire::to_text({{"prompt", prompt}, {"password", password}});
  wire::Frames frames = context->identities;
  for (wire::Frame& frame : wire::encode(std::move(out), parts_.signer)) frames.push_back(std::move(frame));
  // ZeroMQ tells nobody that a peer has arrived: a client that has connected shell before stdin is asked again and again
  // for a short while.
  const auto give_up = std::chrono::steady_clock::now() + parts_.limits.stdin_connect;
  while (parts_.socket.send(frames) == transport::Router::Sent::no_such_peer) {
    if (parts_.cancelled()) throw Interrupted();
    if (std::chrono::steady_clock::now() >= give_up)
      throw InputUnavailable("the client that sent this request has no stdin channel connected");
    discard_stale();  // what others send meanwhile must not keep wait() from waiting
    wait(10);
  }
  return header.msg_id;
}

std::optional<std::string> StdinChannel::accept(wire::Frames frames, const Context& context, const std::string& msg_id) {
  auto decoded = wire::decode(std::move(frames), parts_.signer, parts_.history, parts_.limits);
  if (!decoded) {
    support::log::warning(std::string("dropped a message on stdin: ") + to_string(decoded.error().kind) + ": " +
                          decoded.error().detail);
    return std::nullopt;
  }
  const wire::Message& reply = decoded.value();
  if (reply.header.msg_type != "input_reply" || reply.identities != context->identities) return std::nullopt;
  // jupyter_client answers without a parent; who does name one must name this question.
  const auto parent = reply.parent_header.find("msg_id");
  if (parent != reply.parent_header.end() && parent->is_string() && !parent->get_ref<const std::string&>().empty() &&
      *parent != msg_id)
    return std::nullopt;
  const auto value = reply.content.find("value");
  if (value == reply.content.end() || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

void StdinChannel::wait(int timeout_ms) {
  if (parts_.socket.readable()) return;
  std::array<pollfd, 2> fds{{{.fd = parts_.socket.fd(), .events = POLLIN, .revents = 0},
                             {.fd = parts_.wakeup.fd(), .events = POLLIN, .revents = 0}}};
  ::poll(fds.data(), fds.size(), timeout_ms);
  // Whoever signalled left its reason in cancelled(); a signal of an earlier request is used up here.
  parts_.wakeup.clear();
}

}  // namespace adrastea::server
