// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "session.hpp"

#include <adrastea/errors.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

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
  std::optional<std::string> input() override {
    if (on_input) on_input();
    if (lines.empty()) return {};
    std::string line = std::move(lines.front());
    lines.pop_front();
    return line;
  }
  [[nodiscard]] bool interrupted() const noexcept override { return is_interrupted; }
  void exit(int status) noexcept override { exit_status = status; }

  std::string out;
  std::string err;
  std::string both;  ///< in the order of writing
  int writes = 0;
  std::deque<std::string> lines;
  std::function<void()> on_write;
  std::function<void()> on_input;
  std::atomic<bool> is_interrupted = false;
  std::optional<int> exit_status;
};

/// A session in which each cell has the next number.
class LuaNotebook {
 public:
  lua_kernel::Outcome run(std::string_view code) {
    frontend.out.clear();
    frontend.err.clear();
    frontend.both.clear();
    frontend.writes = 0;
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
  lua_kernel::Session session{frontend};
  int count = 0;
};
