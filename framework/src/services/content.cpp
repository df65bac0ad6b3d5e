// SPDX-License-Identifier: BSD-3-Clause
#include "services/content.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace adrastea::services {

namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const char* key, const char* expected, const Json& got) {
  throw std::invalid_argument(std::string("content.") + key + " must be " + expected + ", not " + got.type_name());
}

const Json* present(const Json& content, const char* key) {
  const auto found = content.find(key);
  return found == content.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

std::string required_string(const Json& content, const char* key) {
  const auto found = content.find(key);
  if (found == content.end()) throw std::invalid_argument(std::string("content.") + key + " is missing");
  if (!found->is_string()) fail(key, "a string", *found);
  return found->get<std::string>();
}

std::string optional_string(const Json& content, const char* key) {
  const Json* const value = present(content, key);
  if (value == nullptr) return {};
  if (!value->is_string()) fail(key, "a string", *value);
  return value->get<std::string>();
}

bool optional_bool(const Json& content, const char* key, bool otherwise) {
  const Json* const value = present(content, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail(key, "true or false", *value);
  return value->get<bool>();
}

std::optional<std::size_t> optional_position(const Json& content, const char* key) {
  const Json* const value = present(content, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) fail(key, "a number", *value);
  if (value->is_number_unsigned()) return value->get<std::size_t>();
  const double number = value->get<double>();
  if (!(number > 0)) return 0;  // NaN too
  constexpr auto most = static_cast<double>(std::numeric_limits<std::int32_t>::max());
  return static_cast<std::size_t>(number < most ? number : most);
}

Json optional_object(const Json& content, const char* key) {
  const Json* const value = present(content, key);
  if (value == nullptr) return Json::object();
  if (!value->is_object()) fail(key, "an object", *value);
  return *value;
}

}  // namespace adrastea::services
