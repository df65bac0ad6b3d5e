// SPDX-License-Identifier: BSD-3-Clause
#include "support/shared_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>

namespace adrastea::support {
namespace {

/// Linux: opening a descriptor's entry there makes a new open file on the same pipe or terminal.
UniqueFd open_again(int fd) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return UniqueFd(::open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

SharedWriter::SharedWriter(int fd) noexcept : fd_(fd) {
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) return;
  is_socket_ = S_ISSOCK(status.st_mode);
  // A regular file is never waited for, and a second open file on it would have an offset of its own.
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) own_ = open_again(fd);
}

std::size_t SharedWriter::write(std::string_view bytes) const noexcept {
  std::size_t written = 0;
  const int fd = own_ ? own_.get() : fd_;
  while (written < bytes.size()) {
    // Without an open file of our own (no /proc, no permission) this is all there is: a pipe that is ready takes PIPE_BUF
    // bytes. POLLERR is a pipe without a reader: writing to it would raise SIGPIPE.
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (fd < 0 || ::poll(&ready, 1, 0) != 1 || ready.revents != POLLOUT) break;
    const std::size_t size = std::min<std::size_t>(bytes.size() - written, PIPE_BUF);
    const ssize_t count = is_socket_ ? ::send(fd, bytes.data() + written, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : ::write(fd, bytes.data() + written, size);
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

}  // namespace adrastea::support
