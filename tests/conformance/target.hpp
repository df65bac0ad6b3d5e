// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "holdings.hpp"

#include <adrastea/testing/kernel_process.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace adrastea::conformance {

/// The kernel under test, and how it is started.
struct Target {
  std::string name;                               ///< for people
  std::vector<std::string> argv;                  ///< with {connection_file}; empty with `existing`
  std::vector<std::string> environment;           ///< NAME=VALUE
  std::string language;                           ///< of the kernelspec; empty when unknown
  std::string interrupt_mode = "signal";          ///< of the kernelspec; with `existing` it is by message
  bool handshake = false;                         ///< the kernelspec declares it
  bool curve = false;                             ///< the same
  std::optional<std::filesystem::path> existing;  ///< the connection file of a running kernel, which is never ended

  [[nodiscard]] std::unique_ptr<testing::KernelProcess> launch(testing::Transport transport,
                                                               testing::LaunchOptions options) const;
};

/// What a kernel showed when it was tried for the first time. The liveness oracle asks only for what was there then, so
/// that a kernel without, say, a heartbeat fails the cases about the heartbeat and no other.
struct Abilities {
  testing::Json kernel_info;  ///< content of the reply
  bool heartbeat = false;
  bool control_info = false;  ///< kernel_info on control, JEP 80
  bool welcome = false;       ///< iopub_welcome, JEP 65
  bool prints = false;        ///< the sample `print` printed
  /// Of one that has served some requests, and whose clients have left; nothing when that is not known.
  std::optional<Holdings> holdings{};
  /// Optional types of messages that it leaves alone; input_reply for a kernel that never asks.
  std::set<std::string> unhandled{};
  std::set<testing::Json> subshells{};         ///< that were there before, in a kernel that somebody else started
  std::set<std::string> comms{};               ///< the same
  std::map<std::string, std::string> unfit{};  ///< samples that fail in this kernel, and how

  [[nodiscard]] bool protocol_at_least(int major, int minor) const;
};

/// The limits of every wait, from --timeout.
struct Patience {
  std::chrono::milliseconds timeout{30000};
  /// After so long without a message a client asks whether there will be more.
  [[nodiscard]] std::chrono::milliseconds quiet() const { return timeout / 30; }
};

}  // namespace adrastea::conformance
