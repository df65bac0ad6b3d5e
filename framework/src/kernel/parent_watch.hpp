// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

#include <string>

namespace adrastea::kernel {

struct ParentWatch {
  support::UniqueFd fd;  ///< readable when the process that is watched has ended; none when there is nothing to watch
  std::string remark;    ///< what is odd about JPY_PARENT_PID, for the log of a kernel that has started; mostly nothing
};

/// Who starts a kernel. Launchers name a connection file and give it no terminal to read from.
enum class By { launcher, hand };

/// Watches the process named by JPY_PARENT_PID. For the very beginning: who ends meanwhile is seen too.
///
/// The launcher is watched by its number, not as our parent, so that a wrapper between the two does no harm. But in a
/// container or sandbox the number is nobody's, or a stranger's: unless it is among our ancestors, our parent is watched
/// instead, with a warning. Process 1 (a container's) is never watched; a number that is none is ignored with a warning.
/// Errors: StartupError when it has ended already and left this process behind, or the wrapper around it. That is a guess,
/// and errs for the kernel: in a container only where process 1 has got it, never where its parent was started with the
/// same number, and never where it was started by hand: then the number is one that was left in the environment.
[[nodiscard]] ParentWatch watch_parent(By by);

}  // namespace adrastea::kernel
