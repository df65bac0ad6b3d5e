// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/interpreter.hpp>

#include <stdexcept>

namespace adrastea {

KernelInfo Interpreter::info() const { return {}; }

void Interpreter::start() {}

void Interpreter::shutdown(bool /*restart*/) {}

MimeBundle Interpreter::evaluate(const std::string& expression) {
  ExecuteRequest request;
  request.code = expression;
  request.silent = true;
  request.store_history = false;
  Output out = host().output().muted();
  const ExecuteResult value = execute(request, out);
  if (value.status == ExecuteResult::Status::error) throw ExecutionError(value.ename, value.evalue, value.traceback);
  return value.data;
}

CompleteResult Interpreter::complete(const CompleteRequest& request) {
  return {.matches = {}, .start = request.cursor, .end = request.cursor};
}

InspectResult Interpreter::inspect(const InspectRequest& /*request*/) { return {}; }

IsCompleteResult Interpreter::is_complete(const std::string& /*code*/) { return {}; }

void Interpreter::interrupt() noexcept {}

Host& Interpreter::host() const {
  if (host_ == nullptr) throw std::logic_error("the interpreter has no host before start()");
  return *host_;
}

}  // namespace adrastea
