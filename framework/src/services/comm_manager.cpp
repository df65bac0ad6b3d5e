// SPDX-License-Identifier: BSD-3-Clause
#include "services/comm_manager.hpp"

#include "server/output_target.hpp"
#include "server/request_server.hpp"
#include "services/content.hpp"
#include "support/fork_guard.hpp"
#include "support/ids.hpp"
#include "support/log.hpp"

#include <atomic>
#include <stdexcept>
#include <utility>

namespace adrastea::services {

struct CommManager::Registry {
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<CommImpl>, std::less<>> comms;  // guarded by mutex
};

class CommManager::CommImpl : public Comm {
 public:
  CommImpl(std::shared_ptr<server::Iopub> iopub, std::weak_ptr<Registry> registry, std::size_t max_json_depth,
           std::string comm_id, std::string target_name)
      : iopub_(std::move(iopub)),
        registry_(std::move(registry)),
        max_json_depth_(max_json_depth),
        comm_id_(std::move(comm_id)),
        target_name_(std::move(target_name)) {}

  [[nodiscard]] const std::string& comm_id() const override { return comm_id_; }
  [[nodiscard]] const std::string& target_name() const override { return target_name_; }
  void on_message(Handler handler) override { message_handler_ = std::move(handler); }
  void on_close(Handler handler) override { close_handler_ = std::move(handler); }

  void send(CommMessage message) override {
    if (closed_) throw std::logic_error("this comm is closed: " + comm_id_);
    publish("comm_msg", Json::object(), std::move(message));
  }

  void close(CommMessage message) override {
    if (closed_.exchange(true)) return;
    forget();
    publish("comm_close", Json::object(), std::move(message));
  }

  void publish(const char* msg_type, Json content, CommMessage message) {
    if (support::fork_guard::in_forked_child()) return;
    server::require_object("comm data", message.data, max_json_depth_);
    server::require_object("comm metadata", message.metadata, max_json_depth_);
    content["comm_id"] = comm_id_;
    content["data"] = std::move(message.data);
    iopub_->publish_from_user_code(iopub_->latest(), msg_type, content, message.metadata, std::move(message.buffers));
  }

  // Handlers may set handlers, or close and drop the comm: they run on copies.
  void received(CommMessage message) {
    if (const Handler handler = message_handler_) handler(*this, std::move(message));
  }

  void closed_by_client(CommMessage message) {
    closed_ = true;
    forget();
    if (const Handler handler = close_handler_) handler(*this, std::move(message));
  }

 private:
  void forget() {
    const auto registry = registry_.lock();
    if (!registry) return;
    const std::lock_guard lock(registry->mutex);
    registry->comms.erase(comm_id_);
  }

  const std::shared_ptr<server::Iopub> iopub_;
  const std::weak_ptr<Registry> registry_;
  const std::size_t max_json_depth_;
  const std::string comm_id_;
  const std::string target_name_;
  std::atomic<bool> closed_{false};
  Handler message_handler_;
  Handler close_handler_;
};

namespace {

CommMessage message_of(wire::Message& message) {
  return {.data = optional_object(message.content, "data"),
          .metadata = std::move(message.metadata),
          .buffers = std::move(message.buffers)};
}

/// Runs a handler of the author's. Comm messages have no reply that could carry an error: the log gets it.
template <class Run>
bool contained(const char* what, Run&& run) {
  try {
    run();
    return true;
  } catch (...) {
    support::log::error(std::string(what) + " failed: " + server::error_content_of_current_exception().value("evalue", ""));
    return false;
  }
}

}  // namespace

CommManager::CommManager(std::shared_ptr<server::Iopub> iopub, std::size_t max_json_depth)
    : iopub_(std::move(iopub)), max_json_depth_(max_json_depth), registry_(std::make_shared<Registry>()) {}

CommManager::~CommManager() = default;

void CommManager::register_target(std::string target_name, Target target) {
  targets_[std::move(target_name)] = std::move(target);
}

void CommManager::unregister_target(std::string_view target_name) {
  if (const auto found = targets_.find(target_name); found != targets_.end()) targets_.erase(found);
}

std::shared_ptr<Comm> CommManager::open(std::string target_name, CommMessage message) {
  const auto comm = std::make_shared<CommImpl>(iopub_, registry_, max_json_depth_, support::random_hex(16), target_name);
  {
    const std::lock_guard lock(registry_->mutex);
    registry_->comms.emplace(comm->comm_id(), comm);
  }
  try {
    comm->publish("comm_open", {{"target_name", target_name}, {"target_module", nullptr}}, std::move(message));
  } catch (...) {
    const std::lock_guard lock(registry_->mutex);
    registry_->comms.erase(comm->comm_id());
    throw;
  }
  return comm;
}

std::shared_ptr<Comm> CommManager::find(std::string_view comm_id) const {
  const std::lock_guard lock(registry_->mutex);
  const auto found = registry_->comms.find(comm_id);
  return found == registry_->comms.end() ? nullptr : found->second;
}

bool CommManager::handle(const server::Context& context, wire::Message& message) {
  const std::string& type = message.header.msg_type;
  if (type == "comm_open")
    opened_by_client(context, message);
  else if (type == "comm_msg")
    message_of_client(context, message);
  else if (type == "comm_close")
    closed_by_client(message);
  else
    return false;
  return true;
}

void CommManager::opened_by_client(const server::Context& context, wire::Message& message) {
  const std::string comm_id = required_string(message.content, "comm_id");
  const auto target = targets_.find(optional_string(message.content, "target_name"));
  if (target == targets_.end()) {
    support::log::warning("a client opened a comm for a target that is not registered");
    refuse(context, comm_id);
    return;
  }
  const auto comm = std::make_shared<CommImpl>(iopub_, registry_, max_json_depth_, comm_id, target->first);
  {
    const std::lock_guard lock(registry_->mutex);
    if (!registry_->comms.emplace(comm_id, comm).second) {
      support::log::warning("a client opened a comm under an id that is open already; ignored");
      return;
    }
  }
  const Target run = target->second;
  if (!contained("a comm target", [&] { run(comm, message_of(message)); })) comm->close({});
}

void CommManager::message_of_client(const server::Context& context, wire::Message& message) {
  const std::string comm_id = required_string(message.content, "comm_id");
  const auto comm = std::static_pointer_cast<CommImpl>(find(comm_id));
  if (!comm) {
    // The client still believes in it, e.g. after a restart.
    refuse(context, comm_id);
    return;
  }
  contained("a comm's message handler", [&] { comm->received(message_of(message)); });
}

void CommManager::closed_by_client(wire::Message& message) {
  const auto comm = std::static_pointer_cast<CommImpl>(find(required_string(message.content, "comm_id")));
  if (comm) contained("a comm's close handler", [&] { comm->closed_by_client(message_of(message)); });
}

void CommManager::refuse(const server::Context& context, const std::string& comm_id) {
  iopub_->publish(context, "comm_close", {{"comm_id", comm_id}, {"data", Json::object()}});
}

Json CommManager::info(const std::string& target_name) const {
  Json comms = Json::object();
  const std::lock_guard lock(registry_->mutex);
  for (const auto& [comm_id, comm] : registry_->comms)
    if (target_name.empty() || comm->target_name() == target_name) comms[comm_id] = {{"target_name", comm->target_name()}};
  return {{"status", "ok"}, {"comms", std::move(comms)}};
}

}  // namespace adrastea::services
