// SPDX-License-Identifier: BSD-3-Clause
// Faults of execute_request: what runs, what is counted and stored, what the reply says.
#include "hooks.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace faulty {
namespace {

Test input() { return of_type("execute_input"); }
Test reply() { return of_type("execute_reply"); }
Test reply(const char* status) { return all_of({reply(), has_status(status)}); }

/// Rewrites the code that execute_input shows.
Change code(std::function<std::string(std::string)> rewrite) {
  return [rewrite = std::move(rewrite)](Message& message) {
    message.set(Part::content, "code", rewrite(string_at(message.json(Part::content), "code")));
  };
}

std::string trimmed(std::string text) {
  constexpr const char* blanks = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(blanks), text.size()));
  text.erase(text.find_last_not_of(blanks) + 1);
  return text;
}

std::string ascii(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0x80U) != 0; }, '?');
  return text;
}

std::string without_nul(std::string text) {
  std::erase(text, '\0');
  return text;
}

std::string first_64_kib(std::string text) {
  text.resize(std::min<std::size_t>(text.size(), 65536));
  return text;
}

// ---- the counter ----

/// Changes every execution_count that there is by what `change` makes of it.
HookMaker recount(std::function<int(const Message&, int)> change) {
  return alter([](const Message& message) { return message.json(Part::content).contains("execution_count"); },
               [change = std::move(change)](Message& message) {
                 const Json count = message.json(Part::content).at("execution_count");
                 if (count.is_number_integer())
                   message.set(Part::content, "execution_count", change(message, count.get<int>()));
               });
}

/// Counts more, or less, from the request after one that fits.
struct Recounting {
  explicit Recounting(int step, std::function<bool(const Json&)> fits)
      : out(recount([step, extra = extra_](const Message&, int count) { return count + step * *extra; })),
        in([fits = std::move(fits), extra = extra_]() -> Hook {
          return [fits, extra](Message message, const Way& way) {
            if (message.type() == "execute_request" && fits(message.json(Part::content))) ++*extra;
            way.on(std::move(message));
          };
        }) {}

 private:
  std::shared_ptr<std::atomic<int>> extra_ = std::make_shared<std::atomic<int>>(0);

 public:
  HookMaker out;
  HookMaker in;
};

Fault miscounting(std::string_view name, std::string_view description, std::vector<std::string_view> breaks, int step,
                  std::function<bool(const Json&)> fits) {
  Recounting made(step, std::move(fits));
  return {name, description, std::move(breaks), made.out, made.in};
}

bool is_silent(const Json& request) { return request.value("silent", Json(false)) == true; }
bool is_unstored(const Json& request) { return !is_silent(request) && request.value("store_history", Json(true)) == false; }
bool fails(const Json& request) { return string_at(request, "code").starts_with("error "); }

// ---- what a request asks for ----

/// Lets an execute_request fail that has something that must not matter.
HookMaker refuse(Part part, std::set<std::string> known) {
  return alter(
      [part, known = std::move(known)](const Message& message) {
        const Json fields = message.json(part);
        return message.type() == "execute_request" &&
               std::any_of(fields.items().begin(), fields.items().end(),
                           [&](const auto& field) { return !known.contains(field.key()); });
      },
      [](Message& message) { message.set(Part::content, "code", "error unknown field"); });
}

HookMaker require(const char* field) {
  return alter(
      [field](const Message& message) {
        return message.type() == "execute_request" && !message.json(Part::content).contains(field);
      },
      [](Message& message) { message.set(Part::content, "code", "error a field is missing"); });
}

HookMaker without_payload(std::string source) {
  return alter(reply("ok"), [source = std::move(source)](Message& message) {
    Json content = message.json(Part::content);
    Json kept = Json::array();
    for (const Json& one : content["payload"]) {
      if (string_at(one, "source") != source) kept.push_back(one);
    }
    content["payload"] = kept;
    message.set(Part::content, content);
  });
}

