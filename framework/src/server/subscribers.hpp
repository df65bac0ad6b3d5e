// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/request_context.hpp"
#include "transport/sockets.hpp"
#include "wire/message.hpp"

#include <adrastea/limits.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace adrastea::server {

/// An IOPub message as it goes out: signed once, shared by all who wait for it.
struct Delivery {
  std::string topic;
  std::shared_ptr<const wire::Frames> body;
  std::size_t bytes = 0;
  std::size_t droppable_bytes = 0;  ///< of stream text and displays; 0 for what must never be dropped
  Context context;
};

/// Who listens to IOPub, and what still waits for those who do not read.
///
/// ZeroMQ's XPUB either drops messages for a full subscriber (a status too: the notebook hangs) or, with NODROP, lets one
/// stopped subscriber starve all. So subscribers are kept apart by topic: every client subscribes to "", and with manual
/// subscriptions we choose the filter that stands for it: "@1.", "@2." … A message goes out once a group, under
/// "@<group>.<topic>", which "" matches on the client's side. A full queue then belongs to one group: its messages wait
/// here while the others go on. Each subscriber is a group, whose first message is iopub_welcome (JEP 65). Subscriptions to
/// anything but "" are taken literally and form a group of their own.
///
/// ZeroMQ up to 4.3.4 takes a filter also for a connection that ended while its subscription waited to be taken, and keeps
/// it: as a pointer to what was a connection, or is another one by now (its pull request 4137). Nothing may be sent under
/// such a filter, so no group has the name of an earlier one, and each is `held` until it is certain that its connection
/// lived. ZeroMQ tells that a connection's subscription ended, though not which. So all events are taken first; then, if
/// more groups are left than live subscriptions, those end whose descriptors are closed, or are another connection's. Who
/// ended before its subscription was taken may have left its descriptor to another one already: that shows when that one
/// subscribes or ends, and until then nobody who is held is released.
///
/// Filters are set right when their event was taken: anything else that is done with the socket may process another
/// client's disconnect, and then XPUB forgets whose filters these are.
///
/// A peer that sends garbage upstream shifts the order in which ZeroMQ names subscribers (see Publisher::set_filter), so
/// that a filter may go to the wrong one. From then until all clients have gone there is one group, "*.", whose filter
/// every subscriber has had from the start and may be given twice: nobody misses anything or gets it twice, but clients are
/// no longer kept apart.
///
/// A group that does not read: its messages wait here. Those who publish wait, as pending() and saturated() say, for the
/// group that follows best, so that a slow client never holds up another; a group that has taken nothing for
/// Limits::subscriber_patience is `stalled`, and nobody waits for it until it takes one again. Stream text and displays
/// beyond Limits::subscriber_backlog_bytes are dropped for a group that nobody waits for, with a marker in their place that
/// tells how many bytes; everything else is kept, up to Limits::subscriber_most_bytes.
///
/// Threads: the holder of Iopub's lock. Errors: none.
class Subscribers {
 public:
  using Clock = std::chrono::steady_clock;
  /// Makes the welcome for a subscription, and the marker for dropped text of a request.
  struct Messages {
    std::function<wire::Frames(const std::string& subscription)> welcome;
    std::function<Delivery(const Context& context, std::size_t dropped_bytes)> marker;
  };

  Subscribers(transport::Publisher& socket, const Limits& limits, Messages messages);

  /// Takes waiting (un)subscriptions.
  void handle_events();
  /// Whether it has left some, because there were so many; then no notice of them comes.
  [[nodiscard]] bool more_events() const noexcept { return more_events_; }
  void deliver(const Delivery& delivery, Clock::time_point now);
  /// Takes all events and sends what waits and now fits. Afterwards poll(2) on the socket's descriptor tells of either:
  /// each look at the socket may use up its notice of the other, so neither is the last thing looked at alone.
  void settle(Clock::time_point now);

  /// Whether something waits for every group that is not stalled.
  [[nodiscard]] bool pending() const;
  /// Whether so much does that user code which publishes should wait.
  [[nodiscard]] bool saturated() const;
  /// When settle() must be called even if no subscriber reads: a group's patience ends.
  [[nodiscard]] std::optional<Clock::time_point> deadline() const;

 private:
  struct Group {
    std::string prefix;
    transport::Publisher::Peer peer{};
    std::uint64_t connection_id = 0;  ///< of who had the peer's descriptor when that was looked at first; 0: nobody
    bool used = false;                ///< named_ and common_: somebody is in it
    bool held = false;
    std::deque<Delivery> backlog;
    std::size_t backlog_bytes = 0;
    Clock::time_point progress{};  ///< when it last took a message, or when its backlog began
    bool stalled = false;
    Context dropped_context;
    std::size_t dropped = 0;
  };

  void reset();
  void take(const transport::Publisher::Event& event);
  using Peer = transport::Publisher::Peer;
  void subscribe(const std::string& topic, const Peer& peer);
  void subscribe_to_topic(const std::string& topic, const Peer& peer);
  void unsubscribe(const std::string& topic, const Peer& peer);
  void leave(const Peer& peer);
  void remove_predecessor(const Peer& peer);
  void release_held();
  void remove_ended(std::size_t count);
  [[nodiscard]] bool has_ended(const Group& group) const {
    return group.peer.descriptor >= 0 &&
           (group.connection_id == 0 || socket_.connection_id(group.peer.descriptor) != group.connection_id);
  }
  [[nodiscard]] std::list<Group>::iterator group_of(const Peer& peer);
  [[nodiscard]] Delivery welcome(const std::string& topic) const;
  void retry(Clock::time_point now);
  [[nodiscard]] bool try_send(const Group& group, const Delivery& delivery);
  void deliver_to(Group& group, const Delivery& delivery, Clock::time_point now);
  [[nodiscard]] bool must_drop(const Group& group, const Delivery& delivery) const;
  void retry_group(Group& group, Clock::time_point now);
  void mark_dropped(Group& group);
  [[nodiscard]] bool may_lead(const Group& group) const;
  [[nodiscard]] bool follows(const Group& group) const;
  [[nodiscard]] bool another_follows(const Group& than) const;
  [[nodiscard]] bool is_waited_for(const Group& group) const;
  template <class Predicate>
  [[nodiscard]] bool any_group(Predicate&& predicate) const;

  transport::Publisher& socket_;
  const Limits& limits_;
  const Messages messages_;
  std::list<Group> groups_;
  Group named_;   ///< subscriptions to anything but ""
  Group common_;  ///< all, once garbage_seen_
  bool garbage_seen_ = false;
  // Since handle_events(): each look at the socket and each send may have used up a notice.
  bool event_seen_ = false;  ///< by deliver_to()
  bool sent_late_ = false;   ///< something that had waited
  bool more_events_ = false;
  std::uint64_t groups_made_ = 0;
  std::size_t live_ = 0;  ///< subscriptions to "" that have not ended
  std::size_t live_named_ = 0;
};

}  // namespace adrastea::server
