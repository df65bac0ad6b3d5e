// SPDX-License-Identifier: BSD-3-Clause
#include "raw_peer.hpp"

#include <adrastea/testing/deadline.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include <algorithm>
#include <cstring>
#include <map>

namespace adrastea::conformance {

using testing::Deadline;
using testing::Failure;

namespace {

constexpr auto k_ignore = [](const testing::Violation&) {};

zmq::multipart_t to_multipart(const Frames& frames) {
  zmq::multipart_t parts;
  for (const auto& frame : frames) parts.addmem(frame.data(), frame.size());
  return parts;
}

}  // namespace

struct RawPeer::Sockets {
  zmq::context_t context;
  std::map<Channel, zmq::socket_t> of;

  void connect(Channel channel, const testing::Connection& connection, const RawPeerOptions& options) {
    const auto type = channel == Channel::iopub ? zmq::socket_type::sub : zmq::socket_type::dealer;
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::linger, channel == Channel::iopub ? 0 : 100);  // as in KernelClient
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, options.receive_limit);
    socket.set(zmq::sockopt::ipv6, true);
    if (channel == Channel::iopub) socket.set(zmq::sockopt::subscribe, "");
    if (channel != Channel::iopub && !options.routing_id.empty()) socket.set(zmq::sockopt::routing_id, options.routing_id);
    connection.encrypt(socket.handle());
    socket.connect(connection.endpoint(channel));
    of.emplace(channel, std::move(socket));
  }
};

RawPeer::RawPeer(Trial& trial, const RawPeerOptions& options)
    : patience_(trial.timeout()),
      subscribed_(options.subscribe),
      fences_control_(trial.abilities().control_info),
      process_fd_(trial.owns_kernel() ? trial.kernel().pidfd() : -1),
      connection_(trial.connection()),
      codec_(connection_.scheme(), connection_.key()),
      session_(testing::random_id()),
      sockets_(std::make_unique<Sockets>()) {
  for (const Channel channel : {Channel::shell, Channel::control, Channel::stdin_channel})
    sockets_->connect(channel, connection_, options);
  if (!subscribed_) return;
  sockets_->connect(Channel::iopub, connection_, options);
  synchronize();
}

RawPeer::~RawPeer() = default;

void RawPeer::send(Channel channel, const Frames& frames) {
  if (!to_multipart(frames).send(sockets_->of.at(channel), static_cast<int>(zmq::send_flags::dontwait)))
    fail(testing::refused_connection(channel));
}

void RawPeer::send_everywhere(const Frames& frames) {
  for (const Channel channel : {Channel::shell, Channel::control, Channel::stdin_channel}) send(channel, frames);
}

Frames RawPeer::sign(const std::array<std::string, 4>& parts) const {
  return codec_.encode({parts[0], parts[1], parts[2], parts[3]});
}

Frames RawPeer::frames(std::string_view type, const Json& content, const Json& header) {
  Json fields{{"msg_id", session_ + "_" + std::to_string(++count_)},
              {"session", session_},
              {"username", "tester"},
              {"date", testing::iso_now()},
              {"msg_type", type},
              {"version", "5.5"}};
  fields.update(header);
  return sign({fields.dump(), "{}", "{}", content.dump()});
}

Frames RawPeer::execute(const std::string& code) { return frames("execute_request", execute_content(code)); }

std::string RawPeer::request(Channel channel, std::string_view type, const Json& content, const Json& header) {
  const Frames made = frames(type, content, header);
  send(channel, made);
  return testing::text_of(Json::parse(made.at(2)), "msg_id");
}

bool RawPeer::receive_one(Channel channel) {
  const auto socket = sockets_->of.find(channel);
  if (socket == sockets_->of.end()) return false;
  zmq::multipart_t parts;
  if (!parts.recv(socket->second, static_cast<int>(zmq::recv_flags::dontwait))) return false;
  Frames frames;
  for (const auto& part : parts) frames.push_back(part.to_string());
  if (auto message = codec_.decode(channel, std::move(frames), k_ignore)) received_.push_back(std::move(*message));
  return true;
}

bool RawPeer::drain() {
  const Deadline enough(patience_);  // for a kernel that publishes for ever
  bool any = false;
  for (const auto& [channel, socket] : sockets_->of) {
    while (!enough.passed() && receive_one(channel)) any = true;
  }
  return any;
}

void RawPeer::wait(std::chrono::milliseconds time, const std::string& what) {
  if (drain()) return;
  std::vector<zmq::pollitem_t> items;
  for (auto& [channel, socket] : sockets_->of) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  if (process_fd_ >= 0) items.push_back({nullptr, process_fd_, ZMQ_POLLIN, 0});
  zmq::poll(items, time);
  const bool ended = process_fd_ >= 0 && (items.back().revents & ZMQ_POLLIN) != 0;
  if (!drain() && ended) fail("the kernel has ended; it was waited for " + what);
}

