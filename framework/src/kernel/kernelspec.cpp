// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/kernelspec.hpp"

#include "support/atomic_file.hpp"
#include "transport/connection_info.hpp"
#include "transport/sockets.hpp"
#include "wire/message.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

namespace adrastea::kernel {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* k_file = "kernel.json";
constexpr std::array k_logos{"logo-32x32.png", "logo-64x64.png", "logo-svg.svg"};
constexpr mode_t k_mode = 0644;

[[noreturn]] void fail(const std::string& action, const fs::path& path, const std::error_code& cause) {
  std::string text = "cannot " + action + " " + path.string() + ": " + cause.message();
  if (cause == std::errc::permission_denied) text += "; --user, --sys-prefix and --prefix choose another place";
  throw KernelSpecError(text);
}

void check_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name == "." || name == ".." || !std::all_of(name.begin(), name.end(), allowed)) {
    throw KernelSpecError("a kernelspec cannot be named '" + name +
                          "': letters, digits, '.', '_' and '-' are allowed; --name chooses another");
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) fail("read", path, {errno, std::generic_category()});
  return text;
}

/// Nothing: there is no such file. A file that is no JSON object is an empty object: it starts no program.
std::optional<Json> read_kernel_json(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return std::nullopt;
  if (status.type() == fs::file_type::none) fail("read", path, error);
  if (status.type() != fs::file_type::regular) throw KernelSpecError(path.string() + " is not a file");
  Json json = Json::parse(read_file(path), nullptr, false);
  return json.is_object() ? json : Json::object();
}

/// Programs are told apart by name, not by path: a kernel that moved may repair its kernelspec.
bool starts_program(const Json& kernel_json, const fs::path& program) {
  const auto argv = kernel_json.find("argv");
  return argv != kernel_json.end() && argv->is_array() && !argv->empty() && argv->front().is_string() &&
         fs::path(argv->front().get<std::string>()).filename() == program.filename();
}

/// metadata.adrastea.files; nothing where there is no such record. Words that are not plain file names are left out: nobody
/// shall make uninstall remove files elsewhere.
std::optional<std::set<std::string>> recorded_files(const Json& kernel_json) {
  static const Json::json_pointer k_place{"/metadata/adrastea/files"};
  if (!kernel_json.contains(k_place) || !kernel_json.at(k_place).is_array()) return std::nullopt;
  std::set<std::string> files;
  for (const Json& entry : kernel_json.at(k_place)) {
    const fs::path file = entry.is_string() ? entry.get<std::string>() : "";
    if (!file.empty() && file == file.filename() && file != "." && file != "..") files.insert(file.string());
  }
  return files;
}

struct Template {
  fs::path folder;
  Json kernel_json;
};

std::optional<Template> find_template(const InstallOrder& order) {
  const fs::path folder =
      kernels_directory(Location::prefix, order.program.parent_path().parent_path(), order.program) / order.template_name;
  std::optional<Json> json = read_kernel_json(folder / k_file);
  if (!json || !starts_program(*json, order.program)) return std::nullopt;
  return Template{folder, std::move(*json)};
}

Json& object_in(Json& parent, const char* key) {
  Json& child = parent[key];
  if (!child.is_object()) child = Json::object();
  return child;
}

