// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/request_server.hpp"
#include "services/common_requests.hpp"
#include "support/process_usage.hpp"

namespace adrastea::services {

/// What control answers while user code runs: the common requests, usage, and that debugger and subshells are not there.
///
/// Threads: control. Errors: as Handler.
class ControlHandler : public server::Handler {
 public:
  explicit ControlHandler(const CommonRequests& common) : common_(common) {}

  void prepare(server::RequestContext& context, const wire::Message& request) noexcept override;
  std::optional<server::Reply> handle(const server::Context& context, wire::Message& request) override;
  server::Reply aborted(const wire::Message& request) override;

 private:
  const CommonRequests& common_;
  support::ProcessUsage usage_;
};

}  // namespace adrastea::services
