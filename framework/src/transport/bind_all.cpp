// SPDX-License-Identifier: BSD-3-Clause
#include "support/blocked_signals.hpp"
#include "support/cause.hpp"
#include "support/fork_guard.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/unique_fd.hpp"
#include "transport/connection_json.hpp"
#include "transport/heartbeat.hpp"
#include "transport/ipc_endpoint.hpp"
#include "transport/sockets.hpp"
#include "transport/zmq_handles.hpp"
#include "transport/zmq_publisher.hpp"
#include "transport/zmq_router.hpp"

#include <adrastea/errors.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace adrastea::transport {
namespace {

using support::cause_of;
// Topics come from peers that nobody has authenticated; ZeroMQ keeps each byte as a tree node and recurses once per node.
constexpr std::int64_t k_max_subscription_bytes = 1024;
constexpr std::int64_t k_max_heartbeat_bytes = std::int64_t{16} << 20;

// Two contexts take 5 descriptors each, five sockets 2 each; the rest is for the first clients. Without them libzmq
// ends the process by abort().
constexpr std::size_t k_descriptors_needed = 40;

void require_descriptors() {
  std::vector<support::UniqueFd> taken;
  while (taken.size() < k_descriptors_needed) {
    support::UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd) {
      throw StartupError("cannot open the sockets: a kernel needs " + std::to_string(k_descriptors_needed) +
                         " file descriptors more, and after " + std::to_string(taken.size()) + " came: " + cause_of(errno) +
                         "; raise the limit (ulimit -n)");
    }
    taken.push_back(std::move(fd));
  }
}

std::int64_t clamped(std::size_t bytes) {
  return static_cast<std::int64_t>(std::min<std::size_t>(bytes, std::numeric_limits<std::int64_t>::max()));
}

int milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, std::numeric_limits<int>::max()));
}

/// Everything before bind: several options do nothing afterwards.
ZmqSocket configured(const std::shared_ptr<ZmqContext>& context, Channel channel, const ConnectionInfo& info,
                     const Limits& limits) {
  ZmqSocket socket(context, channel == Channel::iopub ? ZMQ_XPUB : ZMQ_ROUTER);
  socket.set(ZMQ_LINGER, milliseconds(limits.linger));
  if (info.transport == "tcp" && info.ip.find(':') != std::string::npos) socket.set(ZMQ_IPV6, 1);
  if (info.encrypted()) {
    // Clients are anybody who knows the public key; nobody's own key is asked for, since each client's heartbeat has a new
    // one (JEP 145).
    socket.set(ZMQ_CURVE_SERVER, 1);
    socket.set(ZMQ_CURVE_PUBLICKEY, info.curve_publickey);
    socket.set(ZMQ_CURVE_SECRETKEY, info.curve_secretkey);
  }
  switch (channel) {
    case Channel::stdin_channel:
      socket.set(ZMQ_ROUTER_MANDATORY, 1);
      [[fallthrough]];
    case Channel::shell:
    case Channel::control:
      // A client that reconnects with its old identity replaces its dead connection, instead of being ignored.
      socket.set(ZMQ_ROUTER_HANDOVER, 1);
      // Replies are never dropped; and what a client has sent is here, where an interrupt or an abort can see it.
      socket.set(ZMQ_SNDHWM, 0);
      socket.set(ZMQ_RCVHWM, 0);
      socket.set(ZMQ_MAXMSGSIZE, clamped(limits.max_frame_bytes));
      break;
    case Channel::iopub:
      socket.set(ZMQ_XPUB_MANUAL, 1);
      // With a domain ZeroMQ refuses peers older than ZMTP 3. Those are subscribed to everything as soon as they connect,
      // and with manual subscriptions libzmq 4.3.4 keeps filters of such a peer after it has gone, under which the next
      // subscriber gets messages twice. Nobody handles ZAP here, so for all others a domain means nothing.
      socket.set(ZMQ_ZAP_DOMAIN, std::string_view("adrastea"));
      socket.set(ZMQ_XPUB_NODROP, 1);
      socket.set(ZMQ_SNDHWM, limits.subscriber_queue_messages);
      socket.set(ZMQ_MAXMSGSIZE, k_max_subscription_bytes);
      break;
    case Channel::heartbeat:
      // ZeroMQ's own queue limits stay: echoes for a peer that does not read are dropped.
      socket.set(ZMQ_LINGER, 0);
      socket.set(ZMQ_MAXMSGSIZE, k_max_heartbeat_bytes);
      break;
  }
  return socket;
}

