// SPDX-License-Identifier: BSD-3-Clause
#include "transport/connection_info.hpp"

namespace adrastea::transport {

const char* to_string(Channel channel) noexcept {
  switch (channel) {
    case Channel::shell:
      return "shell";
    case Channel::iopub:
      return "iopub";
    case Channel::stdin_channel:
      return "stdin";
    case Channel::control:
      return "control";
    case Channel::heartbeat:
      return "hb";
  }
  return "?";
}

std::string ConnectionInfo::endpoint(Channel channel) const {
  const std::string number = std::to_string(port(channel));
  if (transport != "tcp") return transport + "://" + ip + "-" + number;
  const bool bare_ipv6 = ip.find(':') != std::string::npos && ip.front() != '[';
  return "tcp://" + (bare_ipv6 ? "[" + ip + "]" : ip) + ":" + number;
}

}  // namespace adrastea::transport
