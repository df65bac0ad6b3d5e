// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/message.hpp"

#include <filesystem>
#include <map>
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
  explicit SchemaStore(const std::filesystem::path& directory);
  /// The one of this library.
  static const SchemaStore& standard();
  /// One line for each violation; a type without a schema is one.
  [[nodiscard]] std::vector<std::string> violations(const Message& message) const;

 private:
  Json envelope_;
  std::map<std::string, Json> contents_;
};

}  // namespace adrastea::testing
