// SPDX-License-Identifier: BSD-3-Clause
// Odd, slow and absent subscribers, and floods.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <adrastea/testing/deadline.hpp>

#include <zmq.h>

#include <functional>

namespace adrastea::conformance {
namespace {

using namespace std::string_literals;

constexpr int k_lines = 20'000;
constexpr std::size_t k_big = 20'000'000;

const std::string& lines() {
  static const std::string text = [] {
    std::string made;
    for (int i = 0; i < k_lines; ++i) made += std::to_string(i) + "\n";
    return made;
  }();
  return text;
}

std::string flood_code(const Trial& trial) { return trial.sample("flood", {{"count", std::to_string(k_lines)}}); }
std::string big_code(const Trial& trial) { return trial.sample("big", {{"count", std::to_string(k_big)}}); }

/// What an XSUB sent before has been taken: a subscription that it sends now has effect.
void settle(const Trial& trial, RawPeer& peer, OddSocket& xsub) {
  xsub.send({"\x01"});
  const testing::Deadline deadline(trial.timeout());
  while (true) {
    peer.fence(Channel::shell);  // something to be published
    if (xsub.receive(std::chrono::milliseconds(20))) return;
    Trial::require(!deadline.passed(), "an XSUB that has sent odd messages gets none");
  }
}

/// Sends these messages upstream.
void survives_upstream(Trial& trial, const std::vector<Frames>& messages) {
  RawPeer peer(trial);
  OddSocket xsub(trial, ZMQ_XSUB, Channel::iopub);
  for (const auto& frames : messages) xsub.send(frames);
  settle(trial, peer, xsub);
  expect_no_harm(trial, peer);
}

void upstream(Trial& trial) {
  survives_upstream(trial, {{""}, {"x"}, {"\x02"}, {"", ""}, {"\x02", "a", "b"}, {"a", "\x01"}, {"\xff\xfe"}});
}

void upstream_large(Trial& trial) { survives_upstream(trial, {{std::string(10'000'000, 'x')}, Frames(1000, "f")}); }

void upstream_messages(Trial& trial) {
  RawPeer peer(trial);
  OddSocket xsub(trial, ZMQ_XSUB, Channel::iopub);
  const std::string text = trial.word();
  xsub.send(peer.execute(printing(trial, text)));
  xsub.send(peer.frames("shutdown_request", {{"restart", false}}));
  settle(trial, peer, xsub);
  expect_no_harm(trial, peer);
}

/// By bytes, because libzmq's own subscriber does not survive it: it frees its topics by recursion.
void large_topic(Trial& trial) {
  RawPeer peer(trial);
  const std::string topic = "\x01" + std::string(1'000'000, 't');
  RawStream subscriber(trial.connection(), Channel::iopub);
  subscriber.write(zmtp_opening("SUB") + zmtp_frame(0, topic, topic.size()));
  expect_no_harm(trial, peer);
}

void odd_topics(Trial& trial) {
  survives_upstream(trial, {{"\x01\xff\xfe\x80"},
                            {"\x01\xed\xa0\x80"},
                            {"\x01\0\0"s},
                            {"\x01\n\"\\"},
                            {"\x01%s%n"},
                            {"\x01\xc3"},
                            {"\x01\xf0\x9f\x90\x90"}});
}

void many_topics(Trial& trial) {
  std::vector<Frames> messages;
  for (int i = 0; i < 900; ++i) messages.push_back({"\x01topic " + std::to_string(i)});
  survives_upstream(trial, messages);
}

void unsubscriptions(Trial& trial) {
  std::vector<Frames> messages;
  for (int i = 0; i < 100; ++i) messages.push_back({"\0never subscribed"s});
  for (int i = 0; i < 300; ++i) {
    messages.push_back({"\x01again"});
    messages.push_back({"\0again"s});
  }
  survives_upstream(trial, messages);
}

/// By bytes, because libzmq's own subscriber does not send what cancels nothing.
void cancels(Trial& trial) {
  RawPeer peer(trial);
  std::string bytes = zmtp_opening("SUB");
  for (const std::string& frame : {"\0"s, "\0topic"s, "\0"s}) bytes += zmtp_frame(0, frame, frame.size());
  std::vector<RawStream> strangers;
  for (int i = 0; i < 3; ++i) strangers.emplace_back(trial.connection(), Channel::iopub).write(bytes);
  for (int i = 0; i < 20; ++i) peer.fence(Channel::shell);
  expect_no_harm(trial, peer);
}

// ---- floods ----

/// Runs the cell that prints k_lines lines while `beside` has its way; the client gets every one of them.
void all_lines_come(Trial& trial, const std::function<void()>& beside) {
  const std::string id = trial.client().execute(flood_code(trial));
  beside();
  const std::string text = trial.client().collect(id).text("stdout");
  trial.check(text == lines(), std::to_string(lines().size()) + " bytes were printed, and other " +
                                   std::to_string(text.size()) + " bytes have come");
  trial.expect_alive();
}

void flood(Trial& trial) {
  all_lines_come(trial, [] {});
}

void big(Trial& trial) {
  const std::string text = trial.run(big_code(trial)).text("stdout");
  trial.check(text == std::string(k_big, 'x'),
              std::to_string(k_big) + " bytes were printed, and other " + std::to_string(text.size()) + " bytes have come");
  trial.expect_alive();
}

/// What is about another subscriber's harm says nothing where a single one loses output already.
void needs_whole_floods(Trial& trial) {
  if (trial.run(flood_code(trial)).text("stdout") != lines())
    Trial::not_applicable("a single subscriber does not get all: see abuse.iopub.flood");
}

void stopped_subscriber(Trial& trial) {
  needs_whole_floods(trial);
  OddSocket stopped(trial, ZMQ_SUB, Channel::iopub, 1);
  trial.run(big_code(trial));  // more than its connection holds
  all_lines_come(trial, [] {});
}

/// What a subscriber that was stopped reads. All of it is whole and signed.
class Reader {
 public:
  Reader(Trial& trial, OddSocket& socket)
      : trial_(trial), socket_(socket), codec_(trial.connection().scheme(), trial.connection().key()) {}

