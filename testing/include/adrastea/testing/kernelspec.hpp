// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/message.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace adrastea::testing {

/// A kernel as it is installed: a folder with a kernel.json (jupyter_client, Kernel specs).
struct KernelSpec {
  std::string name;  ///< the folder's, in lower case
  std::filesystem::path folder;
  Json fields;  ///< kernel.json

  /// The command, with {resource_dir} and {prefix} filled in and {connection_file} left for the launcher.
  [[nodiscard]] std::vector<std::string> argv() const;
  /// NAME=VALUE, with ${OTHER} filled in from this process's environment.
  [[nodiscard]] std::vector<std::string> environment() const;
  [[nodiscard]] std::string language() const { return text_of(fields, "language"); }
  [[nodiscard]] std::string display_name() const { return text_of(fields, "display_name"); }
  /// "signal" or "message".
  [[nodiscard]] std::string interrupt_mode() const;
  /// It can be told to register (JEP 66): kernel_protocol_version is 5.6 or later.
  [[nodiscard]] bool supports_handshake() const;
  /// metadata.supported_encryption has "curve" (jupyter_client, KernelManager.transport_encryption).
  [[nodiscard]] bool supports_curve() const;
};

/// Where Jupyter looks for kernels, the first first: JUPYTER_PATH, the user's data directory, the environment of the
/// `jupyter` in PATH, /usr/local and /usr (jupyter_core, jupyter_path).
[[nodiscard]] std::vector<std::filesystem::path> kernelspec_folders();

/// Every kernel that is installed, by name; where a name is installed twice, the one that Jupyter would start.
[[nodiscard]] std::vector<KernelSpec> find_kernelspecs();

/// Errors: Failure that names the kernels there are.
[[nodiscard]] KernelSpec find_kernelspec(const std::string& name);

}  // namespace adrastea::testing
