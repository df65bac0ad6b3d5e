// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/connection.hpp>

#include <adrastea/testing/failure.hpp>

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

std::string port_key(Channel channel) { return std::string(to_string(channel)) + "_port"; }

}  // namespace adrastea::testing
