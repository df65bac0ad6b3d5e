// SPDX-License-Identifier: BSD-3-Clause
// comm_open, comm_msg, comm_close and comm_info.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <algorithm>

namespace adrastea::conformance {
namespace {

using testing::text_of;

/// Sends a message about a comm and waits for all that it causes.
Exchange tell(Trial& trial, std::string_view type, const Json& content, const SendOptions& options = {}) {
  return trial.observe_request(trial.client().request(Channel::shell, type, content, options));
}

Exchange open(Trial& trial, const std::string& target, const std::string& id) {
  return tell(trial, "comm_open", {{"comm_id", id}, {"target_name", target}, {"data", Json::object()}});
}

Exchange send(Trial& trial, const std::string& id, const Json& data, const SendOptions& options = {}) {
  return tell(trial, "comm_msg", {{"comm_id", id}, {"data", data}}, options);
}

Exchange close(Trial& trial, const std::string& id) {
  return tell(trial, "comm_close", {{"comm_id", id}, {"data", Json::object()}});
}

/// Messages of one type about one comm.
std::vector<Message> about(const Exchange& exchange, std::string_view type, const std::string& id) {
  auto found = Trial::of_type(exchange, type);
  std::erase_if(found, [&](const Message& message) { return text_of(message.content, "comm_id") != id; });
  return found;
}

/// What comm_info says is open.
Json comms(Trial& trial, const Json& content = Json::object()) {
  const Exchange asked = trial.ask(Channel::shell, "comm_info_request", content);
  return object_of(Trial::reply(asked).content, "comms");
}

/// Registers a target that answers, and opens a comm to it. Returns the comm's id.
std::string open_answering(Trial& trial, const std::string& target) {
  const std::string registers = trial.sample("comm_target", {{"name", target}});
  trial.run(registers);
  const std::string id = testing::random_id();
  open(trial, target, id);
  return id;
}

// ---- without any target ----

void refuses_unknown_target(Trial& trial) {
  const std::string id = testing::random_id();
  const Exchange opened = open(trial, trial.word(), id);
  trial.expect(!about(opened, "comm_close", id).empty(), "comm_close", "the comm is not closed");
}

void does_not_keep_unknown_target(Trial& trial) {
  const std::string id = testing::random_id();
  open(trial, trial.word(), id);
  trial.check(!comms(trial).contains(id), "comm_info lists the comm");
}

void tolerates_unknown_message(Trial& trial) {
  const Exchange told = send(trial, testing::random_id(), {{"a", 1}});
  trial.check(Trial::of_type(told, "comm_msg").empty(), "a message to a comm that is not open is answered with comm_msg");
  trial.expect_alive();
}

void tolerates_unknown_close(Trial& trial) {
  const Exchange told = close(trial, testing::random_id());
  trial.check(Trial::of_type(told, "comm_close").empty(),
              "the close of a comm that is not open is answered with comm_close");
  trial.expect_alive();
}

void has_none_of_unknown_target(Trial& trial) {
  const Json listed = comms(trial, {{"target_name", trial.word()}});
  trial.check(listed.empty(), "comm_info of a target that does not exist lists " + listed.dump());
}

void accepts_null_target(Trial& trial) {
  const Exchange asked = trial.ask(Channel::shell, "comm_info_request", {{"target_name", nullptr}});
  check_status(trial, asked, "ok");
}

void answers_info(Trial& trial) { check_status(trial, trial.ask(Channel::shell, "comm_info_request"), "ok"); }

// ---- a comm of the client's ----

void keeps_known_target(Trial& trial) {
  const std::string target = trial.word();
  trial.run(trial.sample("comm_target", {{"name", target}}));
  const std::string id = testing::random_id();
  trial.check(about(open(trial, target, id), "comm_close", id).empty(), "a comm to a registered target is closed");
}

void lists_open(Trial& trial) {
  const std::string target = trial.word();
  const std::string id = open_answering(trial, target);
  const Json listed = comms(trial);
  trial.require(listed.contains(id), "comm_info lists " + listed.dump() + ", without the comm");
  const std::string name = text_of(object_of(listed, id), "target_name");
  trial.check(name == target, "comm_info has the target_name " + quote(name));
}

void lists_of_target(Trial& trial) {
  const std::string target = trial.word();
  const std::string id = open_answering(trial, target);
  const std::string another = open_answering(trial, trial.word());
  const Json listed = comms(trial, {{"target_name", target}});
  trial.check(listed.contains(id), "comm_info of the target lacks its comm");
  trial.check(!listed.contains(another), "comm_info of a target lists another target's comm");
}

/// The answer of an answering comm. NotApplicable without any, unless that is what the case is about.
Message answer_of(const Exchange& told, const std::string& id) {
  const auto answers = about(told, "comm_msg", id);
  if (answers.empty()) Trial::not_applicable("the comm does not answer: see comm.message");
  return answers.front();
}

void answers(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  const Exchange told = send(trial, id, {{"text", trial.word()}});
  trial.expect(!about(told, "comm_msg", id).empty(), "comm_msg", "the comm's comm_msg does not come");
}

void carries_data(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  const Json data{{"text", "äµ€𝄞\n"}, {"number", 1.5}, {"whole", -3}, {"yes", true}, {"list", {1, "two", {{"three", 3}}}}};
  const Json got = answer_of(send(trial, id, data), id).content.value("data", Json());
  trial.expect(got == data, "comm_msg", "data is " + got.dump() + ", and not " + data.dump());
}

void carries_empty_data(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  const Json got = answer_of(send(trial, id, Json::object()), id).content.value("data", Json());
  trial.expect(got == Json::object(), "comm_msg", "data is " + got.dump() + ", and not {}");
}

void carries_metadata(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  const std::string text = trial.word();
  const Message got = answer_of(send(trial, id, {{"a", 1}}, {.metadata = {{"mark", text}}}), id);
  trial.check(text_of(got.metadata, "mark") == text, "the metadata are " + got.metadata.dump());
}

void check_buffers(Trial& trial, const testing::Frames& buffers) {
  const std::string id = open_answering(trial, trial.word());
  const Message got = answer_of(send(trial, id, {{"a", 1}}, {.buffers = buffers}), id);
  trial.check(got.buffers.size() == buffers.size(),
              std::to_string(got.buffers.size()) + " buffers come back of " + std::to_string(buffers.size()));
  for (std::size_t i = 0; i < std::min(got.buffers.size(), buffers.size()); ++i) {
    trial.check(got.buffers[i] == buffers[i], "buffer " + std::to_string(i) + " is not the same");
  }
}

void carries_buffers(Trial& trial) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  check_buffers(trial, {bytes, "second", "<IDS|MSG>"});
}

void carries_empty_buffers(Trial& trial) { check_buffers(trial, {"", "x", ""}); }

void carries_big_buffers(Trial& trial) {
  std::string bytes(std::size_t{4} << 20, '\0');
  for (char& byte : bytes) byte = static_cast<char>(trial.random()());
  check_buffers(trial, {bytes});
}

void keeps_comms_apart(Trial& trial) {
  const std::string target = trial.word();
  const std::string one = open_answering(trial, target);
  const std::string two = testing::random_id();
  open(trial, target, two);
  const Exchange told = send(trial, two, {{"a", 1}});
  static_cast<void>(answer_of(told, two));
  trial.check(about(told, "comm_msg", one).empty(), "a message to one comm is answered by another");
}

void answers_in_order(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  std::vector<std::string> sent;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(trial.client().request(Channel::shell, "comm_msg", {{"comm_id", id}, {"data", {{"number", i}}}}));
  }
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const Message got = answer_of(trial.observe_request(sent[static_cast<std::size_t>(i)]), id);
    trial.check(got.arrival > last, "answers overtake each other");
    last = got.arrival;
  }
}