/// Puts what was executed into the history although it must not be there.
HookMaker also_stored(std::function<bool(const Json&)> fits) {
  return [fits = std::move(fits)]() -> Hook {
    return [fits, codes = std::make_shared<std::vector<std::string>>()](Message message, const Way& way) {
      const Json request = request_of(message);
      if (message.type() == "execute_reply" && fits(request)) codes->push_back(string_at(request, "code"));
      if (message.type() == "history_reply") {
        Json content = message.json(Part::content);
        for (const auto& code : *codes) content["history"].push_back({1, 1, code});
        message.set(Part::content, content);
      }
      way.on(std::move(message));
    };
  };
}

Change result_of_silent() {
  return [](Message& message) {
    become(message, "execute_result",
           {{"execution_count", 1}, {"data", {{"text/plain", "a value"}}}, {"metadata", Json::object()}});
  };
}

Change expressions(std::function<void(Json&)> change) {
  return [change = std::move(change)](Message& message) {
    Json content = message.json(Part::content);
    change(content["user_expressions"]);
    message.set(Part::content, content);
  };
}

void fail(Message& message) {
  become(message, "execute_reply",
         {{"status", "error"},
          {"ename", "Error"},
          {"evalue", "no"},
          {"traceback", Json::array()},
          {"execution_count", message.json(Part::content).at("execution_count")}});
}

/// Before its idle, a cell that was not announced is announced.
HookMaker announce_all() {
  return []() -> Hook {
    return [announced = std::make_shared<std::set<std::string>>()](Message message, const Way& way) {
      if (message.type() == "execute_input") announced->insert(message.parent_id());
      if (reply("aborted")(message)) message.erase(Part::content, "execution_count");
      const Json request = request_of(message);
      if (is_state("idle")(message) && message.parent_type() == "execute_request" && !is_silent(request) &&
          announced->insert(message.parent_id()).second) {
        Message input = message;
        input.renew();
        become(input, "execute_input", {{"code", string_at(request, "code")}, {"execution_count", 1}});
        way.on(std::move(input));
      }
      way.on(std::move(message));
    };
  };
}

std::vector<Fault> cell_faults() {
  return {
      {"result-missing",
       "Never publishes a result.",
       {"execute.result", "execute.result.after-statements"},
       drop(of_type("execute_result"))},
      {"result-of-nothing",
       "Shows a result for statements.",
       {"execute.result.none"},
       precede(
           all_of({is_state("idle"), of_cell([](const Json& request) { return string_at(request, "code") == "nothing"; })}),
           result_of_silent())},
      {"result-of-silent",
       "Shows results of silent cells.",
       {"execute.silent.no-result"},
       precede(all_of({is_state("idle"), silent()}), result_of_silent())},
      {"input-of-silent",
       "Announces silent cells.",
       {"order.input.sent"},
       follow(all_of({is_state("busy"), silent()}),
              [](Message& message) {
                become(message, "execute_input", {{"code", ""}, {"execution_count", 0}});
              })},
      {"input-trimmed", "Cuts blanks off announced code.", {"execute.input.line-ends"}, alter(input(), code(trimmed))},
      {"input-ascii", "Announces code in ASCII.", {"execute.input.unicode"}, alter(input(), code(ascii))},
      {"input-without-nul", "Leaves NUL out of announced code.", {"execute.input.nul"}, alter(input(), code(without_nul))},
      {"input-cut", "Announces 64 KiB of code at most.", {"execute.input.long"}, alter(input(), code(first_64_kib))},
      {"input-empty",
       "Announces cells without their code.",
       {"execute.input.code", "execute.input.unicode", "execute.input.control-characters", "execute.input.nul",
        "execute.input.line-ends", "execute.input.long"},
       alter(input(), set(Part::content, "code", ""))},
      {"empty-fails",
       "Fails a cell without code.",
       {"execute.empty"},
       {},
       alter(
           [](const Message& message) {
             return message.type() == "execute_request" && string_at(message.json(Part::content), "code").empty();
           },
           set(Part::content, "code", "error empty"))},
      {"silent-not-run", "Does not run silent cells.", {"execute.silent.runs"}},
      {"silent-stored", "Stores silent cells.", {"execute.silent.not-stored", "history.silent"}, also_stored(is_silent)},
      {"unstored-stored",
       "Stores cells although it must not.",
       {"execute.unstored.not-stored", "history.store"},
       also_stored(is_unstored)},
      {"page-missing", "Has no pager.", {"execute.payload.page"}, without_payload("page")},
      {"next-input-missing", "Sets no next input.", {"execute.payload.next-input"}, without_payload("set_next_input")},
  };
}

