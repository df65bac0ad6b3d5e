// SPDX-License-Identifier: BSD-3-Clause
#include "server/shell_loop.hpp"

#include <poll.h>

#include <array>
#include <utility>

namespace adrastea::server {

ShellLoop::ShellLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
                     const std::atomic<bool>& stopping)
    : socket_(socket), server_(std::move(server)), interrupts_(interrupts), wakeup_(wakeup), stopping_(stopping) {}

void ShellLoop::wait() {
  if (stopping_ || !pending_.empty() || socket_.readable()) return;
  std::array<pollfd, 2> fds{
      {{.fd = socket_.fd(), .events = POLLIN, .revents = 0}, {.fd = wakeup_.fd(), .events = POLLIN, .revents = 0}}};
  ::poll(fds.data(), fds.size(), -1);
}

bool ShellLoop::step() {
  wakeup_.clear();
  while (!stopping_) {
    const auto request = next();
    if (!request) {
      if (socket_.readable()) continue;
      return true;
    }
    if (to_abort_ > 0 && request->header.msg_type == "execute_request")
      server_.serve_aborted(*request);
    else
      serve(*request);
    if (to_abort_ > 0) --to_abort_;
  }
  return false;
}

std::optional<wire::Message> ShellLoop::next() {
  if (pending_.empty()) return server_.receive();
  wire::Message request = std::move(pending_.front());
  pending_.pop_front();
  return request;
}

void ShellLoop::serve(const wire::Message& request) {
  const Context context = server_.make_context(request);
  stack_.push_back(context);
  {
    const Interrupts::Scope interruptible(interrupts_);
    server_.serve(context, request, [this] { abort_waiting(); });
  }
  stack_.pop_back();
  latest_ = context;
}

void ShellLoop::abort_waiting() {
  // Bounded: a client that never stops sending must not keep the error reply for ever.
  constexpr std::size_t most = 65536;
  while (pending_.size() < most) {
    auto request = server_.receive();
    if (!request) break;
    pending_.push_back(std::move(*request));
  }
  // step() takes the present request off this number too.
  to_abort_ = pending_.size() + 1;
}

}  // namespace adrastea::server
