// SPDX-License-Identifier: BSD-3-Clause
#include "server/outbox.hpp"

#include "support/utf8.hpp"

#include <utility>

namespace adrastea::server {

namespace utf8 = support::utf8;

namespace {

std::size_t size_of(const Publication& publication) {
  // A message without content occupies its place, too.
  std::size_t bytes = 256 + publication.content.size() + publication.metadata.size();
  for (const wire::Frame& buffer : publication.buffers) bytes += buffer.size();
  return bytes;
}

}  // namespace

Outbox::Outbox(wire::Identity& identity, const Limits& limits, FdCapture* capture)
    : identity_(identity), limits_(limits), capture_(capture), latest_(std::make_shared<RequestContext>()) {}

void Outbox::add_text(const Context& context, Stream stream, std::string_view text) {
  const std::lock_guard lock(mutex_);
  collect_locked();
  add_text_locked(context, context->tails, stream, text);
}

void Outbox::add(Publication publication) {
  const std::lock_guard lock(mutex_);
  collect_locked();
  bytes_ += size_of(publication);
  queue_.push_back(std::move(publication));
}

void Outbox::add_busy(const Context& context, Publication busy) {
  const std::lock_guard lock(mutex_);
  collect_locked();
  complete_text_locked(latest_);
  latest_ = context;
  bytes_ += size_of(busy);
  queue_.push_back(std::move(busy));
}

void Outbox::complete_text(const Context& context) {
  const std::lock_guard lock(mutex_);
  collect_locked();
  complete_text_locked(context);
}

void Outbox::collect() {
  const std::lock_guard lock(mutex_);
  collect_locked();
}

void Outbox::detach_capture() {
  const std::lock_guard lock(mutex_);
  capture_ = nullptr;
}

std::vector<Publication> Outbox::take() {
  const std::lock_guard lock(mutex_);
  bytes_ = text_bytes_ = 0;
  return std::exchange(queue_, {});
}

bool Outbox::is_empty() const {
  const std::lock_guard lock(mutex_);
  return queue_.empty();
}

std::size_t Outbox::bytes() const { return bytes_; }

std::size_t Outbox::text_bytes() const { return text_bytes_; }

Context Outbox::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void Outbox::collect_locked() {
  if (capture_ == nullptr || !capture_->readable()) return;
  for (const Stream stream : {Stream::out, Stream::err}) {
    const std::string bytes = capture_->read(stream);
    if (!bytes.empty()) add_text_locked(latest_, latest_->captured_tails, stream, bytes);
  }
}

void Outbox::add_text_locked(const Context& context, RequestContext::Tails& tails, Stream stream, std::string_view text) {
  if (context->silent || text.empty()) return;
  std::string& tail = tails[static_cast<std::size_t>(stream)];
  if (tail.empty()) {
    const std::size_t kept = utf8::incomplete_tail(text);
    append_locked(context, stream, text.substr(0, text.size() - kept));
    tail = text.substr(text.size() - kept);
    return;
  }
  std::string joined = std::exchange(tail, {});
  joined.append(text);
  const std::size_t kept = utf8::incomplete_tail(joined);
  tail = joined.substr(joined.size() - kept);
  joined.resize(joined.size() - kept);
  append_locked(context, stream, joined);
}

void Outbox::append_locked(const Context& context, Stream stream, std::string_view text) {
  std::string mended;
  if (!utf8::is_valid(text)) text = mended = utf8::sanitized(text);
  while (!text.empty()) {
    std::size_t room = 0;
    if (continues_last_locked(context, stream))
      room = utf8::cut_before(text, limits_.max_stream_bytes - queue_.back().content.size());
    if (room == 0) {
      start_text_locked(context, stream);
      room = utf8::cut_before(text, limits_.max_stream_bytes);
    }
    queue_.back().content.append(text.substr(0, room));
    text_bytes_ += room;
    bytes_ += room;
    text.remove_prefix(room);
  }
}

bool Outbox::continues_last_locked(const Context& context, Stream stream) const {
  if (queue_.empty()) return false;
  const Publication& last = queue_.back();
  return last.is_stream && last.stream == stream && last.context == context &&
         last.content.size() < limits_.max_stream_bytes;
}

void Outbox::start_text_locked(const Context& context, Stream stream) {
  Publication made;
  made.context = context;
  made.header = identity_.next_header_json("stream");
  made.topic = std::string("stream.") + to_string(stream);
  made.is_stream = true;
  made.stream = stream;
  queue_.push_back(std::move(made));
}

void Outbox::complete_text_locked(const Context& context) {
  for (RequestContext::Tails* tails : {&context->captured_tails, &context->tails}) {
    for (const Stream stream : {Stream::out, Stream::err}) {
      const std::string half = std::exchange((*tails)[static_cast<std::size_t>(stream)], {});
      if (!half.empty()) append_locked(context, stream, utf8::sanitized(half));
    }
  }
}

}  // namespace adrastea::server
