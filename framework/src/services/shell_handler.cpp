// SPDX-License-Identifier: BSD-3-Clause
#include "services/shell_handler.hpp"

#include "services/content.hpp"
#include "support/crash.hpp"
#include "support/log.hpp"
#include "support/utf8.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace adrastea::services {

namespace {

namespace utf8 = support::utf8;

/// cursor_pos counts code points; without one the cursor stands at the end.
std::size_t cursor_of(const Json& content, const std::string& code) {
  const auto position = optional_position(content, "cursor_pos");
  return position ? utf8::byte_offset(code, *position) : code.size();
}

const char* to_string(IsCompleteResult::Status status) {
  switch (status) {
    case IsCompleteResult::Status::complete:
      return "complete";
    case IsCompleteResult::Status::incomplete:
      return "incomplete";
    case IsCompleteResult::Status::invalid:
      return "invalid";
    case IsCompleteResult::Status::unknown:
      break;
  }
  return "unknown";
}

/// metadata._jupyter_types_experimental: what JupyterLab's completer shows beside each match.
Json typed_matches(const CompleteResult& result, std::size_t start, std::size_t end) {
  Json typed = Json::array();
  for (const Completion& match : result.matches)
    typed.push_back({{"start", start},
                     {"end", end},
                     {"text", match.text},
                     {"type", match.type.empty() ? "<unknown>" : match.type},
                     {"signature", match.signature}});
  return typed;
}

bool has_types(const CompleteResult& result) {
  return std::any_of(result.matches.begin(), result.matches.end(),
                     [](const Completion& match) { return !match.type.empty() || !match.signature.empty(); });
}

}  // namespace

void ShellHandler::prepare(server::RequestContext& context, const wire::Message& request) noexcept {
  support::crash::set_activity(request.header.msg_type, request.header.msg_id);
  if (request.header.msg_type != "execute_request") return;
  const auto flag = [&](const char* key) {
    const auto found = request.content.find(key);
    return found != request.content.end() && found->is_boolean() && found->get<bool>();
  };
  context.silent = flag("silent");
  context.allow_stdin = flag("allow_stdin");
}

std::optional<server::Reply> ShellHandler::handle(const server::Context& context, wire::Message& request) {
  const std::string& type = request.header.msg_type;
  if (request.content_error) throw std::invalid_argument(*request.content_error);
  if (type == "execute_request") return execution_.run(context, request);
  if (type == "complete_request") return complete(request.content);
  if (type == "inspect_request") return inspect(request.content);
  if (type == "is_complete_request") return is_complete(request.content);
  if (type == "history_request") return server::Reply{.content = history_.reply(request.content)};
  if (type == "comm_info_request")
    return server::Reply{.content = comms_.info(optional_string(request.content, "target_name"))};
  if (auto reply = common_.handle(context, request)) return reply;
  if (!comms_.handle(context, request)) support::log::warning("ignored a message of unknown type on shell");
  return std::nullopt;
}

server::Reply ShellHandler::aborted(const wire::Message& request) {
  if (request.header.msg_type != "execute_request")  // only execute_reply knows the status "aborted"
    return {.content = server::error_content("Aborted", "the kernel ended before it came to this request")};
  return {.content = {{"status", "aborted"}, {"execution_count", execution_.count()}}, .metadata = {{"status", "aborted"}}};
}

server::Reply ShellHandler::complete(const Json& content) {
  CompleteRequest request;
  request.code = required_string(content, "code");
  request.cursor = cursor_of(content, request.code);
  CompleteResult result = interpreter_.complete(request);
  if (result.matches.empty()) result.start = result.end = request.cursor;
  const std::size_t end = utf8::code_point_offset(request.code, result.end);
  const std::size_t start = std::min(end, utf8::code_point_offset(request.code, result.start));
  Json matches = Json::array();
  for (const Completion& match : result.matches) matches.push_back(match.text);
  if (has_types(result)) result.metadata["_jupyter_types_experimental"] = typed_matches(result, start, end);
  return {.content = {{"status", "ok"},
                      {"matches", std::move(matches)},
                      {"cursor_start", start},
                      {"cursor_end", end},
                      {"metadata", std::move(result.metadata)}}};
}

server::Reply ShellHandler::inspect(const Json& content) {
  InspectRequest request;
  request.code = required_string(content, "code");
  request.cursor = cursor_of(content, request.code);
  request.detail_level = optional_position(content, "detail_level").value_or(0) == 0 ? 0 : 1;
  InspectResult result = interpreter_.inspect(request);
  if (!result.found) result.data = result.metadata = Json::object();
  return {.content = {{"status", "ok"},
                      {"found", result.found},
                      {"data", std::move(result.data)},
                      {"metadata", std::move(result.metadata)}}};
}

server::Reply ShellHandler::is_complete(const Json& content) {
  const IsCompleteResult result = interpreter_.is_complete(required_string(content, "code"));
  Json reply{{"status", to_string(result.status)}};
  if (result.status == IsCompleteResult::Status::incomplete) reply["indent"] = result.indent;
  return {.content = std::move(reply)};
}

}  // namespace adrastea::services
