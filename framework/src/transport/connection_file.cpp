// SPDX-License-Identifier: BSD-3-Clause
#include "support/atomic_file.hpp"
#include "support/cause.hpp"
#include "support/ids.hpp"
#include "support/log.hpp"
#include "support/no_file_size_signal.hpp"
#include "support/printable.hpp"
#include "support/unique_fd.hpp"
#include "transport/connection_info.hpp"
#include "transport/connection_json.hpp"
#include "transport/handshake.hpp"
#include "transport/sockets.hpp"

#include <adrastea/errors.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace adrastea::transport {
namespace {

using support::cause_of;
namespace fs = std::filesystem;

constexpr std::size_t k_max_file_bytes = std::size_t{1} << 20;

std::string describe(const fs::path& path) { return "connection file " + support::printable(path.native()); }

/// What helps when the file is not one that a launcher has written.
constexpr const char* k_name_another = "; -f needs the file that a launcher wrote; without -f the kernel makes its own";

fs::path find_file(const fs::path& name) {
  if (name.empty()) throw StartupError(std::string("connection file: its name is empty") + k_name_another);
  std::error_code error;
  fs::path here = fs::absolute(name, error);
  if (error)
    throw StartupError(describe(name) + ": no working directory: " + error.message() +
                       "; start the kernel in a directory that is there, or name the file from / on");
  if (name.is_absolute() || fs::exists(here, error)) return here;
  fs::path there = runtime_directory() / name;
  if (fs::exists(there, error)) return fs::absolute(there);
  throw StartupError(describe(name) + ": " + cause_of(ENOENT) + ", neither as " + support::printable(here.native()) +
                     " nor as " + support::printable(there.native()) + k_name_another);
}

/// Who else may read the key; nothing, as it should be: nobody.
std::string readers(const struct stat& status) {
  if ((status.st_mode & 0077U) != 0)
    return "other users may open it (its mode is not 0600), and it holds the key; chmod 600 keeps them out";
  if (status.st_uid != ::geteuid()) {
    return "belongs to user " + std::to_string(status.st_uid) +
           ", who knows the key and may replace it; let the user who runs the kernel own it";
  }
  return {};
}

/// `status` tells whose file it is.
support::UniqueFd open_file(const fs::path& path, struct stat& status) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  support::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) throw StartupError(describe(path) + ": cannot open it: " + cause_of(errno) + k_name_another);
  if (::fstat(fd.get(), &status) != 0) throw StartupError(describe(path) + ": " + cause_of(errno));
  if (S_ISDIR(status.st_mode)) throw StartupError(describe(path) + ": is a directory" + k_name_another);
  if (!S_ISREG(status.st_mode)) throw StartupError(describe(path) + ": is no regular file" + k_name_another);
  return fd;
}

/// The file, locked: of two kernels that choose their addresses, the second must not begin before the first has written
/// them. Where it cannot be locked (some network file systems) nothing is.
support::UniqueFd open_locked(const fs::path& path, struct stat& status) {
  while (true) {
    support::UniqueFd fd = open_file(path, status);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw StartupError(describe(path) + ": another kernel starts with it just now; each needs a file of its own");
    }
    // Another one may have replaced it meanwhile.
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0 || (now.st_ino == status.st_ino && now.st_dev == status.st_dev)) return fd;
  }
}

std::string read_file(const support::UniqueFd& fd, const fs::path& path) {
  std::string text;
  std::size_t filled = 0;
  while (filled <= k_max_file_bytes) {
    // Most are of one page, and memory that nobody needs costs a start more than reading does.
    if (filled == text.size()) text.resize(std::min(filled + 4096, k_max_file_bytes + 1));
    const ssize_t got = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      throw StartupError(describe(path) + ": cannot read it: " + cause_of(errno) + k_name_another);
    }
  }
  if (filled == 0) throw StartupError(describe(path) + ": is empty" + k_name_another);
  if (filled > k_max_file_bytes) {
    throw StartupError(describe(path) + ": is larger than " + std::to_string(k_max_file_bytes) + " bytes" + k_name_another);
  }
  text.resize(filled);
  return text;
}

