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
  for (std::size_t i = 0; i < k_groups; ++i) {
    groups_[i] = Group();
    groups_[i].prefix = "@" + std::to_string(i) + ".";
  }
  common_ = Group();
  common_.prefix = "*.";
  garbage_seen_ = false;
  next_group_ = 0;
}

void Subscribers::handle_events() {
  using Kind = transport::Publisher::Event::Kind;
  while (socket_.readable()) {
    const auto event = socket_.next_event();
    if (!event) continue;
    if (event->kind == Kind::garbage) garbage_seen_ = true;
    // Before anything is sent, and to whoever it is: see the class.
    if (garbage_seen_) socket_.set_filter(common_.prefix);
    if (event->kind == Kind::subscribed)
      subscribe(event->topic, event->connection);
    else if (event->kind == Kind::unsubscribed)
      unsubscribe(event->topic);
  }
}

void Subscribers::subscribe(const std::string& topic, int connection) {
  if (!topic.empty()) {
    subscribe_to_topic(topic, connection);
    return;
  }
  ++live_;
  if (garbage_seen_) {
    common_.used = true;
    deliver_to(common_, {"iopub_welcome", std::make_shared<const wire::Frames>(messages_.welcome(topic)), 0, 0, nullptr},
               Clock::now());
    return;
  }
  // It came and went before anybody looked: see Publisher::set_filter.
  if (has_gone(connection)) return;
  Group& group = choose_group();
  group.used = true;
  const std::string welcome_topic = "@welcome." + std::to_string(++welcomes_) + ".";
  for (const std::string& filter : {welcome_topic, group.prefix, common_.prefix}) socket_.set_filter(filter);
  // Its queue is empty: this cannot fail.
  [[maybe_unused]] const bool sent = socket_.try_send(welcome_topic, messages_.welcome(topic));
}

Subscribers::Group& Subscribers::choose_group() {
  // In turn, but not into one that is held up: its statuses would wait for somebody else.
  for (std::size_t tries = 0; tries < k_groups && !groups_[next_group_].backlog.empty(); ++tries)
    next_group_ = (next_group_ + 1) % k_groups;
  Group& chosen = groups_[next_group_];
  next_group_ = (next_group_ + 1) % k_groups;
  return chosen;
}

void Subscribers::subscribe_to_topic(const std::string& topic, int connection) {
  ++live_named_;
  // Whose event this is, is no longer known; a filter for a topic would give another client messages twice.
  if (garbage_seen_ || has_gone(connection)) return;
  named_.used = true;
  socket_.set_filter(topic);
  // A topic that is no text cannot be echoed in JSON (JEP 65): such a subscriber gets no welcome.
  if (!support::utf8::is_valid(topic)) return;
  deliver_to(named_, {topic, std::make_shared<const wire::Frames>(messages_.welcome(topic)), 0, 0, nullptr}, Clock::now());
}

void Subscribers::unsubscribe(const std::string& topic) {
  if (!topic.empty()) {
    if (!garbage_seen_) socket_.remove_filter(topic);
    if (live_named_ > 0 && --live_named_ == 0) named_ = Group();
    return;
  }
  // Which group it was in is not known; removing a filter it does not have is nothing. When its connection has ended,
  // ZeroMQ has removed the filter already.
  if (!garbage_seen_) {
    for (const Group& group : groups_)
      if (group.used) socket_.remove_filter(group.prefix);
    socket_.remove_filter(common_.prefix);
  }
  if (live_ > 0 && --live_ == 0) reset();
}

void Subscribers::deliver(const Delivery& delivery, Clock::time_point now) {
  if (garbage_seen_) {
    common_.used = true;
    // What waits for a group from before comes first.
    for (Group& group : groups_) retry_group(group, now);
    deliver_to(common_, delivery, now);
  } else {
    for (Group& group : groups_)
      if (group.used) deliver_to(group, delivery, now);
  }
  if (named_.used) deliver_to(named_, delivery, now);
}

void Subscribers::deliver_to(Group& group, const Delivery& delivery, Clock::time_point now) {
  retry_group(group, now);
  if (group.backlog.empty() && socket_.try_send(group.prefix + delivery.topic, *delivery.body)) return;
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
    if (!socket_.try_send(group.prefix + next.topic, *next.body)) break;
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
  if (group.backlog.empty() && socket_.try_send(group.prefix + marker.topic, *marker.body)) return;
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
