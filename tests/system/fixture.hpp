// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/client.hpp>
#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernel_process.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <vector>

namespace adrastea::testing {

/// A kernel process and its clients. The end of each test is a test too: every client got all it was due and asserted all
/// it got, the kernel shuts down politely with status 0, and none of its sockets' files is left.
class SystemTest : public ::testing::Test {
 protected:
  SystemTest();
  void TearDown() override;

  /// Starts the kernel; the probe kernel unless another program is named.
  KernelProcess& start(LaunchOptions options = {}, const char* program = ADRASTEA_PROBE);
  KernelClient& connect(ClientOptions options = {});
  /// The test's first client; starts probe and connects when there is none yet.
  KernelClient& client();
  /// The kernel; starts probe when there is none yet.
  KernelProcess& kernel() { return kernel_ ? *kernel_ : start(); }

  /// Sends shutdown_request and asserts all that it causes.
  static void ask_for_shutdown(KernelClient& client, Channel channel = Channel::control, bool restart = false);
  /// The kernel ends, with this status, and nothing is left: no message, no file.
  void expect_end(int status = 0);
  /// The kernel has ended as the test wanted: leftovers count, requests that it never answered do not.
  void kernel_ended();
  /// No socket file is left.
  void expect_nothing_left();
  /// The probe kernel does all that a kernel does.
  void expect_probe_alive(KernelClient& client) { expect_alive(client, "out alive", {{"stdout", "alive"}}); }

 private:
  std::unique_ptr<KernelProcess> kernel_;
  std::vector<std::unique_ptr<KernelClient>> clients_;
  bool ended_ = false;
};

/// The same over each transport.
class TransportTest : public SystemTest, public ::testing::WithParamInterface<Transport> {
 protected:
  KernelProcess& start_here(LaunchOptions options = {}, const char* program = ADRASTEA_PROBE) {
    options.transport = GetParam();
    return start(std::move(options), program);
  }
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
inline void PrintTo(Transport transport, std::ostream* stream) { *stream << to_string(transport); }

inline std::string transport_name(const ::testing::TestParamInfo<Transport>& info) { return to_string(info.param); }

using ShownList = std::vector<Shown>;

}  // namespace adrastea::testing

#define ADRASTEA_EVERY_TRANSPORT(suite)                                                                                \
  INSTANTIATE_TEST_SUITE_P(Over, suite,                                                                                \
                           ::testing::Values(::adrastea::testing::Transport::tcp, ::adrastea::testing::Transport::ipc, \
                                             ::adrastea::testing::Transport::port0),                                   \
                           ::adrastea::testing::transport_name)
