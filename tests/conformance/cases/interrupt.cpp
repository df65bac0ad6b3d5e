// SPDX-License-Identifier: BSD-3-Clause
#include "cases/cases.hpp"

namespace adrastea::conformance {

std::vector<Case> interrupt_cases() { return {}; }

}  // namespace adrastea::conformance
