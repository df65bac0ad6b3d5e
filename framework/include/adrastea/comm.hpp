// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>
#include <adrastea/messages.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace adrastea {

/// What a comm_open, comm_msg or comm_close carries.
struct CommMessage {
  Json data = Json::object();
  Json metadata = Json::object();
  Buffers buffers{};
};

/// One open comm (Messaging, "Custom Messages"): a line to an object in the frontend, symmetrical, without replies.
///
/// Usage: get one from Comms::open() or in a target's handler, set on_message, keep the shared_ptr or just the comm_id.
/// Threads: send() and close() from any thread; the handlers run on the interpreter thread, as a request of their own.
/// Errors: send() throws std::invalid_argument for data that is no object or too deep, and std::logic_error once closed.
/// Lifetime: it stays open, and known to the frontend, until close() or a comm_close; destroying handles closes nothing.
class ADRASTEA_EXPORT Comm {
 public:
  /// The message is the handler's: who takes its buffers copies nothing.
  using Handler = std::function<void(Comm&, CommMessage)>;
  virtual ~Comm() = default;

  [[nodiscard]] virtual const std::string& comm_id() const = 0;
  [[nodiscard]] virtual const std::string& target_name() const = 0;
  virtual void on_message(Handler handler) = 0;
  virtual void on_close(Handler handler) = 0;
  virtual void send(CommMessage message) = 0;
  /// At most once; a second close is nothing.
  virtual void close(CommMessage message = {}) = 0;
};

/// All comms of a kernel, and the targets that frontends may open.
///
/// Threads: interpreter thread. Lifetime: that of the kernel; see Host::comms().
class ADRASTEA_EXPORT Comms {
 public:
  using Target = std::function<void(const std::shared_ptr<Comm>&, CommMessage)>;
  virtual ~Comms() = default;

  /// A frontend's comm_open for `target_name` runs `target`; when it throws, or no target has that name, the comm is
  /// closed at once, as the protocol asks.
  virtual void register_target(std::string target_name, Target target) = 0;
  virtual void unregister_target(std::string_view target_name) = 0;
  /// Opens a comm from this side.
  virtual std::shared_ptr<Comm> open(std::string target_name, CommMessage message = {}) = 0;
  /// nullptr when no comm has that id.
  [[nodiscard]] virtual std::shared_ptr<Comm> find(std::string_view comm_id) const = 0;
};

}  // namespace adrastea
