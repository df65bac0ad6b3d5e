// SPDX-License-Identifier: BSD-3-Clause
#include "server/wakeup.hpp"

#include <adrastea/errors.hpp>

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace adrastea::server {

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw StartupError(std::string("cannot make an eventfd: ") + std::strerror(errno));
}

void Wakeup::signal() const noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  // A full counter is a signal already.
  [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
  errno = saved;
}

void Wakeup::clear() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_.get(), &count, sizeof count);
}

}  // namespace adrastea::server
