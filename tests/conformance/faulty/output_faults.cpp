// SPDX-License-Identifier: BSD-3-Clause
// Faults of what cells show.
#include "hooks.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace faulty {
namespace {

Test stream() { return of_type("stream"); }

Test stream(std::string name) {
  return all_of({stream(), [name = std::move(name)](const Message& message) {
                   return string_at(message.json(Part::content), "name") == name;
                 }});
}

Change text(std::function<std::string(const std::string&)> rewrite) {
  return [rewrite = std::move(rewrite)](Message& message) {
    message.set(Part::content, "text", rewrite(string_at(message.json(Part::content), "text")));
  };
}

std::string question_marks(const std::string& text) {
  std::string ascii;
  for (const char byte : text) {
    const auto bits = static_cast<unsigned char>(byte);
    if (bits < 0x80U) ascii += byte;
    if (bits >= 0xC0U) ascii += '?';
  }
  return ascii;
}

/// As if bytes were cut into pieces and each piece decoded on its own.
std::string cut_within_characters(const std::string& text) {
  constexpr std::size_t piece = 4096;
  std::string spoiled = text;
  for (std::size_t at = piece; at < text.size(); at += piece) {
    if ((static_cast<unsigned char>(spoiled[at]) & 0xC0U) == 0x80U) return question_marks(text);
  }
  return spoiled;
}

/// Drops what a request prints beyond a megabyte.
HookMaker a_megabyte_at_most() {
  return []() -> Hook {
    return [printed = std::make_shared<std::map<std::string, std::size_t>>()](Message message, const Way& way) {
      if (message.type() == "stream") {
        std::size_t& bytes = (*printed)[message.parent_id()];
        bytes += string_at(message.json(Part::content), "text").size();
        if (bytes > (1U << 20U)) return;
      }
      way.on(std::move(message));
    };
  };
}

/// A message for every line.
HookMaker line_by_line() {
  return []() -> Hook {
    return [](Message message, const Way& way) {
      const std::string whole = string_at(message.json(Part::content), "text");
      if (message.type() != "stream" || std::count(whole.begin(), whole.end(), '\n') < 2) {
        way.on(std::move(message));
        return;
      }
      const std::string name = string_at(message.json(Part::content), "name");
      for (std::size_t start = 0; start < whole.size();) {
        const std::size_t end = std::min(whole.find('\n', start), whole.size() - 1) + 1;
        Message line = message;
        line.set_text(Part::content, "{}");
        line.renew();
        line.set(Part::content, {{"name", name}, {"text", whole.substr(start, end - start)}});
        way.on(std::move(line));
        start = end;
      }
    };
  };
}

/// What another client's cell prints is taken for that of the cell which printed before. The first client is never wronged
/// itself: it is the one that looks.
HookMaker parent_of_cell_before() {
  struct Seen {
    std::string session;
    Json parent;
  };
  return []() -> Hook {
    return [seen = std::make_shared<Seen>()](Message message, const Way& way) {
      if (message.type() == "stream") {
        const Json parent = message.json(Part::parent);
        const std::string session = string_at(parent, "session");
        if (seen->session.empty()) seen->session = session;
        if (session == seen->session) {
          seen->parent = parent;
        } else {
          message.set(Part::parent, seen->parent);
        }
      }
      way.on(std::move(message));
    };
  };
}

/// Streams of cells with this command come only after a message of this type, or before the idle.
HookMaker stream_after(const char* command, std::string type) {
  const Test held = all_of({stream("stdout"), with_command(command)});
  return [held, type = std::move(type)]() -> Hook {
    return [held, type, kept = std::make_shared<std::vector<Message>>()](Message message, const Way& way) {
      if (held(message)) {
        kept->push_back(std::move(message));
        return;
      }
      const auto release = [&] {
        for (Message& one : *kept) way.on(std::move(one));
        kept->clear();
      };
      if (is_state("idle")(message)) release();
      const bool now = message.type() == type;
      way.on(std::move(message));
      if (now) release();
    };
  };
}

Change display_id(Json transient) { return set(Part::content, "transient", std::move(transient)); }

Change other_wait() {
  return [](Message& message) { message.set(Part::content, "wait", !message.json(Part::content).at("wait").get<bool>()); };
}

}  // namespace

HookMaker drop_after_hundred(const Test& test) {
  return [test]() -> Hook {
    return [test, count = 0](Message message, const Way& way) mutable {
      if (!test(message) || ++count <= 100) way.on(std::move(message));
    };
  };
}

