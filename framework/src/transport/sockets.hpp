// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/connection_info.hpp"
#include "wire/message.hpp"

#include <adrastea/limits.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

/// The sockets as the server layer sees them: interfaces with a ZeroMQ and, in tests, an in-memory implementation.
///
/// Threads: a socket has one owner at a time. It may be handed to another thread behind a full fence (a mutex, a thread's
/// start); nothing here locks.
namespace adrastea::transport {

/// A socket's readiness for poll(2). ZeroMQ's descriptor is edge-triggered: after every send or receive, ask readable()
/// again before waiting on fd().
class Pollable {
 public:
  virtual ~Pollable() = default;
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual bool readable() = 0;
};

/// ROUTER: shell, control, stdin.
class Router : public Pollable {
 public:
  /// The next message, identities first, or nothing when none waits. Never blocks, never throws; a peer's bad frames are
  /// the decoder's business. A message over Limits::max_frames or max_message_bytes is read to its end and given up to
  /// the limit, so that decode() can name it.
  virtual std::optional<wire::Frames> receive() = 0;

  enum class Sent { yes, no_such_peer };
  /// Never blocks. To a peer that has gone: dropped silently (shell, control), no_such_peer (stdin: ROUTER_MANDATORY).
  virtual Sent send(wire::Frames frames) = 0;
};

using SharedFrames = std::shared_ptr<const wire::Frames>;

/// XPUB with manual subscriptions: iopub. See server/subscribers.hpp for what is done with them.
class Publisher : public Pollable {
 public:
  /// Whose event it is; not known of one that says that a connection has ended.
  struct Peer {
    int descriptor = -1;  ///< of the connection, or of a later one: -1 when not known
    /// The same for all events of one connection and, while it is kept, of no other.
    std::shared_ptr<const void> identity{};
  };
  struct Event {
    enum class Kind {
      subscribed,
      unsubscribed,
      garbage,  ///< a frame of something else that a peer sent upstream; see set_filter()
    };
    Kind kind;
    std::string topic;
    Peer peer{};
  };
  /// The next event, or nothing when none waits.
  virtual std::optional<Event> next_event() = 0;

  /// Which connection has this descriptor now; perhaps a later one than whose event it came with. 0: none.
  [[nodiscard]] virtual std::uint64_t connection_id(int descriptor) const = 0;

  /// Sets or removes a filter for the subscriber whose event was taken last, which may have ended: server/subscribers.hpp
  /// says what that means. Garbage counts as the event of whoever subscribed next after it, because ZeroMQ counts frames
  /// there, not events; once there was some, an event may belong to another.
  virtual void set_filter(std::string_view topic_prefix) = 0;
  virtual void remove_filter(std::string_view topic_prefix) = 0;

  /// All or nothing: false when a subscriber that this topic reaches has a full queue. Never blocks. Large frames are not
  /// copied: they live until the last subscriber has them.
  [[nodiscard]] virtual bool try_send(std::string_view topic, const SharedFrames& body) = 0;
};

/// The five sockets of one kernel, all bound.
///
/// Lifetime: destroy Bound after its sockets; closing delivers what is queued for at most Limits::linger. The heartbeat
/// answers from a thread of its own inside, from the moment of binding until Bound ends; no other code sees its socket.
struct Bound {
  virtual ~Bound() = default;
  std::unique_ptr<Router> shell;
  std::unique_ptr<Router> stdin_channel;
  std::unique_ptr<Router> control;
  std::unique_ptr<Publisher> iopub;

  /// Closes all but the heartbeat and waits until the last messages are delivered, at most Limits::linger. For an end
  /// without the interpreter thread: that may still use shell and stdin, on which nothing comes or goes any more; iopub and
  /// control must not be in use.
  virtual void deliver_without_interpreter() = 0;
  /// Removes the ipc files now. For that same end.
  virtual void remove_files() noexcept = 0;
};

/// Whether this libzmq has CurveZMQ.
[[nodiscard]] bool can_encrypt() noexcept;

/// Throws StartupError, which begins with `where` the keys are, when the sockets of such a kernel cannot be encrypted.
/// Never plain text where encryption was asked for.
void require_curve(const ConnectionInfo& info, const std::string& where);

/// Binds all five or throws StartupError naming channel, endpoint and cause, with nothing left bound or on disk.
/// Chooses ports that are 0 and puts what it got into `info`.
/// ipc: a live endpoint of another process is never taken, a stale socket is replaced, any other file is left alone; each
/// socket file has mode 0600 and goes with Bound, also on exit(3) and on a crash, but never from a forked child.
/// `launcher` is readable when the launcher has ended, -1 where that is unknown: nothing is waited for then.
[[nodiscard]] std::unique_ptr<Bound> bind_all(ConnectionInfo& info, const Limits& limits, int launcher = -1);

}  // namespace adrastea::transport
