// SPDX-License-Identifier: BSD-3-Clause
// stream, display_data, update_display_data and clear_output.
#include "cases/cases.hpp"
#include "cases/helpers.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

namespace adrastea::conformance {
namespace {

using testing::text_of;

constexpr std::string_view k_unicode = "äµ€𝄞";

std::string repeated(std::string_view text, std::size_t times) {
  std::string joined;
  joined.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) joined += text;
  return joined;
}

// ---- streams ----

void check_line(Trial& trial, const std::string& code, std::string_view stream, const std::string& line) {
  const std::string printed = trial.observe(code).text(stream);
  trial.expect(is_line(printed, line), "stream", std::string(stream) + " is " + quote(printed));
}

void prints_exactly(Trial& trial) {
  const std::string text = "  " + trial.word() + "  \t" + trial.word() + " ";
  check_line(trial, trial.sample("print", {{"text", text}}), "stdout", text);
}

void prints_errors(Trial& trial) {
  const std::string text = trial.word();
  check_line(trial, trial.sample("stderr", {{"text", text}}), "stderr", text);
}

void prints_part(Trial& trial) {
  const std::string text = trial.word();
  check_line(trial, trial.sample("print_part", {{"text", text}}), "stdout", text);
}

void prints_no_empty_text(Trial& trial) {
  const std::string code =
      trial.cell({trial.sample("print", {{"text", trial.word()}}), trial.sample("print_part", {{"text", trial.word()}})});
  const auto streams = Trial::of_type(trial.observe(code), "stream");
  if (streams.empty()) Trial::not_applicable("nothing is printed: see execute.print");
  const auto is_empty = [](const Message& message) {
    const auto text = message.content.find("text");
    return text != message.content.end() && *text == "";
  };
  const auto empty = std::count_if(streams.begin(), streams.end(), is_empty);
  trial.check(empty == 0, std::to_string(empty) + " of " + std::to_string(streams.size()) + " stream messages are empty");
}

void prints_unicode(Trial& trial) { check_line(trial, trial.sample("unicode"), "stdout", std::string(k_unicode)); }

void prints_many_characters(Trial& trial) {
  const std::string text = repeated(k_unicode, 20000) + trial.word();
  check_line(trial, trial.sample("print", {{"text", text}}), "stdout", text);
}

void prints_big(Trial& trial) {
  constexpr std::size_t size = std::size_t{4} << 20;
  check_line(trial, trial.sample("big", {{"count", std::to_string(size)}}), "stdout", std::string(size, 'x'));
}

void prints_invalid_utf8(Trial& trial) {
  // Some languages can write such bytes to the file descriptor only.
  if (trial.has_sample("native")) {
    const std::string text = trial.word();
    const Exchange written = trial.observe(trial.sample("native", {{"text", text}}));
    if (written.text("stdout").find(text) == std::string::npos)
      Trial::not_applicable("what is written to file descriptor 1 is not published: see output.native");
  }
  const std::string printed = trial.observe(trial.sample("invalid_utf8")).text("stdout");
  const std::size_t a = printed.find('a');
  trial.expect(a != std::string::npos && printed.find('b', a) != std::string::npos, "stream",
               "stdout is " + quote(printed) + ", without what stands around the invalid byte");
}

constexpr int k_lines = 10000;

std::string flood_text() {
  std::string text;
  for (int i = 0; i < k_lines; ++i) text += std::to_string(i) + "\n";
  return text;
}

void floods_exactly(Trial& trial) {
  const std::string printed = trial.observe(trial.sample("flood", {{"count", std::to_string(k_lines)}})).text("stdout");
  const std::string expected = flood_text();
  const auto differs = std::mismatch(printed.begin(), printed.end(), expected.begin(), expected.end());
  trial.expect(printed == expected, "stream",
               "stdout has " + std::to_string(printed.size()) + " bytes instead of " + std::to_string(expected.size()) +
                   ", and the first " + std::to_string(differs.first - printed.begin()) + " are right");
}

void floods_in_few_messages(Trial& trial) {
  const Exchange cell = trial.observe(trial.sample("flood", {{"count", std::to_string(k_lines)}}));
  const std::size_t messages = Trial::of_type(cell, "stream").size();
  trial.check(messages <= k_lines / 10,
              std::to_string(messages) + " stream messages for " + std::to_string(k_lines) + " lines");
}

/// What comes before the time is over for which the cell sleeps was published while it ran, whatever statuses say.
void prints_at_once(Trial& trial) {
  constexpr auto least = std::chrono::seconds(10);
  const std::string text = trial.word();
  const std::string code = trial.cell(
      {trial.sample("print", {{"text", text}}), trial.sample("sleep", {{"seconds", std::to_string(least.count())}})});
  trial.kernel();
  trial.client();
  const auto start = std::chrono::steady_clock::now();
  const std::string id = trial.client().execute(code);
  const auto came = [&] {
    return Exchange{id, trial.client().published(id), {}}.text("stdout").find(text) != std::string::npos;
  };
  trial.wait_until([&] { return came() || trial.client().waiting(Channel::shell); });
  const auto passed = std::chrono::steady_clock::now() - start;
  if (trial.client().waiting(Channel::shell)) trial.client().fence(Channel::shell);
  trial.expect(came(), "stream", "nothing is printed");
  trial.check(passed < least, "what a cell prints comes only when it has ended");
  trial.kernel().signal(SIGKILL);
  trial.expect_end();
}

// ---- order ----

void check_printed_order(Trial& trial, const std::string& sample) {
  const std::string before = trial.word();
  const std::string between = trial.word();
  const std::string after = trial.word();
  const std::string code = trial.cell({trial.sample("print", {{"text", before}}), trial.sample(sample, {{"text", between}}),
                                       trial.sample("print", {{"text", after}})});
  check_order(trial, trial.observe(code), {before, between, after});
}

void orders_streams(Trial& trial) { check_printed_order(trial, "stderr"); }
void orders_displays(Trial& trial) { check_printed_order(trial, "display"); }

void flushes_before_result(Trial& trial) {
  const std::string before = trial.word();
  const std::string value = trial.word();
  const std::string code =
      trial.cell({trial.sample("print_part", {{"text", before}}), trial.sample("result", {{"text", value}})});
  check_order(trial, trial.observe(code), {before, value});
}

void flushes_before_error(Trial& trial) {
  const std::string before = trial.word();
  const std::string code =
      trial.cell({trial.sample("print_part", {{"text", before}}), trial.sample("error", {{"text", trial.word()}})});
  const Exchange cell = trial.observe(code);
  const auto errors = Trial::of_type(cell, "error");
  const auto printed = place_in_streams(cell, before);
  if (errors.empty() || !printed) Trial::not_applicable("text or error did not come: other cases say so");
  trial.check(cell.published[printed->message].arrival < errors.front().arrival,
              "the error comes before what was printed earlier");
}

void flushes_before_clear(Trial& trial) {
  const std::string before = trial.word();
  const std::string code = trial.cell({trial.sample("print_part", {{"text", before}}), trial.sample("clear")});
  const Exchange cell = trial.observe(code);
  const auto cleared = Trial::of_type(cell, "clear_output");
  const auto printed = place_in_streams(cell, before);
  if (cleared.empty()) Trial::not_applicable("there is no clear_output: see output.clear");
  // A kernel may as well leave out what would be cleared at once.
  trial.check(!printed || cell.published[printed->message].arrival < cleared.front().arrival,
              "what was printed before clear_output comes after it");
}

void orders_many_displays(Trial& trial) {
  std::vector<std::string> texts;
  std::vector<std::string> statements;
  for (int i = 0; i < 30; ++i) {
    texts.push_back(trial.word());
    statements.push_back(trial.sample(i % 2 == 0 ? "display" : "print", {{"text", texts.back()}}));
  }
  check_order(trial, trial.observe(trial.cell(statements)), texts);
}

// ---- child processes, native code, threads ----

/// Runs a cell whose output comes from outside the language, which may lawfully come late, and waits for it. A kernel that
/// does not publish such output is given up after a time.
std::string foreign_text(Trial& trial, const std::string& code, std::string_view stream, const std::string& text) {
  const std::string id = trial.client().execute(code);
  trial.client().allow_late_output(id);
  const Exchange cell = trial.client().collect(id);
  const auto published = [&] { return cell.text(stream) + Exchange{id, trial.client().published(id), {}}.text(stream); };
  trial.wait_until([&] { return published().find(text) != std::string::npos; }, trial.timeout() / 6);
  return published();
}

/// Such output and what the cell does are two paths that meet by chance: once in the right order says little, and of long
/// output more is still on its way when the cell goes on.
constexpr int k_meetings = 10;
std::string long_before(const std::string& word) { return std::string(40000, 'x') + word; }

void publishes_child(Trial& trial) {
  const std::string text = trial.word();
  const std::string printed = foreign_text(trial, trial.sample("child", {{"text", text}}), "stdout", text);
  trial.expect(printed.find(text) != std::string::npos, "stream", "stdout is " + quote(printed) + ", without " + text);
}

void publishes_child_errors(Trial& trial) {
  const std::string text = trial.word();
  const std::string printed = foreign_text(trial, trial.sample("child_stderr", {{"text", text}}), "stderr", text);
  trial.expect(printed.find(text) != std::string::npos, "stream", "stderr is " + quote(printed) + ", without " + text);
}

void publishes_native(Trial& trial) {
  const std::string text = trial.word();
  const std::string printed = foreign_text(trial, trial.sample("native", {{"text", text}}), "stdout", text);
  trial.expect(printed.find(text) != std::string::npos, "stream", "stdout is " + quote(printed) + ", without " + text);
}

void keeps_child_characters(Trial& trial) {
  const std::string end = trial.word();
  const std::string text = repeated(k_unicode, 6000);
  const std::string printed = foreign_text(trial, trial.sample("child", {{"text", text + end}}), "stdout", end);
  if (printed.find(end) == std::string::npos) Trial::not_applicable("child output is not published: see output.child");
  trial.check(printed.find(text) != std::string::npos, "characters of a child's output are broken");
}

bool check_foreign_order_once(Trial& trial, const std::string& sample) {
  const std::string before = trial.word();
  const std::string between = trial.word();
  const std::string after = trial.word();
  const std::string code =
      trial.cell({trial.sample("print", {{"text", before}}), trial.sample(sample, {{"text", long_before(between)}}),
                  trial.sample("print", {{"text", after}})});
  const std::string printed = foreign_text(trial, code, "stdout", between);
  const std::size_t middle = printed.find(between);
  if (middle == std::string::npos) Trial::not_applicable("it is not published: see output." + sample);
  if (printed.find(before) == std::string::npos || printed.find(after) == std::string::npos)
    Trial::not_applicable("nothing is printed: see execute.print");
  const bool ordered = printed.find(before) < middle && middle < printed.find(after);
  trial.check(ordered, "what was printed after it comes before its end, or what was printed before comes after it");
  return ordered;
}

void check_foreign_order(Trial& trial, const std::string& sample) {
  for (int i = 0; i < k_meetings; ++i) {
    if (!check_foreign_order_once(trial, sample)) return;
  }
}

void orders_child(Trial& trial) { check_foreign_order(trial, "child"); }
void orders_native(Trial& trial) { check_foreign_order(trial, "native"); }

bool ends_after_child_once(Trial& trial) {
  const std::string text = trial.word();
  const std::string id = trial.client().execute(trial.sample("child", {{"text", long_before(text)}}));
  trial.client().allow_late_output(id);
  std::optional<std::uint64_t> idle;
  std::optional<std::uint64_t> printed;
  const auto look = [&] {
    const Exchange cell{id, trial.client().published(id), {}};
    const auto place = place_in_streams(cell, text);
    if (place) printed = cell.published[place->message].arrival;
    for (const auto& message : cell.published) {
      if (text_of(message.content, "execution_state") == "idle") idle = message.arrival;
    }
    return Trial::has_ended(trial.client(), id);
  };
  trial.wait_until(look);
  trial.wait_until([&] { return look() && idle && printed; }, trial.timeout() / 6);
  if (!idle || !printed) Trial::not_applicable("child output is not published: see output.child");
  trial.check(*printed < *idle, "what the child printed comes after the idle of its cell");
  trial.client().collect(id);
  return *printed < *idle;
}

void ends_after_child(Trial& trial) {
  // An idle comes a while after the child has ended: it overtakes seldom.
  for (int i = 0; i < 6 * k_meetings; ++i) {
    if (!ends_after_child_once(trial)) return;
  }
}

void publishes_thread(Trial& trial) {
  const std::string text = trial.word();
  const std::string start = trial.sample("thread", {{"text", text}, {"seconds", "0.2"}});
  const std::string first = trial.client().execute(start);
  const std::string second = trial.client().execute(trial.sample("print", {{"text", trial.word()}}));
  for (const auto& id : {first, second}) trial.client().allow_late_output(id);
  const auto printed = [&](const std::string& id) {
    return Exchange{id, trial.client().published(id), {}}.text("stdout").find(text) != std::string::npos;
  };
  trial.expect(trial.wait_until([&] { return printed(first) || printed(second); }), "stream",
               "what a thread prints is published for no cell");
}

/// Long lines, since short ones are written at once by whatever writes them.
void publishes_whole_lines_of_threads(Trial& trial) {
  constexpr int threads = 16;
  std::vector<std::string> texts;
  std::vector<std::string> statements;
  for (int i = 0; i < threads; ++i) {
    texts.push_back(std::string(2000, static_cast<char>('a' + i)) + trial.word());
    statements.push_back(trial.sample("thread", {{"text", texts.back()}, {"seconds", "0.2"}}));
  }
  const std::string id = trial.client().execute(trial.cell(statements));
  trial.client().allow_late_output(id);
  const auto printed = [&] { return Exchange{id, trial.client().published(id), {}}.text("stdout"); };
  const auto all = std::size_t{threads} * texts.front().size();
  trial.wait_until([&] { return printed().size() >= all; }, trial.timeout() / 6);
  const std::string text = printed();
  if (text.size() < all) Trial::not_applicable("not all that threads print is published: see output.thread");
  for (const auto& one : texts) trial.check(text.find(one) != std::string::npos, "the line " + quote(one) + " is torn");
}

/// More than a pipe holds at once.
void reads_from_children(Trial& trial) {
  const std::string child = trial.sample("child", {{"text", std::string(100'000, 'x')}});
  const std::string id = trial.client().execute(trial.cell({child, child, child}));
  trial.client().allow_late_output(id);
  const bool ended = trial.until_ended(trial.client(), id);
  if (!ended) trial.abandon();
  trial.check(ended, "the cell does not end");
}

// ---- displays ----

void check_bundle(Trial& trial, const Exchange& cell, const std::string& type, const std::string& text) {
  const auto shown = Trial::of_type(cell, type);
  trial.expect(!shown.empty(), type, "there is no " + type);
  trial.expect(plain_text(shown.front()).find(text) != std::string::npos, type,
               "its text/plain is " + quote(plain_text(shown.front())) + ", without " + text);
}

void check_display_id(Trial& trial, const Exchange& cell, const std::string& type, const std::string& name) {
  const auto shown = Trial::of_type(cell, type);
  if (shown.empty()) Trial::not_applicable("there is no " + type + ": other cases say so");
  const Json transient = object_of(shown.front().content, "transient");
  trial.expect(text_of(transient, "display_id") == name, type, "its transient is " + transient.dump());
}

void displays(Trial& trial) {
  const std::string text = trial.word();
  check_bundle(trial, trial.observe(trial.sample("display", {{"text", text}})), "display_data", text);
}

Exchange display_named(Trial& trial, const std::string& name) {
  return trial.observe(trial.sample("display_id", {{"text", trial.word()}, {"name", name}}));
}

void names_display(Trial& trial) {
  const std::string name = trial.word();
  check_display_id(trial, display_named(trial, name), "display_data", name);
}

Exchange updated(Trial& trial, const std::string& name, const std::string& text) {
  const std::string code = trial.sample("update", {{"text", text}, {"name", name}});
  display_named(trial, name);
  return trial.observe(code);
}

void updates_display(Trial& trial) {
  const std::string text = trial.word();
  check_bundle(trial, updated(trial, trial.word(), text), "update_display_data", text);
}

void names_update(Trial& trial) {
  const std::string name = trial.word();
  check_display_id(trial, updated(trial, name, trial.word()), "update_display_data", name);
}

void updates_to_the_last(Trial& trial) {
  const std::string name = trial.word();
  std::string last;
  std::vector<std::string> statements;
  for (int i = 0; i < 200; ++i) {
    last = trial.word();
    statements.push_back(trial.sample("update", {{"text", last}, {"name", name}}));
  }
  display_named(trial, name);
  const auto shown = Trial::of_type(trial.observe(trial.cell(statements)), "update_display_data");
  if (shown.empty()) Trial::not_applicable("there is no update_display_data: see output.update");
  trial.check(plain_text(shown.back()).find(last) != std::string::npos,
              "after 200 updates the last that came shows " + quote(plain_text(shown.back())) + ", and not " + last);
}

void check_cleared(Trial& trial, const std::string& sample, bool wait) {
  const auto cleared = Trial::of_type(trial.observe(trial.sample(sample)), "clear_output");
  trial.expect(!cleared.empty(), "clear_output", "there is no clear_output");
  const auto flag = cleared.front().content.find("wait");
  trial.expect(flag != cleared.front().content.end() && *flag == wait, "clear_output",
               "clear_output is " + cleared.front().content.dump());
}

void clears(Trial& trial) { check_cleared(trial, "clear", false); }
void clears_later(Trial& trial) { check_cleared(trial, "clear_wait", true); }

constexpr auto k_streams = "Messaging, Streams";
constexpr auto k_display = "Messaging, Display data";
constexpr auto k_update = "Messaging, Update display data";
constexpr auto k_clear = "Messaging, Clear output";
constexpr auto k_order = "Messaging, IOPub";

std::vector<Case> stream_cases() {
  return {
      {"output.stdout.exact", k_streams, Level::must, "stream stdout is what the cell printed, and nothing else.",
       "executes the sample print with words between blanks and a tab", "the line, with or without newline",
       prints_exactly},
      {"output.stderr", k_streams, Level::must, "What a cell prints to standard error is stream stderr.",
       "executes the sample stderr", "the line, with or without newline", prints_errors},
      {"output.stdout.part", k_streams, Level::must, "A line without end is published before the cell ends.",
       "executes the sample print_part", "the text", prints_part},
      {"output.stream.empty", k_streams, Level::should, "A stream message has text.",
       "executes print and print_part as one cell", "stream messages whose text is not empty", prints_no_empty_text},
      {"output.unicode", k_streams, Level::must, "Text of any script is published unchanged.",
       "executes the sample unicode", "the line", prints_unicode},
      {"output.unicode.long", k_streams, Level::must, "Long text is never cut within a character.",
       "executes the sample print with 80000 characters of one to four bytes", "equal text", prints_many_characters},
      {"output.invalid-utf8", k_streams, Level::must, "Bytes that are no UTF-8 spoil nothing but themselves.",
       "executes the sample invalid_utf8", "text with what stands before and after the byte", prints_invalid_utf8},
      {"output.big", k_streams, Level::must, "Big output is published whole.", "executes the sample big with 4 MiB",
       "equal text, in any number of messages", prints_big},
      {"output.flood", k_streams, Level::must, "A flood of lines is published whole and in order.",
       "executes the sample flood with 10000 lines", "equal text, in any number of messages", floods_exactly},
      {"output.flood.coalesced", k_streams, Level::should, "A flood of lines is published in few messages.",
       "executes the sample flood with 10000 lines", "at most 1000 stream messages", floods_in_few_messages},
      {"output.live", k_streams, Level::should, "What a cell prints is published while it runs.",
       "executes print and then sleep with 10 seconds", "stream messages with the text before the idle", prints_at_once},
  };
}

std::vector<Case> order_cases() {
  return {
      {"output.order.streams", k_order, Level::should, "stdout and stderr keep their order.",
       "executes print, stderr, print as one cell", "the three texts in this order", orders_streams},
      {"output.order.display", k_order, Level::must, "What is printed and what is displayed keep their order.",
       "executes print, display, print as one cell", "the three texts in this order", orders_displays},
      {"output.order.displays", k_order, Level::must, "Any number of outputs keep their order.",
       "executes display and print 15 times in turn as one cell", "the texts in this order", orders_many_displays},
      {"output.order.result", k_order, Level::must, "What was printed comes before the result.",
       "executes print_part and result as one cell", "the text, then the execute_result", flushes_before_result},
      {"output.order.error", k_order, Level::must, "What was printed comes before the error.",
       "executes print_part and error as one cell", "the text, then the error", flushes_before_error},
      {"output.order.clear", k_clear, Level::must, "What was printed before clear_output does not come after it.",
       "executes print_part and clear as one cell", "the text, then clear_output; or no text", flushes_before_clear},
  };
}

std::vector<Case> foreign_cases() {
  return {
      {"output.child", k_streams, Level::should, "What a child process prints is published.", "executes the sample child",
       "stream stdout with the text", publishes_child},
      {"output.child.stderr", k_streams, Level::should, "What a child process prints to standard error is published.",
       "executes the sample child_stderr", "stream stderr with the text", publishes_child_errors},
      {"output.child.order", k_streams, Level::should, "What a child process prints keeps its place.",
       "executes print, child, print as one cell", "the three texts in this order", orders_child},
      {"output.child.in-cell", k_streams, Level::should, "What a child process prints comes before its cell is idle.",
       "executes the sample child", "stream stdout with the text, then idle", ends_after_child},
      {"output.child.unicode", k_streams, Level::should, "A child's long output is never cut within a character.",
       "executes the sample child with 24000 characters of one to four bytes", "equal text", keeps_child_characters},
      {"output.native", k_streams, Level::should, "What native code writes to file descriptor 1 is published.",
       "executes the sample native", "stream stdout with the text", publishes_native},
      {"output.native.order", k_streams, Level::should, "What native code writes keeps its place.",
       "executes print, native, print as one cell", "the three texts in this order", orders_native},
      {"output.thread", k_streams, Level::should, "What a thread prints after its cell has ended is published.",
       "executes the sample thread, then print", "stream messages with the text and either cell as parent",
       publishes_thread},
      {"output.thread.many", k_streams, Level::should, "What threads print at once does not tear each other's lines.",
       "executes the sample thread 16 times in one cell, each with a line of 2000 letters", "each line in one piece",
       publishes_whole_lines_of_threads},
      {"output.child.large", k_streams, Level::must, "A child that prints much does not stop its cell.",
       "executes the sample child three times with 100000 letters", "the cell ends, whatever of it is published",
       reads_from_children},
  };
}

std::vector<Case> display_cases() {
  return {
      {"output.display", k_display, Level::must, "What a cell displays is display_data.", "executes the sample display",
       "display_data whose text/plain has the text", displays},
      {"output.display.id", k_display, Level::must, "A display that can be updated has its id in transient.",
       "executes the sample display_id", "display_data with transient.display_id", names_display},
      {"output.update", k_update, Level::must, "A change of a display is update_display_data.",
       "executes display_id, then update", "update_display_data whose text/plain has the new text", updates_display},
      {"output.update.id", k_update, Level::must, "update_display_data names the display in transient.",
       "executes display_id, then update", "update_display_data with the same transient.display_id", names_update},
      {"output.update.many", k_update, Level::should, "Of many changes of a display the last is there.",
       "executes display_id, and a cell of update 200 times", "the last update_display_data has the last text",
       updates_to_the_last},
      {"output.clear", k_clear, Level::must, "To clear the output at once is clear_output with wait false.",
       "executes the sample clear", "clear_output with wait false", clears},
      {"output.clear.wait", k_clear, Level::must, "To clear it with the next output is clear_output with wait true.",
       "executes the sample clear_wait", "clear_output with wait true", clears_later},
  };
}

}  // namespace

std::vector<Case> output_cases() {
  std::vector<Case> joined = stream_cases();
  for (const auto& more : {order_cases(), foreign_cases(), display_cases()}) {
    joined.insert(joined.end(), more.begin(), more.end());
  }
  return joined;
}

}  // namespace adrastea::conformance
