// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace adrastea::conformance {

class Trial;

/// How much the protocol insists.
enum class Level {
  must,    ///< a kernel that does otherwise is wrong: fail
  should,  ///< a kernel that does otherwise surprises its users: warning
  may,     ///< allowed; only tried so that it breaks nothing else
};
[[nodiscard]] const char* to_string(Level level) noexcept;

/// One rule of the protocol, and how it is tried on a kernel of its own.
///
/// A case is deterministic: it waits for messages, or for the answer to a later request on the same channel, which shows
/// that nothing more will come of an earlier one. It never sleeps to see whether something happens.
struct Case {
  std::string_view id;       ///< group.what, such as execute.silent.no-input; never reused for another rule
  std::string_view section;  ///< of the protocol ("Messaging, Execute") or the JEP that it comes from
  Level level;
  std::string_view requirement;  ///< one sentence
  std::string_view action;       ///< what the case does
  std::string_view legal;        ///< every reaction that is right
  void (*run)(Trial& trial);
};

/// All cases of the tool, in the order in which they are listed. One function a file of cases/.
[[nodiscard]] const std::vector<Case>& all_cases();

/// `*` and `?`; several globs are parted by commas.
[[nodiscard]] bool matches_any(std::string_view id, std::string_view globs);

}  // namespace adrastea::conformance
