// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/connection.hpp>

#include <adrastea/testing/failure.hpp>

#include <zmq.h>

#include <fstream>

namespace adrastea::testing {

Connection Connection::read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  Json fields = Json::parse(stream, nullptr, false);
  if (!fields.is_object()) throw Failure("no connection file: " + file.string());
  return {std::move(fields)};
}

std::string Connection::endpoint(Channel channel) const {
  const std::string ip = fields.at("ip").get<std::string>();
  const std::string port = std::to_string(fields.at(port_key(channel)).get<int>());
  if (fields.at("transport") == "ipc") return "ipc://" + ip + "-" + port;
  const bool ipv6 = ip.find(':') != std::string::npos;
  return "tcp://" + (ipv6 ? "[" + ip + "]" : ip) + ":" + port;
}

void Connection::encrypt(void* zmq_socket) const {
  if (!encrypted()) return;
  // A kernel accepts whoever knows its public key; one pair of keys for both ends is what jupyter_client uses.
  const std::string server = text_of(fields, "curve_publickey");
  const std::string secret = text_of(fields, "curve_secretkey");
  for (const auto& [option, key] : {std::pair{ZMQ_CURVE_SERVERKEY, server}, std::pair{ZMQ_CURVE_PUBLICKEY, server},
                                    std::pair{ZMQ_CURVE_SECRETKEY, secret}})
    if (zmq_setsockopt(zmq_socket, option, key.data(), key.size()) != 0)
      throw Failure(std::string("the connection file's curve keys: ") + zmq_strerror(zmq_errno()));
}

std::string refused_connection(Channel channel) {
  return std::string("the connection to ") + to_string(channel) +
         " is lost: its ZMTP handshake failed, for the kernel's socket is of another type, or encrypts and this client "
         "does "
         "not, or the other way round";
}

std::string port_key(Channel channel) { return std::string(to_string(channel)) + "_port"; }

}  // namespace adrastea::testing
