// SPDX-License-Identifier: BSD-3-Clause
#include "server/control_loop.hpp"

#include "support/log.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace adrastea::server {

namespace {

constexpr std::chrono::milliseconds k_repeat_interrupt{100};
// Children hear it less often: many programs take a second ^C for an order to drop everything.
constexpr int k_repeats_per_children = 10;

}  // namespace

ControlLoop::ControlLoop(transport::Router& socket, RequestServer server, Interrupts& interrupts, const Wakeup& wakeup,
                         support::UniqueFd parent, Hooks hooks)
    : socket_(socket),
      server_(std::move(server)),
      interrupts_(interrupts),
      wakeup_(wakeup),
      parent_(std::move(parent)),
      hooks_(std::move(hooks)) {}

void ControlLoop::run() noexcept {
  ::pthread_setname_np(::pthread_self(), "control");
  while (!finished_) {
    try {
      wait();
      serve();
    } catch (const std::exception& failure) {
      support::log::error(std::string("control: ") + failure.what());
    }
  }
}

void ControlLoop::end_by(std::chrono::milliseconds limit) {
  Clock::rep none = 0;
  deadline_.compare_exchange_strong(none, (Clock::now() + limit).time_since_epoch().count());
  wakeup_.signal();
}

void ControlLoop::finish() {
  finished_ = true;
  wakeup_.signal();
}

void ControlLoop::wait() {
  // Also while requests wait: a flood of them must not hide a signal, the parent's end or the deadline.
  const bool ready = socket_.readable();
  std::array<pollfd, 3> fds{{{.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = wakeup_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = parent_.get(), .events = POLLIN, .revents = 0}}};  // poll ignores a negative fd
  ::poll(fds.data(), fds.size(), ready ? 0 : timeout());
  if (fds[2].revents != 0) {
    parent_.reset();
    hooks_.parent_gone();
  }
  if (fds[1].revents != 0) {
    wakeup_.clear();
    hooks_.woken();
  }
  const Clock::rep deadline = deadline_;
  if (deadline != 0 && !finished_ && Clock::now().time_since_epoch().count() >= deadline) hooks_.deadline_passed();
}

int ControlLoop::timeout() {
  using std::chrono::milliseconds;
  std::optional<milliseconds> shortest;
  if (interrupts_.requested()) {
    // Time enough for the first signal to work.
    shortest = k_repeat_interrupt;
    const auto now = Clock::now();
    if (last_repeat_ == Clock::time_point{}) last_repeat_ = now;
    if (now - last_repeat_ >= k_repeat_interrupt) {
      last_repeat_ = now;
      if (!interrupts_.repeat(++repeats_ % k_repeats_per_children == 0)) shortest.reset();
    }
  } else {
    last_repeat_ = {};
    repeats_ = 0;
  }
  if (const Clock::rep deadline = deadline_; deadline != 0) {
    const auto left = std::chrono::ceil<milliseconds>(Clock::time_point{Clock::duration(deadline)} - Clock::now());
    if (!shortest || left < *shortest) shortest = std::max(left, milliseconds(0));
  }
  return shortest ? static_cast<int>(shortest->count()) : -1;
}

void ControlLoop::serve() {
  if (auto request = server_.receive()) server_.serve(server_.make_context(*request), *request);
}

}  // namespace adrastea::server
