// SPDX-License-Identifier: BSD-3-Clause
#include "server/shell_loop.hpp"

#include <poll.h>

#include <array>
#include <utility>

namespace adrastea::server {

namespace {

// A client that never stops sending must not keep an error reply, or the kernel's end, for ever.
constexpr std::size_t k_most_aborted = 65536;
constexpr std::chrono::seconds k_longest_burst{1};

}  // namespace

ShellLoop::ShellLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
                     const std::atomic<bool>& stopping, std::chrono::milliseconds stop_on_error_gap)
    : socket_(socket),
      server_(std::move(server)),
      interrupts_(interrupts),
      wakeup_(wakeup),
      stopping_(stopping),
      stop_on_error_gap_(stop_on_error_gap) {}

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

void ShellLoop::abort_rest() {
  for (std::size_t count = 0; count < k_most_aborted; ++count) {
    const auto request = next();
    if (!request) return;
    if (request->header.msg_type.ends_with("_request")) server_.serve_aborted(*request);
  }
}

void ShellLoop::abort_waiting() {
  // The error reply has not been sent yet, so whatever comes now was sent without knowing of it.
  const auto give_up_at = std::chrono::steady_clock::now() + k_longest_burst;
  while (pending_.size() < k_most_aborted && !stopping_ && std::chrono::steady_clock::now() < give_up_at) {
    if (auto request = server_.receive())
      pending_.push_back(std::move(*request));
    else if (!arrives_within(stop_on_error_gap_))
      break;
  }
  // step() takes the present request off this number too.
  to_abort_ = pending_.size() + 1;
}

bool ShellLoop::arrives_within(std::chrono::milliseconds gap) {
  if (socket_.readable()) return true;
  wakeup_.clear();
  if (stopping_) return false;
  std::array<pollfd, 2> fds{
      {{.fd = socket_.fd(), .events = POLLIN, .revents = 0}, {.fd = wakeup_.fd(), .events = POLLIN, .revents = 0}}};
  ::poll(fds.data(), fds.size(), static_cast<int>(gap.count()));
  return socket_.readable();
}

}  // namespace adrastea::server
