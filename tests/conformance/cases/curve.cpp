// SPDX-License-Identifier: BSD-3-Clause
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <zmq.h>

namespace adrastea::conformance {
namespace {

void need_curve(const Trial& trial) {
  if (trial.transport() != Transport::curve) Trial::not_applicable("the kernel was not asked to encrypt");
}

/// What the channel's socket is connected by at the other end.
template <Channel channel>
constexpr int k_peer_type = channel == Channel::iopub       ? ZMQ_SUB
                            : channel == Channel::heartbeat ? ZMQ_REQ
                                                            : ZMQ_DEALER;

template <Channel channel>
void refuses_plain_text(Trial& trial) {
  need_curve(trial);
  trial.client();
  const OddSocket plain(trial, k_peer_type<channel>, channel, 0, OddSocket::Keys::none);
  trial.check(!plain.accepted(), "a client without keys was let in");
}

template <Channel channel>
void accepts_any_client_key(Trial& trial) {
  need_curve(trial);
  trial.client();
  const OddSocket other(trial, k_peer_type<channel>, channel, 0, OddSocket::Keys::only_the_kernels);
  trial.check(other.accepted(), "a client that knows the kernel's public key was refused");
}

void ends_with(Trial& trial, const Json& fields) {
  need_curve(trial);
  trial.start({.fields = fields});
  const testing::Ending ending = trial.expect_end();
  trial.check(ending.status != 0 || ending.signal != 0, "the kernel " + to_string(ending));
}

void ends_without_public_key(Trial& trial) { ends_with(trial, {{"curve_publickey", nullptr}}); }
void ends_without_secret_key(Trial& trial) { ends_with(trial, {{"curve_secretkey", nullptr}}); }
void ends_with_a_short_key(Trial& trial) { ends_with(trial, {{"curve_secretkey", "too short"}}); }

template <Channel channel>
void add_channel(std::vector<Case>& cases, std::string_view plain_id, std::string_view keys_id) {
  constexpr std::string_view section = "JEP 145; jupyter_client, transport_encryption";
  cases.push_back({plain_id, section, Level::must, "An encrypted channel lets nobody in who does not know the key.",
                   "connects a ZeroMQ socket without keys to this channel", "the connection is refused",
                   refuses_plain_text<channel>});
  cases.push_back({keys_id, section, Level::must, "Clients have whatever key they like, if they know the kernel's.",
                   "connects a ZeroMQ socket with a new pair of keys to this channel", "the connection is accepted",
                   accepts_any_client_key<channel>});
}

}  // namespace

std::vector<Case> curve_cases() {
  constexpr std::string_view section = "JEP 145, Connection file";
  constexpr std::string_view ends = "the process ends, and not with exit status 0";
  std::vector<Case> cases{
      {"curve.keys.public-missing", section, Level::must, "One curve key without the other is an error.",
       "starts the kernel without curve_publickey", ends, ends_without_public_key},
      {"curve.keys.secret-missing", section, Level::must, "One curve key without the other is an error.",
       "starts the kernel without curve_secretkey", ends, ends_without_secret_key},
      {"curve.keys.bad", section, Level::must, "A kernel with a bad key ends, and never serves in plain text.",
       "starts the kernel with a key that is too short", ends, ends_with_a_short_key},
  };
  add_channel<Channel::shell>(cases, "curve.plain.shell", "curve.client-key.shell");
  add_channel<Channel::iopub>(cases, "curve.plain.iopub", "curve.client-key.iopub");
  add_channel<Channel::stdin_channel>(cases, "curve.plain.stdin", "curve.client-key.stdin");
  add_channel<Channel::control>(cases, "curve.plain.control", "curve.client-key.control");
  add_channel<Channel::heartbeat>(cases, "curve.plain.heartbeat", "curve.client-key.heartbeat");
  return cases;
}

}  // namespace adrastea::conformance
