// SPDX-License-Identifier: BSD-3-Clause
// A kernel whose language is a list of things to do, one a line, so that tests can order everything a kernel can do.
// TEXT may hold \n and \xHH. See commands() for the language.
#include "system/probe_text.hpp"

#include <adrastea/kernel.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace {

using namespace adrastea;
using probe::take_word;
using probe::unescape;

void write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

struct Odd : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

/// What runs beside the cells: threads, and a gate that some of them wait at.
class Background {
 public:
  ~Background() {
    open_gate();
    join();
  }
  void start(std::function<void()> work) { threads_.emplace_back(std::move(work)); }
  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  void open_gate() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void wait_at_gate() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }
  void close_gate() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }

 private:
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;  // guarded by mutex_
};

class Probe : public Interpreter {
 public:
  LanguageInfo language() const override { return {.name = "probe", .version = "1.0", .file_extension = ".probe"}; }

  void start() override {
    host().comms().register_target(
        "echo", [this](const std::shared_ptr<Comm>& comm, const CommMessage& message) { serve_comm(comm, message); });
    host().comms().register_target("throws", [](const std::shared_ptr<Comm>&, const CommMessage&) {
      throw std::runtime_error("this target always throws");
    });
  }

  ExecuteResult execute(const ExecuteRequest& request, Output& out) override {
    request_ = &request;
    out_ = &out;
    interrupted_ = false;
    outcome_ = ok();
    std::string_view rest = request.code;
    while (!rest.empty() && outcome_.status == ExecuteResult::Status::ok) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      const std::string word(take_word(line));
      if (word.empty()) continue;
      const auto command = commands().find(word);
      if (command == commands().end()) return error("UnknownCommand", word);
      (this->*command->second)(line);
    }
    return std::move(outcome_);
  }

  CompleteResult complete(const CompleteRequest& request) override {
    // Completes to everything that is before the cursor, twice over: enough to see offsets go both ways.
    const std::string word = request.code.substr(0, request.cursor);
    CompleteResult found;
    if (word.empty()) return found;
    found.matches = {{word + word, "keyword", ""}};
    found.end = request.cursor;
    return found;
  }

  InspectResult inspect(const InspectRequest& request) override {
    if (request.code == "throw") throw 42;
    InspectResult found;
    found.found = !request.code.empty();
    if (found.found)
      found.data = {{"text/plain", request.code.substr(0, request.cursor) + "|" + std::to_string(request.detail_level)}};
    return found;
  }

  IsCompleteResult is_complete(const std::string& code) override {
    using Status = IsCompleteResult::Status;
    if (code == "throw") throw std::runtime_error("is_complete throws");
    if (code == "incomplete") return {Status::incomplete, "  "};
    if (code == "invalid") return {Status::invalid, ""};
    return {Status::complete, ""};
  }

  void interrupt() noexcept override { interrupted_ = true; }

  void shutdown(bool restart) override {
    background_.open_gate();
    background_.join();
    host().log(restart ? "probe: restart" : "probe: shutdown");
  }

 private:
  using Command = void (Probe::*)(std::string_view);

  static const std::map<std::string, Command>& commands() {
    static const std::map<std::string, Command> table{
        {"out", &Probe::do_out},           {"err", &Probe::do_err},
        {"display", &Probe::do_display},   {"update", &Probe::do_update},
        {"clear", &Probe::do_clear},       {"fd1", &Probe::do_fd1},
        {"fd2", &Probe::do_fd2},           {"printf", &Probe::do_printf},
        {"child", &Probe::do_child},       {"thread", &Probe::do_thread},
        {"joined", &Probe::do_joined},     {"later", &Probe::do_later},
        {"release", &Probe::do_release},   {"input", &Probe::do_input},
        {"password", &Probe::do_password}, {"spin", &Probe::do_spin},
        {"poll", &Probe::do_poll},         {"sleep", &Probe::do_sleep},
        {"read", &Probe::do_read},         {"hang", &Probe::do_hang},
        {"loop", &Probe::do_loop},         {"throw", &Probe::do_throw},
        {"comm", &Probe::do_comm},         {"fork", &Probe::do_fork},
        {"exit", &Probe::do_exit},         {"cexit", &Probe::do_cexit},
        {"flood", &Probe::do_flood},       {"endless", &Probe::do_endless},
        {"result", &Probe::do_result},     {"error", &Probe::do_error},
        {"page", &Probe::do_page},         {"next", &Probe::do_next},
        {"request", &Probe::do_request},   {"log", &Probe::do_log},
        {"deaf", &Probe::do_deaf},         {"descriptors", &Probe::do_descriptors},
        {"host", &Probe::do_host},         {"threadinput", &Probe::do_threadinput},
        {"steps", &Probe::do_steps}};
    return table;
  }

  void do_out(std::string_view text) { out_->write_stdout(unescape(text)); }
  void do_err(std::string_view text) { out_->write_stderr(unescape(text)); }
  void do_display(std::string_view text) {
    out_->display({{"text/plain", unescape(text)}}, Json::object(), "id-" + std::string(text));
  }
  void do_update(std::string_view text) {
    const std::string id(take_word(text));
    out_->update_display(id, {{"text/plain", unescape(text)}});
  }
  void do_clear(std::string_view text) { out_->clear(text == "wait"); }
  void do_fd1(std::string_view text) { write_fully(1, unescape(text)); }
  void do_fd2(std::string_view text) { write_fully(2, unescape(text)); }
  void do_printf(std::string_view text) { std::fputs(unescape(text).c_str(), stdout); }
  void do_child(std::string_view text) {
    const int status = std::system(std::string(text).c_str());
    if (status != 0) outcome_ = error("ChildFailed", std::to_string(status));
  }

  static void print_lines(Output out, int count, const std::string& text) {
    for (int i = 0; i < count; ++i) out.write_stdout(text + std::to_string(i) + "\n");
  }
  /// thread N TEXT: prints N lines, whenever it gets to it.
  void do_thread(std::string_view text) {
    const int count = probe::take_number(text);
    background_.start([out = *out_, count, line = unescape(text)] { print_lines(out, count, line); });
  }
  void do_joined(std::string_view text) {
    const int count = probe::take_number(text);
    std::thread(print_lines, *out_, count, unescape(text)).join();
  }
  /// later TEXT: prints when a cell says release.
  void do_later(std::string_view text) {
    background_.close_gate();
    background_.start([this, out = *out_, line = unescape(text)]() mutable {
      background_.wait_at_gate();
      out.write_stdout(line);
    });
  }
  void do_release(std::string_view) {
    background_.open_gate();
    background_.join();
  }

  void show_input(const std::optional<std::string>& line) { out_->write_stdout(line ? "got " + *line : "end of input"); }
  void do_input(std::string_view text) { show_input(host().input(unescape(text))); }
  void do_password(std::string_view text) { show_input(host().input(unescape(text), true)); }
  /// input from a thread that runs no request.
  void do_threadinput(std::string_view text) {
    std::string outcome = "nothing";
    std::thread([&] {
      try {
        host().input(unescape(text));
      } catch (const std::exception& caught) {
        outcome = caught.what();
      }
    }).join();
    out_->write_stdout(outcome);
  }

  /// Stopped by interrupt() only.
  void do_spin(std::string_view) {
    while (!interrupted_) {
    }
    throw Interrupted();
  }
  /// Stopped by Host::interrupted() only.
  void do_poll(std::string_view) {
    while (!host().interrupted()) {
    }
    throw Interrupted();
  }
  /// A system call that an interrupt must end.
  void do_sleep(std::string_view text) {
    timespec time{probe::take_number(text), 0};
    if (::nanosleep(&time, nullptr) != 0 && errno == EINTR) throw Interrupted();
  }
  void do_read(std::string_view) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    char byte = 0;
    const bool stopped = ::read(ends[0], &byte, 1) < 0 && errno == EINTR;
    ::close(ends[0]);
    ::close(ends[1]);
    if (stopped) throw Interrupted();
  }
  /// N rounds of work that an interrupt may stop at any point, and that is over soon.
  void do_steps(std::string_view text) {
    for (int rest = probe::take_number(text); rest > 0; --rest) {
      if (host().interrupted()) throw Interrupted();
    }
  }
  /// Native code that nothing stops; hang blocks all signals too.
  [[noreturn]] void do_loop(std::string_view) {
    volatile unsigned rounds = 0;
    while (true) rounds = rounds + 1;
  }
  [[noreturn]] void do_hang(std::string_view text) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    do_loop(text);
  }
  void do_throw(std::string_view text) {
    if (text == "std") throw std::runtime_error("thrown by the cell");
    if (text == "int") throw 7;
    if (text == "null") throw Odd();
    if (text == "bad_alloc") throw std::bad_alloc();
    if (text == "own") throw ExecutionError("OwnError", "own value", {"first line", "OwnError: own value"});
    Json deep = Json::object();
    for (int level = 0; level < 1000; ++level) deep = Json{{"a", std::move(deep)}};
    out_->display({{"application/json", std::move(deep)}});
  }

  void serve_comm(const std::shared_ptr<Comm>& comm, const CommMessage& message) {
    comm->send({{{"opened", message.data}}, message.metadata, message.buffers});
    comm->on_message([](Comm& self, const CommMessage& received) {
      if (received.data.contains("throw")) throw std::runtime_error("this handler throws");
      if (received.data.contains("close")) {
        self.close({{{"bye", true}}, Json::object(), {}});
      } else {
        self.send(received);
      }
    });
    comm->on_close([this](Comm&, const CommMessage& received) {
      auto out = host().output();
      out.write_stdout("closed " + received.data.dump());
    });
  }
  /// comm open TARGET JSON | send JSON | close: one comm of the kernel's own.
  void do_comm(std::string_view text) {
    const auto verb = take_word(text);
    if (verb == "open") {
      const std::string target(take_word(text));
      own_comm_ =
          host().comms().open(target, {Json::parse(text), Json::object(), {"buffer", std::string("\0\xff", 2), ""}});
      own_comm_->on_message(
          [this](Comm&, const CommMessage& received) { host().output().write_stdout(received.data.dump()); });
    } else if (verb == "send") {
      own_comm_->send({Json::parse(text), Json::object(), {}});
    } else if (verb == "close") {
      own_comm_->close();
    }
  }

  /// fork print TEXT | exit N | host N | error NAME TEXT | return: what the child does; the cell waits for it.
  void do_fork(std::string_view text) {
    const auto verb = take_word(text);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      if (verb == "print") {
        write_fully(1, unescape(text));
        ::_exit(0);
      }
      if (verb == "output") {
        out_->write_stdout(unescape(text));
        ::_exit(0);
      }
      if (verb == "exit") std::exit(probe::take_number(text));
      if (verb == "host") host().exit(probe::take_number(text));
      if (verb == "error") do_error(text);
      return;  // and goes on as if it were the kernel
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    out_->write_stdout("child " + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
  }
  void do_exit(std::string_view text) { host().exit(probe::take_number(text)); }
  void do_cexit(std::string_view text) { std::exit(probe::take_number(text)); }

  /// flood BYTES: exactly as many, in lines of 64 bytes.
  void do_flood(std::string_view text) {
    std::size_t rest = std::stoul(std::string(text));
    while (rest > 0 && !host().interrupted()) {
      std::string line(std::min<std::size_t>(rest, 63), 'x');
      rest -= line.size();
      if (rest > 0) {
        line += '\n';
        --rest;
      }
      out_->write_stdout(line);
    }
    if (host().interrupted()) throw Interrupted();
  }
  void do_endless(std::string_view text) {
    while (!host().interrupted()) out_->write_stdout(text);
    throw Interrupted();
  }

  void do_result(std::string_view text) { outcome_ = keep_payload(result_text(unescape(text))); }
  void do_error(std::string_view text) {
    const std::string name(take_word(text));
    outcome_ = error(name.empty() ? "Error" : name, std::string(text), {name + ": " + std::string(text)});
  }
  ExecuteResult keep_payload(ExecuteResult made) {
    made.payload = std::move(outcome_.payload);
    return made;
  }
  void do_page(std::string_view text) { outcome_.payload.push_back(page({{"text/plain", unescape(text)}}, 3)); }
  void do_next(std::string_view text) { outcome_.payload.push_back(set_next_input(unescape(text), true)); }
  void do_request(std::string_view) {
    const Json seen{{"silent", request_->silent},
                    {"store_history", request_->store_history},
                    {"allow_stdin", request_->allow_stdin},
                    {"stop_on_error", request_->stop_on_error},
                    {"execution_count", request_->execution_count},
                    {"cell_id", request_->cell_id},
                    {"msg_id", request_->msg_id},
                    {"metadata", request_->metadata}};
    out_->write_stdout(seen.dump());
  }
  void do_log(std::string_view text) { host().log(text); }
  /// host TEXT: prints through Host::output().
  void do_host(std::string_view text) { host().output().write_stdout(unescape(text)); }
  /// User code that blocks and replaces signals.
  void do_deaf(std::string_view) {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }
  /// Which descriptors a program that the cell starts inherits.
  void do_descriptors(std::string_view) { do_child("ls /proc/self/fd | grep -vx 3 | tr '\\n' ' '"); }

  const ExecuteRequest* request_ = nullptr;
  Output* out_ = nullptr;
  ExecuteResult outcome_;
  std::shared_ptr<Comm> own_comm_;
  std::atomic<bool> interrupted_{false};
  Background background_;
};

}  // namespace

int main(int argc, char** argv) { return adrastea::run<Probe>(argc, argv, {.name = "probe", .display_name = "Probe"}); }
