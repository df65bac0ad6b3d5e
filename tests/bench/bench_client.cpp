// SPDX-License-Identifier: BSD-3-Clause
#include "bench/bench_client.hpp"

#include <stdexcept>

namespace adrastea::bench {

namespace {

constexpr int k_answer_ms = 20'000;
constexpr std::string_view k_comm_id = "be9c4be9c4be9c4be9c4be9c4be9c4be";

/// One for all clients, with one thread of ZeroMQ's; never ended, because the process ends first.
void* context() {
  static void* const shared = zmq_ctx_new();
  return shared;
}

void* connected(int type, const std::string& endpoint, const std::string& identity) {
  void* const socket = zmq_socket(context(), type);
  set_option(socket, ZMQ_LINGER, 0);
  set_option(socket, ZMQ_RCVTIMEO, k_answer_ms);
  set_option(socket, ZMQ_RCVHWM, 0);
  set_option(socket, ZMQ_SNDHWM, 0);
  // The default, 100 ms, would be all that is seen of a start.
  set_option(socket, ZMQ_RECONNECT_IVL, 1);
  if (type == ZMQ_SUB)
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
  else
    zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity.data(), identity.size());
  zmq_connect(socket, endpoint.c_str());
  return socket;
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char character : text) {
    if (character == '"' || character == '\\') out += '\\';
    if (character == '\n')
      out += "\\n";
    else
      out += character;
  }
}

bool readable(void* socket, long patience_ms) {
  zmq_pollitem_t item{.socket = socket, .fd = 0, .events = ZMQ_POLLIN, .revents = 0};
  return zmq_poll(&item, 1, patience_ms) > 0;
}

}  // namespace

void Seen::require_text(std::size_t printed) const {
  if (text_bytes < printed)
    throw std::runtime_error("of " + std::to_string(printed) + " bytes of text only " + std::to_string(text_bytes) +
                             " came");
}

BenchClient::BenchClient(const testing::Connection& connection)
    : sealer_(connection.key()),
      shell_(connected(ZMQ_DEALER, connection.endpoint(testing::Channel::shell), sealer_.session())),
      iopub_(connected(ZMQ_SUB, connection.endpoint(testing::Channel::iopub), "")),
      control_(connected(ZMQ_DEALER, connection.endpoint(testing::Channel::control), sealer_.session())) {}

BenchClient::~BenchClient() {
  for (void* const socket : {shell_, iopub_, control_}) zmq_close(socket);
}

void BenchClient::await_kernel_info() {
  send(shell_, "kernel_info_request", "{}");
  await_reply(shell_, "\"kernel_info_reply\"");
}

void BenchClient::await_control_info() {
  send(control_, "kernel_info_request", "{}");
  await_reply(control_, "\"kernel_info_reply\"");
}

void BenchClient::await_subscription() {
  constexpr long patience_ms = 50;
  while (true) {
    await_kernel_info();
    while (readable(iopub_, patience_ms)) {
      received_.from(iopub_);
      if (is_idle() && of_last_request()) return;
    }
  }
}

void BenchClient::send_execute(std::string_view code) {
  content_.assign(R"({"code":")");
  append_escaped(content_, code);
  content_ += R"(","silent":false,"store_history":true,"user_expressions":{},"allow_stdin":false,"stop_on_error":true})";
  send(shell_, "execute_request", content_);
}

Seen BenchClient::await_execute(int replies) {
  await_replies(replies);
  return await_idle();
}

void BenchClient::await_replies(int count) {
  for (int i = 0; i < count; ++i) await_reply(shell_, "\"execute_reply\"");
}

Seen BenchClient::await_idle() {
  Seen seen;
  while (true) {
    received_.from(iopub_);
    ++seen.messages;
    seen.bytes += received_.bytes();
    if (received_.is("\"stream\"")) seen.text_bytes += received_.content().size();
    if (is_idle() && of_last_request()) return seen;
  }
}

void BenchClient::await_idles(int count) {
  for (int seen = 0; seen < count;) {
    received_.from(iopub_);
    if (is_idle() && received_.parent_header().find("\"execute_request\"") != std::string_view::npos) ++seen;
  }
}

void BenchClient::drain() {
  await_kernel_info();
  static_cast<void>(await_idle());
}

void BenchClient::await_stream() {
  do {
    received_.from(iopub_);
  } while (!received_.is("\"stream\"") || !of_last_request());
}

void BenchClient::interrupt() {
  // Not the last request: that stays the one whose idle is waited for.
  const std::string kept = sealed_;
  send(control_, "interrupt_request", "{}");
  await_reply(control_, "\"interrupt_reply\"");
  sealed_ = kept;
}

void BenchClient::shut_down() {
  send(control_, "shutdown_request", R"({"restart":false})");
  await_reply(control_, "\"shutdown_reply\"");
}

void BenchClient::open_comm() {
  send(shell_, "comm_open", R"({"comm_id":")" + std::string(k_comm_id) + R"(","target_name":"bench","data":{}})");
  static_cast<void>(await_idle());
}

Seen BenchClient::comm_round_trip(std::string_view buffer) {
  send(shell_, "comm_msg", R"({"comm_id":")" + std::string(k_comm_id) + R"(","data":{}})", buffer);
  return await_idle();
}

void BenchClient::send(void* socket, std::string_view msg_type, std::string_view content, std::string_view buffer) {
  const std::string_view header = sealer_.header(msg_type);
  sealed_.assign("\"").append(sealer_.msg_id()).append("\"");
  send_body(socket, sealer_, {header, "{}", "{}", content}, !buffer.empty());
  if (!buffer.empty()) send_borrowed(socket, buffer);
}

void BenchClient::await_reply(void* socket, std::string_view quoted_msg_type) {
  do {
    received_.from(socket);
  } while (!received_.is(quoted_msg_type));
}

bool BenchClient::is_idle() const {
  // The header first: what a large message contains is nobody's status.
  return received_.is("\"status\"") && received_.content().find("\"idle\"") != std::string_view::npos;
}

StoppedSubscriber::StoppedSubscriber(const testing::Connection& connection) : socket_(zmq_socket(context(), ZMQ_SUB)) {
  set_option(socket_, ZMQ_LINGER, 0);
  set_option(socket_, ZMQ_RCVHWM, 1);
  set_option(socket_, ZMQ_RCVBUF, 4096);
  zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, "", 0);
  zmq_connect(socket_, connection.endpoint(testing::Channel::iopub).c_str());
}

StoppedSubscriber::~StoppedSubscriber() { zmq_close(socket_); }

bool StoppedSubscriber::read() {
  zmq_msg_t part;
  zmq_msg_init(&part);
  const bool came = zmq_msg_recv(&part, socket_, ZMQ_DONTWAIT) >= 0;
  while (came && zmq_msg_more(&part) != 0) zmq_msg_recv(&part, socket_, 0);
  zmq_msg_close(&part);
  return came;
}

}  // namespace adrastea::bench
