// SPDX-License-Identifier: BSD-3-Clause
#include "support/atomic_file.hpp"

#include "support/exit_cleanup.hpp"
#include "support/ids.hpp"
#include "support/no_file_size_signal.hpp"
#include "support/printable.hpp"
#include "support/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace adrastea::support {
namespace {

[[noreturn]] void fail(const char* step, const std::filesystem::path& path) {
  const int cause = errno;
  throw std::system_error(cause, std::generic_category(), std::string("cannot ") + step + " " + printable(path.native()));
}

/// A new file beside its target, removed unless it was renamed: by a signal that ends the process, too, for it may hold a
/// key.
class Temporary {
 public:
  explicit Temporary(std::filesystem::path path) : path_(std::move(path)) {
    fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) fail("create", path_);
    file_ = ExitFile(path_, ExitFile::Only::this_inode);
  }

  void fill(std::string_view content, mode_t mode) {
    const NoFileSizeSignal error_instead;
    // The mode given to open() is subject to the umask, which may be too strict for the owner himself.
    if (::fchmod(fd_.get(), mode) != 0) fail("set the mode of", path_);
    while (!content.empty()) {
      const ssize_t written = ::write(fd_.get(), content.data(), content.size());
      if (written >= 0) {
        content.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        fail("write", path_);
      }
    }
    while (::fsync(fd_.get()) != 0) {
      if (errno != EINTR) fail("write", path_);
    }
    // Network file systems report a full disk or quota only here. After EINTR the descriptor is closed all the same.
    if (::close(fd_.release()) != 0 && errno != EINTR) fail("close", path_);
  }

  void rename_to(const std::filesystem::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) fail("replace", target);
  }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  ExitFile file_;  // finds nothing at its path once it was renamed
};

}  // namespace

void replace_file(const std::filesystem::path& path, std::string_view content, mode_t mode) {
  std::error_code missing;
  std::filesystem::path target = std::filesystem::canonical(path, missing);
  if (missing) target = path;

  std::filesystem::path beside = target;
  beside += "." + random_hex(8) + ".tmp";
  Temporary temporary(beside);
  temporary.fill(content, mode);
  temporary.rename_to(target);
}

}  // namespace adrastea::support
