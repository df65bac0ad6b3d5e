// SPDX-License-Identifier: BSD-3-Clause
// execute_request and what it causes.
#include "cases/cases.hpp"
#include "trial.hpp"

namespace adrastea::conformance {
namespace {

void prints(Trial& trial) {
  const std::string text = trial.word();
  const Exchange cell = trial.run(trial.sample("print", {{"text", text}}));
  trial.check(Trial::reply(cell).content.value("status", "") == "ok", "the reply's status is not ok");
  trial.check(cell.text("stdout").find(text) != std::string::npos,
              "stdout is " + cell.text("stdout") + ", without " + text);
}

void announces_code(Trial& trial) {
  const std::string code = trial.sample("print", {{"text", trial.word()}});
  const auto inputs = Trial::of_type(trial.run(code), "execute_input");
  if (inputs.empty()) Trial::not_applicable("there was no execute_input: see order.input.sent");
  trial.check(testing::text_of(inputs.front().content, "code") == code,
              "execute_input has the code " + inputs.front().content.dump());
}

}  // namespace

std::vector<Case> execute_cases() {
  return {
      {"execute.print", "Messaging, Execute", Level::must, "What a cell prints is published as stream stdout.",
       "executes the sample print", "stream messages named stdout with the text, and a reply with status ok", prints},
      {"execute.input.code", "Messaging, Code inputs", Level::must, "execute_input has the code of the request, unchanged.",
       "executes the sample print", "an execute_input whose code equals the request's", announces_code},
  };
}

}  // namespace adrastea::conformance
