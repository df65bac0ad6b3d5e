// SPDX-License-Identifier: BSD-3-Clause
// Faults of what must be refused: forged, unsigned and repeated messages.
#include "hooks.hpp"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace faulty {
namespace {

/// Signs a message that comes in anew when its signature fits this description.
HookMaker accept(std::function<bool(const std::string& given, const std::string& right)> fits) {
  return alter([](const Message&) { return true; },
               [fits](Message& message) {
                 Message right = message;
                 right.sign();
                 if (fits(message.signature, right.signature)) message.signature = right.signature;
               });
}

/// As new, although its bytes came before.
void look_new(Message& message) {
  static std::atomic<int> count{0};
  Message right = message;
  right.sign();
  if (right.signature == message.signature) message.set(Part::metadata, "accepted", ++count);
}

/// In shell's thread.
void remember_for_ever(Message& /*message*/) {
  static std::vector<std::string> all;
  all.emplace_back(2000, 'x');
}

/// Dies of what it has forgotten. In shell's thread.
void forget_after_many(Message& message) {
  static std::string first = message.signature;
  static int count = 0;
  if (++count > (1 << 16) && message.signature == first) std::_Exit(1);
}

}  // namespace

std::vector<Fault> security_faults() {
  return {
      {"signature-not-checked",
       "Accepts any signature.",
       {"abuse.signature.wrong", "abuse.signature.empty", "abuse.signature.truncated", "abuse.signature.extended",
        "abuse.signature.odd", "abuse.signature.other-key", "abuse.signature.other-message", "abuse.signature.every-frame",
        "abuse.signature.shutdown", "abuse.framing.random", "abuse.stdin.forged"},
       {},
       accept([](const std::string&, const std::string&) { return true; })},
      {"signature-optional",
       "Accepts unsigned messages.",
       {"abuse.signature.empty", "abuse.signature.shutdown", "abuse.stdin.forged"},
       {},
       accept([](const std::string& given, const std::string&) { return given.empty(); })},
      {"signature-prefix",
       "Compares as much of a signature as there is.",
       {"abuse.signature.truncated"},
       {},
       accept(
           [](const std::string& given, const std::string& right) { return !given.empty() && right.starts_with(given); })},
      {"signature-extended",
       "Accepts signatures with more behind them.",
       {"abuse.signature.extended"},
       {},
       accept([](const std::string& given, const std::string& right) { return given.starts_with(right); })},
      {"replay-accepted",
       "Handles a message as often as it comes.",
       {"abuse.signature.replay"},
       {},
       alter([](const Message& message) { return message.type() == "execute_request"; }, look_new)},
      {"messages-remembered",
       "Keeps something of each message for ever.",
       {"abuse.signature.replay.many"},
       {},
       alter(of_type("comm_info_request"), remember_for_ever)},
      {"replay-late-kills",
       "Dies when a message comes again after 65536 others.",
       {"abuse.signature.replay.many"},
       {},
       alter(of_type("comm_info_request"), forget_after_many)},
  };
}

}  // namespace faulty
