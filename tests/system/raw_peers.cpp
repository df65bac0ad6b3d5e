// SPDX-License-Identifier: BSD-3-Clause
#include "system/raw_peers.hpp"

#include <adrastea/testing/deadline.hpp>
#include <adrastea/testing/failure.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.hpp>
#include <zmq_addon.hpp>

namespace adrastea::testing {
namespace {

Frames receive(zmq::socket_t& socket) {
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  if (zmq::poll(&item, 1, Deadline().left()) == 0) throw Failure("a raw subscriber received nothing in time");
  Frames frames;
  for (const auto& part : zmq::multipart_t(socket)) frames.push_back(part.to_string());
  return frames;
}

}  // namespace

struct StoppedSubscriber::Socket {
  zmq::context_t context;
  zmq::socket_t sub{context, zmq::socket_type::sub};
};

StoppedSubscriber::StoppedSubscriber(const Connection& connection)
    : codec_(connection.scheme(), connection.key()), socket_(std::make_unique<Socket>()) {
  socket_->sub.set(zmq::sockopt::rcvhwm, 1);
  socket_->sub.set(zmq::sockopt::linger, 0);
  socket_->sub.set(zmq::sockopt::subscribe, "");
  socket_->sub.connect(connection.endpoint(Channel::iopub));
  const Message welcome = codec_.decode(Channel::iopub, receive(socket_->sub));
  if (welcome.type() != "iopub_welcome") throw Failure("no welcome but " + summary(welcome));
}

StoppedSubscriber::~StoppedSubscriber() = default;

std::vector<Message> StoppedSubscriber::resume_until_idle(const std::string& id) {
  std::vector<Message> missed;
  while (true) {
    missed.push_back(codec_.decode(Channel::iopub, receive(socket_->sub)));
    const Message& message = missed.back();
    if (message.parent_id() == id && message.content.value("execution_state", "") == "idle") return missed;
  }
}

void send_upstream(const Connection& connection) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::xsub);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.connect(connection.endpoint(Channel::iopub));
  const std::vector<Frames> noise{
      {""}, {"x"}, {"", ""}, {"\x02", "a", "b"}, {std::string(10'000'000, 'x')}, Frames(1000, "f"), {"a", "\x01"}};
  for (const auto& frames : noise) {
    zmq::multipart_t message;
    for (const auto& frame : frames) message.addstr(frame);
    message.send(socket);
  }
  socket.send(zmq::str_buffer("\x01"), zmq::send_flags::none);
  const Codec codec(connection.scheme(), connection.key());
  const Message welcome = codec.decode(Channel::iopub, receive(socket));
  if (welcome.type() != "iopub_welcome") throw Failure("no welcome but " + summary(welcome));
}

void send_bytes(const Connection& connection, Channel channel, const std::string& bytes) {
  const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(connection.fields.at(port_key(channel)).get<std::uint16_t>());
  if (::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Failure("cannot connect to the kernel");
  // The kernel may close the connection before it has read everything; that is its right.
  [[maybe_unused]] const ssize_t sent = ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::close(peer);
}

}  // namespace adrastea::testing
