// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "trial.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace adrastea::conformance {

// What a kernel offers, found out before anything is judged: a kernel must handle execute_request and kernel_info_request,
// and may leave all other types alone (Messaging, Compatibility).

/// Asks for kernel_info. Errors: Failure when there is no answer, for then nothing can be judged.
void look_at(Trial& trial, Abilities& seen);
/// Tries whatever is optional. The kernel is ended by it, unless somebody else started it.
void look_closer(Trial& trial, Abilities& seen);
/// The optional type that a case is about, where the kernel does not handle it.
[[nodiscard]] std::optional<std::string> unhandled_type(const Abilities& abilities, std::string_view id);

}  // namespace adrastea::conformance
