// SPDX-License-Identifier: BSD-3-Clause
#include "services/execution.hpp"

#include "server/output_target.hpp"
#include "services/content.hpp"
#include "support/ids.hpp"
#include "wire/encode.hpp"
#include "wire/json_text.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace adrastea::services {

namespace {

std::map<std::string, std::string> read_expressions(const Json& content) {
  std::map<std::string, std::string> expressions;
  const Json given = optional_object(content, "user_expressions");
  for (const auto& [name, expression] : given.items()) {
    if (!expression.is_string())
      throw std::invalid_argument("content.user_expressions must hold strings, not " + std::string(expression.type_name()));
    expressions.emplace(name, expression.get<std::string>());
  }
  return expressions;
}

bool is_blank(const std::string& code) { return code.find_first_not_of(" \t\r\n\f\v") == std::string::npos; }

std::string input_content(const ExecuteRequest& request) {
  wire::ObjectText content(request.code.size() + request.code.size() / 16 + 64);
  content.add("code", request.code).add("execution_count", request.execution_count);
  return std::move(content).take();
}

ExecuteResult failed(const Json& content) {
  return error(content.value("ename", "Error"), content.value("evalue", ""),
               content.value("traceback", std::vector<std::string>{}));
}

std::string metadata_text(std::string_view started, bool ok) {
  wire::ObjectText metadata(80);
  metadata.add("started", started).add("status", ok ? "ok" : "error");
  return std::move(metadata).take();
}

}  // namespace

Execution::Execution(Interpreter& interpreter, std::shared_ptr<server::Iopub> iopub, History& history, Life& life,
                     std::size_t max_json_depth)
    : interpreter_(interpreter),
      iopub_(std::move(iopub)),
      history_(history),
      life_(life),
      max_json_depth_(max_json_depth) {}

server::Reply Execution::run(const server::Context& context, const wire::Message& message) {
  const std::string started = support::iso_time(std::chrono::system_clock::now());
  ExecuteRequest request = read(message);
  const auto expressions = read_expressions(message.content);
  // An empty cell is a way to read the counter.
  if (request.store_history && !is_blank(request.code)) ++count_;
  request.execution_count = count_;
  if (request.silent)
    iopub_->flush();
  else
    iopub_->publish_text(context, "execute_input", input_content(request));
  const ExecuteResult result = execute(context, request);
  publish_result(context, request, result);
  const bool ok = result.status == ExecuteResult::Status::ok;
  server::Reply reply{.abort_queue = !ok && !request.silent && request.stop_on_error,
                      .metadata_text = metadata_text(started, ok)};
  if (ok)
    reply.content_text = ok_content(request, result, evaluate_all(expressions));
  else
    reply.content = error_content(request, result);
  return reply;
}

ExecuteRequest Execution::read(const wire::Message& message) const {
  const Json& content = message.content;
  ExecuteRequest request;
  request.code = required_string(content, "code");
  request.silent = optional_bool(content, "silent", false);
  request.store_history = !request.silent && optional_bool(content, "store_history", true);
  request.allow_stdin = optional_bool(content, "allow_stdin", false);
  request.stop_on_error = optional_bool(content, "stop_on_error", true);
  request.msg_id = message.header.msg_id;
  request.metadata = message.metadata;
  const auto cell_id = message.metadata.find("cellId");
  if (cell_id != message.metadata.end() && cell_id->is_string()) request.cell_id = cell_id->get<std::string>();
  return request;
}

ExecuteResult Execution::execute(const server::Context& context, const ExecuteRequest& request) {
  try {
    Output out(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, context, max_json_depth_}));
    ExecuteResult result = interpreter_.execute(request, out);
    check(result);
    return result;
  } catch (...) {
    return failed(server::error_content_of_current_exception());
  }
}

void Execution::check(const ExecuteResult& result) const {
  server::require_object("the result's data", result.data, max_json_depth_);
  server::require_object("the result's metadata", result.metadata, max_json_depth_);
  for (const Json& payload : result.payload) server::require_object("a payload", payload, max_json_depth_);
}

void Execution::publish_result(const server::Context& context, const ExecuteRequest& request, const ExecuteResult& result) {
  std::optional<std::string> text;
  if (result.status == ExecuteResult::Status::error) {
    if (!request.silent)
      iopub_->publish_from_user_code(context, "error",
                                     {{"ename", result.ename}, {"evalue", result.evalue}, {"traceback", result.traceback}});
  } else if (!result.data.empty()) {
    Json data = result.data;
    const auto plain = data.emplace("text/plain", "").first;  // every client can show that
    if (plain->is_string()) text = plain->get<std::string>();
    if (!request.silent)
      iopub_->publish_from_user_code(
          context, "execute_result",
          {{"execution_count", request.execution_count}, {"data", std::move(data)}, {"metadata", result.metadata}});
  }
  if (request.store_history && !is_blank(request.code)) history_.add(request.execution_count, request.code, text);
}

Json Execution::evaluate_all(const std::map<std::string, std::string>& expressions) {
  Json values = Json::object();
  for (const auto& [name, expression] : expressions) values[name] = evaluate(expression);
  return values;
}

Json Execution::evaluate(const std::string& expression) {
  try {
    MimeBundle data = interpreter_.evaluate(expression);
    server::require_object("the expression's value", data, max_json_depth_);
    return {{"status", "ok"}, {"data", std::move(data)}, {"metadata", Json::object()}};
  } catch (...) {
    return server::error_content_of_current_exception();
  }
}

std::string Execution::ok_content(const ExecuteRequest& request, const ExecuteResult& result, const Json& expressions) {
  wire::ObjectText content(128);
  content.add("status", "ok").add("execution_count", request.execution_count);
  content.add_json("user_expressions", wire::to_text(expressions)).add_json("payload", wire::to_text(payload(result)));
  return std::move(content).take();
}

Json Execution::error_content(const ExecuteRequest& request, const ExecuteResult& result) {
  return {{"status", "error"},
          {"execution_count", request.execution_count},
          {"user_expressions", Json::object()},
          {"payload", payload(result)},
          {"ename", result.ename},
          {"evalue", result.evalue},
          {"traceback", result.traceback}};
}

Json Execution::payload(const ExecuteResult& result) const {
  Json payload = result.payload;
  // A console that shows this kernel ends with it.
  if (life_.exiting()) payload.push_back({{"source", "ask_exit"}, {"keepkernel", false}});
  if (!payload.is_array()) payload = Json::array();
  return payload;
}

}  // namespace adrastea::services
