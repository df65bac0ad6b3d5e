// SPDX-License-Identifier: BSD-3-Clause
// input_request and input_reply.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <csignal>
#include <functional>

namespace adrastea::conformance {
namespace {

using testing::text_of;

const ExecuteOptions k_asking{.allow_stdin = true};

std::string input_of(Trial& trial, const std::string& prompt) { return trial.sample("input", {{"prompt", prompt}}); }

/// The request of a cell that asks. NotApplicable when it does not: that is stdin.request's business.
Message request_of(Trial& trial, const std::string& id) {
  auto request = trial.input_request(id);
  if (!request || request->type() != "input_request") Trial::not_applicable("the cell does not ask: see stdin.request");
  return *request;
}

/// Answers as JupyterLab does, with the input_request as parent.
void answer(Trial& trial, const Message& request, const Json& value) {
  trial.client().input_reply(value, {.parent = request.header});
}

// ---- the request ----

void asks(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), k_asking);
  const auto request = trial.input_request(id);
  trial.require(request.has_value(), "there is no input_request");
  trial.check(request->type() == "input_request", "on stdin comes a " + request->type());
  trial.client().input_reply("x", {.parent = request->header});
  trial.client().collect(id);
}

/// Asks by a sample, looks at the request, and answers it.
void look_at_request(Trial& trial, const std::string& code,
                     const std::function<void(const std::string&, const Message&)>& look) {
  const std::string id = trial.client().execute(code, k_asking);
  const Message request = request_of(trial, id);
  answer(trial, request, "x");
  trial.client().collect(id);
  look(id, request);
}

void tells_prompt(Trial& trial) {
  const std::string prompt = trial.word() + " äµ€𝄞? ";
  look_at_request(trial, input_of(trial, prompt), [&](const std::string&, const Message& request) {
    const std::string told = text_of(request.content, "prompt");
    trial.check(told == prompt, "the prompt is " + quote(told) + ", and not " + quote(prompt));
  });
}

void check_password(Trial& trial, const std::string& sample, bool password) {
  const std::string code = trial.sample(sample, {{"prompt", trial.word()}});
  look_at_request(trial, code, [&](const std::string&, const Message& request) {
    const auto flag = request.content.find("password");
    if (flag == request.content.end()) Trial::not_applicable("there is no password flag: see schema.input_request");
    trial.expect(*flag == password, "input_request", "the request is " + request.content.dump());
  });
}

void shows_input(Trial& trial) { check_password(trial, "input", false); }
void hides_password(Trial& trial) { check_password(trial, "password", true); }

void has_cell_as_parent(Trial& trial) {
  look_at_request(trial, input_of(trial, trial.word()), [&](const std::string& id, const Message& request) {
    trial.check(request.parent_id() == id, "the parent of input_request is " + request.parent_header.dump());
  });
}

void asks_nobody_else(Trial& trial) {
  const std::string code = input_of(trial, trial.word());
  trial.client();
  KernelClient& other = trial.connect();
  const std::string id = other.execute(code, k_asking);
  const auto over = [&] {
    return Trial::has_ended(other, id) || other.waiting(Channel::stdin_channel) ||
           trial.client().waiting(Channel::stdin_channel);
  };
  trial.wait_until(over);
  trial.check(!trial.client().waiting(Channel::stdin_channel), "another client is asked");
  if (!other.waiting(Channel::stdin_channel)) return;
  const Message request = other.take(Channel::stdin_channel);
  other.input_reply("x", {.parent = request.header});
  other.collect(id);
}

void publishes_before_asking(Trial& trial) {
  const std::string text = trial.word();
  const std::string code = trial.cell({trial.sample("print_part", {{"text", text}}), input_of(trial, trial.word())});
  const std::string id = trial.client().execute(code, k_asking);
  const Message request = request_of(trial, id);
  const auto printed = [&] {
    return Exchange{id, trial.client().published(id), {}}.text("stdout").find(text) != std::string::npos;
  };
  trial.check(trial.wait_until(printed, trial.timeout() / 3), "what was printed before is not published while it asks");
  answer(trial, request, "x");
  trial.client().collect(id);
}

// ---- the reply ----

/// Asks, answers with the value, and returns the cell.
Exchange converse(Trial& trial, const std::string& value, bool with_parent = true) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), k_asking);
  const Message request = request_of(trial, id);
  trial.client().input_reply(value, {.parent = with_parent ? request.header : Json::object()});
  return trial.observe_request(id);
}

