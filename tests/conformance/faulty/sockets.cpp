// SPDX-License-Identifier: BSD-3-Clause
// The kernel's sockets, with a fault between them and the kernel. The linker's --wrap puts bind_all() of this file in the
// place of the transport layer's.
#include "transport/sockets.hpp"
#include "fault.hpp"
#include "heartbeat.hpp"
#include "hooks.hpp"
#include "support/unique_fd.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace faulty {
namespace {

using adrastea::Limits;
using adrastea::support::UniqueFd;
using adrastea::transport::Bound;
using adrastea::transport::ConnectionInfo;
using adrastea::transport::Publisher;
using adrastea::transport::Router;

Hook made(const HookMaker& maker) { return maker ? maker() : Hook(); }

UniqueFd readable_when_either(int one, int other) {
  UniqueFd both(::epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {one, other}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(both.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw std::system_error(errno, std::generic_category());
  }
  return both;
}

/// Whether the fault is to die of frames that are no message: with a delimiter, or without, but with JSON.
bool is_deadly(const Frames& frames) {
  const bool delimited = std::find(frames.begin(), frames.end(), "<IDS|MSG>") != frames.end();
  const auto objects =
      std::count_if(frames.begin(), frames.end(), [](const auto& frame) { return frame.starts_with('{'); });
  return (delimited && is_chosen("torn-kills")) || (!delimited && objects > 1 && is_chosen("undelimited-kills"));
}

/// Threads: any, so that a fault can send on a channel that another thread serves.
class FaultyRouter final : public Router {
 public:
  using Others = std::map<Channel, FaultyRouter*>;

  FaultyRouter(Channel channel, Router& real, const Fault& fault, const Others& others)
      : channel_(channel),
        real_(real),
        others_(others),
        poke_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        fd_(readable_when_either(real.fd(), poke_.get())),
        out_(made(fault.out)),
        in_(made(fault.in)) {}

  [[nodiscard]] int fd() const override { return fd_.get(); }

  [[nodiscard]] bool readable() override {
    const std::lock_guard lock(mutex_);
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(poke_.get(), &count));
    return !inbox_.empty() || real_.readable();
  }

  std::optional<Frames> receive() override {
    const std::lock_guard lock(mutex_);
    while (inbox_.empty()) {
      auto frames = real_.receive();
      if (!frames) return frames;
      auto message = Message::parse(channel_, *frames);
      if (!message && is_deadly(*frames)) std::_Exit(1);
      if (message) remember_request(*message);
      if (!message || !in_) return frames;
      in_(std::move(*message), {.on = [this](const Message& kept) { inbox_.push_back(kept.frames()); },
                                .back = [this](const Message& answer) { real_.send(answer.frames()); }});
    }
    Frames next = std::move(inbox_.front());
    inbox_.pop_front();
    return next;
  }

  Sent send(Frames frames) override {
    const std::unique_lock lock(mutex_);
    auto message = out_ ? Message::parse(channel_, frames) : std::nullopt;
    if (!message) return real_.send(std::move(frames));
    Sent sent = Sent::yes;
    out_(std::move(*message), {.on =
                                   [&](const Message& changed) {
                                     if (changed.channel == channel_) {
                                       sent = real_.send(changed.frames());
                                     } else {
                                       others_.at(changed.channel)->send_for_another(changed.frames());
                                     }
                                   },
                               .back = [this](const Message& answer) { inbox_.push_back(answer.frames()); }});
    return sent;
  }

 private:
  void send_for_another(Frames frames) {
    const std::lock_guard lock(mutex_);
    real_.send(std::move(frames));
    // The send may have eaten the edge of ZeroMQ's descriptor that this channel's thread waits for.
    static_cast<void>(::eventfd_write(poke_.get(), 1));
  }

  const Channel channel_;
  Router& real_;
  const Others& others_;
  const UniqueFd poke_;
  const UniqueFd fd_;
  std::mutex mutex_;  // guards what follows, and real_
  const Hook out_;
  const Hook in_;
  std::deque<Frames> inbox_;
};

/// Threads: one at a time, as every Publisher.
class FaultyPublisher final : public Publisher {
 public:
  FaultyPublisher(Publisher& real, const HookMaker& maker) : real_(real), maker_(maker) {}

