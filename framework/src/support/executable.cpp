// SPDX-License-Identifier: BSD-3-Clause
#include "support/executable.hpp"

namespace adrastea::support {

std::filesystem::path executable_path() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace adrastea::support
