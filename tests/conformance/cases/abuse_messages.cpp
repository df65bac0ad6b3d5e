// SPDX-License-Identifier: BSD-3-Clause
// Whole messages that no client sends, or not so many, or not in this order.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

#include <algorithm>
#include <optional>

namespace adrastea::conformance {
namespace {

constexpr std::size_t k_megabyte = 1'000'000;

/// Requests of these types on shell and control do no harm.
void survives_types(Trial& trial, const std::vector<std::string>& types) {
  RawPeer peer(trial);
  for (const auto& type : types) {
    for (const Channel channel : {Channel::shell, Channel::control}) peer.request(channel, type, Json::object());
    peer.now("the type " + type.substr(0, 40));
    peer.fence();
  }
  trial.expect_alive();
}

void unknown_type(Trial& trial) { survives_types(trial, {"no_such_request", "no_such_thing", "_request", "nothing"}); }
void empty_type(Trial& trial) { survives_types(trial, {"", "_", "__", " ", std::string(1, '\0')}); }
void long_type(Trial& trial) {
  survives_types(trial, {std::string(k_megabyte, 't'), std::string(k_megabyte, 't') + "_request"});
}

void reply_types(Trial& trial) {
  survives_types(trial, {"execute_reply", "kernel_info_reply", "status", "stream", "execute_input", "error",
                         "input_request", "iopub_welcome", "display_data", "shutdown_reply", "comm_info_reply"});
}

void private_names(Trial& trial) {
  survives_types(trial, {"__init__", "__class__", "shell_handlers", "../execute_request", "execute_request\n", "%s%n"});
}

/// Requests that belong on another channel: whether they are served there is open.
void wrong_channel(Trial& trial) {
  RawPeer peer(trial);
  for (const char* type : {"execute_request", "complete_request", "inspect_request", "history_request", "comm_open",
                           "comm_msg", "comm_close", "is_complete_request", "comm_info_request"}) {
    peer.now(std::string(type) + " on control and stdin");
    const Json content{{"code", ""},
                       {"cursor_pos", 0},
                       {"comm_id", "1"},
                       {"data", Json::object()},
                       {"detail_level", 0},
                       {"target_name", "none"},
                       {"output", false},
                       {"raw", true},
                       {"hist_access_type", "tail"},
                       {"n", 1}};
    peer.request(Channel::control, type, content);
    peer.request(Channel::stdin_channel, type, content);
    peer.fence();
  }
  for (const char* type : {"interrupt_request", "debug_request", "input_reply"}) {
    peer.now(std::string(type) + " on shell");
    peer.request(Channel::shell, type, {{"value", "unasked"}});
    peer.fence();
  }
  trial.expect_alive();
}

void stdin_uninvited(Trial& trial) {
  RawPeer peer(trial);
  for (int i = 0; i < 100; ++i) peer.request(Channel::stdin_channel, "input_reply", {{"value", "unasked"}});
  expect_no_harm(trial, peer);
}

void debug_garbage(Trial& trial) {
  RawPeer peer(trial);
  for (const Json& content : {Json::object(), Json{{"command", "nonsense"}, {"seq", 1}, {"type", "request"}},
                              Json{{"command", 5}, {"seq", "x"}, {"arguments", Json::array()}},
                              Json{{"type", "request"}, {"seq", -1}, {"command", "initialize"}, {"arguments", nullptr}}}) {
    peer.now("debug_request " + content.dump());
    peer.request(Channel::control, "debug_request", content);
    peer.fence();
  }
  trial.expect_alive();
}

void unknown_comm(Trial& trial) {
  RawPeer peer(trial);
  peer.request(Channel::shell, "comm_msg", {{"comm_id", "nobody"}, {"data", Json::object()}});
  peer.request(Channel::shell, "comm_close", {{"comm_id", "nobody"}, {"data", Json::object()}});
  for (int i = 0; i < 100; ++i)
    peer.request(Channel::shell, "comm_open", {{"comm_id", "same"}, {"target_name", "none"}, {"data", Json::object()}});
  expect_no_harm(trial, peer);
}

void same_id(Trial& trial) {
  RawPeer peer(trial);
  for (const char* type : {"kernel_info_request", "is_complete_request", "kernel_info_request"})
    peer.request(Channel::shell, type, {{"code", "a"}}, {{"msg_id", "always the same"}});
  peer.request(Channel::control, "kernel_info_request", Json::object(), {{"msg_id", "always the same"}});
  expect_no_harm(trial, peer);
}

// ---- odd headers, that are valid all the same ----

/// A request whose header has this is answered as any other.
void is_answered_with(Trial& trial, const Json& header) {
  RawPeer peer(trial);
  const std::string id = peer.request(Channel::shell, "kernel_info_request", Json::object(), header);
  peer.fence(Channel::shell);
  trial.check(peer.reply(id) != nullptr,
              "a request with " + header.dump().substr(0, 100) + " in its header is not answered");
  trial.expect_alive();
}

void odd_date(Trial& trial) { is_answered_with(trial, {{"date", "the day before yesterday"}}); }
void new_version(Trial& trial) { is_answered_with(trial, {{"version", "5.99"}}); }
void long_username(Trial& trial) { is_answered_with(trial, {{"username", std::string(k_megabyte, 'u')}}); }
void unicode_session(Trial& trial) { is_answered_with(trial, {{"session", "ä€𝄞\t\n\"\\"}}); }
void added_header(Trial& trial) { is_answered_with(trial, {{"added", {{"deep", {1, 2, {{"er", nullptr}}}}}}}); }

void odd_headers(Trial& trial) {
  RawPeer peer(trial);
  for (const Json& header :
       {Json{{"version", "99.0"}}, Json{{"version", "4.1"}}, Json{{"version", "x"}}, Json{{"version", ""}},
        Json{{"date", ""}}, Json{{"date", "9999999-99-99T99:99:99.9999999999Z"}}, Json{{"msg_id", ""}},
        Json{{"msg_id", std::string(k_megabyte / 10, 'm')}}, Json{{"session", ""}},
        Json{{"session", std::string(k_megabyte / 10, 's')}}, Json{{"username", ""}},
        Json{{"subshell_id", "no such subshell"}}}) {
    peer.now("header " + header.dump().substr(0, 60));
    peer.request(Channel::shell, "kernel_info_request", Json::object(), header);
    peer.request(Channel::shell, "complete_request", {{"code", "a"}, {"cursor_pos", 1}}, header);
    peer.request(Channel::control, "kernel_info_request", Json::object(), header);
    peer.fence();
  }
  trial.expect_alive();
}

void odd_parent(Trial& trial) {
  RawPeer peer(trial);
  const std::string header = peer.frames("kernel_info_request", Json::object()).at(2);
  const Json nested{{"parent_header", {{"parent_header", {{"msg_id", 5}}}}}, {"msg_id", Json::array()}};
  peer.send(Channel::shell, peer.sign({header, nested.dump(), nested.dump(), "{}"}));
  expect_no_harm(trial, peer);
}

// ---- many ----

/// Cells that print words, and the words.
struct Burst {
  std::vector<std::string> ids;
  std::vector<std::string> words;
};

void send_one(Trial& trial, KernelClient& client, Burst& burst) {
  burst.words.push_back(trial.word());
  burst.ids.push_back(client.execute(printing(trial, burst.words.back())));
}

/// Each cell ran once, and they ran in the order in which they were sent.
void expect_in_order(Trial& trial, KernelClient& client, const Burst& burst) {
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < burst.ids.size(); ++i) {
    const Exchange cell = client.collect(burst.ids[i]);
    trial.check(cell.text("stdout").find(burst.words[i]) != std::string::npos,
                "cell " + std::to_string(i + 1) + " of " + std::to_string(burst.ids.size()) + " did not run");
    for (const auto& message : Trial::of_type(cell, "stream")) {
      trial.check(message.arrival > last, "cell " + std::to_string(i + 1) + " ran before the one before it");
      last = message.arrival;
    }
  }
}

void pipelined(Trial& trial) {
  Burst burst;
  for (int i = 0; i < 100; ++i) send_one(trial, trial.client(), burst);
  expect_in_order(trial, trial.client(), burst);
  trial.expect_alive();
}

void ten_clients(Trial& trial) {
  constexpr std::size_t clients = 10;
  std::vector<KernelClient*> all;
  for (std::size_t i = 0; i < clients; ++i) all.push_back(&trial.connect());
  std::vector<Burst> bursts(clients);
  for (int i = 0; i < 5; ++i) {
    for (std::size_t which = 0; which < clients; ++which) send_one(trial, *all[which], bursts[which]);
  }
  for (std::size_t which = 0; which < clients; ++which) expect_in_order(trial, *all[which], bursts[which]);
  trial.expect_alive();
}

void ping_pong(Trial& trial) {
  RawPeer peer(trial, {.subscribe = false});
  for (int i = 0; i < 500; ++i) peer.await_reply(peer.request(Channel::shell, "kernel_info_request", Json::object()));
  trial.expect_alive();
}

void both_channels(Trial& trial) {
  RawPeer peer(trial);
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    const Channel channel = i % 2 == 0 || !trial.abilities().control_info ? Channel::shell : Channel::control;
    ids.push_back(peer.request(channel, "kernel_info_request", Json::object()));
  }
  peer.fence();
  for (const auto& id : ids) trial.require(peer.reply(id) != nullptr, "a request of many was not answered");
  trial.expect_alive();
}

