// SPDX-License-Identifier: BSD-3-Clause
// Faults of statuses, replies and their order. What is missing or late is about requests that are rare in the cases, since
// a client waits for each in vain.
#include "hooks.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace faulty {
namespace {

constexpr const char* k_rare = "is_complete_request";

Test rare_reply() { return of_type("is_complete_reply"); }
Test rare_state(const char* state) { return all_of({is_state(state), about(k_rare)}); }
Test cell_state(const char* state) { return all_of({is_state(state), about("execute_request")}); }

void orphan(Message& message) { message.set(Part::parent, Json::object()); }

Change state(const char* name) { return set(Part::content, "execution_state", name); }

Change clear_output() {
  return [](Message& message) { become(message, "clear_output", {{"wait", false}}); };
}

Change count_one_more() {
  return [](Message& message) {
    const Json content = message.json(Part::content);
    if (content.contains("execution_count"))
      message.set(Part::content, "execution_count", content.at("execution_count").get<int>() + 1);
  };
}

/// To whom replies went: for one that goes to somebody else, too.
HookMaker copy_to_another_client(Test test) {
  return [test = std::move(test)]() -> Hook {
    return [test, known = std::make_shared<std::set<Frames>>()](Message message, const Way& way) {
      const bool reply = message.channel == Channel::shell && test(message);
      if (reply) known->insert(message.identities);
      way.on(message);
      if (!reply) return;
      message.renew();
      for (const Frames& identities : std::set<Frames>(*known)) {
        if (identities == message.identities) continue;
        Message copy = message;
        copy.identities = identities;
        way.on(std::move(copy));
      }
    };
  };
}

/// Between the busy and the idle of each cell, busy and idle of one that nobody here sent.
HookMaker interleave_another_cell() {
  return []() -> Hook {
    return [](Message message, const Way& way) {
      if (cell_state("idle")(message)) {
        Message other = message;
        other.set(Part::parent, "msg_id", message.parent_id() + "_other");
        for (const char* name : {"busy", "idle"}) {
          other.renew();
          state(name)(other);
          way.on(other);
        }
      }
      way.on(std::move(message));
    };
  };
}

/// Of cells whose error was published.
HookMaker drop_idle_of_errors() {
  return []() -> Hook {
    return [failed = std::make_shared<std::set<std::string>>()](Message message, const Way& way) {
      if (message.type() == "error") failed->insert(message.parent_id());
      if (cell_state("idle")(message) && failed->contains(message.parent_id())) return;
      way.on(std::move(message));
    };
  };
}

/// What a cell printed last comes once more when control has been served meanwhile, as if that had printed it.
HookMaker print_for_control() {
  return []() -> Hook {
    return [printed = std::make_shared<std::optional<Message>>()](Message message, const Way& way) {
      if (message.type() == "stream") *printed = message;
      if (cell_state("idle")(message)) printed->reset();
      if (is_state("idle")(message) && message.parent_type() == "kernel_info_request" && printed->has_value()) {
        Message other = **printed;
        other.set(Part::parent, message.json(Part::parent));
        other.renew();
        way.on(std::move(other));
      }
      way.on(std::move(message));
    };
  };
}

/// The reply to an aborted cell is kept until the next cell is answered, or until somebody waits for it in vain and asks
/// for something else. One thread, that of shell.
struct Overtaking {
  using Kept = std::shared_ptr<std::vector<Message>>;
  Kept kept = std::make_shared<std::vector<Message>>();

  HookMaker out = [kept = kept]() -> Hook {
    return [kept](Message message, const Way& way) {
      const bool answers = message.channel == Channel::shell && message.type() == "execute_reply";
      if (answers && kept->empty() && has_status("aborted")(message)) {
        kept->push_back(std::move(message));
        return;
      }
      way.on(std::move(message));
      if (answers) release(*kept, way.on);
    };
  };
  HookMaker in = [kept = kept]() -> Hook {
    return [kept](Message message, const Way& way) {
      if (message.channel == Channel::shell && message.type() == "kernel_info_request") release(*kept, way.back);
      way.on(std::move(message));
    };
  };

  static void release(std::vector<Message>& kept, const std::function<void(Message)>& way) {
    for (Message& one : std::exchange(kept, {})) way(std::move(one));
  }
};

}  // namespace

