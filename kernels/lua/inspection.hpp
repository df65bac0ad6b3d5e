// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>

namespace lua_kernel {

class Session;

/// Help for the name at the cursor, or else for the function whose arguments the cursor is in: what it is, its comment,
/// where it is defined, its value; with detail level 1 its source. As text/plain and text/markdown. Runs no user code (see
/// raw_access.hpp).
///
/// Threads: interpreter. Errors: std::bad_alloc.
adrastea::InspectResult inspect(Session& session, const adrastea::InspectRequest& request);

}  // namespace lua_kernel
