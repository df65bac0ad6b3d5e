// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace adrastea::support {

/// `text` with each control character as \xNN, so that an error about it stays one line and cannot steer a terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace adrastea::support
