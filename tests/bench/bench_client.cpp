// SPDX-License-Identifier: BSD-3-Clause
#include "bench/bench_client.hpp"

#include <zmq.h>

#include <stdexcept>
#include <utility>

namespace adrastea::bench {

namespace {

constexpr int k_answer_ms = 60'000;

bool holds(const std::vector<std::string>& frames, const char* text) {
  for (const std::string& frame : frames)
    if (frame.find(text) != std::string::npos) return true;
  return false;
}

void* connected(void* context, int type, const std::string& endpoint, const std::string& identity) {
  void* const socket = zmq_socket(context, type);
  const int linger = 0;
  const int no_limit = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &k_answer_ms, sizeof k_answer_ms);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &no_limit, sizeof no_limit);
  if (type == ZMQ_SUB)
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
  else
    zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity.data(), identity.size());
  zmq_connect(socket, endpoint.c_str());
  return socket;
}

}  // namespace

BenchClient::BenchClient(const testing::Connection& connection)
    : signer_(std::move(wire::Signer::create(connection.scheme(), connection.key())).value()),
      context_(zmq_ctx_new()),
      shell_(connected(context_, ZMQ_DEALER, connection.endpoint(testing::Channel::shell), identity_.session())),
      iopub_(connected(context_, ZMQ_SUB, connection.endpoint(testing::Channel::iopub), "")),
      control_(connected(context_, ZMQ_DEALER, connection.endpoint(testing::Channel::control), identity_.session())) {}

BenchClient::~BenchClient() {
  zmq_close(shell_);
  zmq_close(iopub_);
  zmq_close(control_);
  zmq_ctx_term(context_);
}

void BenchClient::await_subscription() {
  constexpr long patience_ms = 50;
  zmq_pollitem_t item{.socket = iopub_, .fd = 0, .events = ZMQ_POLLIN, .revents = 0};
  while (zmq_poll(&item, 1, patience_ms) == 0) await_kernel_info();
  while (zmq_poll(&item, 1, patience_ms) > 0) static_cast<void>(receive(iopub_));
}

void BenchClient::await_kernel_info() {
  send(shell_, "kernel_info_request", "{}");
  while (!holds(receive(shell_), "\"kernel_info_reply\"")) {
  }
}

void BenchClient::send_execute(const std::string& code) {
  send(shell_, "execute_request",
       R"({"code":)" + nlohmann::json(code).dump() +
           R"(,"silent":false,"store_history":true,"user_expressions":{},"allow_stdin":false,"stop_on_error":true})");
}

void BenchClient::await_execute() {
  while (!holds(receive(shell_), "\"execute_reply\"")) {
  }
  while (!holds(receive(iopub_), "\"idle\"")) {
  }
}

void BenchClient::shut_down() { send(control_, "shutdown_request", R"({"restart":false})"); }

void BenchClient::send(void* socket, const char* msg_type, const std::string& content) {
  wire::Outgoing out;
  out.header = wire::header_json(identity_.next_header(msg_type));
  out.content = content;
  const wire::Frames frames = wire::encode(std::move(out), signer_);
  for (std::size_t i = 0; i < frames.size(); ++i)
    zmq_send(socket, frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
}

std::vector<std::string> BenchClient::receive(void* socket) {
  std::vector<std::string> frames;
  int more = 1;
  while (more != 0) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, socket, 0) < 0) throw std::runtime_error("the kernel does not answer");
    frames.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
    more = zmq_msg_more(&part);
    zmq_msg_close(&part);
  }
  return frames;
}

}  // namespace adrastea::bench