/// Ends the case unless the cell got the value.
void expect_value(Trial& trial, const Exchange& cell, const std::string& value) {
  const std::string printed = cell.text("stdout");
  trial.expect(printed.find(value) != std::string::npos, "stream",
               "for the answer " + quote(value) + " the cell prints " + quote(printed));
}

void gets_value(Trial& trial) {
  const std::string value = trial.word();
  expect_value(trial, converse(trial, value), value);
}

void gets_unicode(Trial& trial) {
  const std::string value = trial.word() + "äµ€𝄞" + trial.word();
  expect_value(trial, converse(trial, value), value);
}

void gets_blanks(Trial& trial) {
  const std::string value = "  " + trial.word() + "\t " + trial.word() + "  ";
  expect_value(trial, converse(trial, value), value);
}

void gets_long_value(Trial& trial) {
  const std::string value = std::string(100000, 'x') + trial.word();
  expect_value(trial, converse(trial, value), value);
}

void gets_empty_value(Trial& trial) { check_status(trial, converse(trial, ""), "ok"); }

/// Whatever the language makes of the end of its input, an error or a value of its own.
void takes_end_of_input(Trial& trial) {
  const Exchange cell = converse(trial, "\x04");
  trial.check(cell.text("stdout").find('\x04') == std::string::npos, "the cell gets the letter \\x04, and not the end");
}

void gets_value_without_parent(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), k_asking);
  request_of(trial, id);
  const std::string value = trial.word();
  trial.client().input_reply(value);
  const auto ended = [&] { return Trial::has_ended(trial.client(), id); };
  trial.require(trial.wait_until(ended, trial.timeout() / 3), "an input_reply without parent_header is not accepted");
  expect_value(trial, trial.observe_request(id), value);
}

void does_not_echo(Trial& trial) {
  const std::string value = trial.word();
  const std::string printed = converse(trial, value).text("stdout");
  const std::size_t first = printed.find(value);
  if (first == std::string::npos) Trial::not_applicable("the cell does not get its value: see stdin.value");
  trial.check(printed.find(value, first + 1) == std::string::npos, "the answer is printed twice: " + quote(printed));
}

void gets_two_values(Trial& trial) {
  const std::string one = trial.word();
  const std::string two = trial.word();
  const std::string code = trial.cell({input_of(trial, trial.word()), input_of(trial, trial.word())});
  const std::string id = trial.client().execute(code, k_asking);
  answer(trial, request_of(trial, id), one);
  const auto second = trial.input_request(id);
  trial.require(second.has_value(), "the second input is not asked for");
  answer(trial, *second, two);
  const Exchange cell = trial.observe_request(id);
  expect_value(trial, cell, one);
  expect_value(trial, cell, two);
  check_order(trial, cell, {one, two});
}

void gets_value_in_each_cell(Trial& trial) {
  gets_value(trial);
  gets_value(trial);
}

// ---- nobody may be asked ----

void does_not_ask(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), {.allow_stdin = false});
  const auto request = trial.input_request(id);
  trial.require(!request.has_value(), "there is an input_request");
  trial.client().collect(id);
}

void fails_when_not_allowed(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), {.allow_stdin = false});
  if (trial.input_request(id)) Trial::not_applicable("the cell asks: see stdin.forbidden.no-request");
  check_status(trial, trial.client().collect(id), "error");
}

/// The text does not say which of the two is the default.
void asks_or_fails_by_default(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), {.allow_stdin = {}});
  if (const auto request = trial.input_request(id)) answer(trial, *request, trial.word());
  trial.observe_request(id);
}

// ---- wrong replies ----

void ignores_stale_reply(Trial& trial) {
  const std::string stale = trial.word();
  const std::string value = trial.word();
  const std::string code = input_of(trial, trial.word());
  // A first question, so that the client's stdin is connected: else the early reply could still be on its way.
  const std::string first = trial.client().execute(code, k_asking);
  if (const auto request = trial.input_request(first)) answer(trial, *request, trial.word());
  trial.observe_request(first);
  trial.client().input_reply(stale);
  trial.client().fence(Channel::shell);
  trial.client().fence(Channel::shell);
  const std::string id = trial.client().execute(code, k_asking);
  const auto request = trial.input_request(id);
  if (request) answer(trial, *request, value);
  const Exchange cell = trial.observe_request(id);
  trial.check(cell.text("stdout").find(stale) == std::string::npos,
              "the cell gets a reply that is older than its question");
}

