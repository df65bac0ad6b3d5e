// SPDX-License-Identifier: BSD-3-Clause
#include "server/subscribers.hpp"

#include "support/utf8.hpp"

#include <algorithm>
#include <utility>

namespace adrastea::server {

namespace {

/// A peer that subscribes without end shall not keep the relay's lock.
constexpr std::size_t k_events_at_once = 256;

}  // namespace

Subscribers::Subscribers(transport::Publisher& socket, const Limits& limits, Messages messages)
    : socket_(socket), limits_(limits), messages_(std::move(messages)) {
  reset();
}

void Subscribers::reset() {
  groups_.clear();
  common_ = Group();
  common_.prefix = "*.";
  garbage_seen_ = false;
}

void Subscribers::handle_events() {
  event_seen_ = sent_late_ = false;
  std::size_t taken = 0;
  for (; taken < k_events_at_once && socket_.readable(); ++taken)
    if (const auto event = socket_.next_event()) take(*event);
  more_events_ = taken == k_events_at_once;
  if (!more_events_) release_held();
}

void Subscribers::settle(Clock::time_point now) {
  do {
    handle_events();
    retry(now);
  } while ((event_seen_ || sent_late_) && !more_events_);
}

void Subscribers::take(const transport::Publisher::Event& event) {
  using Kind = transport::Publisher::Event::Kind;
  if (event.kind == Kind::garbage) garbage_seen_ = true;
  // Before anything is sent, and to whoever it is: see the class.
  if (garbage_seen_) socket_.set_filter(common_.prefix);
  if (event.kind == Kind::subscribed)
    subscribe(event.topic, event.peer);
  else if (event.kind == Kind::unsubscribed)
    unsubscribe(event.topic, event.peer);
}

void Subscribers::subscribe(const std::string& topic, const Peer& peer) {
  if (!topic.empty()) {
    subscribe_to_topic(topic, peer);
    return;
  }
  if (garbage_seen_) {
    ++live_;
    common_.used = true;
    deliver_to(common_, welcome(topic), Clock::now());
    return;
  }
  if (const auto again = group_of(peer); again != groups_.end()) {
    // ZeroMQ tells of each subscription, but of their end once.
    deliver_to(*again, welcome(topic), Clock::now());
    return;
  }
  ++live_;
  remove_predecessor(peer);
  Group& group = groups_.emplace_back();
  group.prefix = "@" + std::to_string(++groups_made_) + ".";
  group.peer = peer;
  group.connection_id = socket_.connection_id(peer.descriptor);
  group.held = true;
  for (const std::string& filter : {group.prefix, common_.prefix}) socket_.set_filter(filter);
  deliver_to(group, welcome(topic), Clock::now());
}

void Subscribers::subscribe_to_topic(const std::string& topic, const Peer& peer) {
  ++live_named_;
  if (!garbage_seen_) remove_predecessor(peer);
  // Whose event this is, is no longer known; a filter for a topic would give another client messages twice.
  if (garbage_seen_ || (peer.descriptor >= 0 && socket_.connection_id(peer.descriptor) == 0)) return;
  named_.used = true;
  socket_.set_filter(topic);
  // A topic that is no text cannot be echoed in JSON (JEP 65): such a subscriber gets no welcome.
  if (!support::utf8::is_valid(topic)) return;
  Delivery first = welcome(topic);
  first.topic = topic;
  deliver_to(named_, first, Clock::now());
}

void Subscribers::unsubscribe(const std::string& topic, const Peer& peer) {
  // A peer may cancel what it never subscribed to, and ZeroMQ may tell of it. Only where it is known that there was a
  // subscription, one less is left: a count that is too high keeps a name for nobody, one too low makes a client deaf.
  const bool of_ended = peer.descriptor < 0;
  if (!topic.empty()) {
    if (!garbage_seen_) socket_.remove_filter(topic);
    if (of_ended && live_named_ > 0 && --live_named_ == 0) named_ = Group();
    return;
  }
  if (!of_ended && (garbage_seen_ || group_of(peer) == groups_.end())) return;
  // Of a connection that has ended, which is not named, ZeroMQ has removed the filters.
  if (!garbage_seen_) {
    leave(peer);
    socket_.remove_filter(common_.prefix);
  }
  if (live_ > 0 && --live_ == 0) reset();
}

std::list<Subscribers::Group>::iterator Subscribers::group_of(const Peer& peer) {
  return std::find_if(groups_.begin(), groups_.end(),
                      [&](const Group& group) { return peer.identity != nullptr && group.peer.identity == peer.identity; });
}

/// The subscriber whose event was taken last.
void Subscribers::leave(const Peer& peer) {
  const auto group = group_of(peer);
  if (group == groups_.end()) return;
  socket_.remove_filter(group->prefix);
  groups_.erase(group);
}

/// Of two connections that have had one descriptor, the earlier has ended.
void Subscribers::remove_predecessor(const Peer& peer) {
  groups_.remove_if([&](const Group& group) {
    return peer.descriptor >= 0 && group.peer.descriptor == peer.descriptor && group.peer.identity != peer.identity;
  });
}

void Subscribers::release_held() {
  if (!garbage_seen_) {
    if (groups_.size() > live_) remove_ended(groups_.size() - live_);
    if (groups_.size() > live_) return;
  }
  for (Group& group : groups_)
    if (std::exchange(group.held, false)) retry_group(group, Clock::now());
}

/// Held ones first: the others lived, and ZeroMQ has removed their filters.
void Subscribers::remove_ended(std::size_t count) {
  for (const bool held : {true, false})
    groups_.remove_if([&](const Group& group) {
      const bool goes = count > 0 && group.held == held && has_ended(group);
      if (goes) --count;
      return goes;
    });
}

Delivery Subscribers::welcome(const std::string& topic) const {
  return {"iopub_welcome", std::make_shared<const wire::Frames>(messages_.welcome(topic)), 0, 0, nullptr};
}

void Subscribers::deliver(const Delivery& delivery, Clock::time_point now) {
  if (garbage_seen_) {
    common_.used = true;
    // What waits for a group from before comes first.
    for (Group& group : groups_) retry_group(group, now);
    deliver_to(common_, delivery, now);
  } else {
    for (Group& group : groups_) deliver_to(group, delivery, now);
  }
  if (named_.used) deliver_to(named_, delivery, now);
}

bool Subscribers::try_send(const Group& group, const Delivery& delivery) {
  if (group.held) return false;
  return socket_.try_send(group.prefix + delivery.topic, delivery.body);
}

// ZeroMQ looks only once a millisecond at what subscribers have read; asked for events it looks at once. So settle() tries
// again what waits, once for all that is delivered together. Here it is tried only before something would be lost.
void Subscribers::deliver_to(Group& group, const Delivery& delivery, Clock::time_point now) {
  if (must_drop(group, delivery)) {
    event_seen_ = socket_.readable() || event_seen_;
    retry_group(group, now);
  }
  if (group.backlog.empty() && try_send(group, delivery)) return;
  if (group.backlog_bytes >= limits_.subscriber_most_bytes) {
    // One marker for all of it: markers, too, would fill the memory.
    group.dropped += delivery.bytes;
    group.dropped_context = delivery.context;
    return;
  }
  if (must_drop(group, delivery)) {
    if (group.dropped > 0 && group.dropped_context != delivery.context) mark_dropped(group);
    group.dropped += delivery.droppable_bytes;
    group.dropped_context = delivery.context;
    return;
  }
  mark_dropped(group);
  if (group.backlog.empty()) group.progress = now;
  group.backlog.push_back(delivery);
  group.backlog_bytes += delivery.bytes;
}

bool Subscribers::must_drop(const Group& group, const Delivery& delivery) const {
  return !group.backlog.empty() && delivery.droppable_bytes > 0 &&
         group.backlog_bytes + delivery.droppable_bytes > limits_.subscriber_backlog_bytes && !is_waited_for(group);
}

void Subscribers::retry(Clock::time_point now) {
  for (Group& group : groups_) retry_group(group, now);
  retry_group(named_, now);
  retry_group(common_, now);
}

void Subscribers::retry_group(Group& group, Clock::time_point now) {
  while (!group.backlog.empty()) {
    const Delivery& next = group.backlog.front();
    if (!try_send(group, next)) break;
    group.backlog_bytes -= next.bytes;
    group.backlog.pop_front();
    group.progress = now;
    group.stalled = false;
    sent_late_ = true;
    if (group.backlog.empty()) mark_dropped(group);
  }
  if (!group.backlog.empty() && now - group.progress >= limits_.subscriber_patience) group.stalled = true;
}

void Subscribers::mark_dropped(Group& group) {
  if (group.dropped == 0) return;
  const Delivery marker = messages_.marker(std::exchange(group.dropped_context, nullptr), std::exchange(group.dropped, 0));
  if (group.backlog.empty() && try_send(group, marker)) return;
  if (group.backlog.empty()) group.progress = Clock::now();
  group.backlog.push_back(marker);
  group.backlog_bytes += marker.bytes;
}

template <class Predicate>
bool Subscribers::any_group(Predicate&& predicate) const {
  return (named_.used && predicate(named_)) || (common_.used && predicate(common_)) ||
         std::any_of(groups_.begin(), groups_.end(), predicate);
}

/// Who hears one topic says nothing of those who hear everything.
bool Subscribers::may_lead(const Group& group) const {
  if (group.stalled || group.held || has_ended(group)) return false;
  if (&group == &named_) return groups_.empty() && !common_.used;
  return !garbage_seen_ || &group == &common_;
}

// Half: of two groups that are both full, neither follows because of the last few bytes.
bool Subscribers::follows(const Group& group) const {
  return group.backlog_bytes <= limits_.subscriber_backlog_bytes / 2 && may_lead(group);
}

bool Subscribers::another_follows(const Group& than) const {
  return any_group([&](const Group& group) { return &group != &than && follows(group); });
}

bool Subscribers::is_waited_for(const Group& group) const {
  // User code begins to wait at half of this, and what it has published by then fits as well. Beyond, it waits no longer:
  // its cell was interrupted.
  const std::size_t most = 2 * limits_.subscriber_backlog_bytes + 32 * limits_.max_stream_bytes;
  return !group.stalled && group.backlog_bytes <= most && !another_follows(group);
}

bool Subscribers::pending() const {
  return any_group([](const Group& group) { return !group.stalled && !group.backlog.empty(); }) &&
         !any_group([&](const Group& group) { return group.backlog.empty() && may_lead(group); });
}

bool Subscribers::saturated() const {
  const auto is_full = [&](const Group& group) {
    return !group.stalled && group.backlog_bytes > limits_.subscriber_backlog_bytes;
  };
  return any_group(is_full) && !any_group([&](const Group& group) { return follows(group); });
}

std::optional<Subscribers::Clock::time_point> Subscribers::deadline() const {
  std::optional<Clock::time_point> first;
  const auto consider = [&](const Group& group) {
    if (group.stalled || group.backlog.empty()) return;
    const auto end = group.progress + limits_.subscriber_patience;
    if (!first || end < *first) first = end;
  };
  for (const Group& group : groups_) consider(group);
  consider(named_);
  consider(common_);
  return first;
}

}  // namespace adrastea::server
