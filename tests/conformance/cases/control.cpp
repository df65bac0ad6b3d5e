// SPDX-License-Identifier: BSD-3-Clause
// What is asked on control: connect, usage, debug, subshells, and kernel_info while a cell runs.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <algorithm>

namespace adrastea::conformance {
namespace {

using testing::text_of;

constexpr std::string_view k_subshells = "kernel subshells";

bool is_ok(const std::optional<Message>& reply) { return reply && text_of(reply->content, "status") == "ok"; }

void need_control(const Trial& trial) {
  if (!trial.abilities().control_info) Trial::not_applicable("kernel_info on control is not answered: see info.control");
}

/// The reply to a request on control comes while the kernel is busy.
bool is_answered_now(KernelClient& client, const std::string& id) {
  return client.wait_until([&] { return client.waiting(Channel::control); }) &&
         client.take(Channel::control).parent_id() == id;
}

void answers_while_busy(Trial& trial) {
  need_control(trial);
  KernelClient& client = trial.client();
  trial.begin(client, trial.sample("loop"));
  for (int i = 0; i < 3; ++i) {
    trial.check(is_answered_now(client, client.request(Channel::control, "kernel_info_request")),
                "kernel_info on control is not answered while a cell runs");
  }
  trial.abandon();
}

void answers_another_while_busy(Trial& trial) {
  need_control(trial);
  KernelClient& other = trial.connect();
  trial.begin(trial.client(), trial.sample("loop"));
  trial.check(is_answered_now(other, other.request(Channel::control, "kernel_info_request")),
              "another client's kernel_info on control is not answered while a cell runs");
  trial.abandon();
}

void leaves_outputs_to_their_cell(Trial& trial) {
  need_control(trial);
  KernelClient& client = trial.client();
  trial.begin(client, trial.sample("print_loop"));
  for (int i = 0; i < 3; ++i) {
    const std::string id = client.request(Channel::control, "kernel_info_request");
    if (!is_answered_now(client, id)) {
      trial.abandon();
      Trial::not_applicable("control waits while a cell prints: see control.busy");
    }
    const auto is_idle = [](const Message& message) { return text_of(message.content, "execution_state") == "idle"; };
    client.wait_until([&] { return client.has_published(id, is_idle); });
    trial.check(!client.has_published(id, [](const Message& message) { return message.type() == "stream"; }),
                "what a cell prints has a request on control as its parent");
  }
  trial.abandon();
}

void survives_an_unknown_type(Trial& trial) {
  need_control(trial);
  trial.try_ask(Channel::control, "unknown_request", {{"unknown", true}});
  trial.expect_alive();
}

// ---- connect, usage, debug ----

void names_the_ports(Trial& trial) {
  const auto reply = trial.try_ask(Channel::shell, "connect_request");
  if (!is_ok(reply) && !(reply && reply->content.contains("shell_port")))
    Trial::not_applicable("connect_request, which is deprecated, is not answered");
  const Json fields = trial.connection().fields;
  for (const Channel channel :
       {Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control, Channel::heartbeat}) {
    const std::string key = testing::port_key(channel);
    const Json named = reply->content.value(key, Json());
    trial.check(named == fields.at(key),
                key + " is " + named.dump() + ", and in the connection file " + fields.at(key).dump());
  }
}

Message usage(Trial& trial) {
  need_control(trial);
  auto reply = trial.try_ask(Channel::control, "usage_request");
  if (!reply || reply->content.contains("ename")) Trial::not_applicable("the kernel does not tell its usage");
  return *std::move(reply);
}

void tells_its_process(Trial& trial) {
  const Message reply = usage(trial);
  const Json named = reply.content.value("pid", Json());
  trial.check(named == trial.kernel().pid(),
              "pid is " + named.dump() + ", and the kernel was started as " + std::to_string(trial.kernel().pid()));
}

void tells_its_memory(Trial& trial) {
  const Message reply = usage(trial);
  const auto memory = testing::integer_of(reply.content, "kernel_memory");
  if (!memory) Trial::not_applicable("usage_reply has no kernel_memory");
  trial.check(*memory > 0, "kernel_memory is " + std::to_string(*memory));
}

Json debug_info() { return {{"type", "request"}, {"seq", 1}, {"command", "debugInfo"}}; }

void survives_debug_requests(Trial& trial) {
  need_control(trial);
  if (trial.has_feature("debugger")) Trial::not_applicable("the kernel has a debugger");
  trial.try_ask(Channel::control, "debug_request", debug_info());
  trial.expect_alive();
}

void survives_an_empty_debug_request(Trial& trial) {
  need_control(trial);
  trial.try_ask(Channel::control, "debug_request");
  trial.expect_alive();
}

void refuses_to_debug(Trial& trial) {
  need_control(trial);
  if (trial.has_feature("debugger")) Trial::not_applicable("the kernel has a debugger");
  const auto reply = trial.try_ask(Channel::control, "debug_request", debug_info());
  trial.check(!reply || reply->content.value("success", Json()) != true, "debugInfo succeeds without a debugger");
}

void has_debug_info(Trial& trial) {
  need_control(trial);
  if (!trial.has_feature("debugger")) Trial::not_applicable("the kernel has no debugger");
  const auto reply = trial.try_ask(Channel::control, "debug_request", debug_info());
  trial.check(reply && reply->content.value("success", Json()) == true, "debugInfo does not succeed");
}

// A debugger that is used as JupyterLab does it.

Json debug_request(int seq, const std::string& command, const Json& arguments = Json::object()) {
  return {{"type", "request"}, {"seq", seq}, {"command", command}, {"arguments", arguments}};
}

/// The content of the debug_reply, or {}.
Json debug(Trial& trial, const Json& request) {
  const auto reply = trial.try_ask(Channel::control, "debug_request", request);
  return reply ? reply->content : Json::object();
}

bool succeeds(const Json& answer) { return answer.value("success", Json()) == true; }

Json initialize(Trial& trial) {
  need_control(trial);
  if (!trial.has_feature("debugger")) Trial::not_applicable("the kernel has no debugger");
  return debug(trial, debug_request(1, "initialize",
                                    {{"clientID", "conformance"},
                                     {"clientName", "conformance"},
                                     {"adapterID", ""},
                                     {"pathFormat", "path"},
                                     {"linesStartAt1", true},
                                     {"columnsStartAt1", true},
                                     {"supportsVariableType", true},
                                     {"supportsVariablePaging", true},
                                     {"supportsRunInTerminalRequest", true},
                                     {"locale", "en"}}));
}

/// Initialized, and attached.
Json attach(Trial& trial) {
  if (!succeeds(initialize(trial))) Trial::not_applicable("it is not initialized: see control.debug.initialize");
  return debug(trial, debug_request(2, "attach"));
}

Json is_started(Trial& trial, int seq) {
  const Json answer = debug(trial, debug_request(seq, "debugInfo"));
  const auto body = answer.find("body");
  return body != answer.end() && body->is_object() ? body->value("isStarted", Json()) : Json();
}

void names_the_request(Trial& trial) {
  need_control(trial);
  if (!trial.has_feature("debugger")) Trial::not_applicable("the kernel has no debugger");
  const Json answer = debug(trial, debug_request(4711, "debugInfo"));
  trial.check(answer.value("request_seq", Json()) == 4711 && answer.value("command", Json()) == "debugInfo",
              "to debugInfo with seq 4711 the reply is " + answer.dump());
}

void initializes(Trial& trial) {
  const Json answer = initialize(trial);
  trial.check(succeeds(answer), "the reply to initialize is " + answer.dump());
}

void attaches(Trial& trial) {
  const Json answer = attach(trial);
  trial.check(succeeds(answer), "the reply to attach is " + answer.dump());
}

void tells_that_it_is_started(Trial& trial) {
  if (!succeeds(attach(trial))) Trial::not_applicable("it is not attached: see control.debug.attach");
  const Json started = is_started(trial, 3);
  trial.check(started == true, "isStarted is " + started.dump());
}

void disconnects(Trial& trial) {
  if (!succeeds(attach(trial))) Trial::not_applicable("it is not attached: see control.debug.attach");
  const Json answer = debug(trial, debug_request(3, "disconnect", {{"restart", false}, {"terminateDebuggee", false}}));
  trial.check(succeeds(answer), "the reply to disconnect is " + answer.dump());
  if (!succeeds(answer)) return;
  const Json started = is_started(trial, 4);
  trial.check(started == false, "isStarted is " + started.dump() + " after disconnect");
}

void works_while_debugged(Trial& trial) {
  if (!succeeds(attach(trial))) Trial::not_applicable("it is not attached: see control.debug.attach");
  trial.expect_alive();
}

// ---- subshells ----

void need_subshells(const Trial& trial) {
  need_control(trial);
  if (!trial.has_feature(k_subshells)) Trial::not_applicable("the kernel has no subshells");
}

std::optional<Message> ask_subshell(Trial& trial, const std::string& what, const Json& content = Json::object()) {
  return trial.try_ask(Channel::control, what + "_subshell_request", content);
}

/// NotApplicable when none is made.
std::string make_subshell(Trial& trial) {
  const auto reply = ask_subshell(trial, "create");
  const std::string id = is_ok(reply) ? text_of(reply->content, "subshell_id") : "";
  if (id.empty()) Trial::not_applicable("no subshell is created: see control.subshell.create");
  return id;
}

Json listed(Trial& trial) {
  const auto reply = ask_subshell(trial, "list");
  if (!is_ok(reply)) Trial::not_applicable("list_subshell_request does not succeed: see control.subshell.list");
  return reply->content.value("subshell_id", Json());
}

bool is_listed(Trial& trial, const std::string& id) {
  const Json all = listed(trial);
  return std::find(all.begin(), all.end(), Json(id)) != all.end();
}

ExecuteOptions in_subshell(const std::string& id) {
  ExecuteOptions options;
  options.send.header = {{"subshell_id", id}};
  return options;
}

void are_not_created(Trial& trial) {
  need_control(trial);
  if (trial.has_feature(k_subshells)) Trial::not_applicable("the kernel has subshells");
  trial.check(!is_ok(ask_subshell(trial, "create")), "create_subshell_request succeeds, and the feature is not there");
}

void run_in_the_main_shell(Trial& trial) {
  if (trial.has_feature(k_subshells)) Trial::not_applicable("the kernel has subshells");
  if (!trial.abilities().prints) Trial::not_applicable("nothing that a cell prints is published: see execute.print");
  const std::string text = trial.word();
  const Exchange cell = trial.run(trial.sample("print", {{"text", text}}), in_subshell(trial.word()));
  trial.check(cell.text("stdout").find(text) != std::string::npos, "the cell is not executed");
}

void are_created(Trial& trial) {
  need_subshells(trial);
  const auto reply = ask_subshell(trial, "create");
  trial.check(is_ok(reply) && !text_of(reply->content, "subshell_id").empty(), "create_subshell_request does not succeed");
}

void are_listed(Trial& trial) {
  need_subshells(trial);
  const std::string id = make_subshell(trial);
  const auto reply = ask_subshell(trial, "list");
  trial.check(is_ok(reply) && reply->content.value("subshell_id", Json()) == Json{id},
              "of one subshell the list is " + (reply ? reply->content.dump() : "not sent"));
}

void are_none_at_first(Trial& trial) {
  need_subshells(trial);
  const Json all = listed(trial);
  trial.check(all == Json::array(), "before any is created the list is " + all.dump());
}

void are_deleted(Trial& trial) {
  need_subshells(trial);
  const std::string id = make_subshell(trial);
  trial.check(is_ok(ask_subshell(trial, "delete", {{"subshell_id", id}})), "delete_subshell_request does not succeed");
  trial.check(!is_listed(trial, id), "the subshell is still listed");
}

void come_and_go(Trial& trial) {
  need_subshells(trial);
  for (int i = 0; i < 30; ++i) ask_subshell(trial, "delete", {{"subshell_id", make_subshell(trial)}});
  const Json all = listed(trial);
  trial.check(all == Json::array(), "after 30 were created and deleted the list is " + all.dump());
  trial.expect_alive();
}

void are_deleted_once(Trial& trial) {
  need_subshells(trial);
  const auto reply = ask_subshell(trial, "delete", {{"subshell_id", trial.word()}});
  trial.check(reply && text_of(reply->content, "status") == "error", "an unknown subshell is not refused");
}

void execute(Trial& trial) {
  need_subshells(trial);
  const std::string text = trial.word();
  const Exchange cell = trial.run(trial.sample("print", {{"text", text}}), in_subshell(make_subshell(trial)));
  trial.check(text_of(Trial::reply(cell).content, "status") == "ok", "the cell ends with " + cell.status());
  trial.check(!trial.abilities().prints || cell.text("stdout").find(text) != std::string::npos, "the cell prints nothing");
}

void execute_beside(Trial& trial) {
  need_subshells(trial);
  KernelClient& client = trial.client();
  const std::string subshell = make_subshell(trial);
  trial.begin(client, trial.sample("loop"));
  const std::string id = client.execute(trial.sample("print", {{"text", trial.word()}}), in_subshell(subshell));
  trial.check(
      client.wait_until([&] { return client.waiting(Channel::shell); }) && client.take(Channel::shell).parent_id() == id,
      "a cell in a subshell waits for the main shell");
  trial.abandon();
}

void are_created_while_busy(Trial& trial) {
  need_subshells(trial);
  KernelClient& client = trial.client();
  trial.begin(client, trial.sample("loop"));
  trial.check(is_answered_now(client, client.request(Channel::control, "create_subshell_request")),
              "create_subshell_request is not answered while a cell runs");
  trial.abandon();
}

void are_unknown(Trial& trial, const std::string& subshell) {
  const auto reply =
      trial.try_ask(Channel::shell, "execute_request",
                    {{"code", trial.sample("print", {{"text", trial.word()}})}, {"silent", false}, {"allow_stdin", false}},
                    {.header = {{"subshell_id", subshell}}});
  trial.check(reply && text_of(reply->content, "status") == "error", "the cell is not refused");
}

void refuse_what_is_for_none(Trial& trial) {
  need_subshells(trial);
  are_unknown(trial, trial.word());
}

void refuse_what_is_for_the_deleted(Trial& trial) {
  need_subshells(trial);
  const std::string id = make_subshell(trial);
  ask_subshell(trial, "delete", {{"subshell_id", id}});
  are_unknown(trial, id);
}

void end_with_the_kernel(Trial& trial) {
  need_subshells(trial);
  if (!trial.owns_kernel()) Trial::not_applicable("the kernel was started by somebody else");
  make_subshell(trial);
  trial.client().request(Channel::control, "shutdown_request", {{"restart", false}}, {.reply_due = false});
  trial.expect_end();
}

std::vector<Case> subshell_cases() {
  constexpr std::string_view section = "JEP 91; Messaging, Subshells";
  constexpr std::string_view creates = "sends create_subshell_request on control";
  return {
      {"control.subshell.absent", section, Level::must, "A kernel that does not announce subshells creates none.", creates,
       "no reply, or one with another status than ok", are_not_created},
      {"control.subshell.ignored", section, Level::should, "A kernel without subshells ignores a subshell_id.",
       "executes the sample print with a subshell_id in the header", "the cell is executed", run_in_the_main_shell},
      {"control.subshell.create", section, Level::must, "A subshell is created.", creates, "status ok and a subshell_id",
       are_created},
      {"control.subshell.create.busy", section, Level::must, "A subshell is created while the main shell is busy.",
       "sends create_subshell_request on control while the sample loop runs", "a reply", are_created_while_busy},
      {"control.subshell.list", section, Level::must, "The subshells are listed.", "creates one and lists all",
       "a list of this one", are_listed},
      {"control.subshell.list.none", section, Level::must, "The main shell is not listed.",
       "lists the subshells of a new kernel", "an empty list", are_none_at_first},
      {"control.subshell.delete", section, Level::must, "A subshell is deleted.", "creates one, deletes it, and lists all",
       "status ok, and a list without it", are_deleted},
      {"control.subshell.many", section, Level::must, "Subshells may come and go.",
       "creates a subshell and deletes it, 30 times", "an empty list; the kernel works as before", come_and_go},
      {"control.subshell.delete.unknown", section, Level::must, "A subshell that is not there is not deleted.",
       "deletes a subshell_id that was never given", "status error", are_deleted_once},
      {"control.subshell.execute", section, Level::must, "A subshell executes cells.", "executes the sample print in one",
       "status ok and the text", execute},
      {"control.subshell.beside", section, Level::must, "A subshell does not wait for the main shell.",
       "executes the sample print in one while the sample loop runs in the main shell", "the print's execute_reply",
       execute_beside},
      {"control.subshell.unknown", section, Level::should, "A request for an unknown subshell is refused.",
       "executes a cell with a subshell_id that was never given", "execute_reply with status error",
       refuse_what_is_for_none},
      {"control.subshell.deleted", section, Level::should, "A request for a deleted subshell is refused.",
       "executes a cell with the subshell_id of a deleted one", "execute_reply with status error",
       refuse_what_is_for_the_deleted},
      {"control.subshell.shutdown", section, Level::must, "A kernel with subshells ends when it is asked to.",
       "creates a subshell and sends shutdown_request", "the process ends", end_with_the_kernel},
  };
}

}  // namespace

std::vector<Case> control_cases() {
  constexpr std::string_view debug = "Messaging, Debug request";
  constexpr std::string_view usage = "ipykernel, usage_request";
  std::vector<Case> cases{
      {"control.busy", "JEP 80", Level::must, "Control is answered while a cell runs.",
       "executes the samples print and loop, and sends kernel_info_request on control three times",
       "each is answered while the loop goes on", answers_while_busy},
      {"control.busy.others", "JEP 80", Level::must, "Control is answered while another client's cell runs.",
       "executes the samples print and loop, and a second client sends kernel_info_request on control",
       "it is answered while the loop goes on", answers_another_while_busy},
      {"control.busy.parent", "Messaging, Parent header", Level::must,
       "What a cell prints has that cell as its parent, whatever comes on control meanwhile.",
       "executes the samples print and print_loop, and sends kernel_info_request on control three times",
       "no stream message that has one of these requests as its parent", leaves_outputs_to_their_cell},
      {"control.unknown-type", "Messaging, Compatibility", Level::must, "An unknown type on control does no harm.",
       "sends unknown_request on control", "no reply or any; the kernel works as before", survives_an_unknown_type},
      {"control.connect.ports", "Messaging, Connect", Level::must, "connect_reply has the ports of the connection file.",
       "sends connect_request on shell", "equal ports; or no reply, for it is deprecated", names_the_ports},
      {"control.usage.pid", usage, Level::should, "usage_reply is about the kernel's process.",
       "sends usage_request on control", "the pid of the process that was started; or no usage_reply", tells_its_process},
      {"control.usage.memory", usage, Level::should, "usage_reply has the memory that the kernel takes.",
       "sends usage_request on control", "a kernel_memory above 0, or none; or no usage_reply", tells_its_memory},
      {"control.debug.alive", debug, Level::must, "A kernel without debugger survives a debug_request.", "sends debugInfo",
       "no reply or any; the kernel works as before", survives_debug_requests},
      {"control.debug.absent", debug, Level::should, "A kernel without debugger does not pretend to have one.",
       "sends debugInfo", "no reply, or one without success", refuses_to_debug},
      {"control.debug.empty", debug, Level::must, "A kernel survives a debug_request without content.", "sends {}",
       "no reply or any; the kernel works as before", survives_an_empty_debug_request},
      {"control.debug.info", debug, Level::must, "A debugger tells its state before it is started.", "sends debugInfo",
       "a debug_reply with success", has_debug_info},
      {"control.debug.reply", debug, Level::must, "A debug_reply says to which request it belongs.",
       "sends debugInfo with seq 4711", "request_seq 4711 and the command", names_the_request},
      {"control.debug.initialize", debug, Level::must, "A debugger can be initialized.",
       "sends initialize as JupyterLab does", "a debug_reply with success", initializes},
      {"control.debug.attach", debug, Level::must, "A debugger attaches to the kernel.", "sends initialize and attach",
       "a debug_reply with success", attaches},
      {"control.debug.started", debug, Level::must, "debugInfo tells that the debugger is started.",
       "sends initialize, attach and debugInfo", "isStarted true", tells_that_it_is_started},
      {"control.debug.disconnect", debug, Level::must, "A debugger can be left.",
       "sends initialize, attach, disconnect and debugInfo", "success, and isStarted false", disconnects},
      {"control.debug.attached", debug, Level::must, "A kernel with a debugger that waits for nothing works as before.",
       "sends initialize and attach", "the kernel works as before", works_while_debugged},
  };
  for (const auto& one : subshell_cases()) cases.push_back(one);
  return cases;
}

}  // namespace adrastea::conformance