void ignores_second_reply(Trial& trial) {
  const std::string twice = trial.word();
  const std::string value = trial.word();
  const std::string code = input_of(trial, trial.word());
  const std::string first = trial.client().execute(code, k_asking);
  const Message request = request_of(trial, first);
  answer(trial, request, twice);
  answer(trial, request, twice);
  trial.client().collect(first);
  trial.client().fence(Channel::shell);
  const std::string id = trial.client().execute(code, k_asking);
  const auto next = trial.input_request(id);
  if (next) answer(trial, *next, value);
  const Exchange cell = trial.observe_request(id);
  trial.check(cell.text("stdout").find(twice) == std::string::npos, "the cell gets a second answer to an earlier question");
}

void ignores_other_client(Trial& trial) {
  const std::string wrong = trial.word();
  const std::string right = trial.word();
  const std::string code = input_of(trial, trial.word());
  trial.client();
  KernelClient& other = trial.connect();
  const std::string id = trial.client().execute(code, k_asking);
  const Message request = request_of(trial, id);
  // Where nothing on control tells that it has arrived, or not in time, it is one of many.
  for (int i = 0; i < 5 && !Trial::has_ended(trial.client(), id); ++i) {
    other.input_reply(wrong, {.parent = request.header});
    let_arrive(trial, other);
  }
  answer(trial, request, right);
  const Exchange cell = trial.observe_request(id);
  trial.check(cell.text("stdout").find(wrong) == std::string::npos,
              "the cell gets the answer of a client that was not asked");
}

void survives_malformed_reply(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), k_asking);
  const Message request = request_of(trial, id);
  trial.client().request(Channel::stdin_channel, "input_reply", Json::object(), {.parent = request.header});
  answer(trial, request, "x");
  trial.client().collect(id);
  trial.expect_alive();
}

// ---- the end of a question ----

/// Asks, and leaves the question open. Returns the cell.
std::string leave_open(Trial& trial) {
  const std::string id = trial.client().execute(input_of(trial, trial.word()), k_asking);
  request_of(trial, id);
  return id;
}

void check_interrupted(Trial& trial, const std::string& id) {
  const auto ended = [&] { return Trial::has_ended(trial.client(), id); };
  trial.require(trial.wait_until(ended, trial.timeout() / 3), "an interrupt does not end the question");
  trial.client().collect(id);  // with what status is interrupt.error's business
}

void is_interrupted(Trial& trial) {
  trial.kernel();
  const std::string id = leave_open(trial);
  // jupyter_client sends one or the other, as the kernelspec says; a kernel that has no use for the one ignores it.
  if (trial.abilities().control_info) {
    trial.client().request(Channel::control, "interrupt_request", Json::object(), {.reply_due = false});
    trial.client().fence(Channel::control);
    if (trial.client().waiting(Channel::control)) {
      check_interrupted(trial, id);
      return;
    }
  }
  trial.kernel().signal_group(SIGINT);
  check_interrupted(trial, id);
}

void asks_again_after_interrupt(Trial& trial) {
  is_interrupted(trial);
  gets_value(trial);
}

void shut_down(Trial& trial) {
  trial.client().request(Channel::control, "shutdown_request", {{"restart", false}}, {.reply_due = false});
  trial.expect_end();
}

void is_shut_down(Trial& trial) {
  trial.kernel();
  leave_open(trial);
  trial.kernel().signal_group(SIGINT);
  shut_down(trial);
}

void is_shut_down_at_once(Trial& trial) {
  trial.kernel();
  leave_open(trial);
  shut_down(trial);
}

constexpr auto k_section = "Messaging, Messages on the stdin channel";

std::vector<Case> request_cases() {
  return {
      {"stdin.request", k_section, Level::must, "A cell that asks for input sends an input_request.",
       "executes the sample input with allow_stdin", "an input_request on stdin", asks},
      {"stdin.request.prompt", k_section, Level::must, "input_request has the prompt, unchanged.",
       "executes the sample input with a prompt of characters of one to four bytes", "an equal prompt", tells_prompt},
      {"stdin.request.not-password", k_section, Level::must, "An input that may be seen has password false.",
       "executes the sample input", "password false", shows_input},
      {"stdin.request.password", k_section, Level::must, "An input that must be hidden has password true.",
       "executes the sample password", "password true", hides_password},
      {"stdin.request.parent", k_section, Level::must, "The parent of input_request is the cell's request.",
       "executes the sample input", "a parent_header with the msg_id of the execute_request", has_cell_as_parent},
      {"stdin.request.addressee", k_section, Level::must, "The client that executes a cell is asked, and no other.",
       "connects two clients, and executes the sample input from the second", "no input_request at the first",
       asks_nobody_else},
      {"stdin.request.after-output", k_section, Level::must, "What a cell printed is published before it asks.",
       "executes print_part and input, and waits for the text before it answers", "stream stdout with the text",
       publishes_before_asking},
      {"stdin.forbidden.no-request", k_section, Level::must, "With allow_stdin false nobody is asked.",
       "executes the sample input with allow_stdin false", "no input_request, and an end of the cell", does_not_ask},
      {"stdin.forbidden.error", k_section, Level::must, "A cell that asks although it must not fails.",
       "executes the sample input with allow_stdin false", "a reply with status error", fails_when_not_allowed},
      {"stdin.default", k_section, Level::must, "A cell that asks ends, also when its request lacks allow_stdin.",
       "executes the sample input without allow_stdin",
       "input_request, and an end of the cell once that is answered; or an error", asks_or_fails_by_default},
  };
}

