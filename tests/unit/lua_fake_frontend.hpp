// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "lua_fake_comms.hpp"
#include "session.hpp"

#include <adrastea/errors.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#ifdef LUAJIT_VERSION_NUM
constexpr bool in_luajit = true;
#else
constexpr bool in_luajit = false;
#endif
/// What differs between LuaJIT, a Lua 5.1, and the others.
template <class Value>
constexpr Value either(Value in_puc_lua, Value in_luajit_only) {
  return in_luajit ? in_luajit_only : in_puc_lua;
}

/// A notebook for one Lua session: takes what it writes and answers what it asks.
class FakeFrontend : public lua_kernel::Frontend {
 public:
  void write_stdout(std::string_view text) noexcept override {
    out += text;
    both += text;
    ++writes;
    if (on_write) on_write();
  }
  void write_stderr(std::string_view text) noexcept override {
    err += text;
    both += text;
  }
  void display(adrastea::MimeBundle data, adrastea::Json metadata, std::string_view id) override {
    show({"display", std::move(data), std::move(metadata), std::string(id)});
  }
  void update_display(std::string_view id, adrastea::MimeBundle data, adrastea::Json metadata) override {
    show({"update", std::move(data), std::move(metadata), std::string(id)});
  }
  void clear_output(bool wait) override { show({wait ? "clear later" : "clear", {}, {}, {}}); }
  std::optional<std::string> input(std::string_view text, bool is_password) override {
    prompt = text;
    password = is_password;
    if (on_input) on_input();
    if (lines.empty()) return {};
    std::string line = std::move(lines.front());
    lines.pop_front();
    return line;
  }
  adrastea::Comms& comms() override { return fake_comms; }
  void enter_request() override { ++requests_entered; }
  [[nodiscard]] bool interrupted() const noexcept override { return is_interrupted; }
  void exit(int status) noexcept override { exit_status = status; }

  struct Shown {
    std::string how;
    adrastea::MimeBundle data;
    adrastea::Json metadata;
    std::string id;
  };

  std::string out;
  std::string err;
  std::string both;  ///< in the order of writing
  int writes = 0;
  std::vector<Shown> shown;
  std::function<void()> on_show;
  FakeComms fake_comms;
  int requests_entered = 0;
  std::string prompt;
  bool password = false;
  std::deque<std::string> lines;
  std::function<void()> on_write;
  std::function<void()> on_input;
  std::atomic<bool> is_interrupted = false;
  std::optional<int> exit_status;

 private:
  void show(Shown one) {
    shown.push_back(std::move(one));
    if (on_show) on_show();
  }
};

/// A session in which each cell has the next number.
class LuaNotebook {
 public:
  explicit LuaNotebook(std::size_t memory_limit = lua_kernel::MemoryLimit::none) : session(frontend, memory_limit) {}

  lua_kernel::Outcome run(std::string_view code) {
    frontend.out.clear();
    frontend.err.clear();
    frontend.both.clear();
    frontend.writes = 0;
    frontend.shown.clear();
    return session.run(code, "[" + std::to_string(++count) + "]");
  }
  /// What a cell shows for its value; its error, where it has one.
  std::string value(std::string_view code) {
    auto outcome = run(code);
    if (outcome.failed) return outcome.ename + ": " + outcome.evalue;
    return outcome.display.data.value("text/plain", "");
  }
  std::string printed(std::string_view code) {
    const auto outcome = run(code);
    return outcome.failed ? outcome.ename + ": " + outcome.evalue : frontend.both;
  }

  FakeFrontend frontend;
  lua_kernel::Session session;
  int count = 0;
};