  /// The next message, if one comes soon.
  std::optional<Message> next(std::chrono::milliseconds time) {
    auto frames = socket_.receive(time);
    if (!frames) return std::nullopt;
    try {
      return codec_.decode(Channel::iopub, std::move(*frames));
    } catch (const testing::Failure& failure) {
      throw testing::Failure("a subscriber that reads again gets a torn message: " + std::string(failure.what()));
    }
  }

  /// The types of all messages about this request, whose idle must come.
  std::vector<std::string> types_about(const std::string& id) {
    std::vector<std::string> types;
    while (true) {
      const auto message = next(trial_.timeout());
      Trial::require(message.has_value(), "a subscriber that reads again gets no idle of a later cell");
      if (message->parent_id() != id) continue;
      if (message->type() != "status") types.push_back(message->type());
      if (testing::text_of(message->content, "execution_state") == "idle") return types;
    }
  }

  /// Reads until it gets what is published now.
  void catch_up() {
    const testing::Deadline deadline(trial_.timeout());
    while (true) {
      const std::string id = trial_.client().request(Channel::shell, "kernel_info_request");
      trial_.client().collect(id);
      // What is published about it is lost when there was no room for it, so that it is asked for again.
      while (const auto message = next(std::chrono::milliseconds(50))) {
        if (message->parent_id() == id) return;
      }
      Trial::require(!deadline.passed(), "a subscriber that reads again gets nothing of what is published then");
    }
  }

