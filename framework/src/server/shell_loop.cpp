// SPDX-License-Identifier: BSD-3-Clause
#include "server/shell_loop.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

namespace adrastea::server {

namespace {

// A client that never stops sending must not keep an error reply, or the kernel's end, for ever.
constexpr std::size_t k_most_aborted = 65536;
constexpr std::chrono::seconds k_longest_burst{1};
// Within it a burst may still be on its way, however short stop_on_error_gap is.
constexpr std::chrono::milliseconds k_least_gap{20};

}  // namespace

ShellLoop::ShellLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
                     const std::atomic<bool>& stopping, std::chrono::milliseconds stop_on_error_gap, Chore chore)
    : socket_(socket),
      server_(std::move(server)),
      interrupts_(interrupts),
      wakeup_(wakeup),
      stopping_(stopping),
      stop_on_error_gap_(stop_on_error_gap),
      chore_(std::move(chore)) {}

void ShellLoop::wait() {
  if (stopping_ || !pending_.empty()) return;
  std::array<pollfd, 3> fds{{{.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = wakeup_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = timer_.fd(), .events = POLLIN, .revents = 0}}};
  woken_ = ::poll(fds.data(), fds.size(), -1) < 0 || fds[1].revents != 0;
}

bool ShellLoop::step() {
  if (std::exchange(woken_, true)) wakeup_.clear();
  if (timer_.passed()) rested_ = false;
  while (!stopping_) {
    auto request = next();
    if (!request) {
      rest();
      if (socket_.readable()) continue;
      return true;
    }
    rested_ = false;
    if (to_abort_ > 0 && request->header.msg_type == "execute_request")
      server_.serve_aborted(*request);
    else
      serve(*request);
    if (to_abort_ > 0) --to_abort_;
    static_cast<void>(do_chore());
  }
  rest();
  return false;
}

void ShellLoop::rest() {
  if (std::exchange(rested_, true)) return;
  server_.flush();
  if (const auto left = do_chore())
    timer_.start(*left);
  else
    timer_.clear();
}

std::optional<std::chrono::nanoseconds> ShellLoop::do_chore() {
  const auto left = chore_.due();
  if (!left || left->count() > 0) return left;
  server_.flush();
  chore_.run();
  return chore_.due();
}

std::optional<wire::Message> ShellLoop::next() {
  if (pending_.empty()) return server_.receive();
  wire::Message request = std::move(pending_.front());
  pending_.pop_front();
  return request;
}

void ShellLoop::serve(wire::Message& request) {
  const Context context = server_.make_context(request);
  stack_.push_back(context);
  {
    const Interrupts::Scope interruptible(interrupts_);
    const auto begun = std::chrono::steady_clock::now();
    server_.serve(context, request, [&] { abort_waiting(begun); });
  }
  stack_.pop_back();
  latest_ = context;
}

void ShellLoop::abort_rest() {
  for (std::size_t count = 0; count < k_most_aborted; ++count) {
    auto request = next();
    if (!request) break;
    rested_ = false;
    if (request->header.msg_type.ends_with("_request")) server_.serve_aborted(*request);
  }
  if (!rested_) server_.flush();
}

void ShellLoop::abort_waiting(std::chrono::steady_clock::time_point begun) {
  // The error reply has not been sent yet, so whatever comes now was sent without knowing of it.
  const auto now = std::chrono::steady_clock::now();
  const auto give_up_at = now + k_longest_burst;
  // What was sent together with a request that has run for so long is here.
  bool quiet = now - begun > std::max(stop_on_error_gap_, k_least_gap);
  while (pending_.size() < k_most_aborted && !stopping_ && std::chrono::steady_clock::now() < give_up_at) {
    if (auto request = server_.receive()) {
      pending_.push_back(std::move(*request));
      quiet = false;  // and may have come just now
    } else if (quiet || !arrives_within(stop_on_error_gap_)) {
      break;
    }
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
