// SPDX-License-Identifier: BSD-3-Clause
// Networks that do what networks do.
#include "cases/cases.hpp"
#include "trial.hpp"

namespace adrastea::conformance {
namespace {

/// A request, and what a cell says when that is what it is.
struct Sent {
  std::string id;
  std::string word;
};

/// A cell or, where nothing that it prints could be seen, a question.
Sent send_one(Trial& trial) {
  KernelClient& client = trial.client();
  if (!trial.abilities().prints) return {client.request(Channel::shell, "kernel_info_request"), ""};
  const std::string word = trial.word();
  return {client.execute(trial.sample("print", {{"text", word}})), word};
}

void send_some(Trial& trial, std::vector<Sent>& sent) {
  for (int i = 0; i < 10; ++i) {
    sent.push_back(send_one(trial));
    if (trial.abilities().control_info)
      sent.push_back({trial.client().request(Channel::control, "kernel_info_request"), ""});
  }
}

/// How often one text is in another.
std::size_t times(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

/// A sixth of the patience: 5 s.
void stall(Trial& trial) {
  trial.kernel();
  Relay& relay = trial.relay();
  KernelClient& client = trial.client();
  std::vector<Sent> sent;
  send_some(trial, sent);
  relay.stall(trial.timeout() / 6);
  send_some(trial, sent);
  if (trial.abilities().heartbeat) trial.check(client.ping({"stall"}) == testing::Frames{"stall"}, "the heartbeat is lost");
  for (const auto& [id, word] : sent) {
    const Exchange came = client.collect(id);
    trial.check(came.reply.has_value(), "a request is not answered");
    if (!word.empty()) trial.check(times(came.text("stdout"), word) == 1, "a cell's output is not there once");
  }
  trial.expect_alive();
}

void half_open(Trial& trial) {
  trial.kernel();
  Relay& relay = trial.relay();
  KernelClient& client = trial.client();
  client.fence(Channel::shell);
  relay.cut(trial.timeout());
  client.synchronize();
  trial.expect_alive();
}

}  // namespace

std::vector<Case> abuse_network_cases() {
  return {
      {"abuse.network.stall", "Messaging, Introduction; TCP", Level::must,
       "What is sent while a network stands still is late, and neither lost nor doubled.",
       "sends requests, holds all bytes in both directions for a sixth of --timeout (5 s), and sends more meanwhile",
       "each request is answered once, each cell prints once, the heartbeat is an echo", stall},
      {"abuse.network.half-open", "jupyter_client, Session; ZeroMQ, ROUTER_HANDOVER", Level::should,
       "A client whose connections broke is served when it comes again, also while the kernel still believes in the old "
       "ones.",
       "breaks all connections for the client only, which connects again under its identity", "the kernel serves as before",
       half_open},
  };
}

}  // namespace adrastea::conformance
