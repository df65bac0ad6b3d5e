// SPDX-License-Identifier: BSD-3-Clause
#include "services/history_store.hpp"

#include "services/sqlite.hpp"
#include "support/ids.hpp"
#include "support/log.hpp"
#include "support/no_file_size_signal.hpp"
#include "support/printable.hpp"
#include "transport/connection_info.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace adrastea::services {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::int64_t k_schema = 1;
constexpr auto k_patience = 200ms;
// Nobody waits for a cell any more, and what is not written now is lost. Less than Limits::shutdown_deadline.
constexpr auto k_last_patience = 700ms;
constexpr auto k_rest_when_locked = 10s;
// A write that took longer may be an accident, and the first one begins the file's log; two in a row are a slow disk.
constexpr auto k_slow_write = 5ms;
// Few lines go at a time, so that none waits for a great clean-up, but more than come in between, so that the bound holds.
constexpr std::int64_t k_prune_lines = 1000;
constexpr std::int64_t k_prune_every = 500;
// A burst of cells waits in memory for the next write, but no more of it than that.
constexpr std::int64_t k_most_unsaved = 1000;

/// The file is not for us, for a reason that SQLite does not know.
class Unusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string file_name(std::string_view kernel_name) {
  static constexpr std::string_view k_plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  static constexpr std::string_view k_digits = "0123456789ABCDEF";
  std::string name;
  for (const char c : kernel_name) {
    const auto byte = static_cast<unsigned char>(c);
    if (k_plain.find(c) != std::string_view::npos) {
      name += c;
    } else {
      name += {'%', k_digits[byte >> 4U], k_digits[byte & 0xFU]};
    }
  }
  return name + ".sqlite";
}

/// Directories that are missing become the user's alone: code may hold secrets.
void make_directory(const fs::path& directory) {
  if (directory.empty() || ::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return;
  if (errno == ENOENT && directory.has_relative_path()) {
    make_directory(directory.parent_path());
    if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return;
  }
  throw std::system_error(errno, std::generic_category(), "cannot create its directory");
}

/// SQLite would give a new file the umask's mode; its log and shared memory get the file's.
void make_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return;
  }
  if (errno != EEXIST) throw std::system_error(errno, std::generic_category(), "cannot create it");
  struct stat found {};
  if (::stat(file.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) throw Unusable("it is not a file");
}

/// Whether other machines may use the file, with memory that is not ours.
bool is_on_network(const fs::path& file) {
  static constexpr std::array<std::uint32_t, 9> k_network{NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC,
                                                          SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC,
                                                          CEPH_SUPER_MAGIC, FUSE_SUPER_MAGIC, 0x0BD00BD0 /* Lustre */};
  struct statfs system {};
  if (::statfs(file.c_str(), &system) != 0) return true;
  return std::find(k_network.begin(), k_network.end(), static_cast<std::uint32_t>(system.f_type)) != k_network.end();
}

/// Kernels that start together make the file together. For a change of the journal SQLite does not wait by itself.
void use_write_ahead_log(sqlite::Database& database) {
  const auto deadline = std::chrono::steady_clock::now() + 5 * k_patience;
  while (true) {
    try {
      return database.run("PRAGMA journal_mode=WAL");
    } catch (const sqlite::Error& error) {
      if (!error.is_locked() || std::chrono::steady_clock::now() > deadline) throw;
    }
    std::this_thread::sleep_for(5ms);
  }
}

std::string now() { return support::iso_time(std::chrono::system_clock::now()); }

}  // namespace

fs::path history_file(const std::string& kernel_name) {
  // Absolute, since user code may change the working directory.
  return fs::absolute(transport::data_directory()) / "adrastea" / "history" / file_name(kernel_name);
}

HistoryStore::HistoryStore(fs::path file) : HistoryStore(std::move(file), Limits{}) {}
HistoryStore::HistoryStore(fs::path file, Limits limits) : file_(std::move(file)), limits_(limits) {}

HistoryStore::~HistoryStore() {
  if (owner_.is_this_process()) return;
  // The connection is the parent's: closing it here would tidy up files that the parent uses.
  static_cast<void>(insertion_.release());
  static_cast<void>(database_.release());
}

