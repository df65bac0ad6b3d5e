// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/wakeup.hpp"
#include "transport/sockets.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace adrastea::test {

/// IOPub without a network: what an XPUB with manual subscriptions and NODROP does, for subscribers that the test drives.
///
/// Threads: the Publisher side belongs to the relay's lock, the test's side may be used from any thread.
class MemoryPublisher : public transport::Publisher {
 public:
  struct Received {
    std::string topic;
    wire::Frames body;
    [[nodiscard]] nlohmann::json json(std::size_t frame) const { return nlohmann::json::parse(body.at(frame)); }
    [[nodiscard]] std::string msg_type() const { return json(2).at("msg_type"); }
    [[nodiscard]] nlohmann::json parent() const { return json(3); }
    [[nodiscard]] nlohmann::json content() const { return json(5); }
  };

  // ---- the test's side ----

  /// A client connects and subscribes; it takes `capacity` messages before it counts as full.
  std::size_t connect(const std::string& topic, std::size_t capacity = 1'000'000) {
    const std::size_t subscriber = reach(static_cast<int>(subscribers_.size()), topic, capacity);
    subscribe(subscriber);
    return subscriber;
  }
  /// The same in two steps: the connection, which may have the number of one that has ended, and its subscription.
  std::size_t reach(int connection, const std::string& topic = "", std::size_t capacity = 1'000'000) {
    const std::lock_guard lock(mutex_);
    subscribers_.push_back({.topic = topic, .connection = connection, .capacity = capacity});
    return subscribers_.size() - 1;
  }
  void subscribe(std::size_t subscriber) {
    const std::lock_guard lock(mutex_);
    const Subscriber& who = subscribers_[subscriber];
    events_.push_back({Event::Kind::subscribed, who.topic, {.descriptor = who.connection, .identity = who.identity}});
    named_.push_back(subscriber);
    arrived_.signal();
  }
  void disconnect(std::size_t subscriber) {
    close(subscriber);
    end(subscriber);
  }
  /// The same in two steps: first its descriptor is free, then the socket hears of its end.
  void close(std::size_t subscriber) {
    const std::lock_guard lock(mutex_);
    subscribers_[subscriber].open = false;
  }
  void end(std::size_t subscriber) {
    const std::lock_guard lock(mutex_);
    subscribers_[subscriber].connected = false;
    subscribers_[subscriber].filters.clear();
    events_.push_back({Event::Kind::unsubscribed, subscribers_[subscriber].topic, {}});
    named_.push_back(k_nobody);
    arrived_.signal();
  }
  /// A peer cancels what it never subscribed to.
  void cancel(int connection, const std::string& topic = "") {
    const std::lock_guard lock(mutex_);
    events_.push_back({Event::Kind::unsubscribed, topic, {.descriptor = connection, .identity = identity_of(connection)}});
    named_.push_back(k_nobody);
    arrived_.signal();
  }
  /// Together: `count` clients connect while a peer sends garbage upstream, which arrives before their subscriptions.
  std::vector<std::size_t> connect_behind_garbage(std::size_t count) {
    const std::lock_guard lock(mutex_);
    events_.push_back({Event::Kind::garbage, "", {}});
    std::vector<std::size_t> connected;
    for (std::size_t i = 0; i < count; ++i) {
      connected.push_back(subscribers_.size());
      const int connection = static_cast<int>(connected.back());
      subscribers_.push_back({.topic = "", .connection = connection, .capacity = 1'000'000});
      events_.push_back(
          {Event::Kind::subscribed, "", {.descriptor = connection, .identity = subscribers_.back().identity}});
      named_.push_back(connected.back());
    }
    arrived_.signal();
    return connected;
  }
  /// The subscriber reads all it has been sent, and from now on as much as `capacity`.
  void resume(std::size_t subscriber, std::size_t capacity = 1'000'000) {
    const std::lock_guard lock(mutex_);
    Subscriber& who = subscribers_[subscriber];
    std::move(who.queue.begin(), who.queue.end(), std::back_inserter(who.read));
    who.queue.clear();
    who.capacity = capacity;
    arrived_.signal();
  }
  [[nodiscard]] std::vector<Received> received(std::size_t subscriber) const {
    const std::lock_guard lock(mutex_);
    std::vector<Received> all = subscribers_[subscriber].read;
    all.insert(all.end(), subscribers_[subscriber].queue.begin(), subscribers_[subscriber].queue.end());
    return all;
  }

