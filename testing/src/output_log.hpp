// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace adrastea::testing {

/// What a kernel writes to its standard output and error, read as it comes, so that it neither waits for a reader nor fills
/// a disk: of each the beginning and the newest are kept.
///
/// Threads: any. Lifetime: the destructor stops reading; a process that still writes gets SIGPIPE.
class OutputLog {
 public:
  OutputLog();
  OutputLog(const OutputLog&) = delete;
  OutputLog& operator=(const OutputLog&) = delete;
  ~OutputLog();

  /// For the process that is started; closed by give_away() once it has them.
  [[nodiscard]] int stdout_fd() const { return streams_[0].write_fd; }
  [[nodiscard]] int stderr_fd() const { return streams_[1].write_fd; }
  void give_away();

  /// All that was written before the call, but for what is left out in the middle.
  [[nodiscard]] std::string stdout_text() { return text(streams_[0]); }
  [[nodiscard]] std::string stderr_text() { return text(streams_[1]); }

 private:
  struct Stream {
    int read_fd = -1;
    int write_fd = -1;
    std::string head;
    std::string tail;
    std::size_t left_out = 0;

    void keep(const char* bytes, std::size_t count);
  };
  [[nodiscard]] std::string text(Stream& stream);
  void read_on();
  /// With mutex_. False at the end of the stream.
  static bool drain(Stream& stream);

  std::mutex mutex_;  ///< guards what the streams keep
  std::array<Stream, 2> streams_{};
  int stop_ = -1;
  std::thread reader_;
};

}  // namespace adrastea::testing
