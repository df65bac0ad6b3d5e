// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <algorithm>

namespace adrastea::testing {

SystemTest::SystemTest() {
  set_reporter([](const std::string& finding) { ADD_FAILURE() << finding; });
}

KernelProcess& SystemTest::start(LaunchOptions options, const char* program) {
  kernel_ = std::make_unique<KernelProcess>(program, std::move(options));
  return *kernel_;
}

KernelClient& SystemTest::connect(ClientOptions options) {
  options.process_fd = kernel_->pidfd();
  clients_.push_back(std::make_unique<KernelClient>(kernel_->connection(), std::move(options)));
  return *clients_.back();
}

KernelClient& SystemTest::client() {
  if (!kernel_) start();
  if (clients_.empty()) connect();
  return *clients_.front();
}

void SystemTest::ask_for_shutdown(KernelClient& client, Channel channel, bool restart) {
  const Exchange exchange = client.exchange(channel, "shutdown_request", {{"restart", restart}});
  EXPECT_EQ(exchange.reply->content, (Json{{"status", "ok"}, {"restart", restart}}));
  ASSERT_EQ(exchange.published.size(), 1U) << client.transcript();
  EXPECT_EQ(exchange.published.front().type(), "shutdown_reply");
  EXPECT_EQ(exchange.published.front().content, exchange.reply->content);
}

void SystemTest::expect_end(int status) {
  EXPECT_EQ(kernel_->wait(), (Ending{status, 0})) << kernel_->stderr_text();
  kernel_ended();
}

void SystemTest::kernel_ended() {
  ended_ = true;
  for (const auto& client : clients_) client->finish(KernelClient::Kernel::ended);
  expect_nothing_left();
}

void SystemTest::expect_nothing_left() { EXPECT_TRUE(kernel_->socket_files().empty()) << kernel_->socket_files().front(); }

void SystemTest::TearDown() {
  if (!kernel_ || ended_) return;
  if (HasFailure()) {
    for (const auto& client : clients_) client->forget_unasserted();
    ADD_FAILURE() << (clients_.empty() ? "" : clients_.front()->transcript()) << "\nkernel's stderr:\n"
                  << kernel_->stderr_text();
    return;
  }
  if (clients_.empty()) connect();
  for (const auto& client : clients_) client->finish();
  ask_for_shutdown(*clients_.front());
  expect_end();
}

}  // namespace adrastea::testing
