// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "case.hpp"

#include <adrastea/testing/message.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::conformance {

enum class Verdict {
  pass,
  fail,
  warning,         ///< a SHOULD that does not hold
  not_applicable,  ///< the kernel does not offer it, or the language has no code sample for it
  error,           ///< the tool could not do its work
};
[[nodiscard]] const char* to_string(Verdict verdict) noexcept;

/// What one case or one standing rule demands.
struct Rule {
  std::string id;
  std::string section;
  Level level = Level::must;
  std::string requirement;
  std::string action;
  std::string legal;
};
[[nodiscard]] Rule rule_of(const Case& subject);
/// The standing rule about what a kernel holds, which no message shows.
inline constexpr std::string_view k_resources_rule = "abuse.resources";
/// The standing rules, which no case of their own tries.
[[nodiscard]] std::vector<Rule> watched_rules();

/// What came of one of them in one launch mode.
struct Outcome : Rule {
  std::string launch;
  int round = 1;  ///< of --repeat
  Verdict verdict = Verdict::pass;
  std::vector<std::string> findings;  ///< what is wrong, or why it is not applicable
  std::string transcript;             ///< that proves it
  double seconds = 0;
};

/// Whatever a kernel wrote, and wherever it was cut: each byte that is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string as_utf8(const std::string& text);

/// All its texts are UTF-8.
struct Report {
  std::string kernel;         ///< name or command
  testing::Json kernel_info;  ///< content of its kernel_info_reply
  std::vector<Outcome> outcomes;
  std::size_t messages = 0;  ///< received and checked
  double seconds = 0;
  bool strict = false;
  bool judged = true;  ///< false: it started in no launch mode
  unsigned seed = 0;

  [[nodiscard]] std::map<Verdict, int> count() const;
  /// It was judged, nothing failed, no warning under --strict, and no error.
  [[nodiscard]] bool conforms() const;
};

}  // namespace adrastea::conformance
