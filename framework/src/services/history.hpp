// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "services/history_store.hpp"

#include <adrastea/messages.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace adrastea::services {

/// What was executed, for history_request (Messaging, "History"): this session's latest lines are in memory, its earlier
/// ones and those of other sessions in the store, if there is one. Without a store this session has number 1; with one, the
/// store gives it a number when it gets the first line, and until then it is 0, which is what requests may always call it.
///
/// Usage: add() each execution that stores history, save() when it is due(); reply() answers a request; close() when the
/// kernel ends. Threads: interpreter thread. Errors: none; what a request leaves out or has of a wrong type takes its
/// default. Memory: at most about `max_bytes`; the oldest executions are forgotten first. What is stored is kept in memory
/// only if it is among the latest 1 000 lines and 4 MiB. A reply has no more than `max_bytes` either, and a search that
/// takes longer than 2 s gives the latest matches that it has found.
class History {
 public:
  static constexpr std::size_t k_default_bytes = std::size_t{64} << 20;
  explicit History(std::unique_ptr<HistoryStore> store = nullptr, std::size_t max_bytes = k_default_bytes)
      : max_bytes_(max_bytes), store_(std::move(store)) {}

  /// `output`: the value as text/plain, where there was one. Execution counts only grow. Only into the memory.
  void add(int execution_count, std::string input, std::optional<std::string> output = std::nullopt);

  /// Into the store, too. It may take milliseconds on a slow disk, so it is done when no client waits for it.
  void save();
  /// In how long it is time for that, so that a burst of short cells is not one of short transactions. Nothing: all is
  /// stored.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> due() const;

  /// history_reply's content: {"status": "ok", "history": [[session, line, input] or [session, line, [input, output]], …]}.
  [[nodiscard]] Json reply(const Json& request_content);

  /// Nothing is stored any more from here on.
  void close();

 private:
  using Lines = std::vector<HistoryLine>;  ///< in the order of the reply
  void forget_oldest();
  [[nodiscard]] std::int64_t number() const noexcept;
  [[nodiscard]] Lines range(const Json& request, bool with_output);
  [[nodiscard]] Lines own_range(const Json& request, bool with_output);
  [[nodiscard]] Lines search(const Json& request, bool with_output);
  [[nodiscard]] Lines latest(std::size_t most, bool with_output, const std::function<bool(const HistoryLine&)>& is_wanted);

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::deque<HistoryLine> own_;  ///< without holes
  bool forgot_ = false;          ///< there were lines before those
  std::unique_ptr<HistoryStore> store_;
};

}  // namespace adrastea::services