std::string tcp_remedy(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another program has it, or another kernel that runs with this file; choose another port, or 0 to let the "
             "kernel choose";
    case EADDRNOTAVAIL:
    case ENODEV:
    case EINVAL:
      return "ip must be an address of this machine, in numbers";
    case EACCES:
      return "ports below 1024 need privileges";
    default:
      return "choose another ip or port";
  }
}

void bind_tcp(ZmqSocket& socket, Channel channel, ConnectionInfo& info) {
  int& port = info.port(channel);
  std::string endpoint = info.endpoint(channel);
  if (port == 0) endpoint.replace(endpoint.size() - 1, 1, "*");
  if (const int error = socket.bind(endpoint); error != 0) throw BindFailure{zmq_strerror(error), tcp_remedy(error)};
  constexpr std::size_t begin = std::string_view("tcp://").size();
  const std::string got = socket.last_endpoint();
  const std::size_t colon = got.rfind(':');
  if (port == 0) port = std::stoi(got.substr(colon + 1));
  // ZeroMQ takes an interface's name for its address; clients do not.
  if (!is_in_numbers(info.ip)) info.ip = got.substr(begin, colon - begin);
}

support::ExitFile bind_ipc(ZmqSocket& socket, const std::string& path) {
  IpcListener listener = listen_ipc(path);
  socket.set(ZMQ_USE_FD, listener.fd.get());
  if (const int error = socket.bind("ipc://" + path); error != 0) {
    throw BindFailure{zmq_strerror(error), "choose another ip prefix"};
  }
  static_cast<void>(listener.fd.release());  // ZeroMQ's now; it closes it with the socket
  return std::move(listener.file);
}

/// As jupyter_client does: the first number whose path does not exist.
int free_ipc_number(const std::string& prefix) {
  struct stat status {};
  int number = 1;
  while (::lstat((prefix + "-" + std::to_string(number)).c_str(), &status) == 0) ++number;
  return number;
}

/// The five sockets on their way to Bound. Whatever happens meanwhile, destroying this undoes all of it.
struct Opening {
  // One for all messages: then one thread of ZeroMQ's carries a reply and the idle after it, and is woken once. Heartbeats
  // go on until the very end, and while the other is ending.
  std::shared_ptr<ZmqContext> messages = std::make_shared<ZmqContext>();
  std::shared_ptr<ZmqContext> heartbeat = std::make_shared<ZmqContext>();
  std::array<ZmqSocket, 5> sockets;
  std::vector<support::ExitFile> files;

  [[nodiscard]] ZmqSocket& socket(Channel channel) { return sockets.at(static_cast<std::size_t>(channel)); }
  [[nodiscard]] const std::shared_ptr<ZmqContext>& context(Channel channel) const {
    return channel == Channel::heartbeat ? heartbeat : messages;
  }
};

void bind_one(Opening& opening, Channel channel, ConnectionInfo& info) {
  if (info.transport == "tcp") {
    bind_tcp(opening.socket(channel), channel, info);
    return;
  }
  if (info.port(channel) == 0) info.port(channel) = free_ipc_number(info.ip);
  const std::string path = info.ip + "-" + std::to_string(info.port(channel));
  opening.files.push_back(bind_ipc(opening.socket(channel), path));
}

void tell_bound(Channel channel, const ConnectionInfo& info) {
  support::log::debug(std::string(to_string(channel)) + " is bound to " + support::printable(info.endpoint(channel)) +
                      (info.encrypted() ? ", encrypted" : ""));
}

