// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/unique_fd.hpp"

#include <cstddef>
#include <string_view>

namespace adrastea::support {

/// Writes to a descriptor that other processes share, such as the stderr of the server that started us, without ever
/// waiting for its reader.
///
/// It cannot be made non-blocking itself: that is a property of the open file, theirs too. So a pipe or terminal is opened
/// once more, for us alone, and a socket is asked each time.
///
/// Threads: write() by one at a time. Errors: none; what cannot be written at once is not written. Lifetime: `fd` is
/// borrowed and must stay open.
class SharedWriter {
 public:
  SharedWriter() noexcept = default;  ///< takes nothing
  explicit SharedWriter(int fd) noexcept;

  /// How many bytes were taken. At most PIPE_BUF bytes are taken whole by a pipe or not at all.
  [[nodiscard]] std::size_t write(std::string_view bytes) const noexcept;

 private:
  int fd_ = -1;
  bool is_socket_ = false;
  UniqueFd own_;
};

}  // namespace adrastea::support
