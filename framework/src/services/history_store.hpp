// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/fork_guard.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace adrastea::services {

namespace sqlite {
class Database;
class Statement;
}  // namespace sqlite

/// One stored execution.
struct HistoryLine {
  std::int64_t session = 0;
  std::int64_t line = 0;  ///< its execution count
  std::string input;
  std::optional<std::string> output;  ///< the value as text/plain, where there was one
};

/// <Jupyter's data directory>/adrastea/history/<kernel name>.sqlite; bytes that a file name should not have are spelled
/// %XX. Errors: StartupError when the user has no home.
[[nodiscard]] std::filesystem::path history_file(const std::string& kernel_name);

/// The history of all kernels of one name, in an SQLite file that they share. Each process has a session there, from its
/// first stored line on.
///
/// Nothing is opened before it is needed. Write-ahead logging lets one kernel write while others read, and needs no fsync
/// per line; with synchronous=NORMAL a power failure may cost the latest lines, but damages nothing. (Where the file lies
/// on a network, the log's shared memory would not work: there it is a rollback journal.)
///
/// Usage: save() after executions; before(), range() to answer; close() at the end.
/// Threads: interpreter thread. A fork()ed child does nothing here.
/// Errors: none for the caller. While others hold the file locked, an action waits for at most 200 ms, close() for 700 ms,
///   and for the next 10 s none is tried: save() catches up later, requests get what is in memory. Whatever else fails (a
///   damaged file, a full disk, no permission, a file that was removed, one of a later version) ends the use of the file.
///   One warning tells.
/// Bounds: the latest `max_lines` lines are kept, and fewer when the file is larger than `max_file_bytes`. What is longer
///   than k_max_input, k_max_output is not put into the file.
class HistoryStore {
 public:
  struct Limits {
    std::int64_t max_lines = 100'000;
    std::int64_t max_file_bytes = std::int64_t{256} << 20;
    /// After a write none is due for so many times as long as it took, unless 1 000 lines wait: writing costs 2 % of the
    /// time at most.
    int rest = 50;
  };
  static constexpr std::size_t k_max_input = std::size_t{1} << 20;
  static constexpr std::size_t k_max_output = std::size_t{16} << 10;

  explicit HistoryStore(std::filesystem::path file);
  HistoryStore(std::filesystem::path file, Limits limits);
  HistoryStore(const HistoryStore&) = delete;
  HistoryStore& operator=(const HistoryStore&) = delete;
  /// Without close() what is not written yet is lost, and a forked child's copy leaves the files alone.
  ~HistoryStore();

  /// `own`: this session's lines, with growing numbers. Writes those that the file does not have yet; false: it cannot.
  bool save(const std::deque<HistoryLine>& own);
  /// In how long that is due; nothing where there is nothing to write.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> due(const std::deque<HistoryLine>& own) const;
  /// The same as far as possible now, notes the session's end, and closes the file for good.
  void close(const std::deque<HistoryLine>& own);

  /// The session's number in the file, once it has one. It stays when the file can no longer be used.
  [[nodiscard]] std::optional<std::int64_t> session() const noexcept { return session_; }
  /// What session() is or would become now; nothing when the file cannot be used.
  [[nodiscard]] std::optional<std::int64_t> current_session();

  /// Whether to go on.
  using Visit = std::function<bool(const HistoryLine&)>;
  /// This session's lines before `line`, latest first, then those of the others, the latest session's latest line first.
  /// Outputs only when asked for.
  void before(std::int64_t line, bool with_output, const Visit& visit);
  /// A session's lines from `start` to before `stop`.
  void range(std::int64_t session, std::int64_t start, std::int64_t stop, bool with_output, const Visit& visit);
  /// The number of a session's last line, 0 when there is none.
  [[nodiscard]] std::int64_t last_line(std::int64_t session);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Patience { normal, last_try };

  bool attempt(const std::function<void()>& action, Patience patience = Patience::normal);
  void open();
  void create_schema();
  [[nodiscard]] bool has_unsaved(const std::deque<HistoryLine>& own) const;
  void write(const std::deque<HistoryLine>& own);
  void begin_session();
  void insert(const HistoryLine& line);
  void prune();
  /// False when `visit` wanted no more.
  static bool each(sqlite::Statement& rows, bool with_output, const Visit& visit);
  void give_up(std::string_view why);
  void warn(std::string_view what);

  const std::filesystem::path file_;
  const Limits limits_;
  const support::fork_guard::Owner owner_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<sqlite::Statement> insertion_;  ///< made once: it runs after every cell
  std::optional<std::int64_t> session_;
  std::int64_t saved_line_ = 0;       ///< the latest own line that is in the file
  std::int64_t unpruned_ = 0;         ///< lines written since the bounds were looked at
  Clock::time_point locked_until_{};  ///< when others' lock is worth another try
  Clock::time_point write_after_{};   ///< when the next write is due
  bool slow_ = false;                 ///< the latest write was
  bool given_up_ = false;
  bool warned_ = false;
};

}  // namespace adrastea::services
