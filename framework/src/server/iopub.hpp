// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/fd_capture.hpp"
#include "server/outbox.hpp"
#include "server/request_context.hpp"
#include "server/subscribers.hpp"
#include "server/wakeup.hpp"
#include "transport/sockets.hpp"
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <adrastea/limits.hpp>
#include <adrastea/messages.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace adrastea::server {

/// The IOPub channel: publishes from any thread, in one order, through one socket.
///
/// Everything enters the Outbox; whoever holds the relay's lock owns the socket, takes all of the Outbox and sends it.
/// That is mostly the thread that publishes (a flush then costs no switch of threads); the thread "iopub" does it for
/// subscriptions, captured output, text that waits to be joined, and subscribers that read again.
///
/// Usage: construct, start(), publish, stop().
/// Threads: any for publishing and flush(); start(), stop() and the destructor: the owner.
/// Errors: publishing never throws (but for lack of memory) and never fails; after stop(), and in a forked child, it does
///   nothing, except that text written in a forked child goes to the captured descriptors, and so to the parent.
/// Lifetime: Outputs share it and may outlive the kernel, and publish while it stops; the socket, the capture and what
///   give_up looks at must live until stop() returns.
class Iopub {
 public:
  struct Parts {
    transport::Publisher& socket;
    wire::Signer signer;
    std::shared_ptr<wire::Identity> identity;
    const Limits& limits;
    FdCapture* capture;             ///< null: nothing is captured
    std::function<bool()> give_up;  ///< true: who waits for a slow subscriber stops waiting; any thread
  };
  explicit Iopub(Parts parts);
  ~Iopub();
  Iopub(const Iopub&) = delete;
  Iopub& operator=(const Iopub&) = delete;

  void start();
  /// Sends what is left, then ends the thread. Nothing is published afterwards.
  void stop();

  /// User code's text. Waits while a subscriber is too slow (Limits::subscriber_patience).
  void text(const Context& context, Stream stream, std::string_view text);

  /// Any other message: sent at once, by this thread or by the one that is sending already. `msg_type` is its topic, too.
  void publish(const Context& context, std::string_view msg_type, const Json& content,
               const Json& metadata = Json::object(), Buffers buffers = {});
  /// The same of JSON text that is made already.
  void publish_text(const Context& context, std::string_view msg_type, std::string content, std::string metadata = "{}",
                    Buffers buffers = {});
  /// publish() by user code: what it left in C's stdio buffers comes first, and it waits while a subscriber is too slow.
  void publish_from_user_code(const Context& context, std::string_view msg_type, const Json& content,
                              const Json& metadata = Json::object(), Buffers buffers = {});

  enum class State { starting, busy, idle };
  /// `status`. On shell it leaves with what is published next, or with flush(): busy and execute_input, and the idle before
  /// them where requests wait, so wake the subscribers once. busy: captured bytes belong to this request from here on.
  void status(const Context& context, State state);

  /// The newest request of the interpreter: whom output belongs to that comes from nowhere in particular.
  [[nodiscard]] Context latest() const { return outbox_.latest(); }

  /// Hands everything published so far to the socket, but for what waits for a subscriber that is slow.
  /// complete(): also what the request left in stdio, in the captured pipes, and of half characters; and waits for slow
  /// subscribers, at most Limits::subscriber_patience. By the thread that ran the request.
  void flush();
  void complete(const Context& context);

 private:
  [[nodiscard]] Publication make(const Context& context, std::string_view msg_type, std::string content,
                                 std::string metadata, Buffers buffers);
  void run() noexcept;
  void wait_for_work();
  [[nodiscard]] int poll_timeout_locked();
  void relay_locked();
  void settle_locked(std::chrono::steady_clock::time_point now);
  /// Under the lock, however long that takes. Not `look_at_socket`: where nothing is left to send, nothing is done.
  void relay_now(bool look_at_socket);
  void relay_soon();
  void text_arrived();
  void wait_while(const std::atomic<bool>& condition);
  [[nodiscard]] bool text_is_due() const;
  [[nodiscard]] bool is_far_behind() const;
  [[nodiscard]] std::size_t full_bytes() const;
  [[nodiscard]] Delivery deliver_form(Publication&& publication);
  [[nodiscard]] wire::Frames welcome(const std::string& subscription);
  [[nodiscard]] Delivery marker(const Context& context, std::size_t dropped_bytes);

  using Clock = std::chrono::steady_clock;
  const std::shared_ptr<wire::Identity> identity_;
  const Limits limits_;
  FdCapture* const capture_;
  const Context no_request_ = std::make_shared<RequestContext>();
  Outbox outbox_;
  Wakeup wakeup_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  std::mutex relay_mutex_;              // whoever holds it owns socket_
  transport::Publisher* socket_;        // guarded by relay_mutex_; null once stopped
  wire::Signer signer_;                 // guarded by relay_mutex_
  Subscribers subscribers_;             // guarded by relay_mutex_
  std::mutex room_mutex_;               // for waiting on room_
  std::function<bool()> give_up_;       // guarded by room_mutex_; not called once stopped
  std::condition_variable room_;        // saturated_ or pending_ may have ended
  std::atomic<bool> saturated_{false};  // written under relay_mutex_
  std::atomic<bool> pending_{false};    // written under relay_mutex_
  std::atomic<bool> wanted_{false};     // somebody published while another held relay_mutex_
  std::atomic<int> flushing_{0};        // threads that wait for relay_mutex_
  std::atomic<Clock::rep> last_text_;   // when stream text was last sent
  std::atomic<bool> armed_{false};      // the thread will look when text that waits is due
};

}  // namespace adrastea::server
