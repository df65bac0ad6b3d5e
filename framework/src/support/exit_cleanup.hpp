// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace adrastea::support {

/// A file that goes with this object, and at the latest with the process: by exit(3), or by a crash whose signal handler
/// calls unlink_all().
///
/// A child that fork() made removes nothing, whichever way it ends. A socket file goes only while the path still leads to
/// the inode it had when this object was made: whoever replaced it since keeps his. Threads: an object has one; different
/// objects may be used at once. Errors: the constructor's std::system_error when the path cannot be made absolute; a full
/// table or an overlong path costs only the removal at exit, not the one by the destructor.
class ExitFile {
 public:
  enum class Only { any_file_there, this_inode };
  ExitFile() noexcept = default;
  ExitFile(const std::filesystem::path& path, Only only);
  ExitFile(ExitFile&& other) noexcept;
  ExitFile& operator=(ExitFile&& other) noexcept;
  ~ExitFile() { remove(); }

  /// Removes the file now.
  void remove() noexcept;

  /// Removes all such files of this process. Async-signal-safe; may be called more than once.
  static void unlink_all() noexcept;

 private:
  std::string path_;  // absolute, since user code may change the working directory; empty: nothing to remove
  pid_t owner_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;  // 0: any file there
  int slot_ = -1;
};

}  // namespace adrastea::support
