// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/schema.hpp>

#include <adrastea/testing/failure.hpp>

#include <algorithm>
#include <functional>
#include <regex>

namespace adrastea::testing {

/// Made by CMake of testing/schemas.
extern const std::map<std::string, std::string_view> k_schemas;

namespace {

using Violations = std::vector<std::string>;

void check(const Json& schema, const Json& value, const std::string& path, Violations& found);

bool matches(const std::string& text, const std::string& pattern) {
  // Compiling an expression costs more than the rest of a check, and there are only a few.
  static thread_local std::map<std::string, std::regex> compiled;
  const auto known = compiled.try_emplace(pattern, pattern).first;
  return std::regex_search(text, known->second);
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  throw Failure("schema with unknown type " + type);
}

void check_type(const Json& types, const Json& value, const std::string& path, Violations& found) {
  const bool right = types.is_array()
                         ? std::any_of(types.begin(), types.end(), [&](const Json& type) { return has_type(value, type); })
                         : has_type(value, types);
  if (!right) found.push_back(path + " is " + value.type_name() + ", not " + types.dump());
}

void check_members(const Json& schema, const Json& value, const std::string& path, Violations& found) {
  if (!value.is_object()) return;
  const Json none = Json::object();
  const Json& properties = schema.contains("properties") ? schema.at("properties") : none;
  const Json& patterns = schema.contains("patternProperties") ? schema.at("patternProperties") : none;
  for (const auto& [name, member] : value.items()) {
    std::string where = path;
    where.append("/").append(name);
    bool named = properties.contains(name);
    if (named) check(properties.at(name), member, where, found);
    for (const auto& [pattern, member_schema] : patterns.items()) {
      if (!matches(name, pattern)) continue;
      named = true;
      check(member_schema, member, where, found);
    }
    if (!named && schema.contains("additionalProperties")) check(schema.at("additionalProperties"), member, where, found);
    if (schema.contains("propertyNames")) check(schema.at("propertyNames"), name, where + " (its name)", found);
  }
}

std::size_t fitting(const Json& schemas, const Json& value, const std::string& path, Violations& why) {
  std::size_t count = 0;
  for (const auto& schema : schemas) {
    const std::size_t before = why.size();
    check(schema, value, path, why);
    if (why.size() == before) ++count;
  }
  return count;
}

/// Whether the value says, by what is constant in a schema (a status, a source), that it means to be of this kind.
bool means(const Json& schema, const Json& value) {
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !value.is_object()) return false;
  for (const auto& [key, property] : properties->items()) {
    const auto wanted = property.find("const");
    const auto given = value.find(key);
    if (wanted != property.end() && given != value.end() && *given == *wanted) return true;
  }
  return false;
}

void check_choice(const Json& schemas, bool only_one, const Json& value, const std::string& path, Violations& found) {
  Violations why;
  const std::size_t count = fitting(schemas, value, path, why);
  if (count > 1 && only_one) found.push_back(path + " fits more than one of oneOf");
  if (count > 0) return;
  const auto meant = std::find_if(schemas.begin(), schemas.end(), [&](const Json& schema) { return means(schema, value); });
  if (meant != schemas.end()) {
    check(*meant, value, path, found);
    return;
  }
  std::string line = path + " fits none of its alternatives:";
  for (const auto& reason : why) line += " [" + reason + "]";
  found.push_back(line);
}

using Keyword = std::function<void(const Json&, const Json&, const std::string&, Violations&)>;

void at_least(bool right, const std::string& path, const char* keyword, const Json& limit, Violations& found) {
  if (!right) found.push_back(path + " violates " + keyword + " " + limit.dump());
}

const std::map<std::string, Keyword>& keywords() {
  static const std::map<std::string, Keyword> table{
      {"type", check_type},
      {"required",
       [](const Json& names, const Json& value, const std::string& path, Violations& found) {
         if (!value.is_object()) return;
         for (const auto& name : names) {
           if (!value.contains(name.get<std::string>())) found.push_back(path + " lacks " + name.dump());
         }
       }},
      {"items",
       [](const Json& item_schema, const Json& value, const std::string& path, Violations& found) {
         if (!value.is_array()) return;
         std::size_t index = 0;
         for (const auto& item : value) {
           const Json& schema =
               item_schema.is_array() ? item_schema.at(std::min(index, item_schema.size() - 1)) : item_schema;
           check(schema, item, path + "/" + std::to_string(index++), found);
         }
       }},
      {"enum",
       [](const Json& allowed, const Json& value, const std::string& path, Violations& found) {
         if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
           found.push_back(path + " is " + value.dump() + ", not one of " + allowed.dump());
         }
       }},
      {"const",
       [](const Json& wanted, const Json& value, const std::string& path, Violations& found) {
         if (value != wanted) found.push_back(path + " is " + value.dump() + ", not " + wanted.dump());
       }},
      {"pattern",
       [](const Json& pattern, const Json& value, const std::string& path, Violations& found) {
         if (value.is_string() && !matches(value, pattern))
           found.push_back(path + " " + value.dump() + " is not " + pattern.dump());
       }},
      {"minimum", [](const Json& limit, const Json& value, const std::string& path,
                     Violations& found) { at_least(!value.is_number() || value >= limit, path, "minimum", limit, found); }},
      {"minLength",
       [](const Json& limit, const Json& value, const std::string& path, Violations& found) {
         at_least(!value.is_string() || value.get<std::string>().size() >= limit, path, "minLength", limit, found);
       }},
      {"minItems",
       [](const Json& limit, const Json& value, const std::string& path, Violations& found) {
         at_least(!value.is_array() || value.size() >= limit, path, "minItems", limit, found);
       }},
      {"maxItems",
       [](const Json& limit, const Json& value, const std::string& path, Violations& found) {
         at_least(!value.is_array() || value.size() <= limit, path, "maxItems", limit, found);
       }},
      {"oneOf", [](const Json& s, const Json& v, const std::string& p, Violations& f) { check_choice(s, true, v, p, f); }},
      {"anyOf", [](const Json& s, const Json& v, const std::string& p, Violations& f) { check_choice(s, false, v, p, f); }},
  };
  return table;
}