/// What jupyter_client and ipykernel assume when nothing is said.
std::string default_ip(const std::string& transport, fs::path file) {
  return transport == "ipc" ? file.replace_extension().native() + "-ipc" : "127.0.0.1";
}

void require_usable(const ConnectionInfo& info, const std::string& where) {
  require_safe(info, where);
  if (info.encrypted()) require_curve(info, where);
}

std::string to_text(const nlohmann::json& content) {
  return content.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string own_stem() { return "kernel-" + std::to_string(::getpid()); }

/// What tells a file that a kernel has made after its registration from one that its launcher has put there by that name,
/// with the same key.
constexpr const char* k_mark = "registration_file";

/// Whether the file is one that a kernel with the same registration has made: one that was killed, or that is being
/// replaced.
bool is_of_this_registration(const fs::path& path, const std::string& key) {
  const support::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return false;
  try {
    const nlohmann::json content = parse_connection_json(read_file(fd, path), describe(path));
    return content.contains(k_mark) && content.value("key", std::string()) == key;
  } catch (const std::exception&) {
    return false;
  }
}

/// A new file of ours with this text, by the wanted name or one beside it. Two kernels that start in one process, or on two
/// machines that share this directory, never get the same one.
fs::path reserve_name(const fs::path& wanted, const std::string& text) {
  const support::NoFileSizeSignal error_instead;
  for (int n = 1;; ++n) {
    fs::path path = wanted;
    if (n > 1) path.replace_filename(wanted.stem().native() + "-" + std::to_string(n) + ".json");
    const support::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) continue;
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot make a file in it");
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written == static_cast<ssize_t>(text.size())) return path;
    const int error = written < 0 ? errno : ENOSPC;
    ::unlink(path.c_str());
    throw std::system_error(error, std::generic_category(), "cannot write a file in it");
  }
}

[[noreturn]] void throw_unusable(const fs::path& runtime, const std::system_error& error) {
  throw StartupError("runtime directory " + support::printable(runtime.native()) + ": " + error.what() +
                     "; set JUPYTER_RUNTIME_DIR to a directory that can be written");
}

}  // namespace

ConnectionFile ConnectionFile::load(const fs::path& name) {
  ConnectionFile file;
  file.path_ = find_file(name);
  file.described_ = describe(file.path_);
  const std::string& where = file.described_;
  struct stat status {};
  file.lock_ = open_locked(file.path_, status);
  file.loaded_ = parse_connection_json(read_file(file.lock_, file.path_), where);
  file.readers_ = readers(status);
  if (is_registration(file.loaded_)) {
    file.read_registration(where);
    return file;
  }
  file.info_ = read_connection_json(file.loaded_, where);
  file.stored_ = file.info_;
  if (file.info_.ip.empty()) file.info_.ip = default_ip(file.info_.transport, file.path_);
  file.info_.ip = address_to_bind(file.info_.transport, std::move(file.info_.ip));
  // Clients can use that name, too: it is no reason to rewrite the file.
  if (file.stored_->ip == "localhost") file.stored_->ip = file.info_.ip;
  require_usable(file.info_, where);
  return file;
}

/// The launcher needs its file again for a restart, so clients are told by another one.
void ConnectionFile::read_registration(const std::string& where) {
  auto read = std::make_shared<Registration>();
  *read = read_registration_json(loaded_, where, info_);
  require_usable(info_, where);
  loaded_ = nlohmann::json::object({{k_mark, path_.native()}});
  // An id that is no file name is the launcher's affair; it only names our file.
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  const bool names_a_file = !read->kernel_id.empty() && read->kernel_id.size() <= 100 &&
                            read->kernel_id.find_first_not_of(plain) == std::string::npos;
  try {
    prepare_own(names_a_file ? "kernel-" + read->kernel_id : own_stem(), names_a_file ? Own::by_id : Own::by_process);
    if (!names_a_file) reserve_own();
  } catch (const StartupError& error) {
    do_without_own(error.what());
  }
  if (!names_a_file && !read->kernel_id.empty() && without_own_.empty()) {
    support::log::warning(where + ": kernel_id names no file, so clients find this kernel by " + path_.filename().native() +
                          "; one of at most 100 letters, digits, - and _ does");
  }
  registration_ = std::move(read);
}

