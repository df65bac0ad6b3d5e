// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>
#include <adrastea/messages.hpp>

#include <memory>
#include <string_view>

namespace adrastea {

namespace server {
struct OutputTarget;
}

/// Everything one request shows to its clients: text, rich output, updates.
///
/// Usage: execute() is handed one; copy it into a thread or a callback to publish for that request later. What it
///   publishes carries that request as its parent, for ever: output of a thread started by a cell belongs to that cell.
/// Threads: any, at the same time. Calls of one thread appear in its order, across stdout, stderr, rich output and bytes
///   that C code wrote to file descriptors 1 and 2 before the call.
/// Errors: writing never throws. display() and update_display() throw std::invalid_argument when data or metadata is
///   no object or nests deeper than Limits::max_json_depth. Text that is not UTF-8 is sent with U+FFFD in place of the
///   bad bytes; a character split over two writes is put together again.
/// Lifetime: copies may outlive the request and the kernel; after the kernel's end they publish nothing.
/// Blocking: write_* wait when a subscriber is too slow, as Limits::subscriber_patience says; an interrupt ends the wait.
class ADRASTEA_EXPORT Output {
 public:
  explicit Output(std::shared_ptr<server::OutputTarget> target);

  void write_stdout(std::string_view text);
  void write_stderr(std::string_view text);

  /// display_data. With a display_id, update_display() can change it later, in every place that shows it.
  void display(MimeBundle data, Json metadata = Json::object(), std::string_view display_id = {});
  void update_display(std::string_view display_id, MimeBundle data, Json metadata = Json::object());

  /// clear_output: at once, or (wait) when the next output comes.
  void clear(bool wait = false);

  /// An Output that shows nothing: for code that is run for its value only.
  [[nodiscard]] Output muted() const;

 private:
  std::shared_ptr<server::OutputTarget> target_;
};

}  // namespace adrastea
