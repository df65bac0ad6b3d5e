// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "case.hpp"

#include <adrastea/testing/message.hpp>

#include <map>
#include <string>
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

/// What came of one case, or of one standing rule, in one launch mode.
struct Outcome {
  std::string id;
  std::string section;
  Level level = Level::must;
  std::string requirement;
  std::string action;
  std::string legal;
  std::string launch;
  int round = 1;  ///< of --repeat
  Verdict verdict = Verdict::pass;
  std::vector<std::string> findings;  ///< what is wrong, or why it is not applicable
  std::string transcript;             ///< that proves it
  double seconds = 0;
};

struct Report {
  std::string kernel;         ///< name or command
  testing::Json kernel_info;  ///< content of its kernel_info_reply
  std::vector<Outcome> outcomes;
  std::size_t messages = 0;  ///< received and checked
  double seconds = 0;
  bool strict = false;
  unsigned seed = 0;

  [[nodiscard]] std::map<Verdict, int> count() const;
  /// Nothing failed, no warning under --strict, and no error.
  [[nodiscard]] bool conforms() const;
};

}  // namespace adrastea::conformance