  /// How often something was sent under a filter that was set for a subscriber that had gone: ZeroMQ has a pointer to
  /// nothing there.
  [[nodiscard]] std::size_t sent_to_the_gone() const {
    const std::lock_guard lock(mutex_);
    return sent_to_the_gone_;
  }

  /// Called before each look at the socket, which uses up the descriptor's notice of all that came before.
  std::function<void()> on_look;

  // ---- the relay's side ----

  [[nodiscard]] int fd() const override { return arrived_.fd(); }
  [[nodiscard]] bool readable() override {
    if (on_look) on_look();
    const std::lock_guard lock(mutex_);
    arrived_.clear();
    return !events_.empty();
  }
  std::optional<Event> next_event() override {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return std::nullopt;
    // As ZeroMQ does: with each frame read, the next subscriber is named, whether the frame was its or garbage.
    if (!named_.empty()) {
      last_ = named_.front();
      named_.pop_front();
    }
    Event event = events_.front();
    events_.pop_front();
    return event;
  }
  [[nodiscard]] std::uint64_t connection_id(int connection) const override {
    const std::lock_guard lock(mutex_);
    const auto who = std::find_if(subscribers_.begin(), subscribers_.end(),
                                  [&](const Subscriber& each) { return each.open && each.connection == connection; });
    return who == subscribers_.end() ? 0 : static_cast<std::uint64_t>(who - subscribers_.begin()) + 1;
  }
  void set_filter(std::string_view prefix) override {
    const std::lock_guard lock(mutex_);
    if (last_ == k_nobody) return;
    subscribers_[last_].filters.insert(std::string(prefix));
  }
  void remove_filter(std::string_view prefix) override {
    const std::lock_guard lock(mutex_);
    if (last_ != k_nobody) subscribers_[last_].filters.erase(std::string(prefix));
  }
  [[nodiscard]] bool try_send(std::string_view topic, const transport::SharedFrames& shared) override {
    const wire::Frames& body = *shared;
    const std::lock_guard lock(mutex_);
    const auto matches = [&](const Subscriber& who) {
      return std::any_of(who.filters.begin(), who.filters.end(), [&](const auto& f) { return topic.starts_with(f); });
    };
    for (const Subscriber& who : subscribers_)
      if (matches(who) && who.queue.size() >= who.capacity) return false;
    sent_to_the_gone_ += static_cast<std::size_t>(std::count_if(
        subscribers_.begin(), subscribers_.end(), [&](const Subscriber& who) { return !who.connected && matches(who); }));
    for (Subscriber& who : subscribers_)
      if (who.connected && matches(who)) who.queue.push_back({std::string(topic), body});
    return true;
  }

 private:
  static constexpr std::size_t k_nobody = static_cast<std::size_t>(-1);
  struct Subscriber {
    std::string topic;
    int connection;
    std::shared_ptr<const void> identity = std::make_shared<int>();
    std::set<std::string> filters{};
    std::size_t capacity;
    std::deque<Received> queue{};
    std::vector<Received> read{};
    bool open = true;       ///< its descriptor
    bool connected = true;  ///< for the socket
  };
  [[nodiscard]] std::shared_ptr<const void> identity_of(int connection) const {
    const auto who = std::find_if(subscribers_.begin(), subscribers_.end(),
                                  [&](const Subscriber& each) { return each.open && each.connection == connection; });
    return who == subscribers_.end() ? nullptr : who->identity;
  }
  mutable std::mutex mutex_;
  std::vector<Subscriber> subscribers_;
  std::deque<Event> events_;
  std::deque<std::size_t> named_;
  std::size_t last_ = k_nobody;
  std::size_t sent_to_the_gone_ = 0;
  server::Wakeup arrived_;
};

}  // namespace adrastea::test
