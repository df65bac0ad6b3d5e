// SPDX-License-Identifier: BSD-3-Clause
// The floor: what moving a kernel's signed frames through bare ZeroMQ sockets costs when nothing else is done. One thread,
// no JSON parsed, no order kept, no life managed. It answers kernel_info_request and execute_request, and nothing ends it
// but a signal.
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <zmq.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace adrastea;

std::vector<std::string> receive(void* socket) {
  std::vector<std::string> frames;
  int more = 1;
  while (more != 0) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, socket, 0) < 0) return {};
    frames.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
    more = zmq_msg_more(&part);
    zmq_msg_close(&part);
  }
  return frames;
}

void send(void* socket, const std::string& first, const wire::Frames& body) {
  zmq_send(socket, first.data(), first.size(), ZMQ_SNDMORE);
  for (std::size_t i = 0; i < body.size(); ++i)
    zmq_send(socket, body[i].data(), body[i].size(), i + 1 < body.size() ? ZMQ_SNDMORE : 0);
}

class Floor {
 public:
  explicit Floor(const nlohmann::json& file)
      : signer_(wire::Signer::create("hmac-sha256", file.at("key").get<std::string>()).value().copy()) {
    constexpr std::array<const char*, 5> names{"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      sockets_.at(i) = zmq_socket(context_, i == 1 ? ZMQ_PUB : ZMQ_ROUTER);
      const int no_limit = 0;
      zmq_setsockopt(sockets_.at(i), ZMQ_SNDHWM, &no_limit, sizeof no_limit);
      const std::string separator = file.at("transport") == "ipc" ? "-" : ":";
      const std::string endpoint = file.at("transport").get<std::string>() + "://" + file.at("ip").get<std::string>() +
                                   separator + std::to_string(file.at(names.at(i)).get<int>());
      if (zmq_bind(sockets_.at(i), endpoint.c_str()) != 0) std::perror(endpoint.c_str());
    }
  }

  void serve() {
    while (true) {
      const auto frames = receive(sockets_[0]);
      if (frames.size() < 7) continue;
      const std::string& header = frames[3];
      if (header.find("\"kernel_info_request\"") != std::string::npos) {
        reply(frames, "kernel_info_reply", R"({"status":"ok","protocol_version":"5.5"})");
        publish(header, "status", R"({"execution_state":"idle"})");
        continue;
      }
      publish(header, "status", R"({"execution_state":"busy"})");
      publish(header, "execute_input", R"({"code":"x","execution_count":1})");
      publish(header, "stream", R"({"name":"stdout","text":"x"})");
      reply(frames, "execute_reply", R"({"status":"ok","execution_count":1,"payload":[],"user_expressions":{}})");
      publish(header, "status", R"({"execution_state":"idle"})");
    }
  }

 private:
  wire::Frames message(const std::string& parent, const char* msg_type, const char* content) {
    wire::Outgoing out;
    out.header = wire::header_json(identity_.next_header(msg_type));
    out.parent_header = parent;
    out.content = content;
    return wire::encode(std::move(out), signer_);
  }
  void publish(const std::string& parent, const char* msg_type, const char* content) {
    send(sockets_[1], msg_type, message(parent, msg_type, content));
  }
  void reply(const std::vector<std::string>& request, const char* msg_type, const char* content) {
    send(sockets_[0], request[0], message(request[3], msg_type, content));
  }

  wire::Identity identity_;
  wire::Signer signer_;
  void* context_ = zmq_ctx_new();
  std::array<void*, 5> sockets_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream file(argv[2]);
  Floor(nlohmann::json::parse(file)).serve();
}