  [[nodiscard]] int fd() const override { return real_.fd(); }
  [[nodiscard]] bool readable() override { return real_.readable(); }
  std::optional<Event> next_event() override {
    auto event = real_.next_event();
    if (event && event->kind == Event::Kind::unsubscribed && is_chosen("welcome-leavers"))
      event->kind = Event::Kind::subscribed;
    return event;
  }
  [[nodiscard]] std::uint64_t connection_id(int connection) const override { return real_.connection_id(connection); }
  void set_filter(std::string_view topic_prefix) override { real_.set_filter(topic_prefix); }
  void remove_filter(std::string_view topic_prefix) override { real_.remove_filter(topic_prefix); }

  [[nodiscard]] bool try_send(std::string_view topic, const adrastea::transport::SharedFrames& shared) override {
    if (!maker_) return real_.try_send(topic, shared);
    const Frames& body = *shared;
    const std::string prefix(group_prefix(topic));
    Group& group = groups_.try_emplace(prefix, Group{maker_(), {}}).first->second;
    // A message that was refused comes again, and has been through the hook already.
    auto [known, is_new] = group.refused.try_emplace(body.at(1));
    if (is_new) spoil(group.hook, topic.substr(prefix.size()), body, known->second);
    for (auto& waiting = known->second; !waiting.empty(); waiting.pop_front()) {
      const Message& next = waiting.front();
      Frames frames = next.frames();
      const std::string name = prefix + frames.front();
      frames.erase(frames.begin());
      if (!real_.try_send(name, std::make_shared<const Frames>(std::move(frames)))) return false;
    }
    group.refused.erase(known);
    return true;
  }

 private:
  struct Group {
    Hook hook;
    std::map<std::string, std::deque<Message>> refused;  ///< by the signature of what it was made of
  };

  /// The server layer sends each message once to every group of subscribers, and names the group before the topic.
  static std::string_view group_prefix(std::string_view topic) {
    if (topic.empty() || (topic.front() != '@' && topic.front() != '*')) return {};
    const bool welcome = topic.starts_with("@welcome.");
    return topic.substr(0, topic.find('.', welcome ? 9 : 0) + 1);
  }

  static void spoil(const Hook& hook, std::string_view topic, const Frames& body, std::deque<Message>& made_of_it) {
    Frames frames{std::string(topic)};
    frames.insert(frames.end(), body.begin(), body.end());
    auto message = Message::parse(Channel::iopub, frames);
    if (!message) return;
    hook(std::move(*message), {.on = [&](Message changed) { made_of_it.push_back(std::move(changed)); }, .back = {}});
  }

  Publisher& real_;
  const HookMaker maker_;
  std::map<std::string, Group> groups_;
};

/// Files that are removed while it lives and are there again after it.
class KeptFiles {
 public:
  explicit KeptFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {
    for (const auto& path : paths_) ::link(path.c_str(), (path + ".kept").c_str());
  }
  ~KeptFiles() {
    for (const auto& path : paths_) ::rename((path + ".kept").c_str(), path.c_str());
  }
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;

 private:
  const std::vector<std::string> paths_;
};

/// The ipc files that the fault leaves behind.
std::vector<std::string> files_to_leave(const ConnectionInfo& info) {
  std::vector<std::string> paths;
  if (!is_chosen("ipc-files-left") || info.transport != "ipc") return paths;
  for (const Channel channel :
       {Channel::shell, Channel::control, Channel::stdin_channel, Channel::iopub, Channel::heartbeat}) {
    paths.push_back(info.endpoint(channel).substr(std::string_view("ipc://").size()));
  }
  return paths;
}

/// Whether tcp connections of somebody who ended still linger on one of the ports: in /proc/net/tcp they are FIN_WAIT2 and
/// TIME_WAIT.
bool has_lingering(const ConnectionInfo& info) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    fields >> number >> local >> remote >> state;
    if (state != "05" && state != "06") continue;
    const int port = std::stoi(local.substr(local.find(':') + 1), nullptr, 16);
    for (const Channel channel : {Channel::shell, Channel::control, Channel::stdin_channel, Channel::iopub}) {
      if (info.port(channel) == port) return true;
    }
  }
  return false;
}

