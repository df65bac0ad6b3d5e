// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/fork_guard.hpp"

#include <zmq.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// RAII over ZeroMQ's C interface, which reports by errno and so leaves every EINTR and every fork to us.
///
/// In a forked child ZeroMQ's threads are missing: each call there would wait for ever or spin on EINTR. So nothing here
/// touches the library outside the process that made it; there, objects are simply forgotten.
namespace adrastea::transport {

/// Lifetime: shared by its sockets, so it always ends after them. Ending waits until what they hold is delivered, at most
/// for their LINGER.
class ZmqContext {
 public:
  /// Errors: StartupError.
  ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  ~ZmqContext();

  [[nodiscard]] void* handle() const noexcept { return handle_; }
  [[nodiscard]] bool usable() const noexcept { return owner_.is_this_process(); }
  /// Every blocking call on its sockets returns ETERM. Threads: any.
  void shutdown() noexcept;

 private:
  void* handle_;
  support::fork_guard::Owner owner_;
};

/// One frame.
class ZmqPart {
 public:
  ZmqPart() noexcept { zmq_msg_init(&message_); }
  /// A large frame is moved, not copied. Errors: std::bad_alloc.
  explicit ZmqPart(std::string&& bytes);
  explicit ZmqPart(std::string_view bytes);
  /// The same of bytes that `owner` keeps: a large frame is shared, not copied.
  ZmqPart(std::string_view bytes, const std::shared_ptr<const void>& owner);
  ZmqPart(ZmqPart&& other) noexcept : ZmqPart() { zmq_msg_move(&message_, &other.message_); }
  ZmqPart& operator=(ZmqPart&&) = delete;
  ~ZmqPart() { zmq_msg_close(&message_); }

  [[nodiscard]] std::string_view bytes() noexcept {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  /// The descriptor of the connection that it came by; -1 when ZeroMQ does not know. The connection may have ended since.
  [[nodiscard]] int source() noexcept { return zmq_msg_get(&message_, ZMQ_SRCFD); }
  /// ZeroMQ's own text for it, which lies among the connection's properties.
  [[nodiscard]] const char* source_text() noexcept { return zmq_msg_gets(&message_, "__fd"); }
  [[nodiscard]] bool more() const noexcept { return zmq_msg_more(&message_) != 0; }
  [[nodiscard]] zmq_msg_t* get() noexcept { return &message_; }

 private:
  void copy(std::string_view bytes);
  zmq_msg_t message_{};
};

/// Threads: one at a time.
class ZmqSocket {
 public:
  ZmqSocket() noexcept = default;
  /// Errors: StartupError.
  ZmqSocket(std::shared_ptr<ZmqContext> context, int type);
  ZmqSocket(ZmqSocket&& other) noexcept;
  ZmqSocket& operator=(ZmqSocket&& other) noexcept;
  ~ZmqSocket() { close(); }
  void close() noexcept;

  /// Errors: std::logic_error, since only this code chooses options.
  void set(int option, int value);
  void set(int option, std::int64_t value);
  void set(int option, std::string_view value);
  /// 0 or errno.
  [[nodiscard]] int bind(const std::string& endpoint) noexcept;
  [[nodiscard]] int connect(const std::string& endpoint) noexcept;
  [[nodiscard]] std::string last_endpoint() const;

  [[nodiscard]] int fd() const noexcept;
  [[nodiscard]] bool readable() const noexcept;
  /// False when errno says why: EAGAIN with ZMQ_DONTWAIT, ETERM. EINTR never comes out. In a forked child: ETERM.
  [[nodiscard]] bool receive(ZmqPart& part, int flags) noexcept;
  [[nodiscard]] bool send(ZmqPart& part, int flags) noexcept;

 private:
  [[nodiscard]] bool usable() const noexcept { return handle_ != nullptr && context_->usable(); }
  std::shared_ptr<ZmqContext> context_;
  void* handle_ = nullptr;
};

}  // namespace adrastea::transport
