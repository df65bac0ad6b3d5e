// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "case.hpp"

#include <vector>

namespace adrastea::conformance {

// One function a file; all_cases() has them in this order.
std::vector<Case> start_cases();
std::vector<Case> curve_cases();
std::vector<Case> handshake_cases();
std::vector<Case> welcome_cases();
std::vector<Case> info_cases();
std::vector<Case> offers_cases();
std::vector<Case> execute_cases();
std::vector<Case> output_cases();
std::vector<Case> errors_cases();
std::vector<Case> abort_cases();
std::vector<Case> stdin_cases();
std::vector<Case> comm_cases();
std::vector<Case> completion_cases();
std::vector<Case> history_cases();
std::vector<Case> interrupt_cases();
std::vector<Case> shutdown_cases();
std::vector<Case> control_cases();
std::vector<Case> heartbeat_cases();
std::vector<Case> abuse_signature_cases();
std::vector<Case> abuse_framing_cases();
std::vector<Case> abuse_json_cases();
std::vector<Case> abuse_messages_cases();
std::vector<Case> abuse_transport_cases();
std::vector<Case> abuse_network_cases();
std::vector<Case> abuse_iopub_cases();
std::vector<Case> abuse_stdin_cases();
std::vector<Case> abuse_signals_cases();
std::vector<Case> abuse_end_cases();

}  // namespace adrastea::conformance
