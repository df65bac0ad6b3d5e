// SPDX-License-Identifier: BSD-3-Clause
// iopub_welcome (JEP 65).
#include "cases/cases.hpp"
#include "trial.hpp"

#include <algorithm>
#include <set>

namespace adrastea::conformance {
namespace {

using testing::text_of;

void need_welcomes(const Trial& trial) {
  if (!trial.abilities().welcome && !trial.abilities().protocol_at_least(5, 5))
    Trial::not_applicable("the kernel sends no welcomes, and its protocol is older than 5.5");
}

/// Whether a welcome for the topic came. Waits no longer than until it is clear that there will be none.
bool is_welcomed(Trial& trial, KernelClient& client, const std::string& topic) {
  const auto came = [&] {
    const auto& all = client.welcomes();
    return std::any_of(all.begin(), all.end(),
                       [&](const Message& message) { return text_of(message.content, "subscription") == topic; });
  };
  const auto quiet = testing::Deadline(trial.timeout() / 15);
  if (client.wait_until(came, quiet)) return true;
  trial.client().fence(Channel::shell);
  return client.wait_until(came, testing::Deadline(trial.timeout() / 30));
}

KernelClient& subscriber(Trial& trial, const std::string& topic = "") {
  return trial.connect({.topic = topic, .connect_stdin = false}, Trial::Iopub::untouched);
}

/// The first client, with its welcome.
const Message& welcome_of(Trial& trial, KernelClient& client, const std::string& topic) {
  if (!is_welcomed(trial, client, topic)) Trial::not_applicable("there was no welcome: see welcome.sent");
  return *client.welcome();
}

void is_sent(Trial& trial) {
  need_welcomes(trial);
  trial.check(is_welcomed(trial, trial.client(), ""), "no welcome came");
}

void is_first(Trial& trial) {
  need_welcomes(trial);
  trial.client();  // by now the kernel has said that it is starting
  KernelClient& client = subscriber(trial);
  welcome_of(trial, client, "");
  trial.check(client.first_published()->type() == "iopub_welcome",
              "the first message is " + summary(*client.first_published()));
}

void has_no_parent(Trial& trial) {
  need_welcomes(trial);
  const Message& welcome = welcome_of(trial, trial.client(), "");
  trial.check(welcome.parent_header.empty(), "its parent_header is " + welcome.parent_bytes);
}

void has_the_topic_frame(Trial& trial, const std::string& topic) {
  need_welcomes(trial);
  KernelClient& client = subscriber(trial, topic);
  const Message& welcome = welcome_of(trial, client, topic);
  trial.check(welcome.identities.size() == 1,
              "it has " + std::to_string(welcome.identities.size()) + " frames before the delimiter");
}

void has_an_empty_topic_frame(Trial& trial) { has_the_topic_frame(trial, ""); }
void has_its_topic_frame(Trial& trial) { has_the_topic_frame(trial, trial.word()); }

void is_sent_for_a_topic(Trial& trial, const std::string& topic) {
  need_welcomes(trial);
  trial.expect(is_welcomed(trial, subscriber(trial, topic), topic), "iopub_welcome",
               "no welcome for the topic " + topic + " came");
}

void is_sent_for_any_topic(Trial& trial) { is_sent_for_a_topic(trial, trial.word()); }
void is_sent_for_unicode(Trial& trial) { is_sent_for_a_topic(trial, "äµ€𝄞"); }

/// What was welcomed, by the time that a topic subscribed last has been.
std::multiset<std::string> welcomed_until(Trial& trial, KernelClient& client, const std::string& last) {
  client.subscribe(last);
  if (!is_welcomed(trial, client, last)) Trial::not_applicable("there was no welcome: see welcome.topic");
  std::multiset<std::string> topics;
  for (const auto& welcome : client.welcomes()) topics.insert(text_of(welcome.content, "subscription"));
  return topics;
}

void is_not_sent_for_bytes(Trial& trial) {
  need_welcomes(trial);
  KernelClient& client = trial.client();
  welcome_of(trial, client, "");
  client.subscribe("a\xff\xfe");
  const std::string last = trial.word();
  for (const auto& topic : welcomed_until(trial, client, last)) {
    trial.check(topic.empty() || topic == last, "a topic that is no UTF-8 was welcomed, as " + Json(topic).dump());
  }
}

void is_not_sent_for_leaving(Trial& trial) {
  need_welcomes(trial);
  KernelClient& client = trial.client();
  welcome_of(trial, client, "");
  const std::string topic = trial.word();
  welcomed_until(trial, client, topic);
  const auto before = welcomed_until(trial, client, trial.word()).count(topic);
  client.unsubscribe(topic);
  trial.check(welcomed_until(trial, client, trial.word()).count(topic) == before, "an unsubscription was welcomed");
}

void is_sent_once(Trial& trial) {
  need_welcomes(trial);
  const std::string topic = trial.word();
  KernelClient& client = subscriber(trial, topic);
  welcome_of(trial, client, topic);
  const auto count = welcomed_until(trial, client, trial.word()).count(topic);
  trial.check(count == 1, "one subscription was welcomed " + std::to_string(count) + " times");
}

void is_sent_to_each(Trial& trial) {
  need_welcomes(trial);
  welcome_of(trial, trial.client(), "");
  for (const char* which : {"second", "third"}) {
    KernelClient& client = subscriber(trial);
    trial.require(is_welcomed(trial, client, ""), std::string("no welcome came for the ") + which + " client");
  }
}

void is_sent_to_many(Trial& trial) {
  need_welcomes(trial);
  if (!is_welcomed(trial, subscriber(trial), "") || !is_welcomed(trial, subscriber(trial), ""))
    Trial::not_applicable("a second client gets no welcome: see welcome.each");
  std::vector<KernelClient*> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(&subscriber(trial));
  for (KernelClient* client : clients) trial.require(is_welcomed(trial, *client, ""), "one of 50 got no welcome");
}

void loses_nothing(Trial& trial) {
  need_welcomes(trial);
  KernelClient& asks = trial.client();
  for (int round = 0; round < 10; ++round) {
    KernelClient& watches = subscriber(trial);
    if (!is_welcomed(trial, watches, "")) Trial::not_applicable("there was no welcome: see welcome.each");
    const std::string id = asks.request(Channel::shell, "kernel_info_request");
    asks.collect(id);
    std::string first;
    watches.wait_until([&] {
      for (const auto& message : watches.take_foreign()) {
        if (message.parent_id() == id && first.empty()) first = text_of(message.content, "execution_state");
      }
      return !first.empty();
    });
    trial.require(first == "busy", "the first that came of a request after the welcome is '" + first + "'");
  }
}

}  // namespace

std::vector<Case> welcome_cases() {
  constexpr std::string_view section = "JEP 65; Messaging, Welcome message";
  constexpr std::string_view subscribes = "subscribes to all of IOPub";
  return {
      {"welcome.sent", section, Level::must, "A subscriber of IOPub gets iopub_welcome.", subscribes,
       "iopub_welcome with the subscription ''; kernels before protocol 5.5 need not", is_sent},
      {"welcome.first", section, Level::should, "The welcome is the first message that a new subscriber gets.", subscribes,
       "the first message on IOPub is iopub_welcome", is_first},
      {"welcome.parent", section, Level::must, "A welcome has no parent.", subscribes, "a parent_header {}", has_no_parent},
      {"welcome.frame", section, Level::must,
       "A welcome has one frame before its delimiter, which its subscription matches.", "subscribes to a topic",
       "one frame that begins with the topic", has_its_topic_frame},
      {"welcome.frame.empty", section, Level::should, "A welcome to all of IOPub has a topic frame, too.", subscribes,
       "one frame of any content", has_an_empty_topic_frame},
      {"welcome.topic", section, Level::must, "The welcome names the subscription.", "subscribes to a topic",
       "iopub_welcome that reaches this subscriber and has the topic as its subscription", is_sent_for_any_topic},
      {"welcome.topic.unicode", section, Level::must, "A topic is UTF-8.", "subscribes to the topic äµ€𝄞",
       "iopub_welcome that has the topic as its subscription", is_sent_for_unicode},
      {"welcome.topic.bytes", section, Level::should, "A topic that is no UTF-8 gets no welcome.",
       "subscribes to the bytes a FF FE, then to a topic", "iopub_welcome for the second topic only",
       is_not_sent_for_bytes},
      {"welcome.unsubscribe", section, Level::must, "Who leaves gets no welcome.",
       "subscribes to two topics, leaves the first, subscribes to a third",
       "no more iopub_welcome for the first than before", is_not_sent_for_leaving},
      {"welcome.once", section, Level::should, "A subscription is welcomed once.", "subscribes to a topic, then to another",
       "one iopub_welcome for the first topic by the time that the second is welcomed", is_sent_once},
      {"welcome.each", section, Level::must, "Every subscriber gets a welcome, not only the first.",
       "connects three clients, all subscribed to everything", "iopub_welcome for each of them", is_sent_to_each},
      {"welcome.many", section, Level::should, "Many subscribers at once get their welcomes.",
       "connects 50 clients at once", "iopub_welcome for each of them", is_sent_to_many},
      {"welcome.complete", section, Level::must, "Nothing that is published after a client's welcome is lost to it.",
       "sends a request as soon as another client has its welcome, ten times",
       "the other client sees the request's busy first", loses_nothing},
  };
}

}  // namespace adrastea::conformance
