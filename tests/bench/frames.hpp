// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <zmq.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::bench {

/// A message as it came, in ZeroMQ's own memory: nothing is copied, nothing is parsed.
/// Errors: std::runtime_error when nothing comes within the socket's ZMQ_RCVTIMEO.
class Received {
 public:
  Received() = default;
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;
  ~Received() { clear(); }

  /// Forgets what was there, and waits for the next message of `socket`.
  void from(void* socket);
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::string_view frame(std::size_t index) const;
  /// Sends the frame itself, which is empty here afterwards: ZeroMQ passes its memory on.
  void forward(std::size_t index, void* socket, int flags);
  /// All frames' sizes.
  [[nodiscard]] std::size_t bytes() const;

  /// False for a message that has no delimiter, and four frames after its signature.
  [[nodiscard]] bool whole() const noexcept { return header_ + 4 <= count_; }
  [[nodiscard]] std::size_t header_index() const noexcept { return header_; }
  [[nodiscard]] std::string_view header() const { return frame(header_); }
  [[nodiscard]] std::string_view parent_header() const { return frame(header_ + 1); }
  [[nodiscard]] std::string_view content() const { return frame(header_ + 3); }
  [[nodiscard]] bool is(std::string_view quoted_msg_type) const {
    return whole() && header().find(quoted_msg_type) != std::string_view::npos;
  }

 private:
  void clear() noexcept;

  // Frames beyond these are dropped: nobody here sends so many.
  std::array<zmq_msg_t, 16> parts_{};
  std::size_t count_ = 0;
  std::size_t header_ = 16;
};

/// What a message needs to be believed: a header of its own, and a signature. OpenSSL and nothing else, so that the
/// yardstick stays as it is when the framework becomes faster.
/// Threads: one.
class Sealer {
 public:
  explicit Sealer(std::string_view key);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) = delete;
  ~Sealer();

  /// A header with a msg_id of its own, stamped now.
  [[nodiscard]] std::string_view header(std::string_view msg_type);
  /// The msg_id in the last header, without its quotes.
  [[nodiscard]] const std::string& msg_id() const noexcept { return msg_id_; }
  [[nodiscard]] const std::string& session() const noexcept { return session_; }
  /// Lower-case hexadecimal, of the four frames; valid until the next call.
  [[nodiscard]] std::string_view sign(const std::array<std::string_view, 4>& frames);

  struct Mac;

 private:
  void stamp();

  std::unique_ptr<Mac> mac_;
  std::string session_;
  std::string msg_id_;
  std::string header_;
  std::string date_;
  std::time_t second_ = 0;
  std::uint64_t count_ = 0;
  std::array<char, 64> hex_{};
};

/// Delimiter, signature, header, parent header, metadata, content; `more` for buffers that follow.
void send_body(void* socket, Sealer& sealer, const std::array<std::string_view, 4>& frames, bool more = false);
void send_frame(void* socket, std::string_view bytes, bool more);
/// Without a copy.
void send_frame(void* socket, std::unique_ptr<std::string> bytes, bool more);
/// The last frame, without a copy: the bytes must stay until they have been answered.
void send_borrowed(void* socket, std::string_view bytes);
void set_option(void* socket, int option, int value);

}  // namespace adrastea::bench
