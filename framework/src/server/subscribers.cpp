// SPDX-License-Identifier: BSD-3-Clause
#include "server/subscribers.hpp"

#include "support/utf8.hpp"

#include <algorithm>
#include <utility>

namespace adrastea::server {

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
  while (socket_.readable())
    if (const auto event = socket_.next_event()) take(*event);
  release_held();
}

void Subscribers::take(const transport::Publisher::Event& event) {
  using Kind = transport::Publisher::Event::Kind;
  if (event.kind == Kind::garbage) garbage_seen_ = true;
  // Before anything is sent, and to whoever it is: see the class.
  if (garbage_seen_) socket_.set_filter(common_.prefix);
  if (event.kind == Kind::subscribed)
    subscribe(event.topic, event.connection);
  else if (event.kind == Kind::unsubscribed)
    unsubscribe(event.topic, event.connection);
}

void Subscribers::subscribe(const std::string& topic, int connection) {
  if (!topic.empty()) {
    subscribe_to_topic(topic, connection);
    return;
  }
  ++live_;
  if (garbage_seen_) {
    common_.used = true;
    deliver_to(common_, welcome(topic), Clock::now());
    return;
  }
  leave(connection);
  Group& group = groups_.emplace_back();
  group.prefix = "@" + std::to_string(++groups_made_) + ".";
  group.connection = connection;
  group.held = true;
  for (const std::string& filter : {group.prefix, common_.prefix}) socket_.set_filter(filter);
  deliver_to(group, welcome(topic), Clock::now());
}

void Subscribers::subscribe_to_topic(const std::string& topic, int connection) {
  ++live_named_;
  // Whose event this is, is no longer known; a filter for a topic would give another client messages twice.
  if (garbage_seen_ || has_ended(connection)) return;
  named_.used = true;
  socket_.set_filter(topic);
  // A topic that is no text cannot be echoed in JSON (JEP 65): such a subscriber gets no welcome.
  if (!support::utf8::is_valid(topic)) return;
  Delivery first = welcome(topic);
  first.topic = topic;
  deliver_to(named_, first, Clock::now());
}

void Subscribers::unsubscribe(const std::string& topic, int connection) {
  if (!topic.empty()) {
    if (!garbage_seen_) socket_.remove_filter(topic);
    if (live_named_ > 0 && --live_named_ == 0) named_ = Group();
    return;
  }
  // Of a connection that has ended, which is not named, ZeroMQ has removed the filters.
  if (!garbage_seen_) {
    leave(connection);
    socket_.remove_filter(common_.prefix);
  }
  if (live_ > 0 && --live_ == 0) reset();
}

/// The subscriber whose event was taken last; or one that has ended, and whose descriptor that one has.
void Subscribers::leave(int connection) {
  if (connection < 0) return;
  groups_.remove_if([&](const Group& group) {
    if (group.connection != connection) return false;
    socket_.remove_filter(group.prefix);
    return true;
  });
}

void Subscribers::release_held() {
  const auto is_held = [](const Group& group) { return group.held; };
  if (!garbage_seen_) {
    if (groups_.size() > live_) remove_ended(groups_.size() - live_);
    const std::size_t ended = groups_.size() - std::min(groups_.size(), live_);
    // Fewer have ended than are held, but which? It shows when the connection that has the descriptor now subscribes or
    // ends.
    if (ended > 0 && std::cmp_less(ended, std::count_if(groups_.begin(), groups_.end(), is_held))) return;
    if (ended > 0) groups_.remove_if(is_held);
  }
  for (Group& group : groups_)
    if (std::exchange(group.held, false)) retry_group(group, Clock::now());
}

/// Held ones first: the others lived, and ZeroMQ has removed their filters.
void Subscribers::remove_ended(std::size_t count) {
  for (const bool held : {true, false})
    groups_.remove_if([&](const Group& group) {
      const bool goes = count > 0 && group.held == held && has_ended(group.connection);
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
  return !group.held && socket_.try_send(group.prefix + delivery.topic, *delivery.body);
}

void Subscribers::deliver_to(Group& group, const Delivery& delivery, Clock::time_point now) {
  retry_group(group, now);
  if (group.backlog.empty() && try_send(group, delivery)) return;
  if (group.stalled && delivery.droppable_bytes > 0 &&
      group.backlog_bytes + delivery.droppable_bytes > limits_.subscriber_backlog_bytes) {
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
  return predicate(named_) || predicate(common_) || std::any_of(groups_.begin(), groups_.end(), predicate);
}

bool Subscribers::pending() const {
  return any_group([](const Group& group) { return !group.stalled && !group.backlog.empty(); });
}

bool Subscribers::saturated() const {
  return any_group(
      [&](const Group& group) { return !group.stalled && group.backlog_bytes > limits_.subscriber_backlog_bytes; });
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