void RawPeer::fail(const std::string& finding) const {
  throw Failure(now_.empty() ? finding : finding + ", after " + now_);
}

bool RawPeer::published_about(const std::string& msg_id) const {
  return std::any_of(received_.begin(), received_.end(), [&](const Message& message) {
    return message.channel == Channel::iopub && message.parent_id() == msg_id;
  });
}

const Message* RawPeer::reply(const std::string& msg_id) const {
  const auto found = std::find_if(received_.begin(), received_.end(), [&](const Message& message) {
    return message.channel != Channel::iopub && message.parent_id() == msg_id;
  });
  return found == received_.end() ? nullptr : &*found;
}

const Message& RawPeer::await_reply(const std::string& msg_id) {
  const Deadline deadline(patience_);
  while (reply(msg_id) == nullptr) {
    if (deadline.passed()) fail("no reply to a later request");
    wait(deadline.left(), "a reply");
  }
  return *reply(msg_id);
}

void RawPeer::skip(Channel channel, std::size_t count) {
  zmq::socket_t& socket = sockets_->of.at(channel);
  const Deadline deadline(patience_);
  zmq::multipart_t parts;
  while (count > 0) {
    if (parts.recv(socket, static_cast<int>(zmq::recv_flags::dontwait))) {
      --count;
      continue;
    }
    std::vector<zmq::pollitem_t> items{{socket.handle(), 0, ZMQ_POLLIN, 0}};
    if (process_fd_ >= 0) items.push_back({nullptr, process_fd_, ZMQ_POLLIN, 0});
    zmq::poll(items, deadline.left());
    if ((items.front().revents & ZMQ_POLLIN) != 0) continue;
    if ((items.back().revents & ZMQ_POLLIN) != 0) fail("the kernel has ended; replies were waited for");
    if (deadline.passed()) fail("a request of many is not answered");
  }
}

const Message& RawPeer::await(std::string_view type) {
  const Deadline deadline(patience_);
  while (true) {
    const auto found =
        std::find_if(received_.begin(), received_.end(), [&](const Message& message) { return message.type() == type; });
    if (found != received_.end()) return *found;
    if (deadline.passed()) fail("no " + std::string(type) + " came");
    wait(deadline.left(), std::string(type));
  }
}

bool RawPeer::wait_until(const std::function<bool()>& holds) {
  const Deadline deadline(patience_);
  while (!holds()) {
    if (deadline.passed()) return false;
    wait(deadline.left(), "something later");
  }
  return true;
}

void RawPeer::synchronize() {
  const Deadline deadline(patience_);
  while (true) {
    const std::string id = request(Channel::shell, "kernel_info_request", Json::object());
    await_reply(id);
    // A subscription that is on its way is not announced by every kernel, so its arrival is polled for.
    const Deadline soon = Deadline::exactly(std::chrono::milliseconds(50));
    while (!published_about(id) && !soon.passed()) wait(soon.left(), "anything on iopub");
    if (published_about(id)) break;
    if (deadline.passed()) throw Failure("nothing is published about any request");
  }
  fence(Channel::shell);
  received_.clear();
}

void RawPeer::fence(Channel channel) {
  const std::string id = request(channel, "kernel_info_request", Json::object());
  await_reply(id);
  if (!subscribed_) return;
  // That something is published about it is order.busy.sent's business, so a kernel that does not is not waited for long.
  const Deadline enough = Deadline::exactly(patience_ / 30);
  while (!published_about(id) && !enough.passed()) wait(enough.left(), "what is published about a later request");
}

void RawPeer::fence() {
  fence(Channel::shell);
  if (fences_control_) fence(Channel::control);
}

std::string RawPeer::printed() const {
  std::string text;
  for (const auto& message : received_) {
    if (message.type() == "stream") text += testing::text_of(message.content, "text");
  }
  return text;
}

// ---------------------------------------------------------------------------------------------------------------------

namespace {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

template <class Kind>
Address address_of(const Kind& kind) {
  Address made;
  std::memcpy(&made.bytes, &kind, sizeof kind);
  made.size = sizeof kind;
  return made;
}

Address address_of(const testing::Connection& connection, Channel channel) {
  const std::string endpoint = connection.endpoint(channel);
  if (endpoint.starts_with("ipc://")) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    const std::string path = endpoint.substr(6);
    if (path.size() >= sizeof local.sun_path) throw Failure("the path of an ipc socket is too long: " + path);
    path.copy(local.sun_path, path.size());
    return address_of(local);
  }
  const auto port = htons(connection.fields.at(testing::port_key(channel)).get<std::uint16_t>());
  const std::string ip = connection.fields.at("ip").get<std::string>();
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = port;
  if (::inet_pton(AF_INET, ip.c_str(), &four.sin_addr) == 1) return address_of(four);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = port;
  if (::inet_pton(AF_INET6, ip.c_str(), &six.sin6_addr) == 1) return address_of(six);
  Trial::not_applicable("the kernel's ip is no number: " + ip);
}

}  // namespace

