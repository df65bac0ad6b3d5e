// SPDX-License-Identifier: BSD-3-Clause
#include "wire/encode.hpp"

#include "support/ids.hpp"
#include "support/utf8.hpp"
#include "wire/json_text.hpp"

#include <chrono>
#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

namespace adrastea::wire {
namespace {

std::string user_name() {
  const char* name = std::getenv("USER");
  return name == nullptr || *name == '\0' ? "username" : support::utf8::sanitized(name);
}

/// An object or array on the way down, and how far its elements were looked at. `Value` is Json or const Json.
template <class Value>
struct Level {
  explicit Level(Value& value) : next(value.begin()), end(value.end()) {}
  decltype(std::declval<Value&>().begin()) next;
  decltype(next) end;
};

/// What the dumper writes for a value that Json::parse() discarded; no JSON.
constexpr std::string_view k_discarded = "<discarded>";

void replace_discarded(Json& value) {
  if (value.is_discarded()) value = nullptr;
  if (!value.is_structured()) return;
  std::vector<Level<Json>> path{Level<Json>{value}};
  while (!path.empty()) {
    if (path.back().next == path.back().end) {
      path.pop_back();
      continue;
    }
    Json& element = *path.back().next++;
    if (element.is_discarded()) element = nullptr;
    if (element.is_structured()) path.emplace_back(element);
  }
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Identity::Identity() : session_(support::random_hex(16)), username_(user_name()) {
  ObjectText fields;
  fields.add("session", session_).add("username", username_).add("version", k_protocol_version);
  fixed_fields_ = std::move(fields).take();
  fixed_fields_.front() = ',';
  append_quoted(msg_id_begin_ = R"({"msg_id":)", session_ + "_");
  msg_id_begin_.pop_back();
}

std::string Identity::next_msg_id() {
  return session_ + "_" + std::to_string(count_.fetch_add(1, std::memory_order_relaxed));
}

std::string Identity::next_header_json(std::string_view msg_type) {
  std::string text;
  text.reserve(msg_id_begin_.size() + msg_type.size() + fixed_fields_.size() + 96);
  text.append(msg_id_begin_).append(std::to_string(count_.fetch_add(1, std::memory_order_relaxed)));
  append_quoted(text += R"(","msg_type":)", msg_type);
  text.append(R"(,"date":")").append(support::iso_time(std::chrono::system_clock::now())).append(1, '"');
  return text += fixed_fields_;
}

Header Identity::next_header(std::string_view msg_type) {
  return {.msg_id = next_msg_id(),
          .msg_type = std::string{msg_type},
          .session = session_,
          .username = username_,
          .date = support::iso_time(std::chrono::system_clock::now()),
          .version = std::string(k_protocol_version),
          .subshell_id = std::nullopt};
}

std::string header_json(const Header& header) {
  ObjectText text;
  text.add("msg_id", header.msg_id).add("msg_type", header.msg_type).add("session", header.session);
  text.add("username", header.username).add("date", header.date).add("version", header.version);
  if (header.subshell_id) text.add("subshell_id", *header.subshell_id);
  return std::move(text).take();
}

std::string to_text(const Json& value) {
  if (value.is_structured() && value.empty()) return value.is_object() ? "{}" : "[]";
  std::string text = dump(value);
  if (text.find(k_discarded) != std::string::npos) {
    Json mended = value;
    replace_discarded(mended);
    text = dump(mended);
  }
  return text;
}

std::string stream_content(std::string_view name, std::string_view text) {
  ObjectText content(text.size() + text.size() / 16 + 64);
  content.add("name", name).add("text", text);
  return std::move(content).take();
}

bool depth_within(const Json& value, std::size_t limit) {
  if (!value.is_structured()) return true;
  if (limit == 0) return false;
  std::vector<Level<const Json>> path{Level<const Json>{value}};
  while (!path.empty()) {
    if (path.back().next == path.back().end) {
      path.pop_back();
      continue;
    }
    const Json& element = *path.back().next++;
    if (!element.is_structured()) continue;
    if (path.size() == limit) return false;
    path.emplace_back(element);
  }
  return true;
}

Frames encode(Outgoing message, Signer& signer) {
  Frames frames;
  frames.reserve(6 + message.buffers.size());
  frames.emplace_back(k_delimiter);
  frames.push_back(signer.sign({message.header, message.parent_header, message.metadata, message.content}));
  frames.push_back(std::move(message.header));
  frames.push_back(std::move(message.parent_header));
  frames.push_back(std::move(message.metadata));
  frames.push_back(std::move(message.content));
  std::move(message.buffers.begin(), message.buffers.end(), std::back_inserter(frames));
  return frames;
}

}  // namespace adrastea::wire
