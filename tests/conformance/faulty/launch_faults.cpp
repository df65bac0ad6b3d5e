// SPDX-License-Identifier: BSD-3-Clause
// Faults of how a start that cannot work, or that need not work so, is taken.
#include "launch_faults.hpp"

#include "hooks.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>

namespace faulty {
namespace {

namespace fs = std::filesystem;

/// The connection file as the launcher wrote it.
struct Found {
  fs::path path;
  bool there = false;
  std::string text;
  Json fields;  ///< discarded for a text that is no JSON

  [[nodiscard]] std::string value(const char* key) const { return fields.is_object() ? string_at(fields, key) : ""; }
  [[nodiscard]] bool lacks(const char* key) const { return fields.is_object() && !fields.contains(key); }
};

Found found_at(const fs::path& path) {
  Found found{path, fs::exists(path), {}, Json(Json::value_t::discarded)};
  std::ifstream file(path, std::ios::binary);
  found.text.assign(std::istreambuf_iterator<char>(file), {});
  found.fields = Json::parse(found.text, nullptr, false);
  return found;
}

int end_well(const Found& /*found*/) {
  std::cerr << "faulty: this does not work, and that is no matter\n";
  return 0;
}
int end_silently(const Found& /*found*/) { return 1; }
int refuse(const Found& /*found*/) {
  std::cerr << "faulty: it is not meant to be started so\n";
  return 1;
}
int hang(const Found& /*found*/) {
  while (true) ::pause();
}

bool empty_key = false;  // set before there are threads

/// Goes on without signatures.
std::optional<int> open_up(const Found& found) {
  Json fields = found.fields;
  fields.update({{"key", ""}, {"signature_scheme", "hmac-sha256"}});
  std::ofstream(found.path) << fields.dump();
  return std::nullopt;
}

/// A fault that shows in certain files only.
struct LaunchFault {
  Fault fault;
  std::function<bool(const Found&)> concerns;
  std::function<std::optional<int>(const Found&)> act;  ///< the status to end with, or nothing to go on
};

bool is_truncated(const Found& found) { return !found.text.empty() && found.fields.is_discarded(); }
bool is_unknown_scheme(const Found& found) { return found.value("signature_scheme") == "hmac-nosuchdigest"; }
bool has_empty_key(const Found& found) {
  return !found.lacks("key") && found.fields.is_object() && found.value("key").empty();
}

std::function<bool(const Found&)> has(const char* key, const char* value) {
  return [key, value](const Found& found) { return found.value(key) == value; };
}
std::function<bool(const Found&)> lacks(const char* key) {
  return [key](const Found& found) { return found.lacks(key); };
}
bool lacks_secret_only(const Found& found) { return found.lacks("curve_secretkey") && !found.lacks("curve_publickey"); }
bool lacks_public_only(const Found& found) { return found.lacks("curve_publickey") && !found.lacks("curve_secretkey"); }
bool has_short_secret(const Found& found) {
  const std::string key = found.value("curve_secretkey");
  return !key.empty() && key.size() < 40;
}

std::vector<LaunchFault> file_faults() {
  return {
      {{"file-missing-well", "Ends as if all were well when there is no connection file.", {"start.file.missing"}},
       [](const Found& found) { return !found.there; },
       end_well},
      {{"file-truncated-well", "Ends as if all were well with half a connection file.", {"start.file.truncated"}},
       is_truncated,
       end_well},
      {{"file-truncated-silent",
        "Does not say what is wrong with half a connection file.",
        {"start.file.truncated.stderr"}},
       is_truncated,
       end_silently},
      {{"file-empty-well", "Ends as if all were well with an empty connection file.", {"start.file.empty"}},
       [](const Found& found) { return found.there && found.text.empty(); },
       end_well},
      {{"file-array-well", "Ends as if all were well with a connection file that is no object.", {"start.file.array"}},
       [](const Found& found) { return found.fields.is_array(); },
       end_well},
      {{"transport-unknown-well", "Ends as if all were well with an unknown transport.", {"start.transport.unknown"}},
       has("transport", "pigeon"),
       end_well},
      {{"fields-unknown-refused", "Refuses a connection file with other keys than it knows.", {"start.fields.unknown"}},
       [](const Found& found) { return found.fields.is_object() && found.fields.contains("unknown"); },
       refuse},
      {{"kernel-name-needed", "Refuses a connection file without kernel_name.", {"start.fields.kernel-name"}},
       lacks("kernel_name"),
       refuse},
      {{"ipv6-hangs", "Neither works nor ends with an address of IPv6.", {"start.ipv6"}, {}, {}, "port0"},
       has("ip", "::1"),
       hang},
  };
}

std::vector<LaunchFault> key_faults() {
  return {
      {{"scheme-sha512-refused", "Does not know hmac-sha512.", {"start.scheme.sha512"}},
       has("signature_scheme", "hmac-sha512"),
       refuse},
      {{"scheme-md5-refused", "Does not know hmac-md5.", {"start.scheme.md5"}},
       has("signature_scheme", "hmac-md5"),
       refuse},
      {{"scheme-needed", "Refuses a connection file without signature_scheme.", {"start.fields.scheme"}},
       lacks("signature_scheme"),
       refuse},
      {{"scheme-unknown-well",
        "Ends as if all were well with an unknown scheme.",
        {"start.scheme.unknown", "abuse.signature.unknown-scheme"}},
       is_unknown_scheme,
       end_well},
      {{"scheme-unknown-open",
        "Goes on without signatures when it does not know the scheme.",
        {"start.scheme.unknown", "start.scheme.unknown.closed", "abuse.signature.unknown-scheme"}},
       is_unknown_scheme,
       open_up},
      {{"key-empty-refused",
        "Does not start without a key.",
        {"start.key.empty", "start.key.empty.signed", "abuse.signature.no-key"}},
       has_empty_key,
       refuse},
      {{"key-empty-unsigned-only",
        "Refuses signatures when there is no key.",
        {"start.key.empty.signed", "abuse.signature.no-key", "order.busy.sent", "order.idle.sent", "order.reply.sent"},
        {},
        drop([](const Message& message) { return empty_key && !message.signature.empty(); })},
       has_empty_key,
       [](const Found&) -> std::optional<int> {
         empty_key = true;
         return std::nullopt;
       }},
      {{"curve-public-missing-well",
        "Ends as if all were well without its public key.",
        {"curve.keys.public-missing"},
        {},
        {},
        "curve"},
       lacks_public_only,
       end_well},
      {{"curve-secret-missing-well",
        "Ends as if all were well without its secret key.",
        {"curve.keys.secret-missing"},
        {},
        {},
        "curve"},
       lacks_secret_only,
       end_well},
      {{"curve-key-bad-well", "Ends as if all were well with a bad key.", {"curve.keys.bad"}, {}, {}, "curve"},
       has_short_secret,
       end_well},
  };
}

std::vector<LaunchFault> all_of_them() {
  std::vector<LaunchFault> all = file_faults();
  for (auto& fault : key_faults()) all.push_back(std::move(fault));
  return all;
}

}  // namespace

std::vector<Fault> launch_faults() {
  std::vector<Fault> faults;
  for (const auto& each : all_of_them()) faults.push_back(each.fault);
  return faults;
}

std::optional<int> start_wrongly(const std::filesystem::path& connection_file) {
  if (chosen() == nullptr) return std::nullopt;
  const Found found = found_at(connection_file);
  for (const auto& each : all_of_them()) {
    if (is_chosen(each.fault.name) && each.concerns(found)) return each.act(found);
  }
  return std::nullopt;
}

}  // namespace faulty
