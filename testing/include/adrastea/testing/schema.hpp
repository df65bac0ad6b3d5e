// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/message.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace adrastea::testing {

/// Checks a value against a JSON Schema of the part of draft 7 that schemas/ uses: type, required, properties,
/// patternProperties, additionalProperties, propertyNames, items, enum, const, pattern, minimum, minLength, minItems,
/// oneOf, anyOf. Written here because the one packaged validator for nlohmann_json (valijson) brings Qt and Poco with it.
/// Returns one line for each violation, with the path to it. Errors: Failure for a keyword that it does not know, so
/// that no schema silently asks for nothing.
[[nodiscard]] std::vector<std::string> schema_violations(const Json& schema, const Json& value);

/// The schemas of all messages: envelope.json for {header, parent_header, metadata}, and one file per message type for
/// its content. They are plain JSON Schema, read by the Python tests too.
class SchemaStore {
 public:
  /// The one of this library; it is part of the program that links it.
  static const SchemaStore& standard();
  /// The message types that have a schema.
  [[nodiscard]] std::vector<std::string> types() const;
  /// One line for each violation, beginning with the path: /header/date …
  [[nodiscard]] std::vector<std::string> envelope_violations(const Message& message) const;
  /// One line for each violation; nothing for a type without a schema.
  [[nodiscard]] std::optional<std::vector<std::string>> content_violations(const Message& message) const;
  /// All of both; a type without a schema is a violation too.
  [[nodiscard]] std::vector<std::string> violations(const Message& message) const;

 private:
  SchemaStore();
  Json envelope_;
  std::map<std::string, Json> contents_;
};

}  // namespace adrastea::testing
