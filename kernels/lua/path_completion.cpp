// SPDX-License-Identifier: BSD-3-Clause
#include "path_completion.hpp"

#include "raw_access.hpp"
#include "stack_guard.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <system_error>

namespace lua_kernel {
namespace {

namespace fs = std::filesystem;

constexpr int max_entries = 20000;
constexpr int max_entries_of_folder = 1000;

/// Calls `visit` for each entry until `budget` is used up.
void list_folder(const fs::path& folder, int& budget, const std::function<void(const fs::directory_entry&)>& visit) {
  std::error_code failure;
  fs::directory_iterator entries(folder.empty() ? fs::path(".") : folder, failure);
  for (const fs::directory_iterator end; !failure && entries != end && budget > 0; entries.increment(failure)) {
    --budget;
    visit(*entries);
  }
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code failure;
  return entry.is_directory(failure);
}

bool is_file(const fs::path& path) {
  std::error_code failure;
  return fs::exists(path, failure);
}

/// A name that can be typed into a string as it is, or after a dot of a module.
bool is_plain_name(std::string_view name) {
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\'' || c == '\\'; });
}

std::string_view last_part(std::string_view text, char separator) { return text.substr(text.rfind(separator) + 1); }

class ModuleSearch {
 public:
  explicit ModuleSearch(std::string_view prefix) : prefix_(prefix) {}

  void add(std::string_view module) {
    if (module.starts_with(prefix_) && is_plain_name(module)) found_.emplace(module);
  }

  /// Templates such as "/usr/share/lua/5.4/?.lua;./?.lua".
  void add_from_templates(std::string_view templates) {
    while (!templates.empty()) {
      const std::string_view one = templates.substr(0, templates.find(';'));
      templates.remove_prefix(std::min(templates.size(), one.size() + 1));
      const std::size_t mark = one.find('?');
      if (mark != std::string_view::npos) add_from_template(one.substr(0, mark), one.substr(mark + 1));
    }
  }

  std::vector<std::string> take() { return {found_.begin(), found_.end()}; }

 private:
  void add_from_template(std::string_view before, std::string_view after) {
    const std::string_view parent = prefix_.substr(0, prefix_.size() - last_part(prefix_, '.').size());  // "a.b."
    std::string folder(before);
    for (const char c : parent) folder += c == '.' ? '/' : c;
    list_folder(folder, budget_, [&](const fs::directory_entry& entry) {
      const std::string name = entry.path().filename().string();
      const std::string module = std::string(parent) + name;
      if (!module.starts_with(prefix_) || name.starts_with('.')) return;
      if (after.starts_with('/')) {  // "?/init.lua"
        if (is_file(entry.path().string() + std::string(after))) add(module);
      } else if (name.size() > after.size() && name.ends_with(after)) {
        add(std::string_view(module).substr(0, module.size() - after.size()));
      } else if (name.find('.') == std::string::npos && is_folder(entry) && has_module(entry.path(), after)) {
        add(module + ".");
      }
    });
  }

  bool has_module(const fs::path& folder, std::string_view ending) {
    int budget = std::min(budget_, max_entries_of_folder);
    const int before = budget;
    bool found = false;
    list_folder(folder, budget, [&](const fs::directory_entry& entry) {
      found = found || entry.path().filename().string().ends_with(ending);
      if (found) budget = std::min(budget, 1);
    });
    budget_ -= before - budget;
    return found;
  }

  std::string_view prefix_;
  std::set<std::string> found_;
  int budget_ = max_entries;
};

}  // namespace

std::vector<std::string> complete_path(std::string_view path) {
  const std::string_view prefix = last_part(path, '/');
  const fs::path folder(path.substr(0, path.size() - prefix.size()));
  std::vector<std::string> found;
  if (path.find('\0') != std::string_view::npos) return found;
  int budget = max_entries;
  list_folder(folder, budget, [&](const fs::directory_entry& entry) {
    std::string name = entry.path().filename().string();
    const bool hidden = name.starts_with('.') && !prefix.starts_with('.');
    if (hidden || !name.starts_with(prefix) || !is_plain_name(name)) return;
    if (is_folder(entry)) name += '/';
    found.push_back(std::move(name));
  });
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> complete_module(lua_State* L, std::string_view name) {
  const StackGuard guard(L);
  ModuleSearch search(name);
  if (name.find('\0') != std::string_view::npos) return {};
  const auto add_key = [&](std::string_view key) {
    search.add(key);
    return true;
  };
  push_loaded_modules(L);
  const int loaded = lua_gettop(L);
  if (lua_type(L, loaded) == LUA_TTABLE) visit_fields(L, loaded, max_entries, add_key);
  push_field(L, loaded, "package");
  const int package = lua_gettop(L);
  push_field(L, package, "preload");
  visit_fields(L, -1, max_entries, add_key);
  push_field(L, package, "path");
  search.add_from_templates(string_at(L, -1));
  push_field(L, package, "cpath");
  search.add_from_templates(string_at(L, -1));
  return search.take();
}

}  // namespace lua_kernel