void unlists_closed(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  if (!comms(trial).contains(id)) Trial::not_applicable("it was not listed: see comm.info.open");
  close(trial, id);
  trial.check(!comms(trial).contains(id), "comm_info lists a comm that was closed");
}

void does_not_return_close(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  trial.check(about(close(trial, id), "comm_close", id).empty(), "comm_close is answered with comm_close");
}

void does_not_answer_closed(Trial& trial) {
  const std::string id = open_answering(trial, trial.word());
  close(trial, id);
  trial.check(about(send(trial, id, {{"a", 1}}), "comm_msg", id).empty(), "a comm that was closed answers");
}

// ---- a comm of the kernel's ----

/// A comm that the kernel opens. NotApplicable when it does not, unless that is what the case is about.
struct Opened {
  std::string target;
  std::string text;
  std::vector<Message> messages;  ///< comm_open, one if all is well
  std::string id;
};

Opened open_from_kernel(Trial& trial) {
  Opened opened{trial.word(), trial.word(), {}, {}};
  const Exchange cell = trial.observe(trial.sample("comm_open", {{"name", opened.target}, {"text", opened.text}}));
  opened.messages = Trial::of_type(cell, "comm_open");
  if (!opened.messages.empty()) opened.id = text_of(opened.messages.front().content, "comm_id");
  return opened;
}

