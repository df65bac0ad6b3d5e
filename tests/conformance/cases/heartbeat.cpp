// SPDX-License-Identifier: BSD-3-Clause
// The heartbeat: an echo that no code of the user holds up.
#include "cases/cases.hpp"
#include "trial.hpp"

namespace adrastea::conformance {
namespace {

using testing::Frames;
using testing::HeartbeatPeer;

void need_heartbeat(const Trial& trial) {
  if (!trial.abilities().heartbeat) Trial::not_applicable("the heartbeat is no echo: see heartbeat.echo");
}

void expect_echo(Trial& trial, const Frames& frames, HeartbeatPeer peer = HeartbeatPeer::req) {
  trial.check(trial.client().ping(frames, {}, peer) == frames, "what came back is not what was sent");
}

void echoes(Trial& trial) { expect_echo(trial, {"p"}); }

void echoes_nothing(Trial& trial) {
  need_heartbeat(trial);
  expect_echo(trial, {""});
}

void echoes_binary(Trial& trial) {
  need_heartbeat(trial);
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  expect_echo(trial, {bytes});
}

void echoes_frames(Trial& trial) {
  need_heartbeat(trial);
  expect_echo(trial, {"one", "", "<IDS|MSG>", "four"});
}

void echoes_much(Trial& trial) {
  need_heartbeat(trial);
  expect_echo(trial, {std::string(1 << 20, 'x')});
}

void echoes_to_dealer(Trial& trial) {
  need_heartbeat(trial);
  expect_echo(trial, {"p"}, HeartbeatPeer::dealer);
}

void echoes_while_busy(Trial& trial) {
  need_heartbeat(trial);
  trial.begin(trial.client(), trial.sample("loop"));
  expect_echo(trial, {trial.word()});
  trial.abandon();
}

void echoes_to_many(Trial& trial) {
  need_heartbeat(trial);
  for (int client = 0; client < 50; ++client) expect_echo(trial, {trial.word()});
}

void echoes_first(Trial& trial) {
  need_heartbeat(trial);
  const Frames frames{trial.word()};
  KernelClient& client = trial.connect({.subscribe = false, .connect_stdin = false}, Trial::Iopub::untouched);
  trial.check(client.ping(frames) == frames, "what came back is not what was sent");
}

}  // namespace

std::vector<Case> heartbeat_cases() {
  constexpr std::string_view section = "Messaging, Heartbeat for kernels";
  constexpr std::string_view legal = "the same frames come back";
  return {
      {"heartbeat.echo", section, Level::must, "The heartbeat is an echo.", "sends one byte from a REQ socket", legal,
       echoes},
      {"heartbeat.echo.empty", section, Level::must, "The heartbeat echoes an empty message.",
       "sends one empty frame from a REQ socket", legal, echoes_nothing},
      {"heartbeat.echo.binary", section, Level::must, "The heartbeat echoes any bytes.", "sends all 256 bytes in one frame",
       legal, echoes_binary},
      {"heartbeat.echo.frames", section, Level::should, "The heartbeat echoes every frame of a message.",
       "sends four frames, one of them empty and one the delimiter of messages", legal, echoes_frames},
      {"heartbeat.echo.megabyte", section, Level::should, "The heartbeat echoes a message of any size.",
       "sends one frame of 1 MiB", legal, echoes_much},
      {"heartbeat.dealer", section, Level::should,
       "A DEALER that frames its message as a REQ does is answered as a REQ is.",
       "sends an empty frame and one byte from a DEALER socket", legal, echoes_to_dealer},
      {"heartbeat.busy", section, Level::must, "The heartbeat goes on while a cell runs.",
       "executes the samples print and loop, and sends a heartbeat when the print has come", legal, echoes_while_busy},
      {"heartbeat.many", section, Level::must, "The heartbeat answers any number of peers.",
       "sends a heartbeat from 50 sockets, one after the other", legal, echoes_to_many},
      {"heartbeat.alone", section, Level::must, "The heartbeat needs no other channel.",
       "sends a heartbeat before anything else is sent to the kernel", legal, echoes_first},
  };
}

}  // namespace adrastea::conformance
