// SPDX-License-Identifier: BSD-3-Clause
#include "heartbeat.hpp"

#include "fault.hpp"
#include "language.hpp"
#include "support/blocked_signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

namespace faulty {

using adrastea::transport::ConnectionInfo;
using adrastea::transport::ZmqContext;
using adrastea::transport::ZmqPart;
using adrastea::transport::ZmqSocket;

namespace {

// What a REQ peer's ROUTER sees before the message: the peer and an empty frame.
constexpr std::size_t k_envelope = 2;

using Answer = std::function<Frames(Frames)>;

const std::map<std::string_view, Answer>& answers() {
  static const std::map<std::string_view, Answer> table{
      {"heartbeat-plain", [](Frames frames) { return frames; }},
      {"heartbeat-silent", [](const Frames&) { return Frames(); }},
      {"heartbeat-waits",
       [](Frames frames) {
         wait_for_cell();
         return frames;
       }},
      {"heartbeat-cut",
       [](Frames frames) {
         for (auto& frame : frames) frame.resize(std::min<std::size_t>(frame.size(), 1U << 16U));
         return frames;
       }},
      {"heartbeat-empty-lost",
       [](Frames frames) {
         if (frames.size() == k_envelope + 1 && frames.back().empty()) frames.clear();
         return frames;
       }},
      {"heartbeat-for-thirty",
       [](Frames frames) {
         static int answered = 0;
         if (++answered > 30) frames.clear();
         return frames;
       }},
      {"heartbeat-says-pong",
       [](Frames frames) {
         frames.back() = "pong";
         return frames;
       }},
      {"heartbeat-one-frame",
       [](Frames frames) {
         frames.resize(std::min<std::size_t>(frames.size(), k_envelope + 1));
         return frames;
       }},
      {"heartbeat-text-only",
       [](Frames frames) {
         for (std::size_t i = k_envelope; i < frames.size(); ++i) frames[i] = frames[i].substr(0, frames[i].find('\0'));
         return frames;
       }},
  };
  return table;
}

}  // namespace

std::unique_ptr<FaultyHeartbeat> FaultyHeartbeat::make(ConnectionInfo& info) {
  const auto found = answers().find(chosen()->name);
  if (found == answers().end()) return nullptr;
  return std::make_unique<FaultyHeartbeat>(info, found->second);
}

FaultyHeartbeat::FaultyHeartbeat(ConnectionInfo& info, Answer answer)
    : context_(std::make_shared<ZmqContext>()), socket_(context_, ZMQ_ROUTER), answer_(std::move(answer)) {
  socket_.set(ZMQ_LINGER, 0);
  int& port = info.port(Channel::heartbeat);
  std::string endpoint = info.endpoint(Channel::heartbeat);
  if (info.transport == "ipc") {
    file_ = endpoint.substr(std::string_view("ipc://").size());
  } else if (port == 0) {
    endpoint.replace(endpoint.size() - 1, 1, "*");
  }
  if (socket_.bind(endpoint) != 0) throw std::runtime_error("cannot bind the faulty heartbeat to " + endpoint);
  const std::string got = socket_.last_endpoint();
  port_ = file_.empty() ? std::stoi(got.substr(got.rfind(':') + 1)) : port;
  port = 0;
  const adrastea::support::BlockedSignals blocked;
  thread_ = std::thread([this] { serve(); });
}

FaultyHeartbeat::~FaultyHeartbeat() {
  context_->shutdown();
  thread_.join();
  if (!file_.empty()) ::unlink(file_.c_str());
}

void FaultyHeartbeat::serve() {
  while (true) {
    Frames frames;
    ZmqPart part;
    do {
      if (!socket_.receive(part, 0)) return;
      frames.emplace_back(part.bytes());
    } while (part.more());
    const Frames answer = answer_(std::move(frames));
    for (std::size_t i = 0; i < answer.size(); ++i) {
      ZmqPart next(std::string_view(answer[i]));
      if (!socket_.send(next, i + 1 < answer.size() ? ZMQ_SNDMORE : 0)) return;
    }
  }
}

}  // namespace faulty
