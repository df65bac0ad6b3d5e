// SPDX-License-Identifier: BSD-3-Clause
#include "language.hpp"

#include "fault.hpp"
#include "hooks.hpp"
#include "system/probe_text.hpp"

#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iterator>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

namespace faulty {

using adrastea::Comm;
using adrastea::CommMessage;
using adrastea::CompleteRequest;
using adrastea::CompleteResult;
using adrastea::ExecuteRequest;
using adrastea::ExecuteResult;
using adrastea::InspectRequest;
using adrastea::InspectResult;
using adrastea::Interrupted;
using adrastea::IsCompleteResult;
using adrastea::LanguageInfo;
using adrastea::Output;
using probe::take_word;

namespace {

constexpr std::string_view k_incomplete = "open";

bool is_word_letter(char letter) { return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_'; }

/// The word that ends at the cursor.
std::string_view word_before(std::string_view code, std::size_t cursor) {
  std::size_t start = std::min(cursor, code.size());
  const std::size_t end = start;
  while (start > 0 && is_word_letter(code[start - 1])) --start;
  return code.substr(start, end - start);
}

std::vector<std::string_view> lines_of(std::string_view code) {
  std::vector<std::string_view> lines;
  while (!code.empty()) {
    const std::string_view line = code.substr(0, code.find('\n'));
    code.remove_prefix(std::min(code.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back(line);
  }
  return lines;
}

void write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

LanguageInfo Language::language() const {
  return {.name = "faulty", .version = "1.0", .mimetype = "text/x-faulty", .file_extension = ".faulty"};
}

namespace {

std::atomic<bool> interrupted_when_idle{false};
// Signals that come many at once may hit the cell or come after it; those that come after it are none of an idle kernel.
std::atomic<bool> ended_by_interrupt{false};
std::atomic<bool> running{false};

struct Running {
  Running() { running = true; }
  ~Running() {
    running = false;
    running.notify_all();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

}  // namespace

void wait_for_cell() { running.wait(true); }

/// Interrupts of an idle kernel are kept for the next cell.
void Language::keep_sigint() {
  static struct sigaction framework;
  ::sigaction(SIGINT, nullptr, &framework);
  struct sigaction keep = framework;
  keep.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
    if (!running && !ended_by_interrupt) interrupted_when_idle = true;
    framework.sa_sigaction(signal, info, context);
  };
  ::sigaction(SIGINT, &keep, nullptr);
}

namespace {

bool sigint_is_ignored() {
  struct sigaction inherited {};
  ::sigaction(SIGINT, nullptr, &inherited);
  return inherited.sa_handler == SIG_IGN;
}

/// As this process was started: before main() nobody has changed it.
const bool sigint_was_ignored = sigint_is_ignored();

/// By a handler, since SIG_IGN would be the children's, too.
void ignore_sigterm() {
  static const pid_t kernel = ::getpid();
  ::signal(SIGTERM, [](int signal) {
    if (::getpid() == kernel) return;
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  });
}

}  // namespace

void Language::start() {
  if (is_chosen("sigint-stays-ignored") && sigint_was_ignored) ::signal(SIGINT, SIG_IGN);
  if (is_chosen("sigint-kills")) ::signal(SIGINT, SIG_DFL);
  if (is_chosen("sigterm-ignored")) ignore_sigterm();
  if (is_chosen("idle-sigint-waits")) keep_sigint();
}

void Language::shutdown(bool /*restart*/) { stay(); }

const std::map<std::string_view, Language::Command>& Language::commands() {
  static const std::map<std::string_view, Command> table{{"print", &Language::do_print},
                                                         {"part", &Language::do_part},
                                                         {"err", &Language::do_err},
                                                         {"value", &Language::do_value},
                                                         {"nothing", &Language::do_nothing},
                                                         {"set", &Language::do_set},
                                                         {"show", &Language::do_show},
                                                         {"error", &Language::do_error},
                                                         {"sleep", &Language::do_sleep},
                                                         {"loop", &Language::do_loop},
                                                         {"again", &Language::do_again},
                                                         {"input", &Language::do_input},
                                                         {"password", &Language::do_password},
                                                         {"display", &Language::do_display},
                                                         {"display_as", &Language::do_display_as},
                                                         {"update", &Language::do_update},
                                                         {"clear", &Language::do_clear},
                                                         {"thread", &Language::do_thread},
                                                         {"child", &Language::do_child},
                                                         {"native", &Language::do_native},
                                                         {"flood", &Language::do_flood},
                                                         {"big", &Language::do_big},
                                                         {"bytes", &Language::do_bytes},
                                                         {"exit", &Language::do_exit},
                                                         {"crash", &Language::do_crash},
                                                         {"comm_target", &Language::do_comm_target},
                                                         {"comm_open", &Language::do_comm_open},
                                                         {"comm_send", &Language::do_comm_send},
                                                         {"comm_close", &Language::do_comm_close},
                                                         {"page", &Language::do_page},
                                                         {"next", &Language::do_next},
                                                         {"spawn", &Language::do_spawn},
                                                         {"take_sigint", &Language::do_take_sigint},
                                                         {"block_signals", &Language::do_block_signals},
                                                         {"thread_input", &Language::do_thread_input},
                                                         {"comm_target_input", &Language::do_comm_target_input}};
  return table;
}

ExecuteResult Language::execute(const ExecuteRequest& request, Output& out) {
  request_ = &request;
  out_ = &out;
  interrupted_ = false;
  outcome_ = adrastea::ok();
  ended_by_interrupt = false;
  if (std::exchange(spoil_next_, false) || interrupted_when_idle.exchange(false)) throw Interrupted();
  const Running scope;
  if (is_chosen("silent-not-run") && request.silent && !request.code.starts_with("error ")) return std::move(outcome_);
  const auto lines = lines_of(request.code);
  for (std::string_view line : lines) {
    const auto word = take_word(line);
    if (!commands().contains(word)) {
      return adrastea::error("SyntaxError", std::string(word), {"SyntaxError: " + std::string(word)});
    }
  }
  run_lines(lines);
  if (outcome_.status == ExecuteResult::Status::error && is_chosen("error-forgets-variables")) variables_.clear();
  return std::move(outcome_);
}

void Language::run_lines(std::vector<std::string_view> lines) {
  const auto begins = [](const char* word) { return [word](std::string_view line) { return line.starts_with(word); }; };
  if (is_chosen("prints-last") && std::any_of(lines.begin(), lines.end(), begins("display ")))
    std::stable_partition(lines.begin(), lines.end(), std::not_fn(begins("print ")));
  if (is_chosen("stderr-first")) std::stable_partition(lines.begin(), lines.end(), begins("err "));
  if (is_chosen("error-swallows-output") && std::any_of(lines.begin(), lines.end(), begins("error "))) {
    std::erase_if(lines, begins("print "));
  }
  for (const auto line : lines) {
    if (outcome_.status == ExecuteResult::Status::ok) run_line(line);
  }
  const auto rest = std::find_if(lines.begin(), lines.end(), begins("error "));
  if (!is_chosen("error-goes-on") || rest == lines.end()) return;
  const ExecuteResult failed = outcome_;
  for (auto line = std::next(rest); line != lines.end(); ++line) run_line(*line);
  outcome_ = failed;
}

void Language::run_line(std::string_view line) {
  const auto command = commands().at(take_word(line));
  (this->*command)(line);
}

/// An expression is a variable's name, or what shows a value.
adrastea::MimeBundle Language::evaluate(const std::string& expression) {
  std::string_view rest = expression;
  if (take_word(rest) == "value") return {{"text/plain", std::string(rest)}};
  const auto found = variables_.find(expression);
  if (found == variables_.end()) throw adrastea::ExecutionError("NameError", expression);
  return {{"text/plain", found->second}};
}

// ---- what it knows about code ----

CompleteResult Language::complete(const CompleteRequest& request) {
  const auto word = word_before(request.code, request.cursor);
  CompleteResult found;
  found.end = std::min(request.cursor, request.code.size());
  found.start = found.end - word.size();
  if (word.empty()) return found;
  for (const auto& [name, value] : variables_) {
    if (name.starts_with(word) && !is_chosen("completes-no-variables")) found.matches.push_back({name, "instance", ""});
  }
  for (const auto& [name, command] : commands()) {
    if (name.starts_with(word)) found.matches.push_back({std::string(name), "keyword", ""});
  }
  return found;
}

InspectResult Language::inspect(const InspectRequest& request) {
  std::size_t end = std::min(request.cursor, request.code.size());
  while (end < request.code.size() && is_word_letter(request.code[end])) ++end;
  const std::string word(word_before(request.code, end));
  InspectResult found;
  found.found = commands().contains(word) || variables_.contains(word);
  if (found.found) {
    const std::string text = "what " + word + " is" + (request.detail_level > 0 ? ", in detail" : "");
    found.data = {{"text/plain", text}};
  }
  return found;
}

IsCompleteResult Language::is_complete(const std::string& code) {
  using Status = IsCompleteResult::Status;
  if (is_chosen("is-complete-runs")) host().output().write_stdout(code + "\n");
  for (std::string_view line : lines_of(code)) {
    const auto word = take_word(line);
    if (word == k_incomplete) return {Status::incomplete, "  "};
    if (!commands().contains(word)) return {Status::invalid, ""};
  }
  return {Status::complete, ""};
}

// ---- text ----

void Language::do_print(std::string_view text) {
  const bool adds = is_chosen("print-adds-text") && text.find('\t') != std::string_view::npos;
  out_->write_stdout(std::string(text) + (adds ? " (said the kernel)\n" : "\n"));
}
void Language::do_part(std::string_view text) {
  if (!is_chosen("part-lost")) out_->write_stdout(text);
}
void Language::do_err(std::string_view text) { out_->write_stderr(std::string(text) + "\n"); }
void Language::do_nothing(std::string_view /*text*/) {}

void Language::do_value(std::string_view text) {
  auto payload = std::move(outcome_.payload);
  outcome_ = adrastea::result_text(std::string(text));
  outcome_.payload = std::move(payload);
}

void Language::do_native(std::string_view text) {
  if (!is_chosen("native-lost")) write_fully(1, std::string(text) + "\n");
}
void Language::do_bytes(std::string_view text) {
  if (!is_chosen("invalid-utf8-lost")) write_fully(1, probe::unescape(text));
}

void Language::do_flood(std::string_view text) {
  const int count = probe::take_number(text);
  for (int i = 0; i < count && !stopped(); ++i) {
    if (!is_chosen("flood-loses-a-line") || i != count / 2) out_->write_stdout(std::to_string(i) + "\n");
  }
  if (stopped()) throw Interrupted();
}

void Language::do_big(std::string_view text) { out_->write_stdout(std::string(std::stoul(std::string(text)), 'x')); }

void Language::do_thread(std::string_view text) {
  const double seconds = std::stod(std::string(take_word(text)));
  threads_.emplace_back([out = *out_, seconds, line = std::string(text) + "\n"](const std::stop_token& ending) mutable {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    const auto never = [] { return false; };
    std::condition_variable_any().wait_for(lock, ending, std::chrono::duration<double>(seconds), never);
    if (ending.stop_requested() || is_chosen("thread-lost")) return;
    if (!is_chosen("threads-torn")) return out.write_stdout(line);
    for (std::size_t i = 0; i < line.size(); i += line.size() / 20 + 1) {
      out.write_stdout(line.substr(i, line.size() / 20 + 1));
      std::condition_variable_any().wait_for(lock, ending, std::chrono::milliseconds(10), never);
    }
  });
}

/// child FD TEXT: a process prints the line.
void Language::do_child(std::string_view text) {
  const std::string fd(take_word(text));
  std::string command = "echo '" + std::string(text) + "' >&" + fd;
  if (is_chosen("child-lost")) command += " >/dev/null 2>&1";
  if (is_chosen("child-late")) command = "{ sleep 0.1; " + command + "; } &";
  if (is_chosen("child-fills-pipe") && text.size() > 80000) do_loop({});
  if (is_chosen("child-stderr-lost") && fd == "2") command = "true";
  if (std::system(command.c_str()) != 0) outcome_ = adrastea::error("ChildFailed", command);
}

/// A process that sleeps, and its number.
void Language::do_spawn(std::string_view text) {
  std::string seconds(take_word(text));
  std::string program = "sleep";
  std::array<char*, 3> arguments{program.data(), seconds.data(), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // It has its session before its id is printed: a shutdown may follow at once.
  if (is_chosen("children-left")) ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), program);
  do_print(std::to_string(child));
}

// ---- variables and errors ----

void Language::do_set(std::string_view text) {
  const std::string name(take_word(text));
  variables_[name] = text;
}

void Language::do_show(std::string_view text) {
  const auto found = variables_.find(text);
  if (found == variables_.end()) {
    outcome_ = adrastea::error("NameError", std::string(text), {"NameError: " + std::string(text)});
    return;
  }
  do_print(found->second);
}

void Language::do_error(std::string_view text) {
  outcome_ = adrastea::error("Error", std::string(text), {"Error: " + std::string(text)});
}

// ---- what takes time ----

void Language::interrupt() noexcept { interrupted_ = true; }

bool Language::stopped() const { return !deaf_ && (interrupted_ || host().interrupted()); }

void Language::sleep(double seconds) {
  double whole = 0;
  const double fraction = std::modf(seconds, &whole);
  timespec left{static_cast<std::time_t>(whole), static_cast<long>(fraction * 1e9)};
  const bool deaf = is_chosen("sleep-not-interrupted") && seconds > 60;
  while ((deaf || !stopped()) && ::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  if (stopped()) end_interrupted();
}

/// What an interrupt does to a cell.
void Language::end_interrupted() {
  ended_by_interrupt = true;
  if (is_chosen("interrupt-forgets-variables")) variables_.clear();
  if (is_chosen("interrupt-spoils-next")) spoil_next_ = true;
  if (!is_chosen("interrupt-is-success")) throw Interrupted();
}

void Language::do_sleep(std::string_view text) { sleep(std::stod(std::string(text))); }

void Language::do_loop(std::string_view /*text*/) {
  while (!stopped()) {
  }
  end_interrupted();
}

void Language::do_again(std::string_view /*text*/) {
  const bool deaf = is_chosen("print-loop-not-interrupted");
  while (deaf || !stopped()) out_->write_stdout("again\n");
  end_interrupted();
}

// ---- input ----

std::string Language::ask(std::string_view prompt) {
  try {
    return host().input(prompt).value_or("");
  } catch (const Interrupted&) {
    // Until the process ends.
    while (is_chosen("question-not-interrupted")) ::pause();
    throw;
  }
}

void Language::do_input(std::string_view text) {
  const std::string line = ask(text);
  if (is_chosen("empty-answer-fails") && line.empty()) throw adrastea::ExecutionError("InputError", "nothing was said");
  do_print(line);
  if (is_chosen("answer-echoed")) do_print(line);
}

void Language::do_password(std::string_view text) { do_print(host().input(text, true).value_or("")); }

/// thread_input PROMPT TEXT: only cells can ask here, so that the thread goes on at once.
void Language::do_thread_input(std::string_view text) {
  take_word(text);
  threads_.emplace_back([out = *out_, line = std::string(text) + "\n"]() mutable {
    if (!is_chosen("thread-question-hangs")) out.write_stdout(line);
  });
}

/// comm_target_input NAME PROMPT
void Language::do_comm_target_input(std::string_view text) {
  const std::string name(take_word(text));
  const auto ask = [this, prompt = std::string(text)](const std::shared_ptr<Comm>& /*comm*/, const CommMessage&) {
    try {
      host().input(prompt);
    } catch (const adrastea::InputUnavailable&) {
      while (is_chosen("comm-question-hangs")) ::pause();
    }
  };
  host().comms().register_target(name, ask);
}

// ---- signals ----

void Language::do_take_sigint(std::string_view /*text*/) {
  ::signal(SIGINT, is_chosen("taken-sigint-kills") ? SIG_DFL : SIG_IGN);
  if (is_chosen("taken-sigint-deaf")) deaf_ = true;
  if (is_chosen("taken-sigint-stays")) ignore_sigterm();
}

/// Of the thread that runs cells.
void Language::do_block_signals(std::string_view /*text*/) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  if (is_chosen("blocked-signals-deaf")) deaf_ = true;
  if (is_chosen("blocked-signals-stays")) ignore_sigterm();
}

// ---- rich output ----

void Language::do_display(std::string_view text) { out_->display({{"text/plain", std::string(text)}}); }

void Language::do_display_as(std::string_view text) {
  const std::string id(take_word(text));
  out_->display({{"text/plain", std::string(text)}}, adrastea::Json::object(), id);
}

void Language::do_update(std::string_view text) {
  const std::string id(take_word(text));
  out_->update_display(id, {{"text/plain", std::string(text)}});
}

void Language::do_clear(std::string_view text) { out_->clear(text == "wait"); }
void Language::do_page(std::string_view text) {
  outcome_.payload.push_back(adrastea::page({{"text/plain", std::string(text)}}));
}
void Language::do_next(std::string_view text) { outcome_.payload.push_back(adrastea::set_next_input(std::string(text))); }

// ---- comms ----

void Language::do_comm_target(std::string_view text) {
  host().comms().register_target(std::string(text), [](const std::shared_ptr<Comm>& comm, const CommMessage&) {
    comm->on_message([](Comm& self, const CommMessage& message) { self.send(message); });
  });
}

void Language::do_comm_open(std::string_view text) {
  const std::string target(take_word(text));
  comm_ = host().comms().open(target, {{{"text", std::string(text)}}, adrastea::Json::object(), {}});
}

void Language::do_comm_send(std::string_view text) {
  comm_->send({{{"text", std::string(text)}}, adrastea::Json::object(), {}});
}

void Language::do_comm_close(std::string_view text) {
  comm_->close({{{"text", std::string(text)}}, adrastea::Json::object(), {}});
}

// ---- the end ----

void Language::do_exit(std::string_view text) { host().exit(probe::take_number(text)); }
void Language::do_crash(std::string_view /*text*/) { ::raise(SIGSEGV); }

}  // namespace faulty