Opened need_open_from_kernel(Trial& trial) {
  Opened opened = open_from_kernel(trial);
  if (opened.id.empty()) Trial::not_applicable("the kernel opens no comm: see comm.kernel.open");
  return opened;
}

void opens(Trial& trial) { trial.expect(!open_from_kernel(trial).messages.empty(), "comm_open", "there is no comm_open"); }

void tells_target(Trial& trial) {
  const Opened opened = need_open_from_kernel(trial);
  const std::string name = text_of(opened.messages.front().content, "target_name");
  trial.expect(name == opened.target, "comm_open", "the target_name is " + quote(name));
}

void tells_data(Trial& trial) {
  const Opened opened = need_open_from_kernel(trial);
  const Json data = object_of(opened.messages.front().content, "data");
  trial.expect(text_of(data, "text") == opened.text, "comm_open", "data is " + data.dump());
}

void lists_own(Trial& trial) {
  const Opened opened = need_open_from_kernel(trial);
  trial.check(comms(trial).contains(opened.id), "comm_info does not list it");
}

void check_told(Trial& trial, const std::string& sample, const std::string& type) {
  const std::string text = trial.word();
  const std::string code = trial.sample(sample, {{"text", text}});
  const Opened opened = need_open_from_kernel(trial);
  const auto told = Trial::of_type(trial.observe(code), type);
  trial.expect(!told.empty(), type, "there is no " + type);
  const std::string id = text_of(told.front().content, "comm_id");
  trial.expect(id == opened.id, type, type + " has the comm_id " + quote(id) + ", and not " + quote(opened.id));
  const Json data = object_of(told.front().content, "data");
  trial.expect(text_of(data, "text") == text, type, "data is " + data.dump());
}

void sends(Trial& trial) { check_told(trial, "comm_send", "comm_msg"); }
void closes(Trial& trial) { check_told(trial, "comm_close", "comm_close"); }

void unlists_own(Trial& trial) {
  const std::string code = trial.sample("comm_close", {{"text", trial.word()}});
  const Opened opened = need_open_from_kernel(trial);
  if (!comms(trial).contains(opened.id)) Trial::not_applicable("it was not listed: see comm.kernel.listed");
  trial.run(code);
  trial.check(!comms(trial).contains(opened.id), "comm_info lists a comm that the kernel closed");
}

void is_closed_by_client(Trial& trial) {
  const Opened opened = need_open_from_kernel(trial);
  if (!comms(trial).contains(opened.id)) Trial::not_applicable("it was not listed: see comm.kernel.listed");
  close(trial, opened.id);
  trial.check(!comms(trial).contains(opened.id), "comm_info lists a comm that the client closed");
}

constexpr auto k_section = "Messaging, Custom Messages";
constexpr auto k_info = "Messaging, Comm info";
constexpr auto k_open = "opens a comm to a target of the sample comm_target";
constexpr auto k_kernel_open = "executes the sample comm_open";

std::vector<Case> plain_cases() {
  return {
      {"comm.unknown-target.closed", k_section, Level::should, "A comm to a target that does not exist is closed at once.",
       "opens a comm to an unknown target", "comm_close with the same comm_id", refuses_unknown_target},
      {"comm.unknown-target.not-kept", k_section, Level::must, "A comm to a target that does not exist is not kept.",
       "opens a comm to an unknown target, and asks for comm_info", "a list without the comm",
       does_not_keep_unknown_target},
      {"comm.unknown-id.message", k_section, Level::must, "A message to a comm that is not open does no harm.",
       "sends comm_msg with an unknown comm_id", "nothing, or comm_close; and a kernel that works",
       tolerates_unknown_message},
      {"comm.unknown-id.close", k_section, Level::must, "The close of a comm that is not open does no harm.",
       "sends comm_close with an unknown comm_id", "no comm_close, and a kernel that works", tolerates_unknown_close},
      {"comm.info", k_info, Level::must, "comm_info_request without target_name is answered, also when there are no comms.",
       "asks for comm_info", "a reply with status ok", answers_info},
      {"comm.info.null-target", k_info, Level::should, "A target_name of null is none.",
       "asks for comm_info with target_name null", "a reply with status ok", accepts_null_target},
      {"comm.info.unknown-target", k_info, Level::must, "There are no comms of a target that does not exist.",
       "asks for comm_info with an unknown target_name", "no comms", has_none_of_unknown_target},
  };
}

