// SPDX-License-Identifier: BSD-3-Clause
#include "bench/running.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace adrastea::bench {

Running::Running(const Subject& subject, testing::Transport transport, std::vector<std::string> environment) {
  testing::LaunchOptions options;
  options.transport = transport;
  options.command_prefix = subject.prefix;
  options.environment = std::move(environment);
  const auto before = Clock::now();
  process_ = std::make_unique<testing::KernelProcess>(subject.program, options);
  if (transport == testing::Transport::ipc) await_socket_file();
  client_ = std::make_unique<BenchClient>(process_->connection());
  try {
    client_->await_kernel_info();
  } catch (const std::runtime_error&) {
    require_alive();
    throw;
  }
  start_ms_ = milliseconds_since(before);
  bytes_after_start_ = process_->resident_bytes();
  client_->await_subscription();
}

void Running::await_socket_file() {
  const int watch = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  ::inotify_add_watch(watch, process_->directory().c_str(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
  const std::string endpoint = process_->connection().endpoint(testing::Channel::shell);
  const std::filesystem::path file = endpoint.substr(endpoint.find("//") + 2);
  std::array<pollfd, 2> fds{
      {{.fd = watch, .events = POLLIN, .revents = 0}, {.fd = process_->pidfd(), .events = POLLIN, .revents = 0}}};
  while (!std::filesystem::exists(file) && fds[1].revents == 0) {
    ::poll(fds.data(), fds.size(), -1);
    std::array<char, 4096> events{};
    while (::read(watch, events.data(), events.size()) > 0) {
    }
  }
  ::close(watch);
  require_alive();
}

void Running::require_alive() {
  pollfd ended{.fd = process_->pidfd(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, 0) > 0) throw std::runtime_error("the kernel ended: " + process_->stderr_text());
}

}  // namespace adrastea::bench
