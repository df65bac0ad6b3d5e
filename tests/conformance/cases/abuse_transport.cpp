// SPDX-License-Identifier: BSD-3-Clause
// Peers that do not speak the protocol below the protocol.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <zmq.h>

#include <functional>

namespace adrastea::conformance {
namespace {

using namespace std::string_literals;

/// Does `what` with connections to each of the five sockets, beside a client who was there before and one who comes later.
void survives(Trial& trial, const std::function<void(RawStream)>& what, int times = 5) {
  trial.client();
  for (const Channel channel : k_all_channels) {
    for (int i = 0; i < times; ++i) what(RawStream(trial.connection(), channel));
  }
  trial.connect();
  trial.expect_alive();
}

void survives_bytes(Trial& trial, const std::vector<std::string>& many) {
  for (const auto& bytes : many)
    survives(
        trial, [&](RawStream peer) { peer.write(bytes); }, 2);
}

void http(Trial& trial) {
  survives_bytes(trial,
                 {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /api HTTP/1.1\r\nContent-Length: 999999\r\n\r\n{}"});
}

void tls(Trial& trial) {
  survives_bytes(trial, {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(500, '\x42')});
}

void noise(Trial& trial) {
  survives(trial, [&](RawStream peer) {
    std::string bytes(65'536, '\0');
    for (char& byte : bytes) byte = static_cast<char>(trial.random()());
    peer.write(bytes);
  });
}

void constant_noise(Trial& trial) {
  survives_bytes(trial, {std::string(100'000, '\0'), std::string(100'000, '\xff'), std::string(100'000, '\x7f'), "\n"});
}

void silence(Trial& trial) {
  trial.client();
  std::vector<RawStream> silent;
  for (const Channel channel : k_all_channels) {
    for (int i = 0; i < 40; ++i) silent.emplace_back(trial.connection(), channel);
  }
  trial.expect_alive();
}

void storm(Trial& trial) {
  survives(
      trial, [](const RawStream&) {}, 50);
}

void half_greeting(Trial& trial) {
  const std::string opening = zmtp_opening("DEALER");
  std::vector<std::string> parts;
  for (std::size_t length = 1; length < opening.size(); length += 9) parts.push_back(opening.substr(0, length));
  survives_bytes(trial, parts);
}

void held_greeting(Trial& trial) {
  trial.client();
  std::vector<RawStream> held;
  for (const Channel channel : k_all_channels) {
    for (const std::size_t length : {1U, 10U, 11U, 12U, 63U, 64U, 66U}) {
      held.emplace_back(trial.connection(), channel);
      held.back().write(zmtp_opening("DEALER").substr(0, length));
    }
  }
  trial.expect_alive();
}

void old_versions(Trial& trial) {
  const std::string signature = "\xff" + std::string(8, '\0') + "\x7f";
  survives_bytes(trial, {"\x01\x00"s, "\x05\x00peer"s, signature + "\x01\x05\x00\x00"s, signature + "\x00\x05"s,
                         signature + "\x7f\x7f" + std::string(60, '\0')});
}

void mechanisms(Trial& trial) {
  std::vector<std::string> all;
  for (const char* name : {"PLAIN", "CURVE", "GSSAPI", "", "null", "NULLNULLNULLNULLNULL"}) {
    std::string opening = zmtp_opening("DEALER");
    std::string field = name;
    field.resize(20, '\0');
    opening.replace(12, 20, field);
    all.push_back(opening + zmtp_frame(4, "\x05HELLO" + std::string(194, 'c'), 200));
  }
  survives_bytes(trial, all);
}

void bad_ready(Trial& trial) {
  const std::string greeting = zmtp_opening("DEALER").substr(0, 64);
  survives_bytes(trial, {greeting + zmtp_frame(4,
                                               "\x05READY\x0bSocket-Type\xff\xff\xff\xff"
                                               "DEALER",
                                               28),
                         greeting + zmtp_frame(4, "\xffREADY", 6), greeting + zmtp_frame(4, "", 0),
                         greeting + zmtp_frame(4,
                                               "\x05"
                                               "ERROR\xff",
                                               7),
                         greeting + zmtp_frame(4, "\x05READY\xff", 7), greeting + zmtp_frame(0, "no command", 10),
                         zmtp_opening("NONSENSE"), zmtp_opening("")});
}

void commands(Trial& trial) {
  const std::string opening = zmtp_opening("DEALER");
  survives_bytes(trial, {opening + zmtp_frame(4, "\x04PING\xff\xff", 7), opening + zmtp_frame(4, "\x04PONG", 5),
                         opening + zmtp_frame(4, "\x09SUBSCRIBE", 10), opening + zmtp_frame(4, "\x05READY", 6),
                         opening + zmtp_frame(5, "\x04MORE", 5), opening + zmtp_frame(4, "", 0)});
}

void frame_length(Trial& trial) {
  for (const char* type : {"DEALER", "SUB"}) {
    const std::string opening = zmtp_opening(type);
    survives_bytes(trial, {opening + zmtp_frame(0, "short", std::uint64_t{1} << 62U),
                           opening + zmtp_frame(0, "short", ~std::uint64_t{0}), opening + zmtp_frame(0xf8, "flags", 5),
                           opening + zmtp_frame(4, "short", std::uint64_t{1} << 62U)});
  }
}

void reset(Trial& trial) {
  survives(trial, [](RawStream peer) {
    peer.write(zmtp_opening("DEALER") + zmtp_frame(0, std::string(1000, 'f'), 100'000));
    peer.reset();
  });
}

void half_close(Trial& trial) {
  std::vector<RawStream> open;
  survives(trial, [&](RawStream peer) {
    peer.write(zmtp_opening("DEALER") + zmtp_frame(0, std::string(1000, 'f'), 100'000));
    peer.half_close();
    open.push_back(std::move(peer));
  });
}

void byte_by_byte(Trial& trial) {
  RawPeer peer(trial);
  const Frames frames = peer.frames("kernel_info_request", Json::object());
  std::string bytes = zmtp_opening("DEALER");
  for (std::size_t i = 0; i < frames.size(); ++i)
    bytes += zmtp_frame(i + 1 < frames.size() ? 1 : 0, frames[i], frames[i].size());
  RawStream slow(trial.connection(), Channel::shell);
  for (const char& byte : bytes) slow.write({&byte, 1});
  expect_no_harm(trial, peer);
}

void socket_types(Trial& trial, const std::vector<int>& types, const std::vector<Channel>& channels) {
  RawPeer peer(trial);
  std::vector<std::unique_ptr<OddSocket>> odd;
  for (const Channel channel : channels) {
    for (const int type : types) {
      odd.push_back(std::make_unique<OddSocket>(trial, type, channel));
      odd.back()->send({"odd", "socket"});
      odd.back()->send(peer.frames("kernel_info_request", Json::object()));
    }
  }
  expect_no_harm(trial, peer);
}

void wrong_types(Trial& trial) {
  socket_types(trial, {ZMQ_PUSH, ZMQ_PULL, ZMQ_PUB, ZMQ_PAIR, ZMQ_XPUB}, {k_all_channels.begin(), k_all_channels.end()});
}

void subscribers_elsewhere(Trial& trial) {
  socket_types(trial, {ZMQ_SUB, ZMQ_XSUB}, {Channel::shell, Channel::stdin_channel, Channel::control, Channel::heartbeat});
}

void requesters_elsewhere(Trial& trial) {
  socket_types(trial, {ZMQ_REQ, ZMQ_DEALER, ZMQ_ROUTER, ZMQ_REP}, {Channel::iopub});
}

void routers(Trial& trial) {
  socket_types(trial, {ZMQ_ROUTER, ZMQ_REP},
               {Channel::shell, Channel::stdin_channel, Channel::control, Channel::heartbeat});
}

/// A REQ puts an empty frame before the message, which comes back as all identities do.
void requester(Trial& trial) {
  RawPeer peer(trial);
  OddSocket requester(trial, ZMQ_REQ, Channel::shell);
  requester.send(peer.frames("kernel_info_request", Json::object()));
  peer.fence(Channel::shell);
  trial.check(requester.receive(trial.timeout()).has_value(), "a REQ socket got no reply to its request");
  trial.expect_alive();
}

constexpr std::string_view k_zmtp = "Robustness; ZeroMQ, ZMTP 3";
constexpr std::string_view k_alive =
    "any but harm: the connection is closed or ignored; the kernel serves others as before";

}  // namespace

std::vector<Case> abuse_transport_cases() {
  return {
      {"abuse.transport.http", k_zmtp, Level::must, "A kernel survives browsers.",
       "sends HTTP requests to all five sockets", k_alive, http},
      {"abuse.transport.tls", k_zmtp, Level::must, "A kernel survives peers that want TLS.",
       "sends the beginning of TLS to all five sockets", k_alive, tls},
      {"abuse.transport.noise", k_zmtp, Level::must, "A kernel survives random bytes.",
       "sends 64 KiB of them, several times, to all five sockets", k_alive, noise},
      {"abuse.transport.noise.constant", k_zmtp, Level::must, "A kernel survives long runs of one byte.",
       "sends 100 kB of 00, 7F and FF to all five sockets", k_alive, constant_noise},
      {"abuse.transport.silence", k_zmtp, Level::must, "Connections that say nothing keep nobody from the kernel.",
       "holds 40 connections to each of the five sockets open", "the others are served", silence},
      {"abuse.transport.storm", k_zmtp, Level::must, "A kernel survives connections that come and go at once.",
       "connects to each of the five sockets 50 times", k_alive, storm},
      {"abuse.transport.greeting.half", k_zmtp, Level::must, "A kernel survives peers that leave within the greeting.",
       "sends beginnings of greeting and handshake to all five sockets and leaves", k_alive, half_greeting},
      {"abuse.transport.greeting.held", k_zmtp, Level::must,
       "Peers that stop within the greeting keep nobody from the kernel.",
       "sends beginnings of greeting and handshake to all five sockets and stays", "the others are served", held_greeting},
      {"abuse.transport.greeting.versions", k_zmtp, Level::must, "A kernel survives peers of other versions of ZMTP.",
       "greets all five sockets as versions 1, 2 and 127 do", k_alive, old_versions},
      {"abuse.transport.greeting.mechanism", k_zmtp, Level::must,
       "A kernel survives peers that want another security mechanism.",
       "asks all five sockets for PLAIN, CURVE, GSSAPI and such as are none", k_alive, mechanisms},
      {"abuse.transport.ready", k_zmtp, Level::must, "A kernel survives broken handshakes.",
       "sends READY commands with wrong lengths and types to all five sockets", k_alive, bad_ready},
      {"abuse.transport.commands", k_zmtp, Level::must, "A kernel survives commands of ZMTP where none belong.",
       "sends PING, PONG, SUBSCRIBE and READY after the handshake", k_alive, commands},
      {"abuse.transport.frame-length", k_zmtp, Level::must, "A kernel survives frames that claim to be of any length.",
       "announces frames of 2^62 and more bytes, and sends 5", k_alive, frame_length},
      {"abuse.transport.reset", k_zmtp, Level::must, "A kernel survives connections that are reset within a frame.",
       "does so on all five sockets", k_alive, reset},
      {"abuse.transport.half-close", k_zmtp, Level::must, "A kernel survives connections that are closed in one direction.",
       "does so within a frame, on all five sockets, and stays", k_alive, half_close},
      {"abuse.transport.bytes", k_zmtp, Level::must, "A kernel survives a request that comes byte by byte.",
       "sends a request so", k_alive, byte_by_byte},
      {"abuse.transport.type.wrong", k_zmtp, Level::must, "A kernel survives sockets of types that belong nowhere here.",
       "connects PUSH, PULL, PUB, PAIR and XPUB to all five sockets and sends", k_alive, wrong_types},
      {"abuse.transport.type.subscriber", k_zmtp, Level::must, "A kernel survives subscribers where nothing is published.",
       "connects SUB and XSUB to all sockets but iopub", k_alive, subscribers_elsewhere},
      {"abuse.transport.type.requester", k_zmtp, Level::must, "A kernel survives requests to iopub.",
       "connects REQ, DEALER, ROUTER and REP to iopub and sends requests", k_alive, requesters_elsewhere},
      {"abuse.transport.type.router", k_zmtp, Level::must, "A kernel survives peers that are sockets of its own types.",
       "connects ROUTER and REP to all sockets but iopub and sends", k_alive, routers},
      {"abuse.transport.type.req", "Messaging, The Wire Protocol", Level::should,
       "All frames before the delimiter come back in the reply, so that a REQ socket may ask.",
       "sends a request on shell by a REQ socket", "a reply that REQ takes: one that begins with the empty frame",
       requester},
  };
}

}  // namespace adrastea::conformance