std::vector<Case> client_cases() {
  return {
      {"comm.open", k_section, Level::must, "A comm to a registered target stays open.", k_open, "no comm_close",
       keeps_known_target},
      {"comm.info.open", k_info, Level::must, "comm_info lists what is open, with its target.",
       "opens a comm to a target of the sample comm_target, and asks for comm_info", "the comm and its target_name",
       lists_open},
      {"comm.info.target", k_info, Level::must, "comm_info with target_name lists that target's comms alone.",
       "opens comms to two targets, and asks for comm_info of one", "its comm, and not the other", lists_of_target},
      {"comm.message", k_section, Level::must, "What a comm sends while it handles a message is published.",
       "sends comm_msg to a comm that sends it back", "comm_msg with the comm_id and the message as parent", answers},
      {"comm.message.data", k_section, Level::must, "data come through both ways unchanged.",
       "sends text, numbers, lists and objects to a comm that sends them back", "equal data", carries_data},
      {"comm.message.empty-data", k_section, Level::must, "Empty data are an object.",
       "sends {} to a comm that sends it back", "data {}", carries_empty_data},
      {"comm.message.metadata", k_section, Level::must, "Metadata come through both ways.",
       "sends metadata to a comm that sends them back", "metadata with the same field", carries_metadata},
      {"comm.message.buffers", k_section, Level::must, "Buffers come through both ways unchanged.",
       "sends three buffers with all bytes, and one that is a delimiter", "equal buffers", carries_buffers},
      {"comm.message.empty-buffers", k_section, Level::must, "Empty buffers come through both ways.",
       "sends buffers of 0, 1 and 0 bytes", "equal buffers", carries_empty_buffers},
      {"comm.message.big-buffers", k_section, Level::must, "Big buffers come through both ways.",
       "sends a buffer of 4 MiB of random bytes", "an equal buffer", carries_big_buffers},
      {"comm.message.order", k_section, Level::must, "Messages to a comm are handled in order.",
       "sends 20 at once to a comm that sends them back", "answers in the same order", answers_in_order},
      {"comm.message.apart", k_section, Level::must, "A message reaches its comm and no other.",
       "opens two comms to one target, and sends to one", "no comm_msg of the other", keeps_comms_apart},
      {"comm.close.unlisted", k_section, Level::must, "A comm that the client closes is gone.",
       "opens and closes a comm, and asks for comm_info", "a list without the comm", unlists_closed},
      {"comm.close.not-returned", k_section, Level::must, "comm_close is not answered with comm_close.",
       "opens and closes a comm", "no comm_close", does_not_return_close},
      {"comm.close.silent", k_section, Level::must, "A comm that the client closed sends nothing.",
       "opens and closes a comm that sends back, and sends to it", "no comm_msg", does_not_answer_closed},
  };
}

std::vector<Case> kernel_cases() {
  return {
      {"comm.kernel.open", k_section, Level::must, "A comm that the kernel opens is published.", k_kernel_open,
       "comm_open on iopub", opens},
      {"comm.kernel.open.target", k_section, Level::must, "comm_open has the target.", k_kernel_open,
       "comm_open with the target_name", tells_target},
      {"comm.kernel.open.data", k_section, Level::must, "comm_open has the data.", k_kernel_open, "comm_open with the data",
       tells_data},
      {"comm.kernel.listed", k_info, Level::must, "comm_info lists what the kernel opened.",
       "executes the sample comm_open, and asks for comm_info", "a list with the comm", lists_own},
      {"comm.kernel.send", k_section, Level::must, "What the kernel sends on its comm is comm_msg.",
       "executes the samples comm_open and comm_send", "comm_msg with the comm_id of comm_open, and the data", sends},
      {"comm.kernel.close", k_section, Level::must, "A comm that the kernel closes is comm_close.",
       "executes the samples comm_open and comm_close", "comm_close with the comm_id of comm_open, and the data", closes},
      {"comm.kernel.close.unlisted", k_info, Level::must, "A comm that the kernel closed is gone.",
       "executes the samples comm_open and comm_close, and asks for comm_info", "a list without the comm", unlists_own},
      {"comm.kernel.client-close", k_section, Level::must, "The client can close a comm that the kernel opened.",
       "executes the sample comm_open, closes that comm, and asks for comm_info", "a list without the comm",
       is_closed_by_client},
  };
}

}  // namespace

std::vector<Case> comm_cases() {
  std::vector<Case> joined = plain_cases();
  for (const auto& more : {client_cases(), kernel_cases()}) joined.insert(joined.end(), more.begin(), more.end());
  return joined;
}

}  // namespace adrastea::conformance