std::vector<Fault> output_faults() {
  return {
      {"print-adds-text", "Prints more than it should.", {"output.stdout.exact"}},
      {"stderr-as-stdout",
       "Publishes standard error as stdout.",
       {"output.stderr", "output.child.stderr"},
       alter(stream("stderr"), set(Part::content, "name", "stdout"))},
      {"part-lost", "Loses a line without end.", {"output.stdout.part"}},
      {"stream-tabs-expanded",
       "Publishes blanks in place of tabs.",
       {"output.stdout.exact"},
       alter(stream(), text([](std::string printed) {
               std::replace(printed.begin(), printed.end(), '\t', ' ');
               return printed;
             }))},
      {"stream-ascii",
       "Publishes text in ASCII.",
       {"output.unicode", "output.unicode.long", "output.child.unicode"},
       alter(stream(), text(question_marks))},
      {"stream-cut-in-characters",
       "Cuts long text within characters.",
       {"output.unicode.long", "output.child.unicode"},
       alter(stream(), text(cut_within_characters))},
      {"stream-empty",
       "Publishes empty text, too.",
       {"output.stream.empty"},
       precede(stream(), set(Part::content, "text", ""))},
      {"parent-of-other-client",
       "Publishes what a cell printed as another client's.",
       {"execute.clients.parent", "order.idle.last"},
       parent_of_cell_before()},
      {"invalid-utf8-lost", "Loses text with a byte that is no UTF-8.", {"output.invalid-utf8"}},
      {"big-cut", "Publishes a megabyte of a cell's text at most.", {"output.big"}, a_megabyte_at_most()},
      {"flood-loses-a-line", "Loses a line of many.", {"output.flood"}},
      {"flood-line-by-line", "Publishes a message for every line.", {"output.flood.coalesced"}, line_by_line()},
      {"output-late", "Publishes what a cell printed when it ends.", {"output.live"}, stream_after("sleep", "never")},
      {"stderr-first", "Publishes standard error before standard output.", {"output.order.streams"}},
      {"prints-last",
       "Publishes what is displayed before what is printed.",
       {"output.order.display", "output.order.displays"}},
      {"result-first",
       "Publishes a result before what was printed.",
       {"output.order.result"},
       stream_after("value", "execute_result")},
      {"error-first",
       "Publishes an error before what was printed.",
       {"output.order.error"},
       stream_after("error", "error")},
      {"clear-first",
       "Clears the output before what was printed.",
       {"output.order.clear"},
       stream_after("clear", "clear_output")},
      {"child-lost", "Loses what child processes print.", {"output.child", "output.child.stderr"}},
      {"child-stderr-lost", "Loses what child processes print to standard error.", {"output.child.stderr"}},
      {"child-late",
       "Publishes what child processes print after the cell.",
       {"output.child.in-cell", "output.child.order"}},
      {"native-lost", "Loses what native code prints.", {"output.native"}},
      {"thread-lost", "Loses what threads print.", {"output.thread"}},
      {"threads-torn", "Publishes what threads print in pieces.", {"output.thread.many"}},
      {"child-fills-pipe", "Does not read what child processes print while they run.", {"output.child.large"}},
      {"updates-thinned",
       "Leaves out what comes after the hundredth change of a display.",
       {"output.update.many"},
       drop_after_hundred(of_type("update_display_data"))},
      {"display-missing", "Displays nothing.", {"output.display"}, drop(of_type("display_data"))},
      {"display-id-missing",
       "Does not name displays.",
       {"output.display.id"},
       alter(of_type("display_data"), erase(Part::content, "transient"))},
      {"update-missing", "Does not update displays.", {"output.update"}, drop(of_type("update_display_data"))},
      {"update-as-display",
       "Displays updates once more.",
       {"output.update"},
       alter(of_type("update_display_data"), set(Part::header, "msg_type", "display_data"))},
      {"update-id-other",
       "Updates another display.",
       {"output.update.id"},
       alter(of_type("update_display_data"), display_id({{"display_id", "another"}}))},
      {"clear-missing", "Does not clear outputs.", {"output.clear", "output.clear.wait"}, drop(of_type("clear_output"))},
      {"clear-wait-swapped",
       "Waits when it should clear at once.",
       {"output.clear", "output.clear.wait"},
       alter(of_type("clear_output"), other_wait())},
  };
}

}  // namespace faulty
