// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/fd_capture.hpp"
#include "server/request_context.hpp"
#include "wire/encode.hpp"

#include <adrastea/limits.hpp>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::server {

/// One IOPub message that is made but not yet sent.
struct Publication {
  Context context;
  std::string header;  ///< JSON text
  std::string topic;
  std::string content;  ///< JSON text; of a stream message, the bare text
  std::string metadata = "{}";
  wire::Frames buffers;
  bool is_stream = false;
  Stream stream = Stream::out;
};

/// The one ordered channel: every IOPub message of the kernel enters here, whoever makes it, and leaves in this order.
///
/// Before anything enters, what already waits in the captured pipes enters first: that, and that reading a pipe and
/// entering it is one step under one lock, is why bytes of C code and child processes keep their place.
/// Adjacent text of one request and stream is joined on entry, so a flood of prints costs no memory per print.
/// Threads: any. Errors: none.
class Outbox {
 public:
  Outbox(wire::Identity& identity, const Limits& limits, FdCapture* capture);

  void add_text(const Context& context, Stream stream, std::string_view text);
  void add(Publication publication);
  /// Adds `busy`; captured bytes belong to this request from here on.
  void add_busy(const Context& context, Publication busy);
  /// Ends what is incomplete: half characters of this request become U+FFFD.
  void complete_text(const Context& context);
  /// Only what the captured pipes hold.
  void collect();

  /// The capture is about to end.
  void detach_capture();

  /// Everything that has entered, in order.
  [[nodiscard]] std::vector<Publication> take();
  [[nodiscard]] bool is_empty() const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t text_bytes() const;
  /// The newest request of the interpreter; before the first, one without a header.
  [[nodiscard]] Context latest() const;

 private:
  void collect_locked();
  void add_text_locked(const Context& context, RequestContext::Tails& tails, Stream stream, std::string_view text);
  void append_locked(const Context& context, Stream stream, std::string_view valid_text);
  void complete_text_locked(const Context& context);
  [[nodiscard]] bool continues_last_locked(const Context& context, Stream stream) const;
  void start_text_locked(const Context& context, Stream stream);

  wire::Identity& identity_;
  const Limits& limits_;
  mutable std::mutex mutex_;
  FdCapture* capture_;              // guarded by mutex_; null where output is not captured
  std::vector<Publication> queue_;  // guarded by mutex_
  // Written under mutex_, read by anybody: each print asks for them.
  std::atomic<std::size_t> bytes_{0};       // of all of queue_
  std::atomic<std::size_t> text_bytes_{0};  // of stream text in it
  Context latest_;                          // guarded by mutex_: captured bytes belong to it
};

}  // namespace adrastea::server