std::vector<Case> reply_cases() {
  return {
      {"stdin.value", k_section, Level::must, "The cell gets the value of input_reply.",
       "executes the sample input and answers", "the value printed", gets_value},
      {"stdin.value.unicode", k_section, Level::must, "The cell gets values of any script.",
       "answers with characters of one to four bytes", "the value printed", gets_unicode},
      {"stdin.value.blanks", k_section, Level::should, "The cell gets the blanks of a value.",
       "answers with blanks and tabs at both ends and within", "the value printed", gets_blanks},
      {"stdin.value.long", k_section, Level::must, "The cell gets long values whole.", "answers with 100000 letters",
       "the value printed", gets_long_value},
      {"stdin.value.empty", k_section, Level::must, "An empty value is a value.", "answers with an empty text",
       "a reply with status ok", gets_empty_value},
      {"stdin.value.eof", "ipykernel, input()", Level::should, "The answer \\x04 is the end of the input.",
       "executes the sample input, and answers with the letter 4", "not printed by the cell, which may fail instead",
       takes_end_of_input},
      {"stdin.value.twice", k_section, Level::must, "A cell may ask more than once.",
       "executes the sample input twice in one cell, with different answers", "both values printed, in order",
       gets_two_values},
      {"stdin.value.each-cell", k_section, Level::must, "Every cell may ask.", "executes the sample input in two cells",
       "each value printed", gets_value_in_each_cell},
      {"stdin.value.once", k_section, Level::should, "The kernel does not print what was answered.",
       "executes the sample input, which prints its value", "the value printed once", does_not_echo},
      {"stdin.reply.no-parent", k_section, Level::must,
       "An input_reply without parent_header, as jupyter_client sends it, is accepted.",
       "executes the sample input and answers without parent_header", "the value printed", gets_value_without_parent},
      {"stdin.stale-reply.ignored", k_section, Level::should, "A reply that came before the question does not answer it.",
       "executes the sample input and answers, sends an input_reply, and executes it again",
       "an input_request; the early value is not printed", ignores_stale_reply},
      {"stdin.second-reply.ignored", k_section, Level::should, "A second reply does not answer the next question.",
       "answers one cell's question twice, and then executes the next", "an input_request; the old value is not printed",
       ignores_second_reply},
      {"stdin.other-client.ignored", k_section, Level::should, "Only the client that was asked can answer.",
       "another client answers first, with the right parent_header", "the other's value is not printed",
       ignores_other_client},
      {"stdin.malformed-reply", k_section, Level::must, "An input_reply without value does no harm.",
       "answers without value, and then rightly", "any end of the cell, and a kernel that works", survives_malformed_reply},
  };
}

std::vector<Case> end_cases() {
  return {
      {"stdin.interrupt", k_section, Level::must, "An interrupt ends a question.",
       "executes the sample input, and interrupts it by interrupt_request or, where that is not answered, SIGINT",
       "the cell's idle or reply", is_interrupted},
      {"stdin.interrupt.ask-again", k_section, Level::must, "After an interrupted question cells can ask again.",
       "interrupts the sample input, executes it again and answers", "the value printed", asks_again_after_interrupt},
      {"stdin.shutdown", k_section, Level::must, "A question does not keep the kernel from ending.",
       "executes the sample input, and sends SIGINT and a shutdown_request, as jupyter_client does",
       "the end of the process", is_shut_down},
      {"stdin.shutdown.at-once", k_section, Level::should, "A question does not even delay the end.",
       "executes the sample input, and sends a shutdown_request alone", "the end of the process", is_shut_down_at_once},
  };
}

}  // namespace

std::vector<Case> stdin_cases() {
  std::vector<Case> joined = request_cases();
  for (const auto& more : {reply_cases(), end_cases()}) joined.insert(joined.end(), more.begin(), more.end());
  return joined;
}

}  // namespace adrastea::conformance
