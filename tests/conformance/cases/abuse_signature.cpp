// SPDX-License-Identifier: BSD-3-Clause
// Messages that nobody signed who may.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <functional>

namespace adrastea::conformance {
namespace {

constexpr std::size_t k_signature = 1;
constexpr std::size_t k_content = 5;

/// How many times a cell that prints `text` was executed.
std::size_t runs(const RawPeer& peer, const std::string& text) {
  const std::string printed = peer.printed();
  std::size_t count = 0;
  for (auto at = printed.find(text); at != std::string::npos; at = printed.find(text, at + text.size())) ++count;
  return count;
}

/// Sends what `spoil` makes of a signed execute_request; none of it may be executed.
void is_not_executed(Trial& trial, const std::function<void(RawPeer&, Frames)>& spoil) {
  const std::string text = trial.word();
  const std::string code = printing(trial, text);
  RawPeer peer(trial);
  spoil(peer, peer.execute(code));
  peer.fence();
  trial.check(runs(peer, text) == 0, "the cell was executed");
  trial.expect_alive();
}

/// The same with these signatures.
void is_not_executed_with(Trial& trial, const std::function<std::vector<std::string>(const std::string&)>& signatures) {
  is_not_executed(trial, [&](RawPeer& peer, Frames frames) {
    const auto made = signatures(frames.at(k_signature));
    // One channel after the other: of a message that two have, a kernel that takes it may refuse either as sent twice.
    for (const Channel channel : {Channel::shell, Channel::control}) {
      for (const auto& signature : made) {
        frames.at(k_signature) = signature;
        peer.send(channel, frames);
      }
      if (channel == Channel::shell) peer.fence(channel);
    }
  });
}

void wrong(Trial& trial) {
  is_not_executed_with(trial, [](const std::string& right) {
    std::vector<std::string> made{std::string(right.size(), '0'), std::string(right.size(), 'f')};
    for (const std::size_t at : {std::size_t{0}, right.size() / 2, right.size() - 1}) {
      made.push_back(right);
      made.back().at(at) = right.at(at) == '0' ? '1' : '0';
    }
    return made;
  });
}

void empty(Trial& trial) {
  is_not_executed_with(trial, [](const std::string&) { return std::vector<std::string>{""}; });
}

void truncated(Trial& trial) {
  is_not_executed_with(trial, [](const std::string& right) {
    std::vector<std::string> made;
    for (std::size_t length = 1; length < right.size(); ++length) made.push_back(right.substr(0, length));
    return made;
  });
}

void extended(Trial& trial) {
  is_not_executed_with(trial, [](const std::string& right) {
    std::vector<std::string> made{right + right, right + '\0', right + "\n", " " + right};
    for (const std::size_t more : {1U, 2U, 63U, 200U}) made.push_back(right + std::string(more, 'a'));
    return made;
  });
}

void odd(Trial& trial) {
  is_not_executed_with(trial, [](const std::string& right) {
    return std::vector<std::string>{std::string(right.size(), '\0'), std::string(1'000'000, 'a'), "\xff\xfe", "null",
                                    std::string(right.size(), '\xff')};
  });
}

void upper_case(Trial& trial) {
  RawPeer peer(trial);
  Frames frames = peer.frames("kernel_info_request", Json::object());
  for (char& digit : frames.at(k_signature)) digit = static_cast<char>(std::toupper(static_cast<unsigned char>(digit)));
  peer.send(Channel::shell, frames);
  expect_no_harm(trial, peer);
}

void other_key(Trial& trial) {
  is_not_executed(trial, [&](RawPeer& peer, Frames frames) {
    const testing::Codec forger(trial.connection().scheme(), "another key");
    frames.at(k_signature) = forger.sign({frames.at(2), frames.at(3), frames.at(4), frames.at(k_content)});
    peer.send(Channel::shell, frames);
  });
}

void other_message(Trial& trial) {
  is_not_executed(trial, [](RawPeer& peer, Frames frames) {
    const Frames accepted = peer.frames("kernel_info_request", Json::object());
    peer.send(Channel::shell, accepted);
    frames.at(k_signature) = accepted.at(k_signature);
    peer.send(Channel::shell, frames);
  });
}

void every_frame(Trial& trial) {
  is_not_executed(trial, [](RawPeer& peer, const Frames& frames) {
    for (std::size_t index = 2; index <= k_content; ++index) {
      Frames changed = frames;
      Json part = Json::parse(changed.at(index));
      part["added"] = true;
      changed.at(index) = part.dump();
      peer.send(Channel::shell, changed);
    }
  });
}

void moved_bytes(Trial& trial) {
  // The signature is that of the concatenation, so it fits these too.
  RawPeer peer(trial);
  for (std::size_t from = 2; from < k_content; ++from) {
    Frames taken = peer.frames("kernel_info_request", Json::object());
    taken.at(from) += taken.at(from + 1).substr(0, 1);
    taken.at(from + 1).erase(0, 1);
    peer.send_everywhere(taken);
    Frames merged = peer.frames("kernel_info_request", Json::object());
    merged.at(from) += merged.at(from + 1);
    merged.at(from + 1).clear();
    peer.send_everywhere(merged);
  }
  expect_no_harm(trial, peer);
}

/// Sends one execute_request, and again what `again` sends; it may be executed once.
void runs_once(Trial& trial, const std::function<void(RawPeer&, const Frames&, const std::string& text)>& again) {
  const std::string text = trial.word();
  const std::string code = printing(trial, text);
  RawPeer peer(trial);
  const Frames frames = peer.execute(code);
  peer.send(Channel::shell, frames);
  peer.fence();
  if (runs(peer, text) != 1) Trial::not_applicable("the cell did not run as it should the first time");
  again(peer, frames, text);
  peer.fence();
  trial.check(runs(peer, text) == 1, "the message was executed " + std::to_string(runs(peer, text)) + " times");
  trial.expect_alive();
}

void replay(Trial& trial) {
  runs_once(trial, [](RawPeer& peer, const Frames& frames, const std::string&) { peer.send(Channel::shell, frames); });
}

void replay_on_control(Trial& trial) {
  if (!trial.abilities().control_info) Trial::not_applicable("kernel_info is not answered on control");
  runs_once(trial, [](RawPeer& peer, const Frames& frames, const std::string&) { peer.send(Channel::control, frames); });
}

void replay_after_forgeries(Trial& trial) {
  runs_once(trial, [](RawPeer& peer, const Frames& frames, const std::string& text) {
    peer.send(Channel::shell, frames);
    peer.fence();
    if (runs(peer, text) != 1) Trial::not_applicable("it forgets without forgeries: see abuse.signature.replay");
    Frames forged = frames;
    for (int i = 0; i < 1000; ++i) {
      forged.at(k_signature) = testing::random_id() + testing::random_id();
      peer.send(Channel::shell, forged);
    }
    peer.send(Channel::shell, frames);
  });
}

/// Sends so many requests that are quickly answered, a thousand ahead of the replies, each time.
class Crowd {
 public:
  explicit Crowd(Trial& trial)
      : peer_(trial, {.subscribe = false}),
        type_(trial.abilities().unhandled.contains("comm_info_request") ? "kernel_info_request" : "comm_info_request") {}

