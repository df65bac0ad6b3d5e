// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace adrastea::services {

/// What this kernel has executed, for history_request (Messaging, "History"). In memory: it ends with the process, so there
/// is one session, number 1, which requests may also call 0.
///
/// Usage: add() each execution that stores history; reply() answers a request.
/// Threads: interpreter thread.
/// Errors: none; what a request leaves out or has of a wrong type takes its default.
/// Memory: at most about `max_bytes`; the oldest executions are forgotten first.
class History {
 public:
  static constexpr std::size_t k_default_bytes = std::size_t{64} << 20;
  explicit History(std::size_t max_bytes = k_default_bytes) : max_bytes_(max_bytes) {}

  /// `output`: the value as text/plain, where there was one. Execution counts only grow.
  void add(int execution_count, std::string input, std::optional<std::string> output = std::nullopt);

  /// history_reply's content: {"status": "ok", "history": [[session, line, input] or [session, line, [input, output]], …]}.
  [[nodiscard]] Json reply(const Json& request_content) const;

 private:
  struct Entry {
    int line;
    std::string input;
    std::optional<std::string> output;
  };
  using Chosen = std::vector<const Entry*>;  ///< chronological
  [[nodiscard]] static std::size_t footprint(const Entry& entry) noexcept;
  [[nodiscard]] Chosen range(const Json& request) const;
  [[nodiscard]] Chosen tail(const Json& request) const;
  [[nodiscard]] Chosen search(const Json& request) const;

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace adrastea::services
