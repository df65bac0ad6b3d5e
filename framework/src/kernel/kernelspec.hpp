// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernel/command_line.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

/// Kernelspecs: the folders that tell Jupyter how to start a kernel (jupyter_client, "Kernel specs"; JEP 105).
///
/// A program may come with a template, <its prefix>/share/jupyter/kernels/<name>, whose kernel.json names the same program.
/// What it says is kept but for argv, language and protocol version, and its logos are copied.
/// install records the files it wrote in kernel.json, under metadata.adrastea.files; uninstall removes those and no others.
/// Threads: one. Errors: KernelSpecError and std::system_error, with the path, the cause and, where there is one, the
/// remedy.
namespace adrastea::kernel {

class KernelSpecError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// share/jupyter/kernels of that place. `program` is the absolute path of the kernel's own program.
[[nodiscard]] std::filesystem::path kernels_directory(Location location, const std::filesystem::path& prefix,
                                                      const std::filesystem::path& program);

struct InstallOrder {
  std::filesystem::path program;            ///< absolute: becomes argv[0]
  std::filesystem::path kernels_directory;  ///< made when missing
  std::string name;                         ///< the folder: [A-Za-z0-9._-]+
  std::string template_name;                ///< the folder of the template
  std::string language;
  std::string display_name;          ///< asked for by the user; empty: the template's
  std::string default_display_name;  ///< where the template has none either
};

struct Installed {
  std::filesystem::path folder;
  std::vector<std::string> kept;  ///< files of the user's in the way of a logo, left as they are
};

/// Refuses to replace a kernelspec that starts another program.
[[nodiscard]] Installed install_kernelspec(const InstallOrder& order);

struct Uninstalled {
  std::filesystem::path folder;
  std::vector<std::string> kept;  ///< what install did not write; empty: the folder is gone, too
};

/// Refuses a kernelspec that install did not write, or that starts another program.
[[nodiscard]] Uninstalled uninstall_kernelspec(const std::filesystem::path& program,
                                               const std::filesystem::path& kernels_directory, const std::string& name);

}  // namespace adrastea::kernel