  void send(int count) {
    constexpr int ahead = 1000;
    for (int i = 0; i < count; ++i) {
      if (i >= ahead) peer_.skip(Channel::shell, 1);
      const Frames next = peer_.frames(type_, Json::object());
      if (first_.empty()) first_ = next;
      peer_.send(Channel::shell, next);
    }
    peer_.skip(Channel::shell, static_cast<std::size_t>(std::min(count, ahead)));
  }
  void send_first_again() {
    peer_.send(Channel::shell, first_);
    peer_.fence(Channel::shell);
  }

 private:
  RawPeer peer_;
  const std::string_view type_;
  Frames first_;
};

/// jupyter_client remembers 65536 signatures. A slow kernel gets as many as it answers in time, for the verdict must not
/// depend on how busy the machine is.
void replay_after_many(Trial& trial) {
  constexpr int many = 70'000;
  constexpr int some = 2'000;
  constexpr std::size_t budget = 64U << 20U;
  trial.kernel();
  Crowd crowd(trial);
  const auto deadline = std::chrono::steady_clock::now() + std::max(trial.timeout(), std::chrono::milliseconds(30'000));
  int sent = some;
  crowd.send(some);
  const std::size_t before = trial.owns_kernel() ? trial.kernel().resident_bytes() : 0;
  for (; sent < many && std::chrono::steady_clock::now() < deadline; sent += some) crowd.send(some);
  const std::size_t after = trial.owns_kernel() ? trial.kernel().resident_bytes() : 0;
  trial.check(after < before + budget, "after " + std::to_string(sent) + " requests the kernel has " +
                                           std::to_string((after - before) >> 20U) +
                                           " MiB more memory than after the first 2000");
  crowd.send_first_again();
  trial.expect_alive();
}

void shutdown(Trial& trial) {
  RawPeer peer(trial);
  for (const char* signature : {"", "0"}) {
    Frames frames = peer.frames("shutdown_request", {{"restart", false}});
    frames.at(k_signature) = std::string(*signature == '0' ? frames.at(k_signature).size() : 0, '0');
    peer.send(Channel::control, frames);
    peer.send(Channel::shell, frames);
  }
  expect_no_harm(trial, peer);
}

void flood(Trial& trial) {
  RawPeer peer(trial);
  KernelClient& good = trial.client();
  Frames frames = peer.frames("kernel_info_request", Json::object());
  for (int i = 0; i < 2000; ++i) {
    frames.at(k_signature).assign(64, static_cast<char>('a' + i % 6));
    peer.send(i % 2 == 0 ? Channel::shell : Channel::control, frames);
  }
  trial.require(good.exchange(Channel::shell, "kernel_info_request").reply.has_value(), "a good client is not served");
  expect_no_harm(trial, peer);
}

void no_key(Trial& trial) {
  trial.start({.fields = {{"key", ""}}});
  RawPeer peer(trial);
  Frames frames = peer.frames("kernel_info_request", Json::object());
  frames.at(k_signature) = std::string(64, 'a');
  peer.send(Channel::shell, frames);
  peer.fence();
  trial.check(peer.reply(testing::text_of(Json::parse(frames.at(2)), "msg_id")) != nullptr,
              "a message with some signature is not handled, though there is no key");
  trial.expect_alive();
}

void unknown_scheme(Trial& trial) {
  trial.start({.fields = {{"signature_scheme", "hmac-nosuchdigest"}}});
  const testing::Ending ending = trial.expect_end();
  trial.check(ending != testing::Ending{}, "the kernel ended with status 0, as if all were well");
}

constexpr std::string_view k_wire = "Messaging, The Wire Protocol";
constexpr std::string_view k_refused = "no execution: the message is dropped, or answered with an error";
constexpr std::string_view k_alive = "any but harm: the kernel serves as before";

}  // namespace

std::vector<Case> abuse_signature_cases() {
  return {
      {"abuse.signature.wrong", k_wire, Level::must, "A message with a wrong signature is not handled.",
       "sends execute_requests with wrong digits", k_refused, wrong},
      {"abuse.signature.empty", k_wire, Level::must, "An unsigned message is not handled when there is a key.",
       "sends an execute_request with an empty signature", k_refused, empty},
      {"abuse.signature.truncated", k_wire, Level::must, "The first digits of the right signature are not enough.",
       "sends execute_requests with every beginning of the right signature", k_refused, truncated},
      {"abuse.signature.extended", k_wire, Level::must, "The right signature with more after it is a wrong one.",
       "sends execute_requests with 1 to 200 bytes more", k_refused, extended},
      {"abuse.signature.odd", k_wire, Level::must, "A signature that is no signature at all is a wrong one.",
       "sends execute_requests with NULs, bytes that are no text, and a megabyte", k_refused, odd},
      {"abuse.signature.upper-case", k_wire, Level::must, "A kernel survives a signature in upper case.",
       "sends a kernel_info_request so signed", k_alive, upper_case},
      {"abuse.signature.other-key", k_wire, Level::must, "A message signed with another key is not handled.",
       "sends an execute_request so signed", k_refused, other_key},
      {"abuse.signature.other-message", k_wire, Level::must, "Another message's signature is a wrong one.",
       "sends an execute_request with the signature of a kernel_info_request that was accepted", k_refused, other_message},
      {"abuse.signature.every-frame", k_wire, Level::must,
       "The signature covers header, parent_header, metadata and content.",
       "sends execute_requests, each with another frame changed after it was signed", k_refused, every_frame},
      {"abuse.signature.moved-bytes", k_wire, Level::must,
       "A kernel survives bytes that were moved from one frame to its neighbour, which leaves the signature right.",
       "moves one byte, and a whole frame, between each two frames", k_alive, moved_bytes},
      {"abuse.signature.replay", "jupyter_client, Session.check_sigs", Level::should, "A message is handled once.",
       "sends the same bytes of an execute_request twice", "one execution", replay},
      {"abuse.signature.replay.control", "jupyter_client, Session.check_sigs", Level::should,
       "A message that was handled is not handled again when it comes on another channel.",
       "sends an execute_request on shell, and the same bytes on control", "one execution", replay_on_control},
      {"abuse.signature.replay.forgeries", "jupyter_client, Session.check_sigs", Level::should,
       "Forged messages do not make a kernel forget which it has handled.",
       "sends an execute_request, 1000 forged messages, and the first again", "one execution", replay_after_forgeries},
      {"abuse.signature.replay.many", "jupyter_client, Session.check_sigs", Level::should,
       "What a kernel remembers of messages does not grow with their number.",
       "sends 70000 requests, or as many as the kernel answers within --timeout (at least 30 s), and the first again",
       "the last is handled or not; the kernel serves as before, and has not taken 64 MiB more since the first 2000",
       replay_after_many},
      {"abuse.signature.shutdown", k_wire, Level::must, "An unsigned shutdown_request does not end the kernel.",
       "sends it unsigned and with a wrong signature, on control and shell", k_alive, shutdown},
      {"abuse.signature.flood", k_wire, Level::must, "Forged messages do not keep a kernel from those who may speak to it.",
       "sends 2000 forged messages beside a good client's request", "the good client is answered", flood},
      {"abuse.signature.no-key", k_wire, Level::should, "With an empty key signatures are not looked at.",
       "starts the kernel with an empty key and sends a request with some signature", "the request is answered", no_key},
      {"abuse.signature.unknown-scheme", "Messaging, Connection files", Level::should,
       "A kernel that does not know the signature scheme does not start, rather than go on without signatures.",
       "starts the kernel with the scheme hmac-nosuchdigest", "it ends, and not with status 0", unknown_scheme},
  };
}

}  // namespace adrastea::conformance
