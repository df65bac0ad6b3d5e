// SPDX-License-Identifier: BSD-3-Clause
#include "server/timer.hpp"

#include <adrastea/errors.hpp>

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace adrastea::server {

Timer::Timer() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!fd_) throw StartupError(std::string("cannot make a timer: ") + std::strerror(errno));
}

void Timer::start(std::chrono::nanoseconds after) noexcept {
  if (started_ && !passed()) return;
  // A time of zero would stop it instead.
  const auto wait = std::max(after, std::chrono::nanoseconds(1));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
  itimerspec when{};
  when.it_value = {.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
  when_ = std::chrono::steady_clock::now() + wait;
  started_ = ::timerfd_settime(fd_.get(), 0, &when, nullptr) == 0;
}

void Timer::clear() noexcept {
  if (!std::exchange(started_, false)) return;
  const itimerspec never{};
  ::timerfd_settime(fd_.get(), 0, &never, nullptr);
}

}  // namespace adrastea::server
