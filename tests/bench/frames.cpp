// SPDX-License-Identifier: BSD-3-Clause
#include "bench/frames.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cerrno>
#include <cstdio>
#include <numeric>
#include <stdexcept>

namespace adrastea::bench {

namespace {

constexpr std::string_view k_delimiter = "<IDS|MSG>";
constexpr std::string_view k_digits = "0123456789abcdef";

std::string_view bytes_of(const zmq_msg_t& part) {
  return {static_cast<const char*>(zmq_msg_data(const_cast<zmq_msg_t*>(&part))), zmq_msg_size(&part)};
}

std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::string text;
  for (const unsigned char byte : bytes) {
    text += k_digits[byte >> 4U];
    text += k_digits[byte & 15U];
  }
  return text;
}

}  // namespace

// ---- Received ----

void Received::clear() noexcept {
  for (std::size_t i = 0; i < count_; ++i) zmq_msg_close(&parts_.at(i));
  count_ = 0;
  header_ = parts_.size();
}

void Received::from(void* socket) {
  clear();
  for (bool more = true; more;) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (zmq_msg_recv(&part, socket, 0) < 0)
      if (zmq_errno() != EINTR) throw std::runtime_error(std::string("no message came: ") + zmq_strerror(zmq_errno()));
    more = zmq_msg_more(&part) != 0;
    if (count_ == parts_.size()) {
      zmq_msg_close(&part);
      continue;
    }
    parts_.at(count_++) = part;
    if (header_ == parts_.size() && bytes_of(part) == k_delimiter) header_ = count_ + 1;
  }
}

std::string_view Received::frame(std::size_t index) const { return bytes_of(parts_.at(index)); }

void Received::forward(std::size_t index, void* socket, int flags) { zmq_msg_send(&parts_.at(index), socket, flags); }

std::size_t Received::bytes() const {
  return std::accumulate(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(count_), std::size_t{0},
                         [](std::size_t sum, const zmq_msg_t& part) { return sum + zmq_msg_size(&part); });
}

// ---- Sealer ----

struct Sealer::Mac {
  EVP_MAC_CTX* context = nullptr;
};

Sealer::Sealer(std::string_view key) : mac_(std::make_unique<Mac>()), session_(random_hex()) {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  mac_->context = EVP_MAC_CTX_new(hmac);
  EVP_MAC_free(hmac);
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                             OSSL_PARAM_construct_end()};
  if (EVP_MAC_init(mac_->context, reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters.data()) != 1)
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");
}

Sealer::Sealer(Sealer&&) noexcept = default;

Sealer::~Sealer() {
  if (mac_) EVP_MAC_CTX_free(mac_->context);
}

void Sealer::stamp() {
  std::timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_) {
    std::tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
    date_ = text.data();
    second_ = now.tv_sec;
  }
  long micros = now.tv_nsec / 1000;
  for (std::size_t digit = 25; digit > 19; --digit, micros /= 10)
    date_[digit] = k_digits[static_cast<std::size_t>(micros % 10)];
}

std::string_view Sealer::header(std::string_view msg_type) {
  stamp();
  msg_id_ = session_;
  msg_id_ += '_';
  msg_id_ += std::to_string(count_++);
  header_ = R"({"msg_id":")";
  header_ += msg_id_;
  header_ += R"(","msg_type":")";
  header_ += msg_type;
  header_ += R"(","session":")";
  header_ += session_;
  header_ += R"(","username":"username","date":")";
  header_ += date_;
  header_ += R"(","version":"5.5"})";
  return header_;
}

std::string_view Sealer::sign(const std::array<std::string_view, 4>& frames) {
  std::array<unsigned char, 32> bytes{};
  std::size_t length = 0;
  EVP_MAC_init(mac_->context, nullptr, 0, nullptr);
  for (const std::string_view frame : frames)
    EVP_MAC_update(mac_->context, reinterpret_cast<const unsigned char*>(frame.data()), frame.size());
  EVP_MAC_final(mac_->context, bytes.data(), &length, bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    hex_.at(2 * i) = k_digits[bytes.at(i) >> 4U];
    hex_.at(2 * i + 1) = k_digits[bytes.at(i) & 15U];
  }
  return {hex_.data(), hex_.size()};
}

// ---- sending ----

void send_frame(void* socket, std::string_view bytes, bool more) {
  while (zmq_send(socket, bytes.data(), bytes.size(), more ? ZMQ_SNDMORE : 0) < 0 && zmq_errno() == EINTR) {
  }
}

void send_frame(void* socket, std::unique_ptr<std::string> bytes, bool more) {
  zmq_msg_t part;
  const auto free_it = [](void*, void* hint) { delete static_cast<std::string*>(hint); };
  std::string* const kept = bytes.release();
  zmq_msg_init_data(&part, kept->data(), kept->size(), free_it, kept);
  while (zmq_msg_send(&part, socket, more ? ZMQ_SNDMORE : 0) < 0 && zmq_errno() == EINTR) {
  }
}

void send_borrowed(void* socket, std::string_view bytes) {
  zmq_msg_t part;
  // ZeroMQ only reads what it sends.
  zmq_msg_init_data(&part, const_cast<char*>(bytes.data()), bytes.size(), nullptr, nullptr);
  while (zmq_msg_send(&part, socket, 0) < 0 && zmq_errno() == EINTR) {
  }
}

void send_body(void* socket, Sealer& sealer, const std::array<std::string_view, 4>& frames, bool more) {
  send_frame(socket, k_delimiter, true);
  send_frame(socket, sealer.sign(frames), true);
  for (std::size_t i = 0; i < frames.size(); ++i) send_frame(socket, frames.at(i), more || i + 1 < frames.size());
}

void set_option(void* socket, int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); }

}  // namespace adrastea::bench
