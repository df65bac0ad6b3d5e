// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

namespace adrastea::kernel {

/// A descriptor that becomes readable when the process named by JPY_PARENT_PID ends; none when there is nothing to watch.
///
/// The launcher is watched by its number, not as our parent, so that a wrapper between the two does no harm. But in a
/// container or sandbox the number is nobody's, or a stranger's: unless it is among our ancestors, our parent is watched
/// instead, with a warning. Process 1 (a container's) is never watched; a number that is none is ignored with a warning.
/// Errors: none.
[[nodiscard]] support::UniqueFd watch_parent();

}  // namespace adrastea::kernel
