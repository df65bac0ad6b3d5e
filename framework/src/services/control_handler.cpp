// SPDX-License-Identifier: BSD-3-Clause
#include "services/control_handler.hpp"

#include "support/log.hpp"

#include <adrastea/errors.hpp>

#include <stdexcept>
#include <utility>

namespace adrastea::services {

namespace {

/// A DAP response (Messaging, "Debug request"): a debugger front-end that asks anyway learns why nothing happens.
Json debugger_missing(const Json& request) {
  const auto field = [&](const char* key, const Json& otherwise) {
    const auto found = request.find(key);
    return found == request.end() ? otherwise : *found;
  };
  return {{"type", "response"},
          {"seq", 0},
          {"request_seq", field("seq", 0)},
          {"success", false},
          {"command", field("command", "")},
          {"message", "this kernel has no debugger"},
          {"body", Json::object()}};
}

bool belongs_to_shell(const std::string& type) {
  return type == "execute_request" || type == "complete_request" || type == "inspect_request" ||
         type == "is_complete_request" || type == "history_request" || type == "comm_info_request";
}

bool belongs_to_subshells(const std::string& type) {
  return type == "create_subshell_request" || type == "delete_subshell_request" || type == "list_subshell_request";
}

}  // namespace

void ControlHandler::prepare(server::RequestContext& /*context*/, const wire::Message& /*request*/) noexcept {}

std::optional<server::Reply> ControlHandler::handle(const server::Context& context, wire::Message& request) {
  const std::string& type = request.header.msg_type;
  if (request.content_error && type.ends_with("_request")) throw std::invalid_argument(*request.content_error);
  if (auto reply = common_.handle(context, request)) return reply;
  if (type == "usage_request") return server::Reply{.content = usage_.sample()};
  if (type == "debug_request") return server::Reply{.content = debugger_missing(request.content)};
  if (belongs_to_subshells(type)) throw ExecutionError("NotSupported", "this kernel has no subshells");
  if (belongs_to_shell(type)) throw ExecutionError("WrongChannel", type + " is answered on the shell channel");
  support::log::warning("ignored a message of unknown type on control");
  return std::nullopt;
}

server::Reply ControlHandler::aborted(const wire::Message& /*request*/) { return {}; }

}  // namespace adrastea::services