 private:
  Trial& trial_;
  OddSocket& socket_;
  const testing::Codec codec_;
};

void resumed_subscriber(Trial& trial) {
  const std::string flood = flood_code(trial);
  const std::string large = big_code(trial);
  const std::string print = printing(trial, trial.word());
  OddSocket stopped(trial, ZMQ_SUB, Channel::iopub, 1);
  trial.run(large);  // more than its connection holds
  trial.run(flood);
  Reader reader(trial, stopped);
  reader.catch_up();
  const std::string id = trial.client().execute(print);
  std::vector<std::string> types;
  for (const auto& message : trial.client().collect(id).published) {
    if (message.type() != "status") types.push_back(message.type());
  }
  const auto seen = reader.types_about(id);
  trial.check(seen == types, "of a later cell a subscriber that reads again gets " + std::to_string(seen.size()) +
                                 " messages, and the others get " + std::to_string(types.size()));
  trial.expect_alive();
}

void resubscribing(Trial& trial) {
  needs_whole_floods(trial);
  OddSocket fickle(trial, ZMQ_XSUB, Channel::iopub);
  all_lines_come(trial, [&] {
    for (int i = 0; i < 300; ++i) {
      fickle.send({"\x01"});
      fickle.send({"\0"s});
    }
  });
}

void coming_and_going(Trial& trial) {
  needs_whole_floods(trial);
  all_lines_come(trial, [&] {
    for (int i = 0; i < 20; ++i) OddSocket(trial, ZMQ_SUB, Channel::iopub);
  });
}

void no_subscriber(Trial& trial) {
  const std::vector<std::string> codes{flood_code(trial), big_code(trial)};
  RawPeer blind(trial, {.subscribe = false});
  for (const auto& code : codes) blind.await_reply(blind.request(Channel::shell, "execute_request", execute_content(code)));
  trial.expect_alive();
}

void gone_subscriber(Trial& trial) {
  const std::string code = flood_code(trial);
  for (int i = 0; i < 3; ++i) {
    RawPeer leaver(trial);
    leaver.request(Channel::shell, "execute_request", execute_content(code));
    leaver.await("stream");
  }
  trial.expect_alive();
}

constexpr std::string_view k_iopub = "Messaging, Messages on the IOPub channel";
constexpr std::string_view k_jep65 = "Robustness; JEP 65; Messaging, Messages on the IOPub channel";
constexpr std::string_view k_alive = "any but harm: ignored, welcomed or refused; the kernel serves as before";
constexpr std::string_view k_all = "the client's streams have every line, in order";

}  // namespace

std::vector<Case> abuse_iopub_cases() {
  return {
      {"abuse.iopub.upstream", k_jep65, Level::must,
       "A kernel survives messages from subscribers that are no subscriptions.",
       "sends short messages of one and more frames by an XSUB", k_alive, upstream},
      {"abuse.iopub.upstream.large", k_jep65, Level::must, "A kernel survives large messages from subscribers.",
       "sends 10 MB, and 1000 frames, by an XSUB", k_alive, upstream_large},
      {"abuse.iopub.upstream.requests", k_jep65, Level::must, "A kernel survives requests on iopub.",
       "sends an execute_request and a shutdown_request by an XSUB", k_alive, upstream_messages},
      {"abuse.iopub.topic.large", k_jep65, Level::must, "A kernel survives a subscription of any length.",
       "subscribes to a topic of a megabyte", k_alive, large_topic},
      {"abuse.iopub.topic.odd", k_jep65, Level::must, "A kernel survives subscriptions that are no text.",
       "subscribes to topics that are no UTF-8, and that have NULs and quotes", k_alive, odd_topics},
      {"abuse.iopub.topic.many", k_jep65, Level::must, "A kernel survives many subscriptions.", "subscribes to 900 topics",
       k_alive, many_topics},
      {"abuse.iopub.topic.unsubscribe", k_jep65, Level::must, "A kernel survives subscriptions that end.",
       "unsubscribes from what it is not subscribed to, and 300 times from what it is", k_alive, unsubscriptions},
      {"abuse.iopub.topic.cancel", k_jep65, Level::must, "A peer that cancels what it never had takes nothing from others.",
       "three peers cancel subscriptions to everything and to a topic, which nobody of them has", k_alive, cancels},
      {"abuse.iopub.flood", k_iopub, Level::should, "A subscriber that reads gets all that a cell prints in many lines.",
       "prints 20000 lines", k_all, flood},
      {"abuse.iopub.big", k_iopub, Level::should, "A subscriber that reads gets all that a cell prints at once.",
       "prints 20 MB in one write", "the client's streams have all of it", big},
      {"abuse.iopub.subscriber.stopped", k_iopub, Level::must, "A subscriber that does not read costs the others nothing.",
       "prints 20 MB and 20000 lines while a second subscriber reads nothing", k_all, stopped_subscriber},
      {"abuse.iopub.subscriber.resumed", k_iopub, Level::must,
       "A subscriber that reads again gets whole messages, and all of later cells.",
       "prints 20 MB and 20000 lines while a second subscriber reads nothing; then it reads, and another cell is run",
       "what was published meanwhile may be missing, whole messages at a time", resumed_subscriber},
      {"abuse.iopub.subscriber.fickle", k_iopub, Level::must,
       "A subscriber that comes and goes all the time costs the others nothing.",
       "prints 20000 lines while a second subscriber subscribes and unsubscribes 300 times", k_all, resubscribing},
      {"abuse.iopub.subscriber.new", k_iopub, Level::must, "Subscribers that connect and leave cost the others nothing.",
       "prints 20000 lines while 20 others connect and leave", k_all, coming_and_going},
      {"abuse.iopub.subscriber.none", k_iopub, Level::must, "A kernel does not need a subscriber.",
       "prints 20000 lines and 20 MB while nobody is subscribed", "a reply to each cell; the kernel serves as before",
       no_subscriber},
      {"abuse.iopub.subscriber.gone", k_iopub, Level::must, "A kernel survives a subscriber that leaves within a flood.",
       "three clients print 20000 lines and leave when the first have come", k_alive, gone_subscriber},
  };
}

}  // namespace adrastea::conformance
