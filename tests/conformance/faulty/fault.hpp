// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "message.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace faulty {

/// Where a message may go from a hook. Both may be called any number of times, and later for an earlier message.
struct Way {
  std::function<void(Message)> on;    ///< where it was going; on another channel of requests if the message says so
  std::function<void(Message)> back;  ///< where it came from: to the client, or to the kernel; not of iopub
};

/// What becomes of the messages of one channel in one direction. It may keep state: each channel has its own, and on iopub
/// each group of subscribers.
using Hook = std::function<void(Message message, const Way& way)>;
using HookMaker = std::function<Hook()>;
using Test = std::function<bool(const Message&)>;
using Change = std::function<void(Message&)>;

/// One way in which a kernel can be wrong.
struct Fault {
  std::string_view name;
  std::string_view description;            ///< one sentence
  std::vector<std::string_view> breaks;    ///< the cases and standing rules that must fail, and no others
  HookMaker out{};                         ///< of what the kernel sends; none for faults of the language and of the start
  HookMaker in{};                          ///< of what it receives
  std::string_view launch = "ipc";         ///< how the kernel has to be started for it
  std::string_view interrupts = "signal";  ///< the interrupt_mode that it has to declare for it
};

[[nodiscard]] const std::vector<Fault>& all_faults();
/// Errors: std::invalid_argument for a name that there is not.
void choose(std::string_view name);
/// The fault of this process, or none.
[[nodiscard]] const Fault* chosen();
[[nodiscard]] bool is_chosen(std::string_view name);

// One function a file.
std::vector<Fault> wire_faults();
std::vector<Fault> order_faults();
std::vector<Fault> schema_faults();
std::vector<Fault> execution_faults();
std::vector<Fault> abort_faults();
std::vector<Fault> output_faults();
std::vector<Fault> knowledge_faults();
std::vector<Fault> dialogue_faults();
std::vector<Fault> security_faults();
std::vector<Fault> life_faults();
std::vector<Fault> launch_faults();
std::vector<Fault> subshell_faults();

}  // namespace faulty
