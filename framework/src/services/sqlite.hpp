// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

/// SQLite with owners and exceptions.
///
/// Threads: a database and its statements belong to one thread at a time. Errors: Error. Lifetime: statements end before
/// their database.
namespace adrastea::services::sqlite {

class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  /// Others use the file now; later it may be free.
  [[nodiscard]] bool is_locked() const noexcept;

 private:
  int code_;  ///< extended
};

class Database {
 public:
  /// `patience`: how long an action waits for others' locks.
  Database(const std::filesystem::path& file, std::chrono::milliseconds patience);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  void set_patience(std::chrono::milliseconds patience) noexcept;
  /// Statements without parameters; what they select is dropped.
  void run(const char* sql);
  /// The first column of the first row; 0 when it is null or there is none.
  [[nodiscard]] std::int64_t integer(const char* sql);
  /// Another file, or none, has its name now.
  [[nodiscard]] bool has_moved() const noexcept;
  /// From now on the destructor leaves the files as they are.
  void abandon() noexcept;

 private:
  friend class Statement;
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Parameters count from 1. Text may hold NULs; it is not copied, and must live until the last step.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_null(int parameter);
  /// True: there is a row. False: done, and ready for the next run.
  bool step();

  /// Columns count from 0.
  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] bool is_null(int column) const noexcept;
  /// Until the next step.
  [[nodiscard]] std::string_view text(int column) const noexcept;

 private:
  void check(int code) const;
  sqlite3_stmt* handle_ = nullptr;
};

/// Takes the right to write when made. Rolled back unless commit() succeeded.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool committed_ = false;
};

}  // namespace adrastea::services::sqlite
