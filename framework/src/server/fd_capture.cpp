// SPDX-License-Identifier: BSD-3-Clause
#include "server/fd_capture.hpp"

#include <adrastea/errors.hpp>

#include <fcntl.h>
#include <stdio_ext.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace adrastea::server {

namespace {

[[noreturn]] void fail(const char* what) {
  throw StartupError(std::string("cannot capture the output of child processes: ") + what + ": " + std::strerror(errno));
}

int number_of(Stream stream) { return stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO; }

}  // namespace

FdCapture::FdCapture() : both_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!both_) fail("epoll_create1");
  std::fflush(nullptr);
  for (const Stream stream : {Stream::out, Stream::err}) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    Pipe& pipe = pipes_[static_cast<std::size_t>(stream)];
    pipe.write_end = support::UniqueFd(ends[1]);
    pipe.read_end = support::UniqueFd(ends[0]);
    // Only our end: children expect a pipe that blocks.
    if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (::epoll_ctl(both_.get(), EPOLL_CTL_ADD, ends[0], &readable) != 0) fail("epoll_ctl");
    pipe.original = support::UniqueFd(::fcntl(number_of(stream), F_DUPFD_CLOEXEC, 3));
    if (!pipe.original) fail("dup");
    if (::dup2(pipe.write_end.get(), number_of(stream)) < 0) fail("dup2");
  }
  log_copy_ = support::SharedWriter(original_stderr());
  // As on a terminal: a line is out when it ends, so printf and fprintf(stderr) keep their order.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
}

FdCapture::~FdCapture() {
  // What is still buffered has no request to belong to; without a reader a full pipe would block the flush.
  for (const Stream stream : {Stream::out, Stream::err}) {
    const Pipe& pipe = pipes_[static_cast<std::size_t>(stream)];
    if (pipe.original) ::dup2(pipe.original.get(), number_of(stream));
  }
}

bool FdCapture::readable() const noexcept {
  // Not the C library's function, which is a point of cancellation: that costs each print half as much as the call itself.
  epoll_event first{};
  return ::syscall(SYS_epoll_pwait, both_.get(), &first, 1, 0, nullptr, 0) > 0;
}

std::string FdCapture::read(Stream stream) {
  const int fd = pipe(stream).read_end.get();
  int waiting = 0;
  if (::ioctl(fd, FIONREAD, &waiting) != 0 || waiting <= 0) return {};
  std::string bytes(static_cast<std::size_t>(waiting), '\0');
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  static_cast<void>(log_copy_.write(bytes));
  return bytes;
}

void FdCapture::flush_stdio() noexcept {
  // Not fflush(nullptr): it would also flush files of the user's, and seek in those opened for reading.
  for (std::FILE* stream : {stdout, stderr})
    if (::__fpending(stream) > 0) std::fflush(stream);
}

}  // namespace adrastea::server
