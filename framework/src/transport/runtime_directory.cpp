// SPDX-License-Identifier: BSD-3-Clause
#include "transport/connection_info.hpp"

#include <adrastea/errors.hpp>

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace adrastea::transport {
namespace {

/// Jupyter takes an empty variable for an unset one.
std::filesystem::path from_environment(const char* name) {
  const char* value = std::getenv(name);  // before the kernel has threads
  return value == nullptr ? "" : value;
}

std::filesystem::path home_directory() {
  if (auto home = from_environment("HOME"); !home.empty()) return home;
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_dir;
  throw StartupError("no home directory for user " + std::to_string(::getuid()) +
                     ": set HOME, or JUPYTER_RUNTIME_DIR and JUPYTER_DATA_DIR");
}

}  // namespace

std::filesystem::path data_directory() {
  if (auto directory = from_environment("JUPYTER_DATA_DIR"); !directory.empty()) return directory;
  if (auto directory = from_environment("XDG_DATA_HOME"); !directory.empty()) return directory / "jupyter";
  return home_directory() / ".local/share/jupyter";
}

std::filesystem::path runtime_directory() {
  if (auto directory = from_environment("JUPYTER_RUNTIME_DIR"); !directory.empty()) return directory;
  return data_directory() / "runtime";
}

}  // namespace adrastea::transport
