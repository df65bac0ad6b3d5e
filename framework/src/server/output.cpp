// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/output.hpp>

#include "server/output_target.hpp"
#include "wire/encode.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace adrastea {

namespace server {

void require_object(const char* what, const Json& value, std::size_t max_depth) {
  if (!value.is_object())
    throw std::invalid_argument(std::string(what) + " must be a JSON object, not " + value.type_name());
  if (!wire::depth_within(value, max_depth))
    throw std::invalid_argument(std::string(what) + " nests deeper than " + std::to_string(max_depth) + " levels");
}

namespace {

void publish_display(const OutputTarget& target, const char* msg_type, std::string_view display_id, MimeBundle data,
                     Json metadata) {
  require_object("display data", data, target.max_json_depth);
  require_object("display metadata", metadata, target.max_json_depth);
  if (target.context->silent) return;
  Json transient = Json::object();
  if (!display_id.empty()) transient["display_id"] = display_id;
  target.iopub->publish_from_user_code(
      target.context, msg_type,
      {{"data", std::move(data)}, {"metadata", std::move(metadata)}, {"transient", std::move(transient)}});
}

}  // namespace

}  // namespace server

Output::Output(std::shared_ptr<server::OutputTarget> target) : target_(std::move(target)) {}

void Output::write_stdout(std::string_view text) { target_->iopub->text(target_->context, server::Stream::out, text); }

void Output::write_stderr(std::string_view text) { target_->iopub->text(target_->context, server::Stream::err, text); }

void Output::display(MimeBundle data, Json metadata, std::string_view display_id) {
  server::publish_display(*target_, "display_data", display_id, std::move(data), std::move(metadata));
}

void Output::update_display(std::string_view display_id, MimeBundle data, Json metadata) {
  if (display_id.empty()) throw std::invalid_argument("update_display needs a display_id");
  server::publish_display(*target_, "update_display_data", display_id, std::move(data), std::move(metadata));
}

void Output::clear(bool wait) {
  if (target_->context->silent) return;
  target_->iopub->publish_from_user_code(target_->context, "clear_output", {{"wait", wait}});
}

Output Output::muted() const {
  // Without the tails: those are the outbox's, and another thread may print.
  const server::RequestContext& original = *target_->context;
  auto context = std::make_shared<server::RequestContext>();
  context->origin = original.origin;
  context->msg_type = original.msg_type;
  context->parent_header = original.parent_header;
  context->identities = original.identities;
  context->allow_stdin = original.allow_stdin;
  context->silent = true;
  return Output(std::make_shared<server::OutputTarget>(
      server::OutputTarget{target_->iopub, std::move(context), target_->max_json_depth}));
}

}  // namespace adrastea