/// `files` empty: without a record, as the template itself stands.
std::string kernel_json_text(const InstallOrder& order, const std::optional<Template>& from,
                             const std::set<std::string>& files) {
  Json json = from ? from->kernel_json : Json::object();
  json["argv"] = {order.program.string(), "-f", "{connection_file}"};
  if (!order.display_name.empty()) {
    json["display_name"] = order.display_name;
  } else {
    json.emplace("display_name", order.default_display_name);
  }
  json["language"] = order.language;
  json.emplace("interrupt_mode", "signal");
  json["kernel_protocol_version"] = wire::k_kernelspec_protocol_version;
  Json& metadata = object_in(json, "metadata");
  metadata.emplace("debugger", false);
  // A kernel that says so and cannot is never reached (JEP 145): what counts is the libzmq that is there.
  metadata.erase("supported_encryption");
  if (transport::can_encrypt()) metadata["supported_encryption"] = {"curve"};
  if (!files.empty()) object_in(metadata, "adrastea")["files"] = files;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Copies what the template has. A file that is there already, differs and was not written by install is the user's.
void copy_logos(const fs::path& from, const fs::path& to, std::set<std::string>& files, std::vector<std::string>& kept) {
  for (const char* logo : k_logos) {
    if (!fs::exists(from / logo)) continue;
    const std::string picture = read_file(from / logo);
    if (fs::exists(to / logo) && !files.contains(logo) && read_file(to / logo) != picture) {
      kept.emplace_back(logo);
      continue;
    }
    support::replace_file(to / logo, picture, k_mode);
    files.insert(logo);
  }
}

const char* environment(const char* name) {
  const char* value = std::getenv(name);  // before other threads exist
  return value != nullptr && *value != '\0' ? value : nullptr;
}

void remove_recorded(const fs::path& folder, const std::set<std::string>& files) {
  const auto remove = [&](const std::string& file) {
    std::error_code error;
    const fs::path path = folder / file;
    if (fs::symlink_status(path, error).type() == fs::file_type::directory) return;
    fs::remove(path, error);
    if (error) fail("remove", path, error);
  };
  for (const std::string& file : files) {
    if (file != k_file) remove(file);
  }
  remove(k_file);  // last: it holds the record, for another try
}

}  // namespace

fs::path kernels_directory(Location location, const fs::path& prefix, const fs::path& program) {
  const fs::path below = fs::path("share") / "jupyter" / "kernels";
  switch (location) {
    case Location::user:
      return transport::data_directory() / "kernels";
    case Location::prefix:
      return fs::absolute(prefix).lexically_normal() / below;
    case Location::sys_prefix:
      for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
        if (const char* value = environment(variable)) return fs::absolute(value).lexically_normal() / below;
      }
      return program.parent_path().parent_path() / below;
    case Location::system:
      break;
  }
  return fs::path("/usr/local") / below;
}

Installed install_kernelspec(const InstallOrder& order) {
  check_name(order.name);
  Installed done{order.kernels_directory / order.name, {}};
  const std::optional<Json> previous = read_kernel_json(done.folder / k_file);
  if (previous && !starts_program(*previous, order.program)) {
    throw KernelSpecError((done.folder / k_file).string() + " is another program's; choose another --name, or remove " +
                          done.folder.string() + " first");
  }
  std::error_code error;
  fs::create_directories(done.folder, error);
  if (error) fail("create", done.folder, error);

  const std::optional<Template> from = find_template(order);
  std::optional<std::set<std::string>> record = previous ? recorded_files(*previous) : std::nullopt;
  const bool in_place = from && fs::equivalent(from->folder, done.folder);
  // The template's own folder came with the program and leaves with it: without a record, uninstall refuses it.
  std::set<std::string> files = record.value_or(std::set<std::string>{});
  if (from && !in_place) copy_logos(from->folder, done.folder, files, done.kept);
  if (!in_place || record) files.insert(k_file);
  support::replace_file(done.folder / k_file, kernel_json_text(order, from, files), k_mode);
  return done;
}

Uninstalled uninstall_kernelspec(const fs::path& program, const fs::path& kernels_directory, const std::string& name) {
  check_name(name);
  Uninstalled done{kernels_directory / name, {}};
  const fs::path path = done.folder / k_file;
  const std::optional<Json> json = read_kernel_json(path);
  if (!json) throw KernelSpecError("no kernelspec '" + name + "' in " + kernels_directory.string());
  if (!starts_program(*json, program)) throw KernelSpecError(path.string() + " is another program's; nothing was removed");
  const std::optional<std::set<std::string>> files = recorded_files(*json);
  if (!files) throw KernelSpecError(path.string() + " was not written by `install`; nothing was removed");

  remove_recorded(done.folder, *files);
  std::error_code error;
  for (const fs::directory_entry& left : fs::directory_iterator(done.folder, error)) {
    done.kept.push_back(left.path().filename().string());
  }
  std::sort(done.kept.begin(), done.kept.end());
  if (!error && done.kept.empty()) fs::remove(done.folder, error);
  if (error) fail("remove", done.folder, error);
  return done;
}

}  // namespace adrastea::kernel
