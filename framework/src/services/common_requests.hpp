// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_server.hpp"
#include "services/life.hpp"
#include "transport/connection_info.hpp"

#include <adrastea/interpreter.hpp>

#include <optional>

namespace adrastea::services {

/// The requests that shell and control answer alike: kernel_info, connect, interrupt, shutdown.
///
/// Threads: any, at the same time: what is answered was fixed before the channels were served.
/// Errors: std::invalid_argument for content that does not fit.
class CommonRequests {
 public:
  CommonRequests(const Interpreter& interpreter, const transport::ConnectionInfo& connection,
                 const std::string& kernel_name, server::Iopub& iopub, Life& life);

  /// Nothing when `request` is none of them.
  [[nodiscard]] std::optional<server::Reply> handle(const server::Context& context, const wire::Message& request) const;

 private:
  [[nodiscard]] server::Reply shut_down(const server::Context& context, const wire::Message& request) const;

  server::Iopub& iopub_;
  Life& life_;
  const Json kernel_info_;
  const Json connect_;
};

}  // namespace adrastea::services
