// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

/// Reading a request's content: lenient where the protocol has a default, clear where it has none.
///
/// Threads: any. Errors: std::invalid_argument that names the field and what was expected; it becomes the error reply.
namespace adrastea::services {

/// A field without which the request means nothing.
[[nodiscard]] std::string required_string(const nlohmann::json& content, const char* key);

/// null counts as absent; any other type is an error.
[[nodiscard]] std::string optional_string(const nlohmann::json& content, const char* key);
[[nodiscard]] bool optional_bool(const nlohmann::json& content, const char* key, bool otherwise);

/// A whole number, also when written as 3.0; clamped to what a cursor can be. null counts as absent.
[[nodiscard]] std::optional<std::size_t> optional_position(const nlohmann::json& content, const char* key);

/// An object, {} when absent or null.
[[nodiscard]] nlohmann::json optional_object(const nlohmann::json& content, const char* key);

}  // namespace adrastea::services
