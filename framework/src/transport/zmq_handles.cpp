// SPDX-License-Identifier: BSD-3-Clause
#include "transport/zmq_handles.hpp"

#include <adrastea/errors.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace adrastea::transport {
namespace {

// Below, a copy costs less than the allocation that remembers how to free the original.
constexpr std::size_t k_move_from_bytes = std::size_t{64} << 10;

void check_option(int result, int option) {
  if (result != 0) throw std::logic_error("ZeroMQ option " + std::to_string(option) + ": " + zmq_strerror(zmq_errno()));
}

}  // namespace

ZmqContext::ZmqContext() : handle_(zmq_ctx_new()) {
  if (handle_ == nullptr) throw StartupError(std::string("cannot start ZeroMQ: ") + zmq_strerror(zmq_errno()));
}

ZmqContext::~ZmqContext() {
  if (!usable()) return;
  while (zmq_ctx_term(handle_) != 0 && zmq_errno() == EINTR) {
  }
}

void ZmqContext::shutdown() noexcept {
  if (usable()) zmq_ctx_shutdown(handle_);
}

ZmqPart::ZmqPart(std::string&& bytes) {
  if (bytes.size() < k_move_from_bytes) {
    copy(bytes);
    return;
  }
  // ZeroMQ frees it, on its own thread, when the last peer has it.
  auto kept = std::make_unique<std::string>(std::move(bytes));
  const auto free_it = [](void*, void* hint) { delete static_cast<std::string*>(hint); };
  if (zmq_msg_init_data(&message_, kept->data(), kept->size(), free_it, kept.get()) != 0) throw std::bad_alloc();
  static_cast<void>(kept.release());
}

ZmqPart::ZmqPart(std::string_view bytes) { copy(bytes); }

ZmqPart::ZmqPart(std::string_view bytes, const std::shared_ptr<const void>& owner) {
  if (bytes.size() < k_move_from_bytes) {
    copy(bytes);
    return;
  }
  auto kept = std::make_unique<std::shared_ptr<const void>>(owner);
  const auto release = [](void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); };
  // ZeroMQ only reads what it sends.
  void* const data = const_cast<char*>(bytes.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  if (zmq_msg_init_data(&message_, data, bytes.size(), release, kept.get()) != 0) throw std::bad_alloc();
  static_cast<void>(kept.release());
}

void ZmqPart::copy(std::string_view bytes) {
  if (zmq_msg_init_size(&message_, bytes.size()) != 0) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(zmq_msg_data(&message_), bytes.data(), bytes.size());
}

ZmqSocket::ZmqSocket(std::shared_ptr<ZmqContext> context, int type)
    : context_(std::move(context)), handle_(zmq_socket(context_->handle(), type)) {
  if (handle_ == nullptr) throw StartupError(std::string("cannot make a ZeroMQ socket: ") + zmq_strerror(zmq_errno()));
}

ZmqSocket::ZmqSocket(ZmqSocket&& other) noexcept
    : context_(std::move(other.context_)), handle_(std::exchange(other.handle_, nullptr)) {}

ZmqSocket& ZmqSocket::operator=(ZmqSocket&& other) noexcept {
  if (this != &other) {
    close();
    context_ = std::move(other.context_);
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

void ZmqSocket::close() noexcept {
  if (usable()) zmq_close(handle_);
  handle_ = nullptr;
  context_.reset();
}

void ZmqSocket::set(int option, int value) { check_option(zmq_setsockopt(handle_, option, &value, sizeof value), option); }

void ZmqSocket::set(int option, std::int64_t value) {
  check_option(zmq_setsockopt(handle_, option, &value, sizeof value), option);
}

void ZmqSocket::set(int option, std::string_view value) {
  check_option(zmq_setsockopt(handle_, option, value.data(), value.size()), option);
}

int ZmqSocket::bind(const std::string& endpoint) noexcept {
  return zmq_bind(handle_, endpoint.c_str()) == 0 ? 0 : zmq_errno();
}

int ZmqSocket::connect(const std::string& endpoint) noexcept {
  return zmq_connect(handle_, endpoint.c_str()) == 0 ? 0 : zmq_errno();
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, 1024> text{};
  std::size_t size = text.size();
  check_option(zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size), ZMQ_LAST_ENDPOINT);
  return text.data();
}

int ZmqSocket::fd() const noexcept {
  int fd = -1;
  std::size_t size = sizeof fd;
  zmq_getsockopt(handle_, ZMQ_FD, &fd, &size);
  return fd;
}

bool ZmqSocket::readable() const noexcept {
  int events = 0;
  std::size_t size = sizeof events;
  while (usable()) {
    if (zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size) == 0) return (events & ZMQ_POLLIN) != 0;
    if (zmq_errno() != EINTR) return false;
  }
  return false;
}

bool ZmqSocket::receive(ZmqPart& part, int flags) noexcept {
  // A signal handler may fork: usable() is asked again after each EINTR, which in a child would come for ever.
  while (usable()) {
    if (zmq_msg_recv(part.get(), handle_, flags) >= 0) return true;
    if (zmq_errno() != EINTR) return false;
  }
  errno = ETERM;
  return false;
}

bool ZmqSocket::send(ZmqPart& part, int flags) noexcept {
  while (usable()) {
    if (zmq_msg_send(part.get(), handle_, flags) >= 0) return true;
    if (zmq_errno() != EINTR) return false;
  }
  errno = ETERM;
  return false;
}

}  // namespace adrastea::transport
