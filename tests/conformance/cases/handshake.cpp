// SPDX-License-Identifier: BSD-3-Clause
// A kernel that is given a registration file and tells its ports. start.handshake is the runner's.
#include "cases/cases.hpp"
#include "trial.hpp"

namespace adrastea::conformance {
namespace {

using testing::Acknowledgement;
using testing::Deadline;
using testing::Ending;

/// The kernel has told its ports, was answered so, and has ended.
Ending end_after(Trial& trial, Acknowledgement answer) {
  if (trial.transport() != Transport::handshake) Trial::not_applicable("the kernel is not registered");
  trial.start({.acknowledgement = answer});
  static_cast<void>(trial.connection());
  return trial.expect_end();
}

void check_failed(Trial& trial, const Ending& ending) {
  trial.check(ending.status != 0 || ending.signal != 0, "the kernel " + to_string(ending));
}

void ends_unacknowledged(Trial& trial) { check_failed(trial, end_after(trial, Acknowledgement::none)); }
void ends_after_a_forgery(Trial& trial) { check_failed(trial, end_after(trial, Acknowledgement::forged)); }

void says_why(Trial& trial) {
  end_after(trial, Acknowledgement::none);
  trial.check(!trial.kernel().stderr_text().empty(), "stderr is empty");
}

}  // namespace

std::vector<Case> handshake_cases() {
  constexpr std::string_view section = "JEP 66; Kernels, Handshake pattern";
  constexpr std::string_view ends = "the process ends, and not with exit status 0";
  return {
      {"handshake.acknowledgement.none", section, Level::should,
       "A kernel whose registration is not acknowledged ends after some time.", "receives the ports and answers nothing",
       ends, ends_unacknowledged},
      {"handshake.acknowledgement.none.stderr", section, Level::should, "A kernel that cannot start says why.",
       "receives the ports and answers nothing", "something on stderr", says_why},
      {"handshake.acknowledgement.forged", section, Level::should,
       "An acknowledgement that is not signed with the key of the registration file is none.",
       "receives the ports and signs the acknowledgement with another key", ends, ends_after_a_forgery},
  };
}

}  // namespace adrastea::conformance