bool is_handled_elsewhere(const std::string& keyword) {
  // The members' keywords work together in check_members(); the others only describe.
  static const std::vector<std::string> names{"properties",    "patternProperties", "additionalProperties",
                                              "propertyNames", "$schema",           "title",
                                              "description",   "$comment"};
  return std::find(names.begin(), names.end(), keyword) != names.end();
}

void check(const Json& schema, const Json& value, const std::string& path, Violations& found) {
  if (schema.is_boolean()) {
    if (!schema.get<bool>()) found.push_back(path + " is not allowed");
    return;
  }
  for (const auto& [keyword, argument] : schema.items()) {
    const auto known = keywords().find(keyword);
    if (known != keywords().end()) {
      known->second(argument, value, path, found);
    } else if (!is_handled_elsewhere(keyword)) {
      throw Failure("schema keyword that this validator does not know: " + keyword);
    }
  }
  check_members(schema, value, path, found);
}

}  // namespace

std::vector<std::string> schema_violations(const Json& schema, const Json& value) {
  Violations found;
  check(schema, value, "", found);
  return found;
}

SchemaStore::SchemaStore() {
  for (const auto& [name, text] : k_schemas) contents_.emplace(name, Json::parse(text));
  envelope_ = contents_.extract("envelope").mapped();
}

const SchemaStore& SchemaStore::standard() {
  static const SchemaStore store;
  return store;
}

std::vector<std::string> SchemaStore::types() const {
  std::vector<std::string> names;
  for (const auto& [name, schema] : contents_) names.push_back(name);
  return names;
}

std::vector<std::string> SchemaStore::envelope_violations(const Message& message) const {
  const Json envelope{{"header", message.header}, {"parent_header", message.parent_header}, {"metadata", message.metadata}};
  return schema_violations(envelope_, envelope);
}

std::optional<std::vector<std::string>> SchemaStore::content_violations(const Message& message) const {
  const auto schema = contents_.find(message.type());
  if (schema == contents_.end()) return std::nullopt;
  auto found = schema_violations(schema->second, message.content);
  for (auto& line : found) line.insert(0, "content");
  return found;
}

std::vector<std::string> SchemaStore::violations(const Message& message) const {
  auto found = envelope_violations(message);
  auto content = content_violations(message);
  if (!content) content = {"no schema for msg_type " + message.type()};
  found.insert(found.end(), content->begin(), content->end());
  return found;
}

}  // namespace adrastea::testing