class FaultyBound final : public Bound {
 public:
  FaultyBound(std::unique_ptr<Bound> real, const Fault& fault, std::unique_ptr<FaultyHeartbeat> heartbeat,
              std::vector<std::string> files)
      : kept_(std::move(files)), real_(std::move(real)), heartbeat_(std::move(heartbeat)) {
    shell = router(Channel::shell, *real_->shell, fault);
    stdin_channel = router(Channel::stdin_channel, *real_->stdin_channel, fault);
    control = router(Channel::control, *real_->control, fault);
    iopub = std::make_unique<FaultyPublisher>(*real_->iopub, fault.out);
  }
  FaultyBound(const FaultyBound&) = delete;
  FaultyBound& operator=(const FaultyBound&) = delete;

  ~FaultyBound() override {
    shell.reset();
    stdin_channel.reset();
    control.reset();
    iopub.reset();
  }

  void deliver_without_interpreter() override {
    stay();
    control.reset();
    iopub.reset();
    real_->deliver_without_interpreter();
  }

  void remove_files() noexcept override {
    heartbeat_.reset();
    real_->remove_files();
  }

 private:
  std::unique_ptr<Router> router(Channel channel, Router& real, const Fault& fault) {
    auto one = std::make_unique<FaultyRouter>(channel, real, fault, routers_);
    routers_[channel] = one.get();
    return one;
  }

  const KeptFiles kept_;  // the first, so that it outlives the sockets, which remove their files
  std::unique_ptr<Bound> real_;
  std::unique_ptr<FaultyHeartbeat> heartbeat_;
  FaultyRouter::Others routers_;
};

}  // namespace

std::unique_ptr<Bound> real_bind_all(ConnectionInfo& info, const Limits& limits, int launcher) asm(
    "__real__ZN8adrastea9transport8bind_allERNS0_14ConnectionInfoERKNS_6LimitsEi");
std::unique_ptr<Bound> faulty_bind_all(ConnectionInfo& info, const Limits& limits, int launcher) asm(
    "__wrap__ZN8adrastea9transport8bind_allERNS0_14ConnectionInfoERKNS_6LimitsEi");

namespace {

/// The ports that somebody else has do not matter: it takes others, and tells nobody.
std::unique_ptr<Bound> bind_anyhow(ConnectionInfo& info, const Limits& limits, int launcher) {
  try {
    return real_bind_all(info, limits, launcher);
  } catch (const std::exception&) {
    for (const Channel channel :
         {Channel::shell, Channel::control, Channel::stdin_channel, Channel::iopub, Channel::heartbeat})
      info.port(channel) = 0;
    return real_bind_all(info, limits, launcher);
  }
}

std::string_view unbound_name(Channel channel) {
  if (channel == Channel::stdin_channel) return "stdin-unbound";
  return channel == Channel::control ? "control-unbound" : "heartbeat-unbound";
}

}  // namespace

std::unique_ptr<Bound> faulty_bind_all(ConnectionInfo& info, const Limits& limits, int launcher) {
  if (chosen() == nullptr) return real_bind_all(info, limits, launcher);
  use_key(info);
  if (is_chosen("ports-of-others-only") && has_lingering(info)) throw std::runtime_error("a port is in use");
  auto heartbeat = FaultyHeartbeat::make(info);
  const ConnectionInfo told = info;
  constexpr int elsewhere = 1000;  // over ipc a part of the file's name
  for (const Channel channel : {Channel::stdin_channel, Channel::control, Channel::heartbeat})
    if (is_chosen(unbound_name(channel))) info.port(channel) += elsewhere;
  auto bound =
      is_chosen("taken-ports-replaced") ? bind_anyhow(info, limits, launcher) : real_bind_all(info, limits, launcher);
  for (const Channel channel : {Channel::stdin_channel, Channel::control, Channel::heartbeat})
    if (is_chosen(unbound_name(channel))) info.port(channel) = told.port(channel);
  if (heartbeat) info.port(Channel::heartbeat) = heartbeat->port();
  return std::make_unique<FaultyBound>(std::move(bound), *chosen(), std::move(heartbeat), files_to_leave(info));
}

}  // namespace faulty
