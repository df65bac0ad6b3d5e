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
/// lived. ZeroMQ tells that a subscription ended, though not which. So all events are taken first; then, if more groups are
/// left than live subscriptions, those end whose descriptors are closed, or are another subscriber's.
///
/// Filters are set right when their event was taken: anything else that is done with the socket may process another
/// client's disconnect, and then XPUB forgets whose filters these are.
///
/// A peer that sends garbage upstream shifts the order in which ZeroMQ names subscribers (see Publisher::set_filter), so
/// that a filter may go to the wrong one. From then until all clients have gone there is one group, "*.", whose filter
/// every subscriber has had from the start and may be given twice: nobody misses anything or gets it twice, but clients are
/// no longer kept apart.
///
/// A group that does not read: its messages wait here, and those who publish wait for it as pending() and saturated() say.
/// When it has taken nothing for Limits::subscriber_patience it is `stalled`, and nobody waits for it until it takes one
/// again. Meanwhile stream text and displays beyond Limits::subscriber_backlog_bytes are dropped, with a marker in their
/// place that tells how many bytes; everything else is kept.
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

  /// Takes all waiting (un)subscriptions.
  void handle_events();
  void deliver(const Delivery& delivery, Clock::time_point now);
  /// Sends what waits and now fits.
  void retry(Clock::time_point now);

  /// Whether something waits for a group that is not stalled.
  [[nodiscard]] bool pending() const;
  /// Whether so much does that user code which publishes should wait.
  [[nodiscard]] bool saturated() const;
  /// When retry() must be called even if no subscriber reads: a group's patience ends.
  [[nodiscard]] std::optional<Clock::time_point> deadline() const;

 private:
  struct Group {
    std::string prefix;
    int connection = -1;  ///< -1: not known
    bool used = false;    ///< named_ and common_: somebody is in it
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
  void subscribe(const std::string& topic, int connection);
  void subscribe_to_topic(const std::string& topic, int connection);
  void unsubscribe(const std::string& topic, int connection);
  void leave(int connection);
  void release_held();
  void remove_ended(std::size_t count);
  [[nodiscard]] bool has_ended(int connection) const { return connection >= 0 && !socket_.connected(connection); }
  [[nodiscard]] Delivery welcome(const std::string& topic) const;
  [[nodiscard]] bool try_send(const Group& group, const Delivery& delivery);
  void deliver_to(Group& group, const Delivery& delivery, Clock::time_point now);
  void retry_group(Group& group, Clock::time_point now);
  void mark_dropped(Group& group);
  template <class Predicate>
  [[nodiscard]] bool any_group(Predicate&& predicate) const;

  transport::Publisher& socket_;
  const Limits& limits_;
  const Messages messages_;
  std::list<Group> groups_;
  Group named_;   ///< subscriptions to anything but ""
  Group common_;  ///< all, once garbage_seen_
  bool garbage_seen_ = false;
  std::uint64_t groups_made_ = 0;
  std::size_t live_ = 0;  ///< subscriptions to "" that have not ended
  std::size_t live_named_ = 0;
};

}  // namespace adrastea::server