void deaf_client(Trial& trial) {
  RawPeer deaf(trial, {.subscribe = false, .receive_limit = 1});
  for (int i = 0; i < 1000; ++i) deaf.request(Channel::shell, "kernel_info_request", Json::object());
  trial.expect_alive();
}

void vanishing_clients(Trial& trial) {
  RawPeer peer(trial);
  const std::string request = [&] {
    const Frames frames = peer.frames("kernel_info_request", Json::object());
    std::string bytes = zmtp_opening("DEALER");
    for (std::size_t i = 0; i < frames.size(); ++i)
      bytes += zmtp_frame(i + 1 < frames.size() ? 1 : 0, frames[i], frames[i].size());
    return bytes;
  }();
  for (int i = 0; i < 200; ++i)
    RawStream(trial.connection(), i % 2 == 0 ? Channel::shell : Channel::control).write(request);
  expect_no_harm(trial, peer);
}

void vanishing_execution(Trial& trial) {
  const std::string code = printing(trial, trial.word());
  for (int i = 0; i < 10; ++i) {
    RawPeer leaver(trial);
    leaver.request(Channel::shell, "execute_request", execute_content(code));
    leaver.await("execute_input");
  }
  trial.expect_alive();
}

void same_routing_id(Trial& trial) {
  RawPeer first(trial, {.routing_id = "the same", .subscribe = false});
  first.fence(Channel::shell);
  RawPeer second(trial, {.routing_id = "the same", .subscribe = false});
  second.fence(Channel::shell);
  trial.expect_alive();
}

