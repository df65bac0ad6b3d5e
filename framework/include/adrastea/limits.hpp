// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>

namespace adrastea {

/// Every bound the kernel keeps, with the abuse that it stops.
///
/// Usage: leave it alone, or change a field of KernelOptions::limits before the kernel starts.
/// Threads: read-only once a kernel was made from it.
/// Errors: a limit that no kernel can keep (no room for a character, years) is a StartupError that names it. A message over
/// a limit is dropped with one line in the log that names the limit.
/// Units: sizes end in _bytes, times are std::chrono durations.
struct Limits {
  // --- what comes in (messaging protocol, "The Wire Protocol") ---

  /// One frame on the wire. ZeroMQ closes the connection of a peer that announces more: nobody makes us allocate it.
  std::size_t max_frame_bytes = std::size_t{1} << 30;
  /// All frames of one message together. Stops bombs of many frames that are each within max_frame_bytes.
  std::size_t max_message_bytes = std::size_t{2} << 30;
  /// Frames of one message, identities and buffers included. Stops floods of empty buffers.
  std::size_t max_frames = 65536;
  /// Routing identities before the delimiter. Real messages have one, proxied ones a few.
  std::size_t max_identities = 64;
  /// Nesting of objects and arrays in each JSON frame and in what user code publishes: copying and serialising JSON
  /// recurse once per level, so a deep message would overflow the stack.
  std::size_t max_json_depth = 256;
  /// Signatures remembered to refuse replays (jupyter_client remembers as many). 0 switches the check off.
  std::size_t digest_history = 65536;

  // --- what goes out on IOPub ---

  /// Text of one `stream` message; longer output is cut at character borders into several. From half of it on, text leaves
  /// at once.
  std::size_t max_stream_bytes = std::size_t{256} << 10;
  /// The first text after a pause leaves at once, later text is joined for at most this long.
  std::chrono::milliseconds stream_delay{50};
  /// Messages that ZeroMQ queues for one subscriber that does not read.
  int subscriber_queue_messages = 256;
  /// Bytes that wait here, beyond those, for a subscriber that does not read. When they are used up, code that prints
  /// waits, where no other subscriber has room; see subscriber_patience.
  std::size_t subscriber_backlog_bytes = std::size_t{16} << 20;
  /// A subscriber that took nothing for so long holds up nobody, and neither does one beside which another has room. Beyond
  /// its backlog its stream text and displays are dropped then, and a marker says how many bytes. Statuses, results, errors
  /// and comm messages wait for it, up to subscriber_most_bytes.
  std::chrono::milliseconds subscriber_patience{5000};
  /// When so many bytes wait here for a subscriber, all that comes is dropped until it reads again, with the same marker.
  std::size_t subscriber_most_bytes = std::size_t{64} << 20;

  // --- requests ---

  /// The error reply of a cell with stop_on_error is held back until no request has come for so long (a second at most):
  /// a "Run All" is still on its way when its first cell fails fast, and all of it is to be aborted. A cell that ran for as
  /// long, with nothing behind it, is answered at once.
  std::chrono::milliseconds stop_on_error_gap{20};

  // --- life ---

  /// A launcher that wrote a registration file (JEP 66) has so long to acknowledge the kernel's ports; then the start
  /// fails.
  std::chrono::milliseconds handshake{5000};
  /// An input_request waits so long for a client that has not connected its stdin channel yet.
  std::chrono::milliseconds stdin_connect{3000};
  /// From a request to end, user code that cannot be interrupted has this long before the process ends without it.
  /// jupyter_client sends SIGTERM after 2.5 s.
  std::chrono::milliseconds shutdown_deadline{1000};
  /// Closed sockets deliver for at most this long what they still hold.
  std::chrono::milliseconds linger{1000};
};

}  // namespace adrastea