void bind_every(Opening& opening, ConnectionInfo& info, int launcher) {
  Channel current = k_channels.front();
  try {
    std::optional<IpcDirectoryLock> lock;
    if (info.transport == "ipc") lock.emplace(info.ip, launcher);
    // Those that were asked for first, so that no chosen one takes the place of one that comes later.
    const auto asked_for = info.ports;
    for (const bool chosen : {false, true}) {
      for (const Channel channel : k_channels) {
        current = channel;
        if ((asked_for.at(static_cast<std::size_t>(channel)) == 0) != chosen) continue;
        bind_one(opening, channel, info);
        tell_bound(channel, info);
      }
    }
  } catch (const BindFailure& failure) {
    const std::string endpoint = support::printable(info.endpoint(current));
    throw StartupError(std::string("cannot bind the ") + to_string(current) + " channel to " + endpoint + ": " +
                       failure.cause + " (addr=" + endpoint + "); " + failure.remedy);
  }
}

class BoundSockets final : public Bound {
 public:
  BoundSockets(Opening opening, const Limits& limits)
      : context_(std::move(opening.messages)), files_(std::move(opening.files)) {
    const auto router = [&](Channel channel, std::shared_ptr<ClosableSocket>& shared) {
      shared = std::make_shared<ClosableSocket>();
      shared->socket = std::move(opening.socket(channel));
      return std::make_unique<ZmqRouter>(shared, limits);
    };
    std::shared_ptr<ClosableSocket> controls;
    shell = router(Channel::shell, interpreters_.at(0));
    stdin_channel = router(Channel::stdin_channel, interpreters_.at(1));
    control = router(Channel::control, controls);
    iopub = std::make_unique<ZmqPublisher>(std::move(opening.socket(Channel::iopub)));
    heartbeat_.emplace(std::move(opening.heartbeat), std::move(opening.socket(Channel::heartbeat)));
  }
  BoundSockets(const BoundSockets&) = delete;
  BoundSockets& operator=(const BoundSockets&) = delete;

  ~BoundSockets() override {
    // While our sockets still listen, nobody can have replaced their files.
    remove_files();
    // All before the first context: then they deliver at the same time, and one linger is enough for all.
    shell.reset();
    stdin_channel.reset();
    control.reset();
    iopub.reset();
  }

  void deliver_without_interpreter() override {
    for (const auto& socket : interpreters_) socket->close();
    control.reset();
    iopub.reset();
    context_.reset();
  }

  void remove_files() noexcept override { files_.clear(); }

 private:
  std::shared_ptr<ZmqContext> context_;
  std::array<std::shared_ptr<ClosableSocket>, 2> interpreters_;  ///< shell's and stdin's
  std::vector<support::ExitFile> files_;
  std::optional<Heartbeat> heartbeat_;
};

}  // namespace

bool can_encrypt() noexcept { return zmq_has("curve") == 1; }

void require_curve(const ConnectionInfo& info, const std::string& where) {
  if (!can_encrypt()) {
    throw StartupError(
        where +
        ": curve_secretkey asks for encrypted sockets (CurveZMQ), which this libzmq was built without; start the kernel "
        "without transport encryption, or install a libzmq with curve");
  }
  std::array<char, 41> derived{};
  if (zmq_curve_public(derived.data(), info.curve_secretkey.c_str()) != 0 || info.curve_publickey != derived.data()) {
    throw StartupError(where + ": curve_publickey does not belong to curve_secretkey; make both with zmq_curve_keypair()");
  }
}

std::unique_ptr<Bound> bind_all(ConnectionInfo& info, const Limits& limits, int launcher) {
  if (info.transport != "tcp" && info.transport != "ipc") {
    throw StartupError("transport must be \"tcp\" or \"ipc\", not \"" + support::printable(info.transport) + "\"");
  }
  support::fork_guard::install();
  require_descriptors();
  // ZeroMQ's threads inherit it.
  const support::BlockedSignals blocked;

  ConnectionInfo got = info;
  for (int& port : got.ports) port = std::max(port, 0);
  Opening opening;
  for (const Channel channel : k_channels) {
    opening.socket(channel) = configured(opening.context(channel), channel, got, limits);
  }
  bind_every(opening, got, launcher);
  auto bound = std::make_unique<BoundSockets>(std::move(opening), limits);
  info = std::move(got);
  return bound;
}

}  // namespace adrastea::transport
