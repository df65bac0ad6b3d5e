// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/limits.hpp>

namespace adrastea::kernel {

/// Whether a kernel can keep the limits: what is computed from them never overflows, and none keeps it from doing its
/// work. Threads: any. Errors: StartupError, which names the limit, what it is and what it may be.
void check(const Limits& limits);

}  // namespace adrastea::kernel
