// SPDX-License-Identifier: BSD-3-Clause
#include "services/common_requests.hpp"

#include "services/content.hpp"

#include <utility>

namespace adrastea::services {

namespace {

Json language_info(const LanguageInfo& language) {
  Json info{{"name", language.name},
            {"version", language.version},
            {"mimetype", language.mimetype},
            {"file_extension", language.file_extension}};
  if (!language.pygments_lexer.empty()) info["pygments_lexer"] = language.pygments_lexer;
  if (!language.codemirror_mode.empty()) info["codemirror_mode"] = language.codemirror_mode;
  if (!language.nbconvert_exporter.empty()) info["nbconvert_exporter"] = language.nbconvert_exporter;
  return info;
}

Json kernel_info(const Interpreter& interpreter, const std::string& kernel_name) {
  const LanguageInfo language = interpreter.language();
  const KernelInfo info = interpreter.info();
  Json links = Json::array();
  for (const HelpLink& link : info.help_links) links.push_back({{"text", link.text}, {"url", link.url}});
  return {{"status", "ok"},
          {"protocol_version", wire::k_protocol_version},
          {"implementation", info.implementation.empty() ? kernel_name : info.implementation},
          {"implementation_version", info.implementation_version.empty() ? ADRASTEA_VERSION : info.implementation_version},
          {"language_info", language_info(language)},
          {"banner",
           info.banner.empty() ? language.name + " " + language.version + " (Adrastea " ADRASTEA_VERSION ")" : info.banner},
          {"debugger", false},
          {"help_links", std::move(links)},
          {"supported_features", Json::array()}};
}

Json connect_reply(const transport::ConnectionInfo& connection) {
  Json reply{{"status", "ok"}};
  for (const transport::Channel channel : transport::k_channels)
    reply[std::string(transport::to_string(channel)) + "_port"] = connection.port(channel);
  return reply;
}

}  // namespace

CommonRequests::CommonRequests(const Interpreter& interpreter, const transport::ConnectionInfo& connection,
                               const std::string& kernel_name, server::Iopub& iopub, Life& life)
    : iopub_(iopub),
      life_(life),
      kernel_info_(kernel_info(interpreter, kernel_name)),
      connect_(connect_reply(connection)) {}

std::optional<server::Reply> CommonRequests::handle(const server::Context& context, const wire::Message& request) const {
  const std::string& type = request.header.msg_type;
  if (type == "kernel_info_request") return server::Reply{.content = kernel_info_};
  if (type == "connect_request") return server::Reply{.content = connect_};
  if (type == "shutdown_request") return shut_down(context, request);
  if (type == "interrupt_request") {
    life_.interrupt();
    return server::Reply{.content = {{"status", "ok"}}};
  }
  return std::nullopt;
}

server::Reply CommonRequests::shut_down(const server::Context& context, const wire::Message& request) const {
  const bool restart = optional_bool(request.content, "restart", false);
  const Json content{{"status", "ok"}, {"restart", restart}};
  return {.content = content, .after = [this, context, content, restart] {
            // Under its own msg_id: a client that saw the same signature twice would take this for a replay.
            iopub_.publish(context, "shutdown_reply", content);
            life_.shut_down(restart);
          }};
}

}  // namespace adrastea::services
