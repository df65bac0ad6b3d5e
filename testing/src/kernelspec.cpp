// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/kernelspec.hpp>

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

namespace adrastea::testing {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

template <class Use>
void for_each_in_path(const std::string& path, const Use& use) {
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (!folder.empty()) use(fs::path(folder));
  }
}

/// The prefix of the environment that a `jupyter` or a `python3` in PATH belongs to.
std::vector<fs::path> prefixes_in_path() {
  std::vector<fs::path> found;
  for_each_in_path(variable("PATH"), [&](const fs::path& folder) {
    std::error_code ignored;
    if (fs::exists(folder / "jupyter", ignored) || fs::exists(folder / "python3", ignored))
      found.push_back(folder.parent_path());
  });
  return found;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char letter) { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); });
  return text;
}

}  // namespace

std::vector<std::string> KernelSpec::argv() const {
  std::vector<std::string> words;
  const auto found = fields.find("argv");
  if (found == fields.end() || !found->is_array()) throw Failure((folder / "kernel.json").string() + ": no argv");
  for (const auto& word : *found) {
    std::string text = word.is_string() ? word.get<std::string>() : "";
    replace_all(text, "{resource_dir}", folder.string());
    replace_all(text, "{prefix}", folder.parent_path().parent_path().parent_path().parent_path().string());
    words.push_back(std::move(text));
  }
  return words;
}

std::vector<std::string> KernelSpec::environment() const {
  std::vector<std::string> lines;
  const auto found = fields.find("env");
  if (found == fields.end() || !found->is_object()) return lines;
  for (const auto& [key, value] : found->items()) {
    std::string text = value.is_string() ? value.get<std::string>() : "";
    for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at)) {
      const std::size_t end = text.find('}', at);
      if (end == std::string::npos) break;
      const std::string filled = variable(text.substr(at + 2, end - at - 2).c_str());
      text.replace(at, end - at + 1, filled);
      at += filled.size();
    }
    lines.push_back(text.insert(0, key + "="));
  }
  return lines;
}

bool KernelSpec::supports_handshake() const {
  int major = 0;
  int minor = 0;
  const int read = std::sscanf(text_of(fields, "kernel_protocol_version").c_str(), "%d.%d", &major, &minor);
  return read == 2 && (major > 5 || (major == 5 && minor >= 6));
}

bool KernelSpec::supports_curve() const {
  const auto metadata = fields.find("metadata");
  if (metadata == fields.end() || !metadata->is_object()) return false;
  const Json encryptions = metadata->value("supported_encryption", Json());
  if (encryptions.is_string()) return lower(encryptions.get<std::string>()) == "curve";
  return encryptions.is_array() && std::any_of(encryptions.begin(), encryptions.end(), [](const Json& one) {
           return one.is_string() && lower(one.get<std::string>()) == "curve";
         });
}

std::string KernelSpec::interrupt_mode() const {
  const std::string mode = text_of(fields, "interrupt_mode");
  return mode.empty() ? "signal" : mode;
}

std::vector<fs::path> kernelspec_folders() {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
  };
  for_each_in_path(variable("JUPYTER_PATH"), [&](const fs::path& folder) { add(folder / "kernels"); });
  std::string data = variable("JUPYTER_DATA_DIR");
  if (data.empty()) {
    const std::string share = variable("XDG_DATA_HOME");
    data = share.empty() ? variable("HOME") + "/.local/share/jupyter" : share + "/jupyter";
  }
  add(fs::path(data) / "kernels");
  for (const auto& prefix : prefixes_in_path()) add(prefix / "share/jupyter/kernels");
  add("/usr/local/share/jupyter/kernels");
  add("/usr/share/jupyter/kernels");
  return folders;
}

std::vector<KernelSpec> find_kernelspecs() {
  std::map<std::string, KernelSpec> found;
  for (const auto& folder : kernelspec_folders()) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      std::ifstream file(entry.path() / "kernel.json");
      if (!file) continue;
      Json fields = Json::parse(file, nullptr, false);
      const std::string name = lower(entry.path().filename().string());
      if (fields.is_object()) found.try_emplace(name, KernelSpec{name, entry.path(), std::move(fields)});
    }
  }
  std::vector<KernelSpec> specs;
  specs.reserve(found.size());
  for (auto& [name, spec] : found) specs.push_back(std::move(spec));
  return specs;
}

KernelSpec find_kernelspec(const std::string& name) {
  std::string known;
  for (auto& spec : find_kernelspecs()) {
    if (spec.name == lower(name)) return spec;
    known += (known.empty() ? "" : ", ") + spec.name;
  }
  throw Failure("no kernel is called '" + name + "'; there are: " + (known.empty() ? "none" : known));
}

}  // namespace adrastea::testing
