// SPDX-License-Identifier: BSD-3-Clause
// Faults of stdin and of comms.
#include "hooks.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace faulty {
namespace {

Test question() { return of_type("input_request"); }
Test answer() { return of_type("input_reply"); }

Change value(std::function<std::string(const std::string&)> rewrite) {
  return [rewrite = std::move(rewrite)](Message& message) {
    const Json content = message.json(Part::content);
    if (content.contains("value") && content["value"].is_string())
      message.set(Part::content, "value", rewrite(content["value"].get<std::string>()));
  };
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string ascii(const std::string& text) {
  std::string plain;
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0x80U) == 0) plain += byte;
  }
  return plain;
}

/// A fault that has to know which question is open.
struct Questions {
  Message latest{};
  Frames asked{};
  bool open = false;
  bool answered = false;         ///< by the message at hand
  std::vector<Message> early{};  ///< answers to none
};

/// Answers of anybody count as those of the one who was asked.
Fault anybody_answers() {
  const auto questions = std::make_shared<Questions>();
  return {"anybody-answers",
          "Takes answers of clients that it did not ask.",
          {"stdin.other-client.ignored", "abuse.stdin.foreign"},
          alter(question(), [questions](Message& message) { questions->latest = message; }),
          alter(answer(), [questions](Message& message) {
            if (!questions->latest.identities.empty()) message.identities = questions->latest.identities;
          })};
}

/// A text, and rightly signed: nothing else ends the kernel's question.
bool is_answer(const Message& message) {
  return message.type() == "input_reply" && message.is_signed() &&
         message.json(Part::content).value("value", Json()).is_string();
}

/// What came before a question answers it.
Fault stale_answers() {
  const auto questions = std::make_shared<Questions>();
  const auto ask = [questions](Message message, const Way& way) {
    const bool asks = message.type() == "input_request";
    const Json header = message.json(Part::header);
    if (asks) questions->asked = message.identities;
    way.on(std::move(message));
    if (!asks) return;
    questions->open = questions->early.empty();
    if (questions->open) return;
    Message early = questions->early.front();
    questions->early.erase(questions->early.begin());
    early.set(Part::parent, header);
    way.back(std::move(early));
  };
  const auto take = [questions](Message message, const Way& way) {
    const bool answers = is_answer(message);
    if (answers && message.identities == questions->asked) questions->answered = std::exchange(questions->open, false);
    if (answers && !questions->open && !std::exchange(questions->answered, false)) {
      questions->early.push_back(std::move(message));
    } else {
      way.on(std::move(message));
    }
  };
  return {"stale-answer-taken",
          "Takes an answer that came before its question.",
          {"stdin.stale-reply.ignored", "stdin.second-reply.ignored", "abuse.stdin.twice"},
          [ask]() -> Hook { return ask; },
          [take]() -> Hook { return take; }};
}

bool asks_unsaid(const Message& message) {
  const Json content = message.json(Part::content);
  return !content.contains("allow_stdin") && content.value("code", "").starts_with("input ");
}

std::vector<Fault> stdin_faults() {
  return {
      {"prompt-ascii",
       "Asks in ASCII.",
       {"stdin.request.prompt"},
       alter(question(),
             [](Message& message) {
               message.set(Part::content, "prompt", ascii(string_at(message.json(Part::content), "prompt")));
             })},
      {"password-shown",
       "Never hides what is answered.",
       {"stdin.request.password"},
       alter(question(), set(Part::content, "password", false))},
      {"password-always",
       "Always hides what is answered.",
       {"stdin.request.not-password"},
       alter(question(), set(Part::content, "password", true))},
      {"question-without-parent",
       "Asks without a parent.",
       {"stdin.request.parent"},
       alter(question(), [](Message& message) { message.set(Part::parent, Json::object()); })},
      {"asks-although-forbidden",
       "Asks although allow_stdin is false.",
       {"stdin.forbidden.no-request", "stdin.forbidden.error"},
       {},
       alter(of_type("execute_request"), set(Part::content, "allow_stdin", true))},
      {"waits-when-nobody-said-asks",
       "Waits for ever in cells that ask when their request does not say whether they may.",
       {"stdin.default"},
       {},
       alter(all_of({of_type("execute_request"), asks_unsaid}), set(Part::content, "code", "loop"))},
      {"answer-ascii", "Takes answers for ASCII.", {"stdin.value.unicode"}, {}, alter(answer(), value(ascii))},
      {"answer-trimmed", "Cuts the blanks off answers.", {"stdin.value.blanks"}, {}, alter(answer(), value(trimmed))},
      {"answer-end-a-letter",
       "Takes the answer that ends the input for a text.",
       {"stdin.value.eof"},
       {},
       alter(answer(), value([](const std::string& text) { return text == "\x04" ? text + " " : text; }))},
      {"answer-cut",
       "Takes 4095 letters of an answer.",
       {"stdin.value.long", "abuse.stdin.large"},
       {},
       alter(answer(), value([](const std::string& text) { return text.substr(0, 4095); }))},
      {"empty-answer-fails", "Fails a cell that is answered by an empty text.", {"stdin.value.empty"}},
      {"answer-echoed", "Prints what was answered.", {"stdin.value.once"}},
      {"answer-needs-parent",
       "Takes no answer without a parent.",
       {"stdin.reply.no-parent"},
       {},
       drop(all_of({answer(), [](const Message& message) { return message.json(Part::parent).empty(); }}))},
      {"question-not-interrupted",
       "Waits for ever when a question is interrupted.",
       {"stdin.interrupt", "stdin.interrupt.ask-again", "abuse.stdin.late", "abuse.stdin.gone.interrupt"}},
      anybody_answers(),
      {"thread-question-hangs", "Never comes back to a thread that asks.", {"abuse.stdin.thread"}},
      {"comm-question-hangs", "Never comes back to a comm's handler that asks.", {"abuse.stdin.comm"}},
      stale_answers(),
  };
}