std::vector<Fault> counter_faults() {
  return {
      miscounting("silent-counts", "Counts silent cells.", {"execute.silent.not-counted"}, 1, is_silent),
      miscounting("unstored-counts", "Counts cells with store_history false.", {"execute.unstored.not-counted"}, 1,
                  is_unstored),
      miscounting("errors-not-counted", "Gives a cell that fails the number of the one before.", {"execute.count.errors"},
                  -1, fails),
      {"counts-from-zero",
       "Gives the first cell the number 0.",
       {"execute.count.first"},
       recount([](const Message&, int count) { return std::max(count - 1, 0); })},
      {"counts-by-two", "Counts each cell twice.", {"execute.count.increments"}, recount([](const Message&, int count) {
         return std::max(2 * count - 1, 0);
       })},
      {"count-constant",
       "Gives every cell the same number.",
       {"execute.count.increments"},
       recount([](const Message&, int) { return 1; })},
      {"count-starts-over",
       "Counts to ten, and then from one again.",
       {"execute.count.increments"},
       recount([](const Message&, int count) { return count > 0 ? (count - 1) % 10 + 1 : 0; })},
  };
}

std::vector<Fault> request_faults() {
  return {
      {"expressions-missing",
       "Has no values of user_expressions.",
       {"execute.user-expressions.value", "execute.user-expressions.after-code"},
       alter(reply("ok"), expressions([](Json& values) { values = Json::object(); }))},
      {"expressions-of-silent-missing",
       "Has no values of a silent cell's user_expressions.",
       {"execute.user-expressions.silent"},
       alter(all_of({reply("ok"), silent()}), expressions([](Json& values) { values = Json::object(); }))},
      {"expression-errors-hidden",
       "Leaves out user_expressions that fail.",
       {"execute.user-expressions.error"},
       alter(reply("ok"), expressions([](Json& values) {
               Json kept = Json::object();
               for (const auto& [name, value] : values.items()) {
                 if (string_at(value, "status") == "ok") kept[name] = value;
               }
               values = kept;
             }))},
      {"expression-errors-fail",
       "Lets a cell fail whose user_expressions do.",
       {"execute.user-expressions.reply"},
       alter(
           [](const Message& message) {
             const Json values = message.json(Part::content).value("user_expressions", Json::object());
             return message.type() == "execute_reply" && std::any_of(values.begin(), values.end(), [](const Json& value) {
                      return string_at(value, "status") == "error";
                    });
           },
           fail)},
      {"expressions-after-error",
       "Evaluates user_expressions of a cell that failed.",
       {"execute.user-expressions.not-after-error"},
       alter(reply("error"),
             [](Message& message) {
               const Json asked = request_of(message).value("user_expressions", Json::object());
               expressions([&](Json& values) {
                 for (const auto& [name, code] : asked.items())
                   values[name] = {{"status", "ok"}, {"data", {{"text/plain", code}}}, {"metadata", Json::object()}};
               })(message);
             })},
      {"silent-required",
       "Fails a cell whose request does not say silent.",
       {"execute.defaults.run"},
       {},
       require("silent")},
      {"unknown-content-refused",
       "Fails a cell whose request has an unknown field.",
       {"execute.unknown-fields.content"},
       {},
       refuse(Part::content, {"code", "silent", "store_history", "user_expressions", "allow_stdin", "stop_on_error"})},
      {"unknown-header-refused",
       "Fails a cell whose header has an unknown field.",
       {"execute.unknown-fields.header", "execute.unknown-fields.header-nested"},
       {},
       refuse(Part::header, {"msg_id", "session", "username", "date", "msg_type", "version", "subshell_id"})},
      {"unknown-metadata-refused",
       "Fails a cell with any metadata.",
       {"execute.unknown-fields.metadata"},
       {},
       refuse(Part::metadata, {})},
  };
}

