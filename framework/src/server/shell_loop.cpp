// SPDX-License-Identifier: BSD-3-Clause
#include "server/shell_loop.hpp"

#include "support/ids.hpp"

#include <poll.h>

#include <array>
#include <utility>

namespace adrastea::server {

namespace {

// A client that never stops sending must not keep an error reply, or the kernel's end, for ever.
constexpr std::size_t k_most_aborted = 65536;

}  // namespace

ShellLoop::ShellLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
                     const std::atomic<bool>& stopping, std::chrono::milliseconds stop_on_error_window)
    : socket_(socket),
      server_(std::move(server)),
      interrupts_(interrupts),
      wakeup_(wakeup),
      stopping_(stopping),
      stop_on_error_window_(stop_on_error_window) {}

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
    const bool aborts = to_abort_ > 0 || sent_before_error(*request);
    if (aborts && request->header.msg_type == "execute_request")
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
    server_.serve(context, request, [&] { abort_waiting(*context); });
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

void ShellLoop::abort_waiting(const RequestContext& failed) {
  while (pending_.size() < k_most_aborted) {
    auto request = server_.receive();
    if (!request) break;
    pending_.push_back(std::move(*request));
  }
  // step() takes the present request off this number too.
  to_abort_ = pending_.size() + 1;
  failure_.reset();
  if (const auto sent = support::parse_iso_time(failed.header.date))
    failure_ = {.session = failed.header.session,
                .sent = *sent,
                .answered = std::chrono::system_clock::now(),
                .window_end = Clock::now() + stop_on_error_window_};
}

bool ShellLoop::sent_before_error(const wire::Message& request) const {
  if (!failure_ || request.header.session != failure_->session || Clock::now() >= failure_->window_end) return false;
  const auto sent = support::parse_iso_time(request.header.date);
  return sent && *sent >= failure_->sent && *sent <= failure_->answered;
}

}  // namespace adrastea::server
