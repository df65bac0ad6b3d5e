// SPDX-License-Identifier: BSD-3-Clause
#include "server/iopub.hpp"

#include "support/fork_guard.hpp"
#include "support/log.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <numeric>
#include <utility>

namespace adrastea::server {

namespace {

const char* to_string(Iopub::State state) {
  switch (state) {
    case Iopub::State::starting:
      return "starting";
    case Iopub::State::busy:
      return "busy";
    case Iopub::State::idle:
      break;
  }
  return "idle";
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

Iopub::Iopub(Parts parts)
    : identity_(std::move(parts.identity)),
      limits_(parts.limits),
      capture_(parts.capture),
      outbox_(*identity_, limits_, capture_),
      socket_(&parts.socket),
      signer_(std::move(parts.signer)),
      subscribers_(parts.socket, limits_,
                   {.welcome = [this](const std::string& topic) { return welcome(topic); },
                    .marker = [this](const Context& context, std::size_t bytes) { return marker(context, bytes); }}),
      give_up_(std::move(parts.give_up)),
      last_text_((Clock::now() - limits_.stream_delay).time_since_epoch().count()) {}

Iopub::~Iopub() { stop(); }

void Iopub::start() {
  thread_ = std::thread([this] { run(); });
}

void Iopub::stop() {
  if (stopping_.exchange(true)) return;
  // Whoever waits for room sees stopping_ before it asks give_up_ again.
  { const std::lock_guard asking(room_mutex_); }
  wakeup_.signal();
  if (thread_.joinable()) thread_.join();
  outbox_.collect();
  const std::lock_guard lock(relay_mutex_);
  relay_locked();
  outbox_.detach_capture();
  socket_ = nullptr;
  saturated_ = pending_ = false;
  room_.notify_all();
}

// ---- publishing ----

void Iopub::text(const Context& context, Stream stream, std::string_view text) {
  if (support::fork_guard::in_forked_child()) {
    write_all(stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO, text);
    return;
  }
  if (stopping_) return;
  if (capture_ != nullptr) FdCapture::flush_stdio();
  // A text of any size passes through the outbox in pieces, so that it is bounded by the limits, not by the text.
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, full_bytes());
    outbox_.add_text(context, stream, piece);
    text_arrived();
    wait_while(saturated_);
    text.remove_prefix(piece.size());
  }
}

void Iopub::publish(const Context& context, std::string_view msg_type, const Json& content, const Json& metadata,
                    Buffers buffers) {
  publish_text(context, msg_type, wire::to_text(content), wire::to_text(metadata), std::move(buffers));
}

void Iopub::publish_text(const Context& context, std::string_view msg_type, std::string content, std::string metadata,
                         Buffers buffers) {
  if (support::fork_guard::in_forked_child() || stopping_) return;
  outbox_.add(make(context, msg_type, std::move(content), std::move(metadata), std::move(buffers)));
  relay_soon();
}

void Iopub::publish_from_user_code(const Context& context, std::string_view msg_type, const Json& content,
                                   const Json& metadata, Buffers buffers) {
  // A thread may have held any lock when this process was forked.
  if (support::fork_guard::in_forked_child()) return;
  if (capture_ != nullptr) FdCapture::flush_stdio();
  publish(context, msg_type, content, metadata, std::move(buffers));
  if (is_far_behind()) flush();
  wait_while(saturated_);
}

void Iopub::status(const Context& context, State state) {
  if (support::fork_guard::in_forked_child() || stopping_) return;
  const std::string content = std::string(R"({"execution_state":")") + to_string(state) + "\"}";
  Publication made = make(context, "status", content, "{}", {});
  if (context->origin != RequestContext::Origin::shell) {
    outbox_.add(std::move(made));
    relay_soon();
  } else if (state == State::busy) {
    if (capture_ != nullptr) FdCapture::flush_stdio();
    outbox_.add_busy(context, std::move(made));
  } else {
    outbox_.add(std::move(made));
  }
}

void Iopub::flush() {
  if (!support::fork_guard::in_forked_child()) relay_now(true);
}

void Iopub::relay_now(bool look_at_socket) {
  {
    // A mutex is not fair: threads that print without end would take it again and again before a thread that sleeps on it.
    ++flushing_;
    const std::lock_guard lock(relay_mutex_);
    --flushing_;
    if (look_at_socket || wanted_ || !outbox_.is_empty()) relay_locked();
  }
  if (wanted_) wakeup_.signal();
}

void Iopub::complete(const Context& context) {
  if (support::fork_guard::in_forked_child()) return;
  if (capture_ != nullptr) FdCapture::flush_stdio();
  outbox_.complete_text(context);
  // Often all has been sent already, and who sent it has looked at the socket afterwards.
  relay_now(false);
  wait_while(pending_);
}

Publication Iopub::make(const Context& context, std::string_view msg_type, std::string content, std::string metadata,
                        Buffers buffers) {
  Publication made;
  made.context = context;
  made.header = identity_->next_header_json(msg_type);
  made.topic = msg_type;
  made.content = std::move(content);
  made.metadata = std::move(metadata);
  made.buffers = std::move(buffers);
  return made;
}

// ---- when text leaves ----

bool Iopub::text_is_due() const {
  const Clock::time_point last{Clock::duration(last_text_.load())};
  return Clock::now() - last >= limits_.stream_delay || outbox_.text_bytes() >= full_bytes();
}

/// Another thread is sending, but more slowly than this one publishes: wait for it.
bool Iopub::is_far_behind() const { return outbox_.bytes() >= 16 * full_bytes(); }

/// When a message is full and leaves. Its last line still fits: a message that is cut is followed by one of a few bytes.
std::size_t Iopub::full_bytes() const { return std::max<std::size_t>(1, limits_.max_stream_bytes / 2); }

void Iopub::text_arrived() {
  if (is_far_behind())
    flush();
  else if (text_is_due())
    relay_soon();
  else if (!armed_.exchange(true))
    wakeup_.signal();
}

void Iopub::wait_while(const std::atomic<bool>& condition) {
  if (!condition) return;
  const auto give_up_at = Clock::now() + limits_.subscriber_patience;
  std::unique_lock lock(room_mutex_);
  // A signal handler, which is how an interrupt comes, cannot notify: hence the slices.
  while (condition && !stopping_ && !give_up_() && Clock::now() < give_up_at)
    room_.wait_for(lock, std::chrono::milliseconds(20));
}

// ---- the relay ----

void Iopub::relay_soon() {
  // Whoever holds the lock looks at wanted_ after letting go, so nothing published is left behind; and who waits for it in
  // flush() will send this, too. What others publish meanwhile is the thread's: nobody works for them without end.
  wanted_ = true;
  if (flushing_ > 0 || !relay_mutex_.try_lock()) return;
  {
    const std::lock_guard lock(relay_mutex_, std::adopt_lock);
    relay_locked();
  }
  if (wanted_) wakeup_.signal();
}

void Iopub::relay_locked() {
  wanted_ = false;
  if (socket_ == nullptr) return;
  subscribers_.handle_events();
  std::vector<Publication> taken = outbox_.take();
  const auto now = Clock::now();
  bool had_text = false;
  for (Publication& publication : taken) {
    had_text = had_text || publication.is_stream;
    try {
      subscribers_.deliver(deliver_form(std::move(publication)), now);
    } catch (const std::bad_alloc&) {
      // What comes after it, perhaps idle, still goes.
      support::log::error("an iopub message was lost: no memory");
    }
  }
  if (had_text) last_text_ = now.time_since_epoch().count();
  settle_locked(now);
}

void Iopub::settle_locked(Clock::time_point now) {
  subscribers_.settle(now);
  if (subscribers_.more_events()) wanted_ = true;
  const bool pending = subscribers_.pending();
  const bool saturated = subscribers_.saturated();
  const bool pending_changed = pending_.exchange(pending) != pending;
  const bool saturated_changed = saturated_.exchange(saturated) != saturated;
  if (!pending_changed && !saturated_changed) return;
  // Whoever has just seen that there is no room waits already, and does not sleep through this.
  { const std::lock_guard asking(room_mutex_); }
  room_.notify_all();
  wakeup_.signal();  // for the thread's own deadline, and what it polls
}

Delivery Iopub::deliver_form(Publication&& publication) {
  wire::Outgoing out;
  out.header = std::move(publication.header);
  out.parent_header = publication.context->parent_header;
  out.metadata = std::move(publication.metadata);
  std::size_t droppable_bytes = 0;
  if (publication.is_stream) {
    droppable_bytes = publication.content.size();
    out.content = wire::stream_content(server::to_string(publication.stream), publication.content);
  } else {
    out.content = std::move(publication.content);
  }
  out.buffers = std::move(publication.buffers);
  auto body = std::make_shared<const wire::Frames>(wire::encode(std::move(out), signer_));
  const std::size_t bytes = std::accumulate(body->begin(), body->end(), std::size_t{0},
                                            [](std::size_t sum, const wire::Frame& frame) { return sum + frame.size(); });
  if (publication.topic == "display_data" || publication.topic == "update_display_data") droppable_bytes = bytes;
  return {std::move(publication.topic), std::move(body), bytes, droppable_bytes, std::move(publication.context)};
}

wire::Frames Iopub::welcome(const std::string& subscription) {
  const Json content{{"subscription", subscription}};
  return *deliver_form(make(no_request_, "iopub_welcome", wire::to_text(content), "{}", {})).body;
}

Delivery Iopub::marker(const Context& context, std::size_t dropped_bytes) {
  Publication made = make(context, "stream", {}, "{}", {});
  made.topic = "stream.stderr";
  made.is_stream = true;
  made.stream = Stream::err;
  made.content =
      "\n[" + std::to_string(dropped_bytes) + " bytes of output were dropped: this client did not read them in time]\n";
  Delivery delivery = deliver_form(std::move(made));
  delivery.droppable_bytes = 0;
  return delivery;
}

// ---- the thread "iopub" ----

void Iopub::run() noexcept {
  ::pthread_setname_np(::pthread_self(), "iopub");
  while (!stopping_) {
    try {
      wait_for_work();
    } catch (const std::exception& failure) {
      support::log::error(std::string("iopub: ") + failure.what());
    }
  }
}

void Iopub::wait_for_work() {
  std::array<pollfd, 3> fds{};
  nfds_t count = 2;
  int timeout = -1;
  {
    const std::lock_guard lock(relay_mutex_);
    settle_locked(Clock::now());
    fds[0] = {.fd = socket_->fd(), .events = POLLIN, .revents = 0};
    timeout = poll_timeout_locked();
  }
  fds[1] = {.fd = wakeup_.fd(), .events = POLLIN, .revents = 0};
  // While subscribers cannot follow, the pipes fill, and who writes into them waits.
  if (capture_ != nullptr && !saturated_) fds.at(count++) = {.fd = capture_->fd(), .events = POLLIN, .revents = 0};
  if (wanted_) timeout = 0;
  if (::poll(fds.data(), count, timeout) < 0) return;
  wakeup_.clear();
  outbox_.collect();
  if (wanted_ || text_is_due() || saturated_ || fds[0].revents != 0) flush();
}

int Iopub::poll_timeout_locked() {
  std::optional<Clock::time_point> first = subscribers_.deadline();
  const Clock::time_point due = Clock::time_point{Clock::duration(last_text_.load())} + limits_.stream_delay;
  // From then on text is sent by who prints it. What was printed before this line shows in text_bytes().
  if (Clock::now() >= due) armed_ = false;
  if (armed_ || outbox_.text_bytes() > 0) {
    if (!first || due < *first) first = due;
  }
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

}  // namespace adrastea::server
