// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

namespace adrastea::support {

/// Replaces the file's content in one step, with this mode whatever the umask: whoever reads it meanwhile sees all of the
/// old or all of the new. A symbolic link stays, its target is replaced.
///
/// The new content lies on disk before the name points to it. Errors: std::system_error whose what() names the step, the
/// path and the cause; the old file is then as it was, and nothing is left beside it.
void replace_file(const std::filesystem::path& path, std::string_view content, mode_t mode = 0600);

}  // namespace adrastea::support
