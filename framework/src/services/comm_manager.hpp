// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_context.hpp"
#include "wire/message.hpp"

#include <adrastea/comm.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace adrastea::services {

/// The comms of a kernel: the registry, the targets, and the comm_* messages of clients.
///
/// Threads: interpreter, but for Comm::send and Comm::close, which any thread may call.
/// Errors: what handlers throw is logged; a comm whose target throws is closed at once.
class CommManager : public Comms {
 public:
  CommManager(std::shared_ptr<server::Iopub> iopub, std::size_t max_json_depth);
  ~CommManager() override;

  void register_target(std::string target_name, Target target) override;
  void unregister_target(std::string_view target_name) override;
  std::shared_ptr<Comm> open(std::string target_name, CommMessage message) override;
  [[nodiscard]] std::shared_ptr<Comm> find(std::string_view comm_id) const override;

  /// comm_open, comm_msg and comm_close of a client; false for any other message.
  bool handle(const server::Context& context, wire::Message& message);
  /// comm_info_reply's content.
  [[nodiscard]] Json info(const std::string& target_name) const;

 private:
  class CommImpl;
  struct Registry;
  void opened_by_client(const server::Context& context, wire::Message& message);
  void message_of_client(const server::Context& context, wire::Message& message);
  void closed_by_client(wire::Message& message);
  void refuse(const server::Context& context, const std::string& comm_id);

  std::shared_ptr<server::Iopub> iopub_;
  const std::size_t max_json_depth_;
  std::map<std::string, Target, std::less<>> targets_;
  std::shared_ptr<Registry> registry_;  ///< shared with comms, which may outlive us
};

}  // namespace adrastea::services
