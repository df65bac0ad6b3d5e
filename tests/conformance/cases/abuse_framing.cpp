// SPDX-License-Identifier: BSD-3-Clause
// Messages whose frames are not those of a message.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <cstddef>

namespace adrastea::conformance {
namespace {

constexpr std::size_t k_megabyte = 1'000'000;

Frames info(RawPeer& peer) { return peer.frames("kernel_info_request", Json::object()); }

/// On every channel, and then the kernel is as before.
void survives(Trial& trial, const std::vector<Frames>& messages) {
  RawPeer peer(trial);
  for (const auto& frames : messages) peer.send_everywhere(frames);
  expect_no_harm(trial, peer);
}

void nothing(Trial& trial) { survives(trial, {{""}, {"", ""}, Frames(100, "")}); }
void no_delimiter(Trial& trial) {
  RawPeer peer(trial);
  Frames frames = info(peer);
  frames.erase(frames.begin());
  peer.send_everywhere(frames);
  peer.send_everywhere({"x"});
  expect_no_harm(trial, peer);
}

void wrong_delimiter(Trial& trial) {
  RawPeer peer(trial);
  using namespace std::string_literals;
  for (const std::string& delimiter : {"<ids|msg>"s, "<IDS|MSG"s, "<IDS|MSG>>"s, "<IDS|MSG>\0"s, "<IDS MSG>"s, ""s}) {
    Frames frames = info(peer);
    frames.front() = delimiter;
    peer.send_everywhere(frames);
  }
  expect_no_harm(trial, peer);
}

void too_few(Trial& trial) {
  RawPeer peer(trial);
  const Frames frames = info(peer);
  for (std::ptrdiff_t count = 1; count < std::ssize(frames); ++count)
    peer.send_everywhere(Frames(frames.begin(), frames.begin() + count));
  expect_no_harm(trial, peer);
}

void empty_frames(Trial& trial) {
  RawPeer peer(trial);
  for (std::size_t index = 0; index < 4; ++index) {
    const Frames frames = info(peer);
    std::array<std::string, 4> parts{frames.at(2), "{}", "{}", "{}"};
    parts.at(index).clear();
    peer.send_everywhere(peer.sign(parts));
  }
  peer.send_everywhere(peer.sign({"", "", "", ""}));
  expect_no_harm(trial, peer);
}

void two_delimiters(Trial& trial) {
  RawPeer peer(trial);
  for (std::ptrdiff_t at = 0; at <= 6; ++at) {
    Frames frames = info(peer);
    frames.insert(frames.begin() + at, "<IDS|MSG>");
    peer.send_everywhere(frames);
  }
  peer.send_everywhere(Frames(20, "<IDS|MSG>"));
  expect_no_harm(trial, peer);
}

void identity_is_delimiter(Trial& trial) {
  RawPeer peer(trial);
  RawPeer odd(trial, {.routing_id = "<IDS|MSG>", .subscribe = false});
  odd.send_everywhere(info(odd));
  odd.send_everywhere({""});
  expect_no_harm(trial, peer);
}

void many_identities(Trial& trial) {
  RawPeer peer(trial);
  Frames frames(1000, "identity");
  for (auto& frame : info(peer)) frames.push_back(std::move(frame));
  peer.send_everywhere(frames);
  frames = {std::string(k_megabyte, 'i')};
  for (auto& frame : info(peer)) frames.push_back(std::move(frame));
  peer.send_everywhere(frames);
  expect_no_harm(trial, peer);
}

void many_buffers(Trial& trial) {
  RawPeer peer(trial);
  for (const std::size_t count : {1U, 1024U, 20'000U}) {
    Frames frames = info(peer);
    frames.resize(frames.size() + count);
    peer.send_everywhere(frames);
  }
  expect_no_harm(trial, peer);
}

void large_buffer(Trial& trial) {
  RawPeer peer(trial);
  Frames frames = info(peer);
  frames.emplace_back(40 * k_megabyte, 'b');
  peer.send(Channel::shell, frames);
  expect_no_harm(trial, peer);
}

void buffer_bomb(Trial& trial) {
  RawPeer peer(trial);
  Frames frames = info(peer);
  frames.insert(frames.end(), 48, std::string(4 * k_megabyte, 'b'));
  peer.send(Channel::shell, frames);
  frames.at(1).clear();
  peer.send(Channel::shell, frames);
  expect_no_harm(trial, peer);
}

void large_content(Trial& trial) {
  RawPeer peer(trial);
  const std::string content = R"({"ignored":")" + std::string(20 * k_megabyte, 'c') + "\"}";
  peer.send(Channel::shell, peer.sign({info(peer).at(2), "{}", "{}", content}));
  expect_no_harm(trial, peer);
}

void large_unsigned(Trial& trial) {
  RawPeer peer(trial);
  for (const std::size_t index : {0U, 1U, 2U, 5U}) {
    Frames frames = info(peer);
    frames.at(index).assign(10 * k_megabyte, 'u');
    peer.send(Channel::shell, frames);
  }
  expect_no_harm(trial, peer);
}

void random_bytes(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = printing(trial, text);
  RawPeer peer(trial);
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(trial.random()()) % end; };
  for (int i = 0; i < 1000; ++i) {
    Frames frames = peer.execute(code);
    std::string& frame = frames.at(below(frames.size()));
    for (int flips = 0; flips < 2; ++flips) frame.at(below(frame.size())) = static_cast<char>(trial.random()());
    const std::string right = peer.codec().sign({frames.at(2), frames.at(3), frames.at(4), frames.at(5)});
    if (right == frames.at(1)) continue;  // nothing that is signed was changed
    peer.send(below(2) == 0 ? Channel::shell : Channel::control, frames);
  }
  peer.fence();
  trial.check(peer.printed().find(text) == std::string::npos,
              "a message that was changed after it was signed was executed");
  trial.expect_alive();
}

void random_signed_bytes(Trial& trial) {
  RawPeer peer(trial);
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(trial.random()()) % end; };
  // About one in eighty still is JSON and has become a type that nobody knows.
  for (int i = 0; i < 1500; ++i) {
    // No type of request but this can be made of this one by two other bytes.
    const Frames frames = peer.frames("is_complete_request", {{"code", "x"}});
    std::array<std::string, 4> parts{frames.at(2), frames.at(3), frames.at(4), frames.at(5)};
    std::string& part = parts.at(below(2) * 3);
    for (int flips = 0; flips < 2; ++flips) part.at(below(part.size())) = static_cast<char>(trial.random()());
    peer.send(Channel::shell, peer.sign(parts));
  }
  expect_no_harm(trial, peer);
}