constexpr std::string_view k_general = "Messaging, General Message Format";
constexpr std::string_view k_header = "Robustness; Messaging, Message header";
constexpr std::string_view k_reply = "Messaging, Request-Reply";
constexpr std::string_view k_alive = "any but harm: dropped, answered, or only busy and idle; the kernel serves as before";
constexpr std::string_view k_both = "sends such messages on shell and control";

}  // namespace

std::vector<Case> abuse_messages_cases() {
  return {
      {"abuse.messages.type.unknown", k_general, Level::must, "A kernel survives messages of unknown types.", k_both,
       k_alive, unknown_type},
      {"abuse.messages.type.empty", k_general, Level::must, "A kernel survives a msg_type of hardly anything.", k_both,
       k_alive, empty_type},
      {"abuse.messages.type.long", k_general, Level::must, "A kernel survives a msg_type of a megabyte.", k_both, k_alive,
       long_type},
      {"abuse.messages.type.reply", k_general, Level::must, "A kernel survives messages that only kernels send.", k_both,
       k_alive, reply_types},
      {"abuse.messages.type.names", k_general, Level::must,
       "A kernel survives types that look like names of something inside of it.", k_both, k_alive, private_names},
      {"abuse.messages.channel", "Robustness; Messaging, Introduction", Level::must,
       "A kernel survives requests on the wrong channel.",
       "sends shell requests on control and stdin, and the others on shell", k_alive, wrong_channel},
      {"abuse.messages.input-reply.unasked", "Messaging, Messages on the stdin channel", Level::must,
       "A kernel survives answers to questions that it did not ask.", "sends 100 input_replies", k_alive, stdin_uninvited},
      {"abuse.messages.debug", "Robustness; Messaging, Debug request", Level::must,
       "A kernel survives debug_requests of nonsense.", "sends unknown commands and wrong types", k_alive, debug_garbage},
      {"abuse.messages.comm", "Robustness; Messaging, Custom Messages", Level::must,
       "A kernel survives messages to comms that are not.",
       "sends comm_msg and comm_close to nobody, and opens the same comm 100 times with an unknown target", k_alive,
       unknown_comm},
      {"abuse.messages.same-id", k_header, Level::must, "A kernel survives a msg_id that comes twice.",
       "sends different requests with one msg_id", k_alive, same_id},
      {"abuse.messages.header.date", k_header, Level::should, "What stands in a request's date does not matter.",
       "sends a request with a date that is none", "it is answered", odd_date},
      {"abuse.messages.header.version", k_header, Level::should, "Requests of a later minor version are served.",
       "sends a request with version 5.99", "it is answered", new_version},
      {"abuse.messages.header.username", k_header, Level::should, "The length of a username does not matter.",
       "sends a request with a username of a megabyte", "it is answered", long_username},
      {"abuse.messages.header.session", k_header, Level::should, "A session may be any text.",
       "sends a request with quotes, line ends and letters of all sizes in its session", "it is answered", unicode_session},
      {"abuse.messages.header.added", k_general, Level::must,
       "Fields that a kernel does not know do not matter in a header.", "sends a request with a field more",
       "it is answered", added_header},
      {"abuse.messages.header.odd", k_header, Level::must, "A kernel survives headers of any content.",
       "sends odd versions, dates, ids and sizes in requests on shell and control", k_alive, odd_headers},
      {"abuse.messages.parent", "Messaging, Parent header", Level::must, "A kernel survives any parent_header.",
       "sends a request with a parent_header that has one of its own", k_alive, odd_parent},
      {"abuse.messages.many.one-client", k_reply, Level::must,
       "However many cells are waiting, each runs once, in the order in which they were sent.", "sends 100 cells at once",
       "the outputs of all of them, in order", pipelined},
      {"abuse.messages.many.ten-clients", k_reply, Level::must,
       "However many clients send at once, each client's cells run once, in the order in which it sent them.",
       "10 clients send 5 cells each", "the outputs of all of them, in each client's order", ten_clients},
      {"abuse.messages.many.ping-pong", k_reply, Level::must,
       "A kernel does not miss a request that comes while a reply leaves.",
       "sends 500 requests, each as soon as the one before is answered", "500 replies", ping_pong},
      {"abuse.messages.many.channels", k_reply, Level::must,
       "Requests on shell and control at the same time are all served.", "sends 200 requests on both in turn",
       "200 replies", both_channels},
      {"abuse.messages.client.deaf", k_reply, Level::must, "A client that does not read its replies harms nobody else.",
       "sends 1000 requests and reads nothing", "the others are served", deaf_client},
      {"abuse.messages.client.gone", k_reply, Level::must, "A client may leave before it has its reply.",
       "200 clients connect, send a request and leave", k_alive, vanishing_clients},
      {"abuse.messages.client.gone-in-cell", k_reply, Level::must, "A client may leave while its cell runs.",
       "10 clients send a cell and leave when it has begun", k_alive, vanishing_execution},
      {"abuse.messages.client.same-identity", "jupyter_client, Session; ZeroMQ, ROUTER_HANDOVER", Level::should,
       "A client that comes back with its identity, before its old connection is found to be dead, is served.",
       "two clients with one identity send a request each", "both are answered", same_routing_id},
  };
}

}  // namespace adrastea::conformance
