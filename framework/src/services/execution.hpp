// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/iopub.hpp"
#include "server/request_server.hpp"
#include "services/history.hpp"
#include "services/life.hpp"

#include <adrastea/interpreter.hpp>

#include <map>
#include <memory>
#include <string>

namespace adrastea::services {

/// The rules of execute_request (Messaging, "Execute"), around Interpreter::execute.
///
/// Threads: interpreter. Errors: std::invalid_argument for content that does not fit; nothing of the author's leaves run().
class Execution {
 public:
  Execution(Interpreter& interpreter, std::shared_ptr<server::Iopub> iopub, History& history, Life& life,
            std::size_t max_json_depth);

  [[nodiscard]] server::Reply run(const server::Context& context, const wire::Message& message);
  /// The number of the latest stored execution.
  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  [[nodiscard]] ExecuteRequest read(const wire::Message& message) const;
  [[nodiscard]] ExecuteResult execute(const server::Context& context, const ExecuteRequest& request);
  void check(const ExecuteResult& result) const;
  void publish_result(const server::Context& context, const ExecuteRequest& request, const ExecuteResult& result);
  [[nodiscard]] Json evaluate_all(const std::map<std::string, std::string>& expressions);
  [[nodiscard]] Json evaluate(const std::string& expression);
  [[nodiscard]] std::string ok_content(const ExecuteRequest& request, const ExecuteResult& result, const Json& expressions);
  [[nodiscard]] Json error_content(const ExecuteRequest& request, const ExecuteResult& result);
  [[nodiscard]] Json payload(const ExecuteResult& result) const;

  Interpreter& interpreter_;
  std::shared_ptr<server::Iopub> iopub_;
  History& history_;
  Life& life_;
  const std::size_t max_json_depth_;
  int count_ = 0;
};

}  // namespace adrastea::services
