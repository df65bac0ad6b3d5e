// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "trial.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adrastea::conformance {

using testing::Frames;

struct RawPeerOptions {
  std::string routing_id = testing::random_id();  ///< empty: ZeroMQ makes one
  bool subscribe = true;
  int receive_limit = 0;  ///< messages that it holds unread, per socket; 0 for any number
};

/// A peer that sends what no client would, and of which nothing that it receives is judged: for messages so broken that
/// what a kernel says about them may break any standing rule. A checked client that comes later judges what is left.
///
/// Usage: send, fence(), ask what came, then Trial::expect_alive().
/// Threads: one. Errors: Failure when the kernel has ended or does not answer a fence.
class RawPeer {
 public:
  explicit RawPeer(Trial& trial, const RawPeerOptions& options = {});
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer();

  // ---- send ----
  void send(Channel channel, const Frames& frames);
  /// On shell, control and stdin.
  void send_everywhere(const Frames& frames);
  /// A whole signed message. `header` replaces or adds fields.
  [[nodiscard]] Frames frames(std::string_view type, const Json& content, const Json& header = Json::object());
  /// Signs any four frames.
  [[nodiscard]] Frames sign(const std::array<std::string, 4>& parts) const;
  /// An execute_request that is right but for what the case does to it.
  [[nodiscard]] Frames execute(const std::string& code);
  /// Sends it signed; returns its msg_id.
  std::string request(Channel channel, std::string_view type, const Json& content, const Json& header = Json::object());

  // ---- receive ----
  /// The kernel has handled what was sent before on shell, and on control if it answers kernel_info there, and what it
  /// published about that is here.
  void fence();
  void fence(Channel channel);
  /// Waits for a reply to this request, on its channel; for those that must come.
  const Message& await_reply(const std::string& msg_id);
  /// Waits for a message of this type on any channel.
  const Message& await(std::string_view type);
  /// Waits until it holds. Whether it does; not after the patience.
  bool wait_until(const std::function<bool()>& holds);
  /// Waits for so many messages on a channel and forgets them unread: for more than anybody wants to keep.
  void skip(Channel channel, std::size_t count);
  [[nodiscard]] const Message* reply(const std::string& msg_id) const;
  /// All text that anybody printed since this peer came.
  [[nodiscard]] std::string printed() const;
  [[nodiscard]] const std::vector<Message>& received() const { return received_; }
  [[nodiscard]] const testing::Codec& codec() const { return codec_; }
  /// What the peer does now, for findings.
  void now(std::string what) { now_ = std::move(what); }

 private:
  struct Sockets;
  bool drain();
  bool receive_one(Channel channel);
  void wait(std::chrono::milliseconds time, const std::string& what);
  void synchronize();
  [[nodiscard]] bool published_about(const std::string& msg_id) const;

  const std::chrono::milliseconds patience_;
  const bool subscribed_;
  const bool fences_control_;
  const int process_fd_;
  const testing::Connection connection_;
  const testing::Codec codec_;
  const std::string session_;
  [[noreturn]] void fail(const std::string& finding) const;

  unsigned count_ = 0;
  std::string now_;
  std::unique_ptr<Sockets> sockets_;
  std::vector<Message> received_;
};

/// A connection of bytes to one of the kernel's sockets, whatever it is over.
///
/// Threads: one. What the kernel does with the connection is its right: errors of writing count as written.
class RawStream {
 public:
  /// Errors: Failure when the kernel does not accept connections.
  RawStream(const testing::Connection& connection, Channel channel);
  RawStream(RawStream&& other) noexcept;
  RawStream& operator=(RawStream&&) = delete;
  ~RawStream();

  void write(std::string_view bytes);
  /// Says that nothing more will be written.
  void half_close();
  /// Ends the connection by a reset, where there is such a thing.
  void reset();

 private:
  int fd_ = -1;
};

/// The five sockets of a kernel.
inline constexpr std::array k_all_channels{Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control,
                                           Channel::heartbeat};

/// What a ZeroMQ peer of this socket type says first: greeting and READY.
[[nodiscard]] std::string zmtp_opening(std::string_view socket_type);
/// A frame of ZMTP 3, whose length may be a lie.
[[nodiscard]] std::string zmtp_frame(unsigned flags, std::string_view bytes, std::uint64_t length);

/// A ZeroMQ socket of any type, connected to where it may not belong.
class OddSocket {
 public:
  /// Of an encrypted connection: what it knows of the keys.
  enum class Keys { all, none, only_the_kernels };
  /// Returns once the two have met: they speak with each other, or one of them has refused.
  OddSocket(Trial& trial, int socket_type, Channel channel, int receive_limit = 0, Keys keys = Keys::all);
  OddSocket(const OddSocket&) = delete;
  OddSocket& operator=(const OddSocket&) = delete;
  ~OddSocket();

  [[nodiscard]] bool accepted() const { return accepted_; }
  /// Sends, if a socket of this type can at this moment.
  void send(const Frames& frames);
  /// The next message, if one is there or comes soon.
  std::optional<Frames> receive(std::chrono::milliseconds time);

 private:
  struct Socket;
  std::unique_ptr<Socket> socket_;
  bool accepted_;
};

/// The content of an execute_request that stops nobody.
[[nodiscard]] Json execute_content(const std::string& code);
/// The sample `print` for this text. NotApplicable when the kernel does not print, for then nothing would show that it ran.
[[nodiscard]] std::string printing(Trial& trial, const std::string& text);
/// What was sent has been handled, and the kernel is as it was.
void expect_no_harm(Trial& trial, RawPeer& peer);

}  // namespace adrastea::conformance
