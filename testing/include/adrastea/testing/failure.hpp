// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace adrastea::testing {

/// What a kernel did against the protocol, or did not do in time, with the transcript so far. Leaves the call that saw it.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A rule of the protocol that a message broke, in whatever test it was seen: see standing_rules().
struct Violation {
  std::string rule;     ///< its id, such as order.idle.last
  std::string finding;  ///< what was seen
};
/// What to do with a violation. Nothing stands for: throw it as a Failure.
using ViolationSink = std::function<void(const Violation&)>;

/// Where findings go that cannot be thrown: from destructors, and those that shall not stop a test. A GoogleTest program
/// gives it ADD_FAILURE; until somebody does, a finding ends the program. Threads: set it before others exist.
using Reporter = std::function<void(const std::string&)>;
void set_reporter(Reporter reporter);
void report(const std::string& finding);

}  // namespace adrastea::testing
