// SPDX-License-Identifier: BSD-3-Clause
#include "services/sqlite.hpp"

#include <sqlite3.h>

namespace adrastea::services::sqlite {
namespace {

/// After an open that failed for want of memory there is no handle.
std::string message(sqlite3* handle, int code) { return handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code); }

[[noreturn]] void fail(sqlite3* handle, int code) { throw Error(code, message(handle, code)); }

}  // namespace

bool Error::is_locked() const noexcept {
  const int primary = code_ & 0xFF;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL;
}

Database::Database(const std::filesystem::path& file, std::chrono::milliseconds patience) {
  const int code =
      sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) {
    const std::string what = message(handle_, code);
    sqlite3_close(handle_);
    throw Error(code, what);
  }
  set_patience(patience);
}

Database::~Database() { sqlite3_close(handle_); }

void Database::set_patience(std::chrono::milliseconds patience) noexcept {
  sqlite3_busy_timeout(handle_, static_cast<int>(patience.count()));
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(handle_, code);
}

std::int64_t Database::integer(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

bool Database::has_moved() const noexcept {
  int moved = 0;
  return sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

void Database::abandon() noexcept {
  int persist = 1;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Statement::Statement(Database& database, std::string_view sql) {
  const int code = sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr);
  if (code != SQLITE_OK) fail(database.handle_, code);
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::check(int code) const {
  if (code != SQLITE_OK) fail(sqlite3_db_handle(handle_), code);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(handle_, parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  check(sqlite3_bind_text64(handle_, parameter, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  check(sqlite3_bind_null(handle_, parameter));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  const int after = sqlite3_reset(handle_);
  check(code == SQLITE_DONE ? after : code);
  return false;
}

std::int64_t Statement::integer(int column) const noexcept { return sqlite3_column_int64(handle_, column); }

bool Statement::is_null(int column) const noexcept { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }

std::string_view Statement::text(int column) const noexcept {
  const unsigned char* const bytes = sqlite3_column_text(handle_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

Transaction::Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (committed_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const Error&) {  // SQLite has rolled back by itself
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  committed_ = true;
}

}  // namespace adrastea::services::sqlite
