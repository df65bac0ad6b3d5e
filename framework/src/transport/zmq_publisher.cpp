// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_publisher.hpp"

#include "support/log.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

namespace adrastea::transport {

namespace {

/// Where a socket is bound: the path of an ipc socket or the port of a tcp one; empty for anything else.
std::string local_name(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.ss_family == AF_UNIX) return reinterpret_cast<const sockaddr_un&>(address).sun_path;
  if (address.ss_family == AF_INET) return std::to_string(ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port));
  if (address.ss_family == AF_INET6) return std::to_string(ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port));
  return {};
}

/// The same of an endpoint: "ipc://<path>", "tcp://<address>:<port>".
std::string local_name(const std::string& endpoint) {
  constexpr std::string_view ipc = "ipc://";
  return endpoint.substr(endpoint.starts_with(ipc) ? ipc.size() : endpoint.rfind(':') + 1);
}

}  // namespace

ZmqPublisher::ZmqPublisher(ZmqSocket socket)
    : socket_(std::move(socket)), fd_(socket_.fd()), local_name_(local_name(socket_.last_endpoint())) {}

std::optional<Publisher::Event> ZmqPublisher::next_event() {
  ZmqPart part;
  if (!socket_.receive(part, ZMQ_DONTWAIT)) return std::nullopt;
  // An XSUB peer may send whatever it likes up here. Events are single frames that begin with 0 or 1.
  const bool single = !std::exchange(within_message_, part.more()) && !part.more();
  const std::string_view bytes = part.bytes();
  if (!single || bytes.empty() || (bytes.front() != '\0' && bytes.front() != '\1')) {
    support::log::warning("iopub: a peer sent a message that is no subscription; it was ignored");
    return Event{.kind = Event::Kind::garbage, .topic = {}};
  }
  const auto kind = bytes.front() == '\1' ? Event::Kind::subscribed : Event::Kind::unsubscribed;
  Event event{.kind = kind, .topic = std::string(bytes.substr(1)), .peer = {.descriptor = part.source()}};
  if (event.peer.descriptor >= 0) {
    // A connection's properties are one object, which lives as long as a message that came by it.
    const auto kept = std::make_shared<ZmqPart>(std::move(part));
    event.peer.identity = {kept, kept->source_text()};
  }
  return event;
}

std::uint64_t ZmqPublisher::connection_id(int descriptor) const {
  struct stat socket {};
  return ::fstat(descriptor, &socket) == 0 && local_name(descriptor) == local_name_ ? socket.st_ino : 0;
}

bool ZmqPublisher::try_send(std::string_view topic, const SharedFrames& shared) {
  const wire::Frames& body = *shared;
  // With XPUB_NODROP the first frame decides for the whole message: it is refused while any subscriber that the topic
  // reaches is full, and once it is taken, so are the others. So the body is copied only for a message that goes.
  ZmqPart first(topic);
  const int flags = ZMQ_DONTWAIT | (body.empty() ? 0 : ZMQ_SNDMORE);
  if (!socket_.send(first, flags)) return errno != EAGAIN;
  for (std::size_t i = 0; i < body.size(); ++i) {
    try {
      ZmqPart part(body[i], shared);
      if (!socket_.send(part, ZMQ_DONTWAIT | (i + 1 < body.size() ? ZMQ_SNDMORE : 0))) return true;  // ending
    } catch (const std::bad_alloc&) {
      // A message that was begun must be finished. Nobody takes this one: its signature cannot be right.
      ZmqPart end;
      static_cast<void>(socket_.send(end, ZMQ_DONTWAIT));
      support::log::error("an iopub message was lost: no memory for a frame of " + std::to_string(body[i].size()) +
                          " bytes");
      return true;
    }
  }
  return true;
}

}  // namespace adrastea::transport