void ConnectionFile::prepare_own(const std::string& stem, Own own) {
  own_ = own;
  path_ = stem + ".json";  // so that an error can name it
  const fs::path directory = runtime_directory();
  path_ = directory / path_;
  try {
    if (!directory.parent_path().empty()) fs::create_directories(directory.parent_path());
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
      throw std::system_error(errno, std::generic_category(), "cannot make it");
    if (::access(directory.c_str(), W_OK | X_OK) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot make a file in it");
    path_ = fs::absolute(path_);
  } catch (const std::system_error& error) {
    throw_unusable(directory, error);
  }
}

void ConnectionFile::reserve_own() {
  // Not one of a process number: on another machine, or in a container that shares the directory, that may run.
  if (own_ == Own::by_id && is_of_this_registration(path_, info_.key)) return;
  nlohmann::json mark = loaded_;
  mark["key"] = info_.key;
  try {
    path_ = reserve_name(path_, own_ == Own::by_id ? to_text(mark) : std::string());
    using enum support::ExitFile::Only;
    removal_ = support::ExitFile(path_, own_ == Own::by_id ? this_inode : any_file_there);
  } catch (const std::system_error& error) {
    throw_unusable(path_.parent_path(), error);
  }
}

/// Clients of the launcher find the kernel all the same. What says where it is not goes.
void ConnectionFile::do_without_own(const std::string& why) {
  without_own_ = "only clients of its launcher find this kernel, for there can be no " +
                 support::printable(path_.filename().native()) + ": " + why;
  if (own_ == Own::by_id && is_of_this_registration(path_, info_.key)) ::unlink(path_.c_str());
  removal_ = {};
  path_.clear();
}

ConnectionFile ConnectionFile::create(const std::string& kernel_name, const std::string& ip) {
  ConnectionFile file;
  if (!ip.empty()) file.info_.ip = address_to_bind(file.info_.transport, ip);
  file.prepare_own(own_stem(), Own::by_process);
  file.reserve_own();
  file.described_ = describe(file.path_);
  file.info_.key = support::random_hex(32);
  file.info_.kernel_name = kernel_name;
  return file;
}

ConnectionFile::ConnectionFile(ConnectionFile&&) noexcept = default;
ConnectionFile& ConnectionFile::operator=(ConnectionFile&&) noexcept = default;
ConnectionFile::~ConnectionFile() = default;

void ConnectionFile::warn() const {
  if (!without_own_.empty()) support::log::warning(without_own_);
  if (!readers_.empty()) support::log::warning(described_ + ": " + readers_);
  if (const auto exposed = exposure(info_)) support::log::warning(described_ + ": " + *exposed);
}

void ConnectionFile::store() {
  const support::UniqueFd until_it_is_written = std::move(lock_);
  if (stored_ == info_ || !without_own_.empty()) return;
  try {
    write();
  } catch (const StartupError& error) {
    if (registration_ == nullptr) throw;
    do_without_own(error.what());
  }
}

void ConnectionFile::write() {
  // Not before: until it has acknowledged the registration, the launcher may make one by that name.
  if (own_ == Own::by_id) reserve_own();
  nlohmann::json merged = loaded_;
  write_connection_json(info_, merged);
  try {
    support::replace_file(path_, to_text(merged));
    // A successor may replace it while this kernel still ends.
    if (own_ == Own::by_id) removal_ = support::ExitFile(path_, support::ExitFile::Only::this_inode);
  } catch (const std::system_error& error) {
    throw StartupError(describe(path_) + ": " + error.what() +
                       "; the kernel writes its addresses there: it needs a directory with room that can be written");
  }
  loaded_ = std::move(merged);
  stored_ = info_;
}

}  // namespace adrastea::transport