std::vector<Fault> order_faults() {
  const Overtaking overtaking;
  return {
      {"orphan-output",
       "Publishes something that a cell caused without a parent.",
       {"order.parent.present"},
       follow(of_type("execute_input"),
              [](Message& message) {
                clear_output()(message);
                orphan(message);
              })},
      {"orphan-idle",
       "Says idle once more, without a parent.",
       {"order.status.parent"},
       follow(cell_state("idle"), orphan)},
      {"starting-twice",
       "Says that it is starting after every cell.",
       {"order.starting.once"},
       follow(cell_state("idle"),
              [](Message& message) {
                state("starting")(message);
                orphan(message);
              })},
      {"starting-with-parent",
       "Is starting within a request.",
       {"order.status.states"},
       precede(cell_state("idle"), state("starting"))},
      {"parent-of-control-request",
       "Gives what a cell prints the parent of a request on control that comes meanwhile.",
       {"control.busy.parent"},
       print_for_control()},
      {"custom-type",
       "Publishes a type of its own about each cell, which is no fault.",
       {},
       precede(cell_state("idle"),
               [](Message& message) {
                 become(message, "faulty_news", {{"any", "thing"}});
               })},
      {"busy-missing", "Is never busy with is_complete_request.", {"order.busy.sent"}, drop(rare_state("busy"))},
      {"busy-late",
       "Is busy only after execute_input.",
       {"order.busy.first"},
       hold(cell_state("busy"), [](const Message& message) { return message.parent_type() == "execute_request"; })},
      {"busy-with-two",
       "Executes another client's cell before the idle of the one before.",
       {"order.busy.one-at-a-time"},
       interleave_another_cell()},
      {"busy-twice", "Is busy twice with a cell.", {"order.busy.once"}, repeat(cell_state("busy"))},
      {"idle-missing", "Is never idle after is_complete_request.", {"order.idle.sent"}, drop(rare_state("idle"))},
      {"idle-missing-of-cells", "Is never idle after a cell.", {"order.idle.sent"}, drop(cell_state("idle"))},
      {"idle-missing-of-errors", "Is never idle after a cell that fails.", {"order.idle.sent"}, drop_idle_of_errors()},
      {"idle-twice", "Is idle twice after a cell.", {"order.idle.once"}, repeat(cell_state("idle"))},
      {"idle-early",
       "Publishes output of a cell with a result after its idle.",
       {"order.idle.last"},
       follow(all_of({cell_state("idle"), with_command("value")}), clear_output())},
      {"input-missing", "Does not announce cells.", {"order.input.sent"}, drop(of_type("execute_input"))},
      {"input-late",
       "Announces a cell after its first output.",
       {"order.input.first"},
       precede(of_type("execute_input"), clear_output())},
      {"input-twice", "Announces each cell twice.", {"order.input.once"}, repeat(of_type("execute_input"))},
      {"error-twice", "Publishes each error twice.", {"order.error.once"}, repeat(of_type("error"))},
      {"result-counts-on",
       "Gives a result the number of the next cell.",
       {"order.count.result"},
       alter(of_type("execute_result"), count_one_more())},
      {"reply-counts-on",
       "Gives a reply the number of the next cell.",
       {"order.count.reply"},
       alter(of_type("execute_reply"), count_one_more())},
      {"reply-missing",
       "Never answers an is_complete_request about whole code.",
       {"order.reply.sent"},
       drop(all_of({rare_reply(), has_status("complete")}))},
      {"reply-twice", "Answers each execute_request twice.", {"order.reply.once"}, repeat(of_type("execute_reply"))},
      {"reply-type-wrong",
       "Answers is_complete_request by is_complete_response.",
       {"order.reply.type"},
       alter(rare_reply(), set(Part::header, "msg_type", "is_complete_response"))},
      {"reply-channel-wrong",
       "Answers usage_request on shell.",
       {"order.reply.channel"},
       alter(of_type("usage_reply"), [](Message& message) { message.channel = Channel::shell; })},
      {"question-published",
       "Publishes an input_request with each cell.",
       {"wire.channel.type"},
       follow(of_type("execute_input"),
              [](Message& message) {
                message.set(Part::header, "msg_type", "input_request");
                message.set(Part::content, Json{{"prompt", ""}, {"password", false}});
              })},
      {"reply-on-stdin",
       "Sends each is_complete_reply on stdin, too.",
       {"wire.channel.type"},
       follow(rare_reply(), [](Message& message) { message.channel = Channel::stdin_channel; })},
      {"reply-overtaken",
       "Answers a cell that it aborts after the next one.",
       {"order.reply.fifo"},
       overtaking.out,
       overtaking.in},
      {"reply-to-everybody",
       "Sends replies to every client that it knows.",
       {"order.reply.addressee"},
       copy_to_another_client([](const Message& message) { return message.type().ends_with("_reply"); })},
      {"reply-without-parent",
       "Sends a reply without a parent beside the right one.",
       {"order.reply.parent"},
       follow(rare_reply(), orphan)},
  };
}

}  // namespace faulty
