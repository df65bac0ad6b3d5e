// SPDX-License-Identifier: BSD-3-Clause
#include "server/request_server.hpp"

#include "support/fork_guard.hpp"
#include "support/log.hpp"

#include <adrastea/errors.hpp>

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <utility>

namespace adrastea::server {

namespace {

constexpr std::string_view k_request_suffix = "_request";

std::string safe_what(const std::exception& failure) noexcept {
  try {
    const char* const text = failure.what();
    return text != nullptr ? text : "";
  } catch (...) {
    return "(its what() failed)";
  }
}

std::string reply_type(const std::string& msg_type) {
  std::string type = msg_type;
  if (type.ends_with(k_request_suffix)) type.resize(type.size() - k_request_suffix.size());
  return type + "_reply";
}

[[noreturn]] void end_forked_child(const std::optional<Reply>& reply) {
  const bool failed = reply && reply->content.value("status", "") == "error";
  if (failed)
    std::fprintf(stderr, "%s: %s\n", reply->content.value("ename", "").c_str(), reply->content.value("evalue", "").c_str());
  std::fflush(nullptr);
  ::_exit(failed ? 1 : 0);
}

}  // namespace

Json error_content(std::string_view ename, std::string_view evalue) {
  return {{"status", "error"},
          {"ename", ename},
          {"evalue", evalue},
          {"traceback", Json::array({std::string(ename) + ": " + std::string(evalue)})}};
}

Json error_content_of_current_exception() noexcept {
  try {
    throw;
  } catch (const ExecutionError& failure) {
    Json content = error_content(failure.ename, failure.evalue);
    if (!failure.traceback.empty()) content["traceback"] = failure.traceback;
    return content;
  } catch (const std::exception& failure) {
    return error_content("Error", safe_what(failure));
  } catch (const char* text) {
    return error_content("Error", text != nullptr ? text : "");
  } catch (...) {
    return error_content("Error", "an exception of an unknown type");
  }
}

std::optional<wire::Message> RequestServer::receive() {
  // Bounded, so that a flood of bad messages cannot keep the caller here.
  for (int tries = 0; tries < 100; ++tries) {
    auto frames = parts_.socket.receive();
    if (!frames) return std::nullopt;
    auto decoded = wire::decode(std::move(*frames), parts_.signer, parts_.history, parts_.limits);
    if (decoded) return std::move(decoded).value();
    const wire::DecodeError& error = decoded.error();
    support::log::warning(std::string("dropped a message on ") +
                          (parts_.origin == RequestContext::Origin::control ? "control" : "shell") + ": " +
                          to_string(error.kind) + ": " + error.detail);
  }
  return std::nullopt;
}

Context RequestServer::make_context(wire::Message& request) {
  auto context = std::make_shared<RequestContext>();
  context->origin = parts_.origin;
  context->msg_type = request.header.msg_type;
  context->parent_header = std::move(request.header_bytes);
  context->identities = std::move(request.identities);
  parts_.handler.prepare(*context, request);
  return context;
}

void RequestServer::serve(const Context& context, wire::Message& request, const std::function<void()>& abort_waiting) {
  parts_.iopub.status(context, Iopub::State::busy);
  // Behind that of an execute_request comes execute_input, at once.
  if (request.header.msg_type != "execute_request") parts_.iopub.flush();
  const std::optional<Reply> reply = handle(context, request);
  // A child that user code forked and that came back here must not touch the sockets it shares with us.
  if (support::fork_guard::in_forked_child()) end_forked_child(reply);
  if (parts_.origin == RequestContext::Origin::shell)
    parts_.iopub.complete(context);
  else
    parts_.iopub.flush();
  if (reply) {
    if (reply->abort_queue && abort_waiting) abort_waiting();
    send(context, *reply);
    if (reply->after) reply->after();
  }
  parts_.iopub.status(context, Iopub::State::idle);
}

void RequestServer::serve_aborted(wire::Message& request) {
  const Context context = make_context(request);
  parts_.iopub.status(context, Iopub::State::busy);
  parts_.iopub.flush();
  send(context, parts_.handler.aborted(request));
  parts_.iopub.status(context, Iopub::State::idle);
}

std::optional<Reply> RequestServer::handle(const Context& context, wire::Message& request) {
  try {
    return parts_.handler.handle(context, request);
  } catch (...) {
    Json content = error_content_of_current_exception();
    support::log::warning(request.header.msg_type + " failed: " + content.value("evalue", ""));
    if (!request.header.msg_type.ends_with(k_request_suffix)) return std::nullopt;
    return Reply{.content = std::move(content)};
  }
}

void RequestServer::send(const Context& context, const Reply& reply) {
  wire::Outgoing out;
  out.header = parts_.identity.next_header_json(reply_type(context->msg_type));
  out.parent_header = context->parent_header;
  out.metadata = reply.metadata_text.empty() ? wire::to_text(reply.metadata) : reply.metadata_text;
  out.content = reply.content_text.empty() ? wire::to_text(reply.content) : reply.content_text;
  out.buffers = reply.buffers;
  wire::Frames body = wire::encode(std::move(out), parts_.signer);
  body.insert(body.begin(), context->identities.begin(), context->identities.end());
  // A client that has gone gets nothing; that is its own affair.
  parts_.socket.send(std::move(body));
}

}  // namespace adrastea::server