Test is_numbered(int number) {
  return [number](const Message& message) {
    const Json data = message.json(Part::content).value("data", Json());
    return message.type() == "comm_msg" && data.is_object() && data.value("number", Json()) == number;
  };
}

bool asks_for_target(const Message& message) { return !string_at(request_of(message), "target_name").empty(); }

std::vector<Fault> comm_faults() {
  const Test message = of_type("comm_msg");
  return {
      {"comm-target-unknown-kept",
       "Does not close comms to unknown targets.",
       {"comm.unknown-target.closed"},
       drop(all_of({of_type("comm_close"), about("comm_open")}))},
      {"comm-info-empty",
       "Lists no comms.",
       {"comm.info.open", "comm.info.target", "comm.kernel.listed"},
       alter(of_type("comm_info_reply"), set(Part::content, "comms", Json::object()))},
      {"comm-info-all",
       "Lists the comms of all targets.",
       {"comm.info.target"},
       {},
       alter(of_type("comm_info_request"), erase(Part::content, "target_name"))},
      {"comm-info-of-unknown-target",
       "Lists a comm for a target that does not exist.",
       {"comm.info.unknown-target"},
       alter(all_of({of_type("comm_info_reply"), asks_for_target, without(has_comms)}),
             set(Part::content, "comms", {{"strange", {{"target_name", "strange"}}}}))},
      {"comm-data-dropped",
       "Sends comm_msg without its data.",
       {"comm.message.data", "comm.kernel.send"},
       alter(message, set(Part::content, "data", Json::object()))},
      {"comm-metadata-dropped",
       "Sends comm_msg without its metadata.",
       {"comm.message.metadata"},
       alter(message, [](Message& one) { one.set(Part::metadata, Json::object()); })},
      {"comm-buffers-dropped",
       "Sends comm_msg without its buffers.",
       {"comm.message.buffers", "comm.message.empty-buffers", "comm.message.big-buffers"},
       alter(message, [](Message& one) { one.buffers.clear(); })},
      {"comm-empty-buffers-dropped",
       "Leaves out buffers that are empty.",
       {"comm.message.empty-buffers"},
       alter(message, [](Message& one) { std::erase(one.buffers, std::string()); })},
      {"comm-big-buffers-cut",
       "Cuts buffers after a megabyte.",
       {"comm.message.big-buffers"},
       alter(message,
             [](Message& one) {
               for (auto& buffer : one.buffers) buffer.resize(std::min<std::size_t>(buffer.size(), 1U << 20U));
             })},
      {"comm-close-returned",
       "Answers comm_close with comm_close.",
       {"comm.close.not-returned", "comm.unknown-id.close"},
       precede(
           all_of({is_state("idle"), about("comm_close")}),
           [](Message& one) {
             become(one, "comm_close", {{"comm_id", request_of(one).value("comm_id", Json(""))}, {"data", Json::object()}});
           })},
      {"comm-close-ignored",
       "Keeps comms that were closed.",
       {"comm.close.unlisted", "comm.close.silent", "comm.kernel.client-close"},
       {},
       alter(of_type("comm_close"), set(Part::content, "comm_id", "another"))},
      {"comm-messages-overtake",
       "Handles the fourth message to a comm after the fifth.",
       {"comm.message.order"},
       {},
       hold(is_numbered(3), is_numbered(4))},
      {"comm-open-target-other",
       "Opens comms to another target.",
       {"comm.kernel.open.target"},
       alter(of_type("comm_open"), set(Part::content, "target_name", "another"))},
      {"comm-open-data-dropped",
       "Opens comms without their data.",
       {"comm.kernel.open.data"},
       alter(of_type("comm_open"), set(Part::content, "data", Json::object()))},
      {"comm-open-missing", "Does not tell which comms it opens.", {"comm.kernel.open"}, drop(of_type("comm_open"))},
      {"comm-close-missing",
       "Does not tell which comms it closes.",
       {"comm.kernel.close"},
       drop(all_of({of_type("comm_close"), about("execute_request")}))},
  };
}

}  // namespace

std::vector<Fault> dialogue_faults() {
  std::vector<Fault> all = stdin_faults();
  for (const Fault& fault : comm_faults()) all.push_back(fault);
  return all;
}

}  // namespace faulty
