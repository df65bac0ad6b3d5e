// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <optional>

namespace faulty {

/// What the chosen fault makes of a connection file that it concerns: the exit status to end with, or nothing. Before there
/// are threads.
[[nodiscard]] std::optional<int> start_wrongly(const std::filesystem::path& connection_file);

}  // namespace faulty