bool HistoryStore::attempt(const std::function<void()>& action, Patience patience) {
  if (given_up_ || !owner_.is_this_process()) return false;
  if (patience == Patience::normal && Clock::now() < locked_until_) return false;
  const support::NoFileSizeSignal error_instead;
  try {
    open();
    database_->set_patience(patience == Patience::normal ? k_patience : k_last_patience);
    if (database_->has_moved()) throw Unusable("somebody has removed or replaced it");
    action();
    return true;
  } catch (const sqlite::Error& error) {
    if (!error.is_locked()) {
      give_up(error.what());
      return false;
    }
    locked_until_ = Clock::now() + k_rest_when_locked;
    warn("is locked by another program; until it is free, history is in memory only");
  } catch (const std::exception& error) {
    give_up(error.what());
  }
  return false;
}

void HistoryStore::open() {
  if (database_) return;
  make_directory(file_.parent_path());
  make_file(file_);
  auto database = std::make_unique<sqlite::Database>(file_, k_patience);
  const std::int64_t schema = database->integer("PRAGMA user_version");
  if (schema < 0 || schema > k_schema) throw Unusable("a later version of Adrastea has made it");
  if (schema == 0 && !is_on_network(file_)) use_write_ahead_log(*database);
  // A small cache: lines are appended, and seldom read. SQLite's own would grow to 2 MB in a long session.
  database->run("PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-128");
  database_ = std::move(database);
  try {
    if (schema == 0) create_schema();
    insertion_ = std::make_unique<sqlite::Statement>(
        *database_, "INSERT INTO lines (session, line, input, output) VALUES (?, ?, ?, ?)");
  } catch (...) {
    database_.reset();
    throw;
  }
}

void HistoryStore::create_schema() {
  sqlite::Transaction transaction(*database_);
  if (database_->integer("PRAGMA user_version") == 0) {  // else another kernel was faster
    database_->run(
        "CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, start TEXT NOT NULL, end TEXT);"
        "CREATE TABLE lines (id INTEGER PRIMARY KEY, session INTEGER NOT NULL, line INTEGER NOT NULL, input TEXT NOT NULL,"
        " output TEXT, UNIQUE (session, line));"
        "PRAGMA user_version=1");
  }
  transaction.commit();
}

bool HistoryStore::has_unsaved(const std::deque<HistoryLine>& own) const {
  return !own.empty() && own.back().line > saved_line_;
}

bool HistoryStore::save(const std::deque<HistoryLine>& own) {
  return !has_unsaved(own) || attempt([&] { write(own); });
}

std::optional<std::chrono::nanoseconds> HistoryStore::due(const std::deque<HistoryLine>& own) const {
  if (given_up_ || !has_unsaved(own)) return std::nullopt;
  const bool are_many = own.back().line - saved_line_ >= k_most_unsaved;
  return std::max(are_many ? Clock::time_point{} : write_after_, locked_until_) - Clock::now();
}

void HistoryStore::write(const std::deque<HistoryLine>& own) {
  auto line = std::partition_point(own.begin(), own.end(), [&](const HistoryLine& l) { return l.line <= saved_line_; });
  if (line == own.end()) return;
  const auto begun = Clock::now();
  const bool is_first = !session_;
  const auto first = line;
  try {
    sqlite::Transaction transaction(*database_);
    if (!session_) begin_session();
    for (; line != own.end(); ++line) insert(*line);
    unpruned_ += line - first;
    if (is_first || unpruned_ >= k_prune_every) prune();
    transaction.commit();
  } catch (...) {
    if (is_first) session_.reset();
    throw;
  }
  saved_line_ = own.back().line;
  const auto took = Clock::now() - begun;
  const bool was_slow = std::exchange(slow_, took > k_slow_write && !is_first);
  write_after_ = Clock::now() + limits_.rest * (was_slow ? took : std::min<Clock::duration>(took, k_slow_write));
}

void HistoryStore::begin_session() {
  const std::string start = now();
  sqlite::Statement statement(*database_, "INSERT INTO sessions (start) VALUES (?)");
  statement.bind(1, start).step();
  session_ = database_->integer("SELECT last_insert_rowid()");
}

void HistoryStore::insert(const HistoryLine& line) {
  if (line.input.size() > k_max_input) return;
  insertion_->bind(1, *session_).bind(2, line.line).bind(3, std::string_view(line.input));
  if (line.output && line.output->size() <= k_max_output) {
    insertion_->bind(4, std::string_view(*line.output));
  } else {
    insertion_->bind_null(4);
  }
  insertion_->step();
}

