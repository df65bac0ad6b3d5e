// SPDX-License-Identifier: BSD-3-Clause
#include "registrar.hpp"

#include <adrastea/testing/connection.hpp>
#include <adrastea/testing/failure.hpp>

#include <poll.h>
#include <zmq_addon.hpp>

#include <array>
#include <charconv>

namespace adrastea::testing {
namespace {

constexpr const char* k_ip = "127.0.0.1";

/// A port, which the documented dialect writes as text.
int port_of(const Json& told, const std::string& key) {
  const std::string text = text_of(told, key);
  int port = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), port);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || port < 1 || port > 65535)
    throw Failure("the kernel registered with " + key + " " + (told.contains(key) ? told.at(key).dump() : "missing"));
  return port;
}

}  // namespace

Registrar::Registrar(Acknowledgement acknowledgement)
    : acknowledgement_(acknowledgement), socket_(context_, zmq::socket_type::router) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(std::string("tcp://") + k_ip + ":*");
  const std::string endpoint = socket_.get(zmq::sockopt::last_endpoint);
  port_ = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
}

Json Registrar::registration_file() const {
  return {{"transport", "tcp"},      {"registration_ip", k_ip},           {"registration_port", port_},
          {"kernel_id", kernel_id_}, {"signature_scheme", "hmac-sha256"}, {"key", random_id()}};
}

std::optional<Json> Registrar::await(const Json& file, int process_fd, Deadline deadline) {
  while ((socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) == 0) {
    std::array<pollfd, 2> waits{pollfd{socket_.get(zmq::sockopt::fd), POLLIN, 0}, pollfd{process_fd, POLLIN, 0}};
    if (deadline.passed()) return std::nullopt;
    ::poll(waits.data(), waits.size(), static_cast<int>(deadline.left().count()));
    if (waits[1].revents != 0) return std::nullopt;
  }
  return accept(file);
}

Json Registrar::accept(const Json& file) {
  zmq::multipart_t frames;
  if (!frames.recv(socket_)) throw Failure("the registration cannot be read");
  if (frames.size() != 4 || frames[1].to_string_view() != "<IDS|MSG>")
    throw Failure("the registration is not <IDS|MSG>, a signature and one frame, but " + std::to_string(frames.size() - 1) +
                  " frames");
  const Connection registered{file};
  const Codec codec(registered.scheme(), registered.key());
  const std::string content = frames[3].to_string();
  if (frames[2].to_string_view() != codec.sign({content, "", "", ""})) throw Failure("the registration is signed wrongly");
  const Json told = Json::parse(content, nullptr, false);
  if (!told.is_object()) throw Failure("the registration is no JSON object: " + content);
  if (told.value("kernel_id", Json()) != file.at("kernel_id"))
    throw Failure("the registration has another kernel_id: " + content);

  Json fields = file;
  if (!fields.contains("ip")) fields["ip"] = k_ip;
  for (const Channel channel :
       {Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control, Channel::heartbeat})
    fields[port_key(channel)] = port_of(told, port_key(channel));

  if (acknowledgement_ != Acknowledgement::none) acknowledge(std::move(frames[0]), registered);
  return fields;
}

void Registrar::acknowledge(zmq::message_t identity, const Connection& registered) {
  const bool forged = acknowledgement_ == Acknowledgement::forged;
  const Codec codec(registered.scheme(), forged ? random_id() : registered.key());
  const std::string thanks = "ACK";
  zmq::multipart_t answer;
  answer.add(std::move(identity));
  for (const std::string& frame : {std::string("<IDS|MSG>"), codec.sign({thanks, "", "", ""}), thanks})
    answer.addstr(frame);
  answer.send(socket_);
}

}  // namespace adrastea::testing
