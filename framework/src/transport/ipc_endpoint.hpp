// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/exit_cleanup.hpp"
#include "support/unique_fd.hpp"

#include <string>

namespace adrastea::transport {

/// Why one endpoint cannot be bound, thrown below bind_all(), which knows the channel.
struct BindFailure {
  std::string cause;
  std::string remedy;
};

/// Held while sockets are bound in a directory: of several kernels that start at once only one at a time looks whether a
/// socket file is stale, removes it and binds its own. Leaves no file: the lock is on the directory itself.
class IpcDirectoryLock {
 public:
  /// Waits for the other kernels, 5 s at most and no longer than the launcher lives; `launcher` is readable when it has
  /// ended, or -1. Errors: BindFailure when there is no such directory or the wait was in vain. Where it cannot be locked
  /// (some network file systems), a line in the log says so and nothing is locked.
  IpcDirectoryLock(const std::string& socket_path, int launcher);

 private:
  support::UniqueFd directory_;
};

struct IpcListener {
  support::UniqueFd fd;
  support::ExitFile file;
};

/// A listening Unix socket at `path`, mode 0600 from its first moment.
///
/// Made here because libzmq unlinks whatever it finds at the path before it binds. A socket file on which nobody listens
/// is replaced; a live one, and any file that is no socket, is left alone.
/// Precondition: an IpcDirectoryLock. Errors: BindFailure.
[[nodiscard]] IpcListener listen_ipc(const std::string& path);

}  // namespace adrastea::transport