/// Only the oldest lines ever go, so the numbers of those that are left have no holes.
void HistoryStore::prune() {
  const std::int64_t most = std::max(k_prune_lines, 2 * std::exchange(unpruned_, 0));
  const std::int64_t lines = database_->integer("SELECT (SELECT max(id) FROM lines) - (SELECT min(id) FROM lines) + 1");
  std::int64_t surplus = lines - limits_.max_lines;
  const std::int64_t pages = database_->integer("PRAGMA page_count") - database_->integer("PRAGMA freelist_count");
  if (pages * database_->integer("PRAGMA page_size") > limits_.max_file_bytes) {
    // On a slow disk a single write may be larger than the limit: the newest stay all the same.
    surplus = std::min(most, (lines + 1) / 2);
  }
  if (surplus <= 0) return;
  sqlite::Statement(*database_, "DELETE FROM lines WHERE id IN (SELECT id FROM lines ORDER BY id LIMIT ?)")
      .bind(1, std::min(surplus, most))
      .step();
  database_->run("DELETE FROM sessions WHERE id < (SELECT min(session) FROM lines)");
}

void HistoryStore::close(const std::deque<HistoryLine>& own) {
  if (database_ || has_unsaved(own)) {
    attempt(
        [&] {
          write(own);
          const std::string end = now();
          if (session_) {
            sqlite::Statement statement(*database_, "UPDATE sessions SET end = ? WHERE id = ?");
            statement.bind(1, end).bind(2, *session_).step();
          }
        },
        Patience::last_try);
  }
  if (!owner_.is_this_process()) return;
  const support::NoFileSizeSignal error_instead;  // closing writes the log's content into the file
  given_up_ = true;
  insertion_.reset();
  database_.reset();
}

std::optional<std::int64_t> HistoryStore::current_session() {
  if (session_) return session_;
  std::optional<std::int64_t> next;
  attempt([&] { next = database_->integer("SELECT coalesce(max(id), 0) + 1 FROM sessions"); });
  return next;
}

void HistoryStore::before(std::int64_t line, bool with_output, const Visit& visit) {
  attempt([&] {
    const std::int64_t own = session_.value_or(0);
    sqlite::Statement earlier(*database_,
                              "SELECT session, line, input, output FROM lines WHERE session = ? AND line < ?"
                              " ORDER BY line DESC");
    if (!each(earlier.bind(1, own).bind(2, line), with_output, visit)) return;
    sqlite::Statement others(*database_,
                             "SELECT session, line, input, output FROM lines WHERE session <> ?"
                             " ORDER BY session DESC, line DESC");
    each(others.bind(1, own), with_output, visit);
  });
}

void HistoryStore::range(std::int64_t session, std::int64_t start, std::int64_t stop, bool with_output,
                         const Visit& visit) {
  attempt([&] {
    sqlite::Statement rows(*database_,
                           "SELECT session, line, input, output FROM lines WHERE session = ? AND line >= ? AND line < ?"
                           " ORDER BY line");
    each(rows.bind(1, session).bind(2, start).bind(3, stop), with_output, visit);
  });
}

std::int64_t HistoryStore::last_line(std::int64_t session) {
  std::int64_t last = 0;
  attempt([&] {
    sqlite::Statement row(*database_, "SELECT max(line) FROM lines WHERE session = ?");
    if (row.bind(1, session).step()) last = row.integer(0);
  });
  return last;
}

bool HistoryStore::each(sqlite::Statement& rows, bool with_output, const Visit& visit) {
  HistoryLine line;  // one for all rows: its memory is used again
  while (rows.step()) {
    line.session = rows.integer(0);
    line.line = rows.integer(1);
    line.input = rows.text(2);
    line.output.reset();
    if (with_output && !rows.is_null(3)) line.output = rows.text(3);
    if (!visit(line)) return false;
  }
  return true;
}

void HistoryStore::give_up(std::string_view why) {
  given_up_ = true;
  warn("cannot be used: " + std::string(why) + "; history is in memory only");
  insertion_.reset();
  if (database_) database_->abandon();
  database_.reset();
}

void HistoryStore::warn(std::string_view what) {
  if (std::exchange(warned_, true)) return;
  support::log::warning("the history file " + support::printable(file_.native()) + " " + std::string(what));
}

}  // namespace adrastea::services
