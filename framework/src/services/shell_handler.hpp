// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/request_server.hpp"
#include "services/comm_manager.hpp"
#include "services/common_requests.hpp"
#include "services/execution.hpp"
#include "services/history.hpp"

#include <adrastea/interpreter.hpp>

namespace adrastea::services {

/// What shell answers: everything that needs the interpreter, and the common requests.
///
/// Threads: interpreter. Errors: as Handler.
class ShellHandler : public server::Handler {
 public:
  ShellHandler(Interpreter& interpreter, const CommonRequests& common, Execution& execution, History& history,
               CommManager& comms)
      : interpreter_(interpreter), common_(common), execution_(execution), history_(history), comms_(comms) {}

  void prepare(server::RequestContext& context, const wire::Message& request) noexcept override;
  std::optional<server::Reply> handle(const server::Context& context, wire::Message& request) override;
  server::Reply aborted(const wire::Message& request) override;

 private:
  [[nodiscard]] server::Reply complete(const Json& content);
  [[nodiscard]] server::Reply inspect(const Json& content);
  [[nodiscard]] server::Reply is_complete(const Json& content);

  Interpreter& interpreter_;
  const CommonRequests& common_;
  Execution& execution_;
  History& history_;
  CommManager& comms_;
};

}  // namespace adrastea::services
