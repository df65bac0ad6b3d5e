// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "verdict.hpp"

#include <string>
#include <vector>

namespace adrastea::conformance {

// A report as a whole document in one of the formats of --format.

/// For terminals; `colour` with ANSI colours. Tells of what did not pass, and counts.
[[nodiscard]] std::string text_report(const Report& report, bool colour);
/// Everything, for programs: {tool, kernel, kernel_info, strict, seed, seconds, messages, counts, conforms, outcomes}.
[[nodiscard]] std::string json_report(const Report& report);
/// For CI servers: a testsuite a launch mode.
[[nodiscard]] std::string junit_report(const Report& report);
/// A table of all cases, and what was found.
[[nodiscard]] std::string markdown_report(const Report& report);
/// One page without anything from elsewhere, light or dark as the reader likes it.
[[nodiscard]] std::string html_report(const Report& report);

// The rules themselves, for --list.
[[nodiscard]] std::string text_list(const std::vector<Rule>& rules);
[[nodiscard]] std::string json_list(const std::vector<Rule>& rules);
[[nodiscard]] std::string markdown_list(const std::vector<Rule>& rules);

/// Text for XML and HTML, in elements and in attributes.
[[nodiscard]] std::string escape_markup(const std::string& text);

}  // namespace adrastea::conformance
