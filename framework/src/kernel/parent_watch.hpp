// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

namespace adrastea::kernel {

/// A descriptor that becomes readable when the process named by JPY_PARENT_PID ends; none when there is nothing to watch.
///
/// The launcher is watched by its number, not as our parent, so that a wrapper between the two does no harm. Process 1
/// (a container's) is never watched; a number that is none is ignored with a warning.
/// Errors: StartupError when that process has ended already: nobody would ever end this kernel.
[[nodiscard]] support::UniqueFd watch_parent();

}  // namespace adrastea::kernel
