// SPDX-License-Identifier: BSD-3-Clause
#include "message.hpp"

#include "wire/signature.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>

namespace faulty {
namespace {

using adrastea::wire::k_delimiter;
using adrastea::wire::Signer;

constexpr std::ptrdiff_t k_texts = 4;

std::mutex signer_mutex;
std::unique_ptr<Signer> signer;  // guarded by signer_mutex
std::atomic<unsigned> renewed{0};

}  // namespace

void use_key(const adrastea::transport::ConnectionInfo& info) {
  auto made = Signer::create(info.signature_scheme, info.key);
  if (!made) throw std::runtime_error(made.error());
  const std::lock_guard lock(signer_mutex);
  signer = std::make_unique<Signer>(std::move(made).value());
}

std::string string_at(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<Message> Message::parse(Channel channel, const Frames& frames) {
  const auto delimiter = std::find(frames.begin(), frames.end(), k_delimiter);
  if (frames.end() - delimiter < 2 + k_texts) return std::nullopt;
  Message message;
  message.channel = channel;
  message.identities.assign(frames.begin(), delimiter);
  message.signature = delimiter[1];
  message.texts.assign(delimiter + 2, delimiter + 2 + k_texts);
  message.buffers.assign(delimiter + 2 + k_texts, frames.end());
  return message;
}

Frames Message::frames() const {
  Frames frames = identities;
  frames.emplace_back(k_delimiter);
  frames.push_back(signature);
  frames.insert(frames.end(), texts.begin(), texts.end());
  frames.insert(frames.end(), buffers.begin(), buffers.end());
  return frames;
}

Json parsed_object(const std::string& text) {
  Json parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object()) parsed = Json::object();
  return parsed;
}

Json Message::json(Part part) const { return parsed_object(texts.at(static_cast<std::size_t>(part))); }

std::string Message::type() const { return string_at(json(Part::header), "msg_type"); }
std::string Message::parent_type() const { return string_at(json(Part::parent), "msg_type"); }
std::string Message::parent_id() const { return string_at(json(Part::parent), "msg_id"); }

void Message::set(Part part, const Json& value) { set_text(part, value.dump()); }

void Message::set_text(Part part, std::string text) {
  const bool right = is_signed();
  this->text(part) = std::move(text);
  if (right) sign();
}

void Message::set(Part part, const char* field, const Json& value) {
  Json whole = json(part);
  whole[field] = value;
  set(part, whole);
}

void Message::erase(Part part, const char* field) {
  Json whole = json(part);
  whole.erase(field);
  set(part, whole);
}

void Message::renew() {
  set(Part::header, "msg_id", string_at(json(Part::header), "msg_id") + "_" + std::to_string(++renewed));
}

namespace {

std::string signature_of(const std::vector<std::string>& texts) {
  const std::lock_guard lock(signer_mutex);
  return signer->sign({texts.at(0), texts.at(1), texts.at(2), texts.at(3)});
}

}  // namespace

void Message::sign() { signature = signature_of(texts); }
bool Message::is_signed() const { return signature == signature_of(texts); }

}  // namespace faulty
