// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>

namespace adrastea::support {

/// The absolute path of this process's program, symbolic links resolved. Threads: any. Errors: filesystem_error.
[[nodiscard]] std::filesystem::path executable_path();

}  // namespace adrastea::support