std::vector<Fault> error_faults() {
  return {
      {"error-is-ok",
       "Says ok about cells that failed.",
       {"errors.reply.status", "errors.reply.silent", "errors.syntax.reply", "interrupt.error", "stdin.forbidden.error"},
       alter(reply("error"),
             [](Message& message) {
               message.set(Part::content, {{"status", "ok"},
                                           {"execution_count", message.json(Part::content).at("execution_count")},
                                           {"payload", Json::array()},
                                           {"user_expressions", Json::object()}});
             })},
      {"evalue-missing",
       "Answers errors without their message.",
       {"errors.reply.evalue", "errors.reply.unicode", "errors.published.equal"},
       alter(reply("error"), set(Part::content, "evalue", ""))},
      {"evalue-ascii",
       "Answers errors in ASCII.",
       {"errors.reply.unicode"},
       alter(reply("error"),
             [](Message& message) {
               message.set(Part::content, "evalue", ascii(string_at(message.json(Part::content), "evalue")));
             })},
      {"error-not-counted-in-reply",
       "Answers errors without their number.",
       {"errors.reply.count"},
       alter(reply("error"), erase(Part::content, "execution_count"))},
      {"error-of-silent-is-ok",
       "Says ok about silent cells that failed.",
       {"errors.reply.silent"},
       alter(all_of({reply("error"), silent()}),
             [](Message& message) {
               message.set(Part::content, {{"status", "ok"},
                                           {"execution_count", message.json(Part::content).at("execution_count")},
                                           {"payload", Json::array()},
                                           {"user_expressions", Json::object()}});
             })},
      {"error-unpublished",
       "Publishes no errors.",
       {"errors.published", "errors.syntax.published"},
       drop(of_type("error"))},
      {"error-published-otherwise",
       "Publishes another error than it answers.",
       {"errors.published.equal"},
       alter(of_type("error"), set(Part::content, "ename", "OtherError"))},
      {"error-printed-too",
       "Prints errors, too.",
       {"errors.published.alone"},
       precede(of_type("error"),
               [](Message& message) {
                 const std::string text = string_at(message.json(Part::content), "evalue");
                 become(message, "stream", {{"name", "stderr"}, {"text", text + "\n"}});
               })},
      {"traceback-empty",
       "Has no traceback.",
       {"errors.published.traceback"},
       alter([](const Message& message) { return string_at(message.json(Part::content), "ename") == "Error"; },
             set(Part::content, "traceback", Json::array()))},
      {"error-swallows-output", "Loses what a cell printed before its error.", {"errors.output-before"}},
      {"error-goes-on", "Goes on after an error within a cell.", {"errors.ends-cell"}},
      {"error-forgets-variables", "Forgets all variables with an error.", {"errors.state"}},
      {"stop-on-error-ignored",
       "Runs all cells, whatever fails before them.",
       {"abort.not-run", "abort.reply", "abort.all", "abort.default", "interrupt.queue"},
       {},
       alter(of_type("execute_request"), set(Part::content, "stop_on_error", false))},
      {"stop-on-error-off-by-default",
       "Runs all cells after an error whose request lacks stop_on_error.",
       {"abort.default"},
       {},
       alter(all_of({of_type("execute_request"),
                     [](const Message& message) { return !message.json(Part::content).contains("stop_on_error"); }}),
             set(Part::content, "stop_on_error", false))},
      {"stop-on-error-always",
       "Stops at errors although it must not.",
       {"abort.off"},
       {},
       alter(of_type("execute_request"), set(Part::content, "stop_on_error", true))},
      {"aborted-announced", "Announces cells that it does not run.", {"abort.no-input"}, announce_all()},
  };
}

}  // namespace

std::vector<Fault> execution_faults() {
  std::vector<Fault> all = cell_faults();
  for (const auto& more : {counter_faults(), request_faults(), error_faults()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace faulty
