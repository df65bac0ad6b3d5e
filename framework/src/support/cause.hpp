// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <system_error>

namespace adrastea::support {

/// What the system calls this errno. Threads: any (strerror is for one).
[[nodiscard]] inline std::string cause_of(int error) { return std::generic_category().message(error); }

}  // namespace adrastea::support
