// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "transport/connection_info.hpp"
#include "wire/message.hpp"

#include <optional>
#include <string>
#include <vector>

namespace faulty {

using adrastea::transport::Channel;
using adrastea::wire::Frames;
using adrastea::wire::Json;

enum class Part { header, parent, metadata, content };

/// A message on its way through the transport, for faults to look at and to spoil. Its texts are what is sent: a text that
/// nobody edits stays as it was, byte for byte.
struct Message {
  Channel channel = Channel::shell;
  Frames identities;  ///< on iopub the topic
  std::string signature;
  std::vector<std::string> texts;  ///< by Part
  Frames buffers;

  /// Nothing for frames that are no message at all.
  static std::optional<Message> parse(Channel channel, const Frames& frames);
  [[nodiscard]] Frames frames() const;

  [[nodiscard]] std::string& text(Part part) { return texts.at(static_cast<std::size_t>(part)); }
  /// An empty object for a text that is none.
  [[nodiscard]] Json json(Part part) const;
  [[nodiscard]] std::string type() const;
  [[nodiscard]] std::string parent_type() const;
  [[nodiscard]] std::string parent_id() const;

  /// Replaces a text, and signs again unless the signature was wrong: what was forged stays so.
  void set(Part part, const Json& value);
  void set_text(Part part, std::string text);
  /// Changes one field.
  void set(Part part, const char* field, const Json& value);
  void erase(Part part, const char* field);
  /// A msg_id of its own.
  void renew();
  /// Signs with the kernel's key.
  void sign();
  [[nodiscard]] bool is_signed() const;
};

/// An empty object for a text that is none.
[[nodiscard]] Json parsed_object(const std::string& text);

/// The string under a key, or empty.
[[nodiscard]] std::string string_at(const Json& object, const char* key);

/// Whose key Message::sign() signs with. Before any other thread.
void use_key(const adrastea::transport::ConnectionInfo& info);

}  // namespace faulty
