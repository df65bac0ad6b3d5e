// SPDX-License-Identifier: BSD-3-Clause
#include "output_log.hpp"

#include <adrastea/testing/failure.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace adrastea::testing {
namespace {

constexpr std::size_t k_head = std::size_t{32} << 10U;
constexpr std::size_t k_tail = std::size_t{224} << 10U;

void close_once(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

void OutputLog::Stream::keep(const char* bytes, std::size_t count) {
  const std::size_t first = std::min(count, k_head - head.size());
  head.append(bytes, first);
  tail.append(bytes + first, count - first);
  if (tail.size() <= 2 * k_tail) return;
  left_out += tail.size() - k_tail;
  tail.erase(0, tail.size() - k_tail);
}

OutputLog::OutputLog() {
  for (auto& stream : streams_) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Failure("pipe: " + std::string(std::strerror(errno)));
    stream.read_fd = ends[0];
    stream.write_fd = ends[1];
    ::fcntl(stream.read_fd, F_SETFL, O_NONBLOCK);
  }
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  // A signal to the program is for the threads that know about it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  reader_ = std::thread([this] { read_on(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

OutputLog::~OutputLog() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(stop_, &one, sizeof one));
  reader_.join();
  give_away();
  for (auto& stream : streams_) close_once(stream.read_fd);
  close_once(stop_);
}

void OutputLog::give_away() {
  for (auto& stream : streams_) close_once(stream.write_fd);
}

bool OutputLog::drain(Stream& stream) {
  std::array<char, 16384> bytes{};
  while (true) {
    const ssize_t count = ::read(stream.read_fd, bytes.data(), bytes.size());
    if (count > 0) stream.keep(bytes.data(), static_cast<std::size_t>(count));
    if (count == 0) return false;
    if (count < 0 && errno != EINTR) return true;
  }
}

void OutputLog::read_on() {
  std::array<pollfd, 3> waits{pollfd{streams_[0].read_fd, POLLIN, 0}, pollfd{streams_[1].read_fd, POLLIN, 0},
                              pollfd{stop_, POLLIN, 0}};
  while (waits[2].revents == 0) {
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (waits.at(i).revents != 0 && !drain(streams_.at(i))) waits.at(i).fd = -1;  // poll() passes over it
    }
  }
}

std::string OutputLog::text(Stream& stream) {
  const std::lock_guard lock(mutex_);
  drain(stream);
  std::string whole = stream.head;
  if (stream.left_out > 0) whole += "\n[" + std::to_string(stream.left_out) + " bytes are left out here]\n";
  return whole + stream.tail;
}

}  // namespace adrastea::testing
