// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/message.hpp>

#include <adrastea/testing/failure.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace adrastea::testing {
namespace {

constexpr const char* k_delimiter = "<IDS|MSG>";

std::string to_hex(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += digits[bytes[i] >> 4U];
    text += digits[bytes[i] & 15U];
  }
  return text;
}

/// Whoever copies or compares a value goes as deep as it is: one that nests deeper would end the process by its stack.
constexpr std::size_t k_max_depth = 1000;

bool is_too_deep(const std::string& text) noexcept {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (c == '\\') ++at;
    } else if (c == '{' || c == '[') {
      if (++depth > k_max_depth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

std::string beginning(const std::string& bytes) {
  constexpr std::size_t most = 300;
  if (bytes.size() <= most) return bytes;
  return bytes.substr(0, most) + "… (" + std::to_string(bytes.size()) + " bytes)";
}

Json parse_object(const char* frame, const std::string& bytes, const ViolationSink& sink) {
  const std::string name = std::string("the ") + frame + " frame ";
  if (is_too_deep(bytes)) {
    sink({"wire.frames.json", name + "nests deeper than " + std::to_string(k_max_depth) + " levels: " + beginning(bytes)});
    return Json::object();
  }
  // The parser here passes over a byte order mark; those of others do not.
  Json parsed = bytes.starts_with("\xEF\xBB\xBF") ? Json() : Json::parse(bytes, nullptr, false);
  if (parsed.is_object()) return parsed;
  sink({"wire.frames.json", name + "is no JSON object: " + beginning(bytes)});
  return Json::object();
}

}  // namespace

const char* to_string(Channel channel) noexcept {
  constexpr std::array names{"shell", "iopub", "stdin", "control", "hb"};
  return names.at(static_cast<std::size_t>(channel));
}

Codec::Codec(const std::string& scheme, std::string key) : key_(std::move(key)) {
  if (!scheme.starts_with("hmac-")) throw Failure("unknown signature scheme: " + scheme);
  digest_ = scheme.substr(5);
  if (EVP_get_digestbyname(digest_.c_str()) == nullptr) throw Failure("OpenSSL has no digest " + digest_);
}

std::string Codec::sign(const std::array<std::string_view, 4>& signed_frames) const {
  if (key_.empty()) return {};
  std::string text;
  for (const auto frame : signed_frames) text += frame;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  HMAC(EVP_get_digestbyname(digest_.c_str()), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  return to_hex(mac.data(), size);
}

Frames Codec::encode(const std::array<std::string_view, 4>& signed_frames, const Frames& buffers) const {
  Frames frames{k_delimiter, sign(signed_frames)};
  for (const auto frame : signed_frames) frames.emplace_back(frame);
  frames.insert(frames.end(), buffers.begin(), buffers.end());
  return frames;
}

Message Codec::decode(Channel channel, Frames frames) const {
  return *decode(channel, std::move(frames), [](const Violation& violation) { throw Failure(violation.finding); });
}

std::optional<Message> Codec::decode(Channel channel, Frames frames, const ViolationSink& sink) const {
  const auto delimiter = std::find(frames.begin(), frames.end(), k_delimiter);
  if (frames.end() - delimiter < 6) {
    sink({"wire.frames.count", std::string("a message on ") + to_string(channel) + " has " + std::to_string(frames.size()) +
                                   " frames, and not a delimiter and five after it"});
    return std::nullopt;
  }
  Message message;
  message.channel = channel;
  message.identities.assign(frames.begin(), delimiter);
  const std::string signature = delimiter[1];
  message.header_bytes = std::move(delimiter[2]);
  message.parent_bytes = std::move(delimiter[3]);
  message.metadata_bytes = std::move(delimiter[4]);
  message.content_bytes = std::move(delimiter[5]);
  message.buffers.assign(std::move_iterator(delimiter + 6), std::move_iterator(frames.end()));
  if (signature != sign({message.header_bytes, message.parent_bytes, message.metadata_bytes, message.content_bytes})) {
    sink({"wire.signature", "wrong signature '" + signature + "' on " + message.header_bytes});
  }
  message.header = parse_object("header", message.header_bytes, sink);
  message.parent_header = parse_object("parent_header", message.parent_bytes, sink);
  message.metadata = parse_object("metadata", message.metadata_bytes, sink);
  message.content = parse_object("content", message.content_bytes, sink);
  return message;
}

std::string text_of(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::int64_t> integer_of(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

std::string summary(const Message& message) {
  return std::string(to_string(message.channel)) + " " + message.type() + " parent=" + message.parent_id() + " " +
         beginning(message.content_bytes);
}

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw Failure("no random bytes");
  return to_hex(bytes.data(), bytes.size());
}

std::string iso_now() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now - std::chrono::system_clock::from_time_t(seconds)).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string fraction = std::to_string(micros);
  return date.data() + std::string(".") + std::string(6 - fraction.size(), '0') + fraction + "Z";
}

}  // namespace adrastea::testing
