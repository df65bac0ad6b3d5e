// SPDX-License-Identifier: BSD-3-Clause
#include "relay.hpp"

#include <adrastea/testing/failure.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace adrastea::conformance {

using testing::Channel;
using testing::Failure;

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

void send_at_once(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void reset(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

bool would_block() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

struct Relay::Way {
  int from;
  int to;
  std::string waiting{};  ///< was read, and could not be written yet

  /// Whether both ends are still there. Nothing is read while something waits.
  bool pass() {
    std::array<char, 65536> bytes{};
    while (waiting.empty()) {
      const ssize_t count = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (count <= 0) return count < 0 && would_block();
      waiting.assign(bytes.data(), static_cast<std::size_t>(count));
      if (!write()) return false;
    }
    return write();
  }

  bool write() {
    if (waiting.empty()) return true;
    const ssize_t count = ::send(to, waiting.data(), waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return would_block();
    waiting.erase(0, static_cast<std::size_t>(count));
    return true;
  }
};

struct Relay::Link {
  int client;
  int kernel;
  bool lasting;
  Way up{client, kernel};
  Way down{kernel, client};

  bool pass() { return up.pass() && down.pass(); }
  [[nodiscard]] static short wanted(const Way& reads, const Way& writes) {
    return static_cast<short>((reads.waiting.empty() ? POLLIN : 0) | (writes.waiting.empty() ? 0 : POLLOUT));
  }
};

Relay::Relay(testing::Connection kernel) : connection_(std::move(kernel)), poke_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (const Channel channel :
       {Channel::shell, Channel::control, Channel::stdin_channel, Channel::iopub, Channel::heartbeat})
    listen(channel);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  ::eventfd_write(poke_, 1);
  thread_.join();
  for (const Link& link : links_) {
    ::close(link.client);
    ::close(link.kernel);
  }
  for (const Listener& listener : listeners_) ::close(listener.fd);
  for (const int fd : abandoned_) ::close(fd);
  ::close(poke_);
}

void Relay::listen(Channel channel) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw Failure("cannot listen: " + std::string(std::strerror(errno)));
  auto& port = connection_.fields.at(testing::port_key(channel));
  listeners_.push_back({fd, port.get<int>(), channel != Channel::heartbeat});
  port = ntohs(address.sin_port);
}

void Relay::stall(std::chrono::milliseconds time) {
  const std::lock_guard lock(mutex_);
  stalled_until_ = Clock::now() + time;
}

void Relay::cut(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  cutting_ = true;
  ::eventfd_write(poke_, 1);
  if (!connected_.wait_for(lock, patience, [this] { return !cutting_ && missing_ == 0; }))
    throw Failure("the clients did not connect again");
}

void Relay::accept(const Listener& listener) {
  while (true) {
    const int client = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int kernel = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(listener.kernel_port);
    if (::connect(kernel, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(kernel);
      reset(client);
      continue;
    }
    send_at_once(client);
    send_at_once(kernel);
    links_.push_back({client, kernel, listener.lasting});
    if (!listener.lasting || missing_ == 0) continue;
    --missing_;
    connected_.notify_all();
  }
}

/// Those that wait to be accepted are cut, too.
void Relay::cut_all() {
  for (const Listener& listener : listeners_) accept(listener);
  for (const Link& link : links_) {
    reset(link.client);
    abandoned_.push_back(link.kernel);
    if (link.lasting) ++missing_;
  }
  links_.clear();
  cutting_ = false;
  connected_.notify_all();
}

std::optional<std::chrono::milliseconds> Relay::stalled_for() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(stalled_until_ - Clock::now());
  if (left.count() <= 0) return std::nullopt;
  return left;
}

void Relay::pass_all() {
  for (const Listener& listener : listeners_) accept(listener);
  links_.remove_if([](Link& link) {
    if (link.pass()) return false;
    ::close(link.client);
    ::close(link.kernel);
    return true;
  });
}

std::vector<pollfd> Relay::waits(bool stalled) const {
  std::vector<pollfd> items{{poke_, POLLIN, 0}};
  if (stalled) return items;
  for (const Listener& listener : listeners_) items.push_back({listener.fd, POLLIN, 0});
  for (const Link& link : links_) {
    items.push_back({link.client, Link::wanted(link.up, link.down), 0});
    items.push_back({link.kernel, Link::wanted(link.down, link.up), 0});
  }
  return items;
}

void Relay::run() {
  std::unique_lock lock(mutex_);
  while (!done_) {
    eventfd_t pokes = 0;
    ::eventfd_read(poke_, &pokes);
    if (cutting_) cut_all();
    const auto left = stalled_for();
    if (!left) pass_all();
    std::vector<pollfd> items = waits(left.has_value());
    lock.unlock();
    ::poll(items.data(), items.size(), left ? static_cast<int>(left->count()) : -1);
    lock.lock();
  }
}

}  // namespace adrastea::conformance