void unfinished(Trial& trial) {
  RawPeer peer(trial);
  constexpr unsigned more = 1;
  for (int i = 0; i < 20; ++i) {
    for (const Channel channel : {Channel::shell, Channel::control, Channel::stdin_channel}) {
      RawStream leaver(trial.connection(), channel);
      std::string bytes = zmtp_opening("DEALER");
      const Frames frames = info(peer);
      for (std::size_t index = 0; index < 3; ++index) bytes += zmtp_frame(more, frames.at(index), frames.at(index).size());
      leaver.write(bytes);
    }
  }
  expect_no_harm(trial, peer);
}

constexpr std::string_view k_wire = "Robustness; Messaging, The Wire Protocol";
constexpr std::string_view k_alive = "any but harm: dropped, answered, or only busy and idle; the kernel serves as before";

}  // namespace

std::vector<Case> abuse_framing_cases() {
  return {
      {"abuse.framing.nothing", k_wire, Level::must, "A kernel survives messages of empty frames.",
       "sends 1, 2 and 100 empty frames on shell, control and stdin", k_alive, nothing},
      {"abuse.framing.no-delimiter", k_wire, Level::must, "A kernel survives a message without delimiter.",
       "sends a request without it, and a single byte", k_alive, no_delimiter},
      {"abuse.framing.wrong-delimiter", k_wire, Level::must, "A kernel survives a delimiter that is not quite one.",
       "sends requests with other delimiters", k_alive, wrong_delimiter},
      {"abuse.framing.too-few", k_wire, Level::must, "A kernel survives a message that lacks frames.",
       "sends a delimiter with 0 to 4 of the 5 frames after it", k_alive, too_few},
      {"abuse.framing.empty-frames", k_wire, Level::must, "A kernel survives a signed frame of no bytes.",
       "sends requests with each of the four JSON frames empty", k_alive, empty_frames},
      {"abuse.framing.two-delimiters", k_wire, Level::must, "A kernel survives a second delimiter.",
       "sends requests with another delimiter in each place", k_alive, two_delimiters},
      {"abuse.framing.identity.delimiter", k_wire, Level::must,
       "A kernel survives a client whose routing id is the delimiter.", "sends requests as such a client", k_alive,
       identity_is_delimiter},
      {"abuse.framing.identity.many", k_wire, Level::must, "A kernel survives any identities before the delimiter.",
       "sends requests with 1000 of them, and with one of a megabyte", k_alive, many_identities},
      {"abuse.framing.buffers.many", k_wire, Level::must, "A kernel survives any number of buffers.",
       "sends requests with 1, 1024 and 20000 empty buffers", k_alive, many_buffers},
      {"abuse.framing.buffers.large", k_wire, Level::must, "A kernel survives a large buffer.",
       "sends a request with a buffer of 40 MB", k_alive, large_buffer},
      {"abuse.framing.buffers.bomb", k_wire, Level::must, "A kernel survives a message of many large buffers.",
       "sends requests with 48 buffers of 4 MB, one signed and one unsigned", k_alive, buffer_bomb},
      {"abuse.framing.large.content", k_wire, Level::must, "A kernel survives a large content.",
       "sends a request with a content of 20 MB", k_alive, large_content},
      {"abuse.framing.large.unsigned", k_wire, Level::must, "A kernel survives large messages that nobody signed.",
       "sends messages with 10 MB in place of delimiter, signature, header and content", k_alive, large_unsigned},
      {"abuse.framing.random", k_wire, Level::must, "A message that was changed after it was signed is not handled.",
       "sends 1000 execute_requests with two bytes changed at random", "no execution; the kernel serves as before",
       random_bytes},
      {"abuse.framing.random.signed", k_wire, Level::must, "A kernel survives any bytes in signed frames.",
       "sends 1500 signed requests with two bytes of header or content changed at random", k_alive, random_signed_bytes},
      {"abuse.framing.unfinished", k_wire, Level::must, "A kernel survives clients that leave within a message.",
       "20 clients send three frames of a message on each channel and leave", k_alive, unfinished},
  };
}

}  // namespace adrastea::conformance
