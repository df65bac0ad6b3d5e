// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/comm.hpp>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The comms of a kernel without clients: a test plays the client with open_by_client() and the handlers of FakeComm.
class FakeComms : public adrastea::Comms {
 public:
  struct Sent {
    std::string how;
    std::string comm_id;
    adrastea::CommMessage message;
  };

  class FakeComm : public adrastea::Comm {
   public:
    FakeComm(FakeComms& owner, std::string id, std::string target)
        : owner_(owner), id_(std::move(id)), target_(std::move(target)) {}
    [[nodiscard]] const std::string& comm_id() const override { return id_; }
    [[nodiscard]] const std::string& target_name() const override { return target_; }
    void on_message(Handler handler) override { message_handler = std::move(handler); }
    void on_close(Handler handler) override { close_handler = std::move(handler); }
    void send(adrastea::CommMessage message) override {
      if (!owner_.find(id_)) throw std::logic_error("this comm is closed: " + id_);
      owner_.sent.push_back({"comm_msg", id_, std::move(message)});
    }
    void close(adrastea::CommMessage message) override {
      if (owner_.open_comms.erase(id_) == 0) return;
      owner_.sent.push_back({"comm_close", id_, std::move(message)});
    }
    Handler message_handler;
    Handler close_handler;

   private:
    FakeComms& owner_;
    std::string id_;
    std::string target_;
  };

  void register_target(std::string name, Target target) override { targets[std::move(name)] = std::move(target); }
  void unregister_target(std::string_view name) override { targets.erase(std::string(name)); }
  std::shared_ptr<adrastea::Comm> open(std::string target, adrastea::CommMessage message) override {
    auto comm = make(std::move(target));
    sent.push_back({"comm_open", comm->comm_id(), std::move(message)});
    return comm;
  }
  [[nodiscard]] std::shared_ptr<adrastea::Comm> find(std::string_view id) const override {
    const auto found = open_comms.find(std::string(id));
    return found == open_comms.end() ? nullptr : found->second;
  }

  /// As a comm_open of a client for a registered target; what the target throws comes out.
  std::shared_ptr<FakeComm> open_by_client(const std::string& target, const adrastea::CommMessage& message = {}) {
    auto comm = make(target);
    targets.at(target)(comm, message);
    return comm;
  }
  static void send_by_client(FakeComm& comm, const adrastea::CommMessage& message) { comm.message_handler(comm, message); }
  void close_by_client(FakeComm& comm, const adrastea::CommMessage& message = {}) {
    open_comms.erase(comm.comm_id());
    comm.close_handler(comm, message);
  }

  std::map<std::string, Target> targets;
  std::map<std::string, std::shared_ptr<FakeComm>> open_comms;
  std::vector<Sent> sent;

 private:
  std::shared_ptr<FakeComm> make(std::string target) {
    const std::string id = "comm" + std::to_string(++opened_);
    auto comm = std::make_shared<FakeComm>(*this, id, std::move(target));
    open_comms.emplace(id, comm);
    return comm;
  }
  int opened_ = 0;
};
