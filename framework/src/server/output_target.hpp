// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_context.hpp"

#include <memory>

namespace adrastea::server {

/// What an adrastea::Output stands for: one request, and the channel that publishes for it.
struct OutputTarget {
  std::shared_ptr<Iopub> iopub;
  Context context;
  std::size_t max_json_depth;
};

/// Throws std::invalid_argument, naming `what`, unless `value` is an object that nests at most `max_depth` deep.
void require_object(const char* what, const Json& value, std::size_t max_depth);

}  // namespace adrastea::server
