// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/request_context.hpp"
#include "support/shared_writer.hpp"
#include "support/unique_fd.hpp"

#include <array>
#include <string>

namespace adrastea::server {

/// Takes over file descriptors 1 and 2, so that what C code and child processes write reaches the notebook; the original
/// stderr still receives it, for the server's log.
///
/// Usage: construct once for the process, before threads exist; poll fd() for reading; read() what is there.
/// Threads: read() is called under the Outbox's mutex only. flush_stdio() by anybody.
/// Errors: the constructor throws StartupError. A copy for the log that the original stderr cannot take at once is dropped.
/// Lifetime: the destructor gives both descriptors back. Children keep the pipe; a kernel that has ended gives them EPIPE.
///
/// Bytes within one descriptor keep their order, and both come before anything that is published after they were
/// written. Bytes that wait in both pipes at once have no order that the system could tell.
class FdCapture {
 public:
  FdCapture();
  ~FdCapture();
  FdCapture(const FdCapture&) = delete;
  FdCapture& operator=(const FdCapture&) = delete;

  /// Readable when something is in either pipe.
  [[nodiscard]] int fd() const noexcept { return both_.get(); }
  /// The same, asked before every print: one system call, of which the system has kept the answer.
  [[nodiscard]] bool readable() const noexcept;
  /// What is in the pipe now, and no more: a child that writes without end cannot keep the caller here.
  [[nodiscard]] std::string read(Stream stream);
  /// Pushes what C's stdio buffers into the pipes. Never under a lock that the reader needs: the pipe may be full.
  static void flush_stdio() noexcept;

  [[nodiscard]] int original_stdout() const noexcept { return pipe(Stream::out).original.get(); }
  [[nodiscard]] int original_stderr() const noexcept { return pipe(Stream::err).original.get(); }

 private:
  struct Pipe {
    support::UniqueFd read_end;
    support::UniqueFd write_end;  ///< kept, so that user code that closes the descriptor does not end the pipe
    support::UniqueFd original;
  };
  [[nodiscard]] const Pipe& pipe(Stream stream) const noexcept { return pipes_[static_cast<std::size_t>(stream)]; }

  std::array<Pipe, 2> pipes_;
  support::UniqueFd both_;  ///< epoll of both read ends
  support::SharedWriter log_copy_;
};

}  // namespace adrastea::server
