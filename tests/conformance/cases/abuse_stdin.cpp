// SPDX-License-Identifier: BSD-3-Clause
// Answers that are none, and clients that never answer.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"
#include "raw_peer.hpp"

#include <adrastea/testing/deadline.hpp>

#include <algorithm>
#include <csignal>
#include <functional>

namespace adrastea::conformance {
namespace {

const ExecuteOptions k_asking{.allow_stdin = true, .stop_on_error = false};

std::string input_code(Trial& trial) { return trial.sample("input", {{"prompt", trial.word()}}); }

bool is_idle(const Message& message) {
  return message.type() == "status" && testing::text_of(message.content, "execution_state") == "idle";
}

/// A cell that waits for an answer.
struct Asking {
  std::string id;
  Json question;  ///< the header of its input_request
};

/// Starts a cell that asks, and returns once it has. That it does ask is stdin.*'s business.
Asking ask(Trial& trial, KernelClient& client) {
  const std::string id = client.execute(input_code(trial), k_asking);
  const testing::Deadline deadline(trial.timeout());
  while (!client.waiting(Channel::stdin_channel)) {
    const auto published = client.published(id);
    const bool idle = std::any_of(published.begin(), published.end(), is_idle);
    if (idle) client.exchange(Channel::shell, "kernel_info_request");  // by now a question from before idle has arrived
    if ((idle && !client.waiting(Channel::stdin_channel)) || deadline.passed())
      Trial::not_applicable("a cell that asks for input sends no input_request");
    client.wait(std::chrono::milliseconds(10));  // what has come by now was read by the calls above, perhaps all of it
  }
  return {id, client.take(Channel::stdin_channel).header};
}

/// Answers rightly, and returns what the cell printed.
std::string answer(KernelClient& client, const Asking& cell, const std::string& value) {
  client.input_reply(value, {.parent = cell.question});
  return client.collect(cell.id).text("stdout");
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void forged(Trial& trial) {
  KernelClient& client = trial.client();
  const std::string lie = trial.word();
  const Asking cell = ask(trial, client);
  Frames frames = client.frames_of("input_reply", {{"value", lie}}, {.parent = cell.question});
  frames.at(1).assign(frames.at(1).size(), '0');
  client.send_frames(Channel::stdin_channel, frames);
  frames.at(1).clear();
  client.send_frames(Channel::stdin_channel, frames);
  trial.check(!contains(answer(client, cell, trial.word()), lie), "an answer with a wrong signature was taken");
  trial.expect_alive();
}

/// Something else comes in place of the answer, and then the answer: the cell ends, with whatever it took.
void survives_instead(Trial& trial, const std::vector<Frames>& messages) {
  KernelClient& client = trial.client();
  for (const auto& frames : messages) {
    const Asking cell = ask(trial, client);
    client.send_frames(Channel::stdin_channel, frames);
    answer(client, cell, trial.word());
    client.forget_unasserted();
  }
  trial.expect_alive();
}

void torn(Trial& trial) {
  const Frames right = trial.client().frames_of("input_reply", {{"value", "v"}});
  std::vector<Frames> messages{{""}, {"x"}, {"<IDS|MSG>"}};
  for (std::ptrdiff_t count = 1; count < std::ssize(right); count += 2)
    messages.emplace_back(right.begin(), right.begin() + count);
  survives_instead(trial, messages);
}

void bad_values(Trial& trial) {
  std::vector<Frames> messages{trial.client().frames_of("input_reply", Json::object())};
  for (const Json& value : {Json(nullptr), Json(5), Json(2.5), Json(true), Json::array({"v"}), Json::object()})
    messages.push_back(trial.client().frames_of("input_reply", {{"value", value}}));
  survives_instead(trial, messages);
}

void other_types(Trial& trial) {
  KernelClient& client = trial.client();
  survives_instead(trial, {client.frames_of("kernel_info_request"), client.frames_of("input_request", {{"prompt", "?"}}),
                           client.frames_of("no_such_reply", {{"value", "v"}}), client.frames_of("", {{"value", "v"}})});
}

void foreign(Trial& trial) {
  KernelClient& client = trial.client();
  KernelClient& stranger = trial.connect();
  const std::string lie = trial.word();
  const Asking cell = ask(trial, client);
  stranger.input_reply(lie, {.parent = cell.question});
  let_arrive(trial, stranger);
  trial.check(!contains(answer(client, cell, trial.word()), lie), "another client's answer was taken");
  trial.expect_alive();
}

void twice(Trial& trial) {
  KernelClient& client = trial.client();
  const Asking cell = ask(trial, client);
  const std::string second = trial.word();
  client.input_reply(trial.word(), {.parent = cell.question});
  client.input_reply(second, {.parent = cell.question});
  client.collect(cell.id);
  client.exchange(Channel::shell, "kernel_info_request");  // by now it has arrived
  const Asking next = ask(trial, client);
  trial.check(!contains(answer(client, next, trial.word()), second), "the second answer to one question answered the next");
  trial.expect_alive();
}

void late(Trial& trial) {
  KernelClient& client = trial.client();
  const Asking cell = ask(trial, client);
  trial.interrupt(client);
  client.collect(cell.id);
  const std::string value = trial.word();
  client.input_reply(value, {.parent = cell.question});
  client.exchange(Channel::shell, "kernel_info_request");  // by now it has arrived
  const Asking next = ask(trial, client);
  trial.check(!contains(answer(client, next, trial.word()), value),
              "the answer to an interrupted question answered the next");
  trial.expect_alive();
}

/// A client that asks for input and leaves without an answer.
void leave_asking(Trial& trial) {
  RawPeer leaver(trial);
  Json content = execute_content(input_code(trial));
  content["allow_stdin"] = true;
  leaver.request(Channel::shell, "execute_request", content);
  leaver.await("input_request");
}

void gone_interrupt(Trial& trial) {
  KernelClient& other = trial.client();
  leave_asking(trial);
  trial.interrupt(other);
  trial.expect_alive();
}

void gone_shutdown(Trial& trial) {
  trial.kernel();
  KernelClient& other = trial.client();
  leave_asking(trial);
  other.request(Channel::control, "shutdown_request", {{"restart", false}});
  trial.expect_end();
}

void gone_sigterm(Trial& trial) {
  trial.kernel();
  leave_asking(trial);
  trial.kernel().signal(SIGTERM);
  trial.expect_end();
}

/// Answers the first question that comes, if one does before it holds.
void answer_until(Trial& trial, RawPeer& peer, const std::function<bool()>& holds, const std::string& otherwise) {
  const auto question = [&] {
    const auto& all = peer.received();
    return std::find_if(all.begin(), all.end(), [](const Message& message) { return message.type() == "input_request"; });
  };
  const bool came = peer.wait_until([&] { return holds() || question() != peer.received().end(); });
  if (came && question() != peer.received().end()) {
    const Frames plain = peer.frames("input_reply", {{"value", trial.word()}});
    const std::string parent = question()->header.dump();
    peer.send(Channel::stdin_channel, peer.sign({plain.at(2), parent, plain.at(4), plain.at(5)}));
  }
  trial.require(peer.wait_until(holds), otherwise);
}

void from_thread(Trial& trial) {
  const std::string text = trial.word();
  Json content = execute_content(trial.sample("thread_input", {{"prompt", trial.word()}, {"text", text}}));
  content["allow_stdin"] = true;
  RawPeer peer(trial);
  peer.await_reply(peer.request(Channel::shell, "execute_request", content));
  answer_until(
      trial, peer, [&] { return contains(peer.printed(), text); }, "a thread that asks for input does not go on");
  expect_no_harm(trial, peer);
}

void from_comm(Trial& trial) {
  const std::string target = trial.word();
  const std::string code = trial.sample("comm_target_input", {{"name", target}, {"prompt", trial.word()}});
  RawPeer peer(trial);
  peer.await_reply(peer.request(Channel::shell, "execute_request", execute_content(code)));
  const std::string id = peer.request(
      Channel::shell, "comm_open", {{"comm_id", testing::random_id()}, {"target_name", target}, {"data", Json::object()}});
  const auto ended = [&] {
    const auto& all = peer.received();
    return std::any_of(all.begin(), all.end(),
                       [&](const Message& message) { return message.parent_id() == id && is_idle(message); });
  };
  answer_until(trial, peer, ended, "the handler of a comm_open that asks for input does not end");
  expect_no_harm(trial, peer);
}

/// Ends the case when an interrupt of any question is too much for the kernel.
void need_interruptible_questions(Trial& trial) {
  const Asking cell = ask(trial, trial.client());
  trial.interrupt(trial.client());
  const bool ended = trial.until_ended(trial.client(), cell.id);
  const bool gone = trial.owns_kernel() && !trial.kernel().running();
  if (!ended && !gone) trial.abandon();  // the cell may wait for ever
  if (!ended || gone)
    Trial::not_applicable("a cell that asks cannot be interrupted: see stdin.interrupt and abuse.stdin.late");
  trial.client().collect(cell.id);
}

void deaf(Trial& trial) {
  need_interruptible_questions(trial);
  KernelClient& client = trial.client();
  KernelClient& without = trial.connect({.connect_stdin = false});
  // Whether the cell fails or waits is open; if it waits, the interrupt ends it.
  const std::string id = trial.begin(without, input_code(trial), k_asking);
  trial.interrupt(client);
  without.collect(id);
  trial.expect_alive();
}

void many(Trial& trial) {
  for (int i = 0; i < 30; ++i) {
    const Asking cell = ask(trial, trial.client());
    const std::string value = trial.word();
    trial.require(contains(answer(trial.client(), cell, value), value),
                  "answer " + std::to_string(i + 1) + " was not taken");
  }
  trial.expect_alive();
}

void large(Trial& trial) {
  const Asking cell = ask(trial, trial.client());
  const std::string value(1'000'000, 'v');
  trial.check(contains(answer(trial.client(), cell, value), value), "an answer of a megabyte is not what the cell got");
  trial.expect_alive();
}

constexpr std::string_view k_stdin = "Messaging, Messages on the stdin channel";
constexpr std::string_view k_instead =
    "any but harm: ignored, or taken for an answer or its end; the kernel serves as before";

}  // namespace

std::vector<Case> abuse_stdin_cases() {
  return {
      {"abuse.stdin.forged", "Messaging, The Wire Protocol", Level::must, "An answer with a wrong signature is not taken.",
       "sends forged and unsigned input_replies, and then the right one", "the cell prints another answer or none", forged},
      {"abuse.stdin.torn", k_stdin, Level::must, "A kernel that waits for an answer survives torn messages.",
       "sends messages that lack frames, each followed by the right answer", k_instead, torn},
      {"abuse.stdin.values", k_stdin, Level::must, "A kernel survives answers of no value, or of one that is no text.",
       "sends such input_replies, each followed by the right answer", k_instead, bad_values},
      {"abuse.stdin.types", k_stdin, Level::must, "A kernel that waits for an answer survives messages of other types.",
       "sends some on stdin, each followed by the right answer", k_instead, other_types},
      {"abuse.stdin.foreign", k_stdin, Level::should, "Nobody but the client that was asked can answer.",
       "another client sends an input_reply, and then the right one does", "the cell prints the right answer", foreign},
      {"abuse.stdin.twice", k_stdin, Level::should, "A second answer to one question does not answer the next one.",
       "answers twice, and runs another cell that asks", "the second cell prints its own answer", twice},
      {"abuse.stdin.late", k_stdin, Level::should,
       "The answer to a question that was interrupted does not answer the next one.",
       "interrupts a cell that asks, answers, and runs another that asks", "the second cell prints its own answer", late},
      {"abuse.stdin.gone.interrupt", k_stdin, Level::must,
       "A kernel whose question nobody will answer is free again after an interrupt.",
       "a client runs a cell that asks, and leaves; another interrupts", "the kernel serves as before", gone_interrupt},
      {"abuse.stdin.gone.shutdown", k_stdin, Level::should,
       "A kernel whose question nobody will answer ends when it is asked to.",
       "a client runs a cell that asks, and leaves; another sends shutdown_request on control", "the process ends",
       gone_shutdown},
      {"abuse.stdin.gone.sigterm", k_stdin, Level::should, "A kernel whose question nobody will answer ends of SIGTERM.",
       "a client runs a cell that asks, and leaves", "the process ends", gone_sigterm},
      {"abuse.stdin.deaf", k_stdin, Level::must,
       "A kernel survives a client that allows questions and is not connected to stdin.",
       "interrupts a cell that asks, and then one of such a client", "the cell ends; the kernel serves as before", deaf},
      {"abuse.stdin.thread", k_stdin, Level::must, "A kernel survives a question that no cell asks, but a thread.",
       "executes the sample thread_input, and answers if it asks",
       "the thread gets the answer or an error; the kernel serves as before", from_thread},
      {"abuse.stdin.comm", k_stdin, Level::must, "A kernel survives a question that no cell asks, but a comm's handler.",
       "executes the sample comm_target_input, opens such a comm, and answers if it asks",
       "the handler gets the answer or an error; the kernel serves as before", from_comm},
      {"abuse.stdin.many", k_stdin, Level::must, "However often a kernel asks, it gets the answer to this question.",
       "runs 30 cells that ask", "each prints its own answer", many},
      {"abuse.stdin.large", k_stdin, Level::must, "An answer may be long.", "answers with a megabyte",
       "the cell prints all of it", large},
  };
}

}  // namespace adrastea::conformance
