// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_publisher.hpp"

#include "support/log.hpp"

#include <fcntl.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

namespace adrastea::transport {

ZmqPublisher::ZmqPublisher(ZmqSocket socket) : socket_(std::move(socket)), fd_(socket_.fd()) {}

std::optional<Publisher::Event> ZmqPublisher::next_event() {
  ZmqPart part;
  if (!socket_.receive(part, ZMQ_DONTWAIT)) return std::nullopt;
  // An XSUB peer may send whatever it likes up here. Events are single frames that begin with 0 or 1.
  const bool single = !std::exchange(within_message_, part.more()) && !part.more();
  const std::string_view bytes = part.bytes();
  if (!single || bytes.empty() || (bytes.front() != '\0' && bytes.front() != '\1')) {
    support::log::warning("iopub: a peer sent a message that is no subscription; it was ignored");
    return Event{.kind = Event::Kind::garbage, .topic = {}, .connection = -1};
  }
  const auto kind = bytes.front() == '\1' ? Event::Kind::subscribed : Event::Kind::unsubscribed;
  return Event{.kind = kind, .topic = std::string(bytes.substr(1)), .connection = part.source()};
}

bool ZmqPublisher::connected(int connection) const { return ::fcntl(connection, F_GETFD) != -1; }

bool ZmqPublisher::try_send(std::string_view topic, const wire::Frames& body) {
  // With XPUB_NODROP the first frame decides for the whole message: it is refused while any subscriber that the topic
  // reaches is full, and once it is taken, so are the others. So the body is copied only for a message that goes.
  ZmqPart first(topic);
  const int flags = ZMQ_DONTWAIT | (body.empty() ? 0 : ZMQ_SNDMORE);
  if (!socket_.send(first, flags)) {
    // Sending looks only once a millisecond at what subscribers have read; asking for events looks at once.
    static_cast<void>(socket_.readable());
    if (!socket_.send(first, flags)) return errno != EAGAIN;
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    try {
      ZmqPart part{std::string_view(body[i])};
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