RawStream::RawStream(const testing::Connection& connection, Channel channel) {
  const Address address = address_of(connection, channel);
  fd_ = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return;
  const std::string why = std::strerror(errno);
  ::close(fd_);
  throw Failure(std::string("the kernel accepts no connection on ") + to_string(channel) + ": " + why);
}

RawStream::RawStream(RawStream&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

RawStream::~RawStream() {
  if (fd_ >= 0) ::close(fd_);
}

void RawStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawStream::half_close() { ::shutdown(fd_, SHUT_WR); }

void RawStream::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(fd_, -1));
}

// ---------------------------------------------------------------------------------------------------------------------

namespace {

std::string big_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>((number >> (8U * static_cast<unsigned>(i))) & 255U);
  return text;
}

}  // namespace

std::string zmtp_frame(unsigned flags, std::string_view bytes, std::uint64_t length) {
  constexpr unsigned long_frame = 2;
  return big_endian(flags | long_frame, 1) + big_endian(length, 8) + std::string(bytes);
}

std::string zmtp_opening(std::string_view socket_type) {
  constexpr unsigned command = 4;
  std::string greeting = "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + "NULL";
  greeting.resize(64, '\0');
  const std::string ready = std::string("\x05READY\x0bSocket-Type") + big_endian(socket_type.size(), 4) +
                            std::string(socket_type) + "\x08Identity" + big_endian(0, 4);
  return greeting + big_endian(command, 1) + big_endian(ready.size(), 1) + ready;
}

namespace {

void make_own_keys(zmq::socket_t& socket) {
  std::array<char, 41> public_key{};
  std::array<char, 41> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) throw zmq::error_t();
  socket.set(zmq::sockopt::curve_publickey, std::string_view(public_key.data()));
  socket.set(zmq::sockopt::curve_secretkey, std::string_view(secret_key.data()));
}

/// Reads events until one says how the handshake ended; whether it succeeded.
bool await_handshake(zmq::socket_t& monitor, Deadline deadline) {
  constexpr unsigned over = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                            ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED;
  while (true) {
    zmq::pollitem_t item{monitor.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&item, 1, deadline.left()) == 0) throw Failure("the kernel neither took nor refused a connection");
    const zmq::multipart_t event(monitor);
    std::uint16_t number = 0;
    std::memcpy(&number, event.at(0).data(), sizeof number);
    if ((number & over) != 0) return number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
  }
}

}  // namespace

struct OddSocket::Socket {
  zmq::context_t context;
  zmq::socket_t socket;
  Socket(int type) : socket(context, type) {}
};

OddSocket::OddSocket(Trial& trial, int socket_type, Channel channel, int receive_limit, Keys keys)
    : socket_(std::make_unique<Socket>(socket_type)) {
  zmq::socket_t& socket = socket_->socket;
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::ipv6, true);
  socket.set(zmq::sockopt::rcvhwm, receive_limit);
  if (socket_type == ZMQ_SUB) socket.set(zmq::sockopt::subscribe, "");
  if (zmq_socket_monitor(socket.handle(), "inproc://monitor", ZMQ_EVENT_ALL) != 0) throw zmq::error_t();
  zmq::socket_t monitor(socket_->context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::linger, 0);
  monitor.connect("inproc://monitor");
  const testing::Connection connection = trial.connection();
  if (keys != Keys::none) connection.encrypt(socket.handle());
  if (keys == Keys::only_the_kernels) make_own_keys(socket);
  socket.connect(connection.endpoint(channel));
  accepted_ = await_handshake(monitor, Deadline(trial.timeout()));
  zmq_socket_monitor(socket.handle(), nullptr, 0);
}

OddSocket::~OddSocket() = default;

void OddSocket::send(const Frames& frames) {
  try {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      if (!socket_->socket.send(zmq::buffer(frames[i]), more | zmq::send_flags::dontwait)) return;
    }
  } catch (const zmq::error_t&) {
    // A type that cannot send, or not now.
  }
}

std::optional<Frames> OddSocket::receive(std::chrono::milliseconds time) {
  zmq::pollitem_t item{socket_->socket.handle(), 0, ZMQ_POLLIN, 0};
  if (zmq::poll(&item, 1, time) == 0) return std::nullopt;
  Frames frames;
  for (const auto& part : zmq::multipart_t(socket_->socket)) frames.push_back(part.to_string());
  return frames;
}

Json execute_content(const std::string& code) {
  return {{"code", code},         {"silent", false},        {"store_history", true},
          {"allow_stdin", false}, {"stop_on_error", false}, {"user_expressions", Json::object()}};
}

std::string printing(Trial& trial, const std::string& text) {
  if (!trial.abilities().prints) Trial::not_applicable("the kernel does not print, so nothing shows whether a cell ran");
  return trial.sample("print", {{"text", text}});
}

void expect_no_harm(Trial& trial, RawPeer& peer) {
  peer.fence();
  trial.expect_alive();
}

}  // namespace adrastea::conformance
