// SPDX-License-Identifier: BSD-3-Clause
#include "transport/handshake.hpp"

#include "support/blocked_signals.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/unique_fd.hpp"
#include "transport/connection_json.hpp"
#include "transport/zmq_handles.hpp"
#include "wire/decode.hpp"
#include "wire/encode.hpp"

#include <adrastea/errors.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace adrastea::transport {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t k_shown_of_refusal = 500;  // bytes of what the launcher says

/// Readable when a signal is pending that ends a kernel which has not registered yet: SIGINT too, for there is no cell that
/// it could interrupt. They are blocked here and stay so, and whoever unblocks them gets them.
support::UniqueFd watch_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  for (const int signal : {SIGINT, SIGHUP}) {
    // Ignored ones, as nohup and a shell's background have them, would be pending all the same.
    struct sigaction inherited {};
    ::sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaddset(&wanted, signal);
  }
  return support::UniqueFd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string pending_signal() {
  sigset_t pending;
  ::sigpending(&pending);
  if (sigismember(&pending, SIGTERM) == 1) return "SIGTERM";
  return sigismember(&pending, SIGHUP) == 1 ? "SIGHUP" : "SIGINT";
}

/// One exchange with a registrar.
class Talk {
 public:
  Talk(const Registration& registration, const Limits& limits, int launcher)
      : registration_(registration),
        limits_(limits),
        launcher_(launcher),
        socket_(std::make_shared<ZmqContext>(),
                registration.dialect == Registration::Dialect::documented ? ZMQ_DEALER : ZMQ_REQ) {
    socket_.set(ZMQ_LINGER, 0);
    if (registration.endpoint.find('[') != std::string::npos) socket_.set(ZMQ_IPV6, 1);
    socket_.set(ZMQ_MAXMSGSIZE, k_max_frame_bytes);
    if (const int error = socket_.connect(registration.endpoint); error != 0) fail(zmq_strerror(error));
  }

  void send(const wire::Frames& frames) {
    for (const auto& frame : frames) {
      ZmqPart part{std::string_view(frame)};
      const bool last = &frame == &frames.back();
      if (!socket_.send(part, (last ? 0 : ZMQ_SNDMORE) | ZMQ_DONTWAIT)) fail("the registration cannot be sent");
    }
  }

  /// The frames of the answer. A registrar that answers in pieces, or never, has the same time.
  wire::Frames receive() {
    await_answer();
    wire::Frames frames;
    for (bool more = true; more;) {
      ZmqPart part;
      if (!socket_.receive(part, ZMQ_DONTWAIT)) fail("the acknowledgement cannot be read");
      if (frames.size() == k_max_frames)
        fail("the acknowledgement has more than " + std::to_string(k_max_frames) + " frames", k_must_acknowledge);
      frames.emplace_back(part.bytes());
      more = part.more();
    }
    return frames;
  }

  void await_answer() {
    while (!socket_.readable()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
      // poll ignores a negative fd
      std::array<pollfd, 3> wait{{{socket_.fd(), POLLIN, 0}, {launcher_, POLLIN, 0}, {terminated_.get(), POLLIN, 0}}};
      if (left.count() <= 0 || ::poll(wait.data(), wait.size(), static_cast<int>(left.count())) == 0) {
        fail("no acknowledgement within " + std::to_string(limits_.handshake.count()) + " ms");
      }
      if (wait[1].revents != 0) fail("the launcher ended before it acknowledged", "start the kernel again");
      if (wait[2].revents != 0) fail(pending_signal() + " came before the acknowledgement", "start the kernel again");
    }
  }

  [[noreturn]] void fail(const std::string& cause, const char* remedy = k_must_wait) const {
    const std::string endpoint = support::printable(registration_.endpoint);
    throw StartupError("cannot register at " + endpoint + ": " + cause + "; " + remedy);
  }

  static constexpr const char* k_must_wait = "the launcher that wrote the registration file must be waiting there (JEP 66)";
  static constexpr const char* k_must_sign =
      "the launcher must sign its acknowledgement with the key of the registration file; another program may be at its "
      "port";
  static constexpr const char* k_must_acknowledge =
      "an acknowledgement is needed as JEP 66 has it; another program may be at the launcher's port";
  static constexpr const char* k_see_its_log = "the launcher's log says why";

 private:
  static constexpr std::int64_t k_max_frame_bytes = std::int64_t{1} << 20;
  static constexpr std::size_t k_max_frames = 64;
  const Registration& registration_;
  const Limits& limits_;
  const int launcher_;
  const support::UniqueFd terminated_ = watch_signals();
  const Clock::time_point end_ = Clock::now() + limits_.handshake;
  ZmqSocket socket_;
};

wire::Signer make_signer(const ConnectionInfo& info) {
  auto made = wire::Signer::create(info.signature_scheme, info.key);
  if (!made) throw StartupError(made.error());
  return std::move(made).value();
}

/// {"shell_port": …}, each as `write` has it.
template <class Write>
json ports_of(const ConnectionInfo& info, const Write& write) {
  json ports = json::object();
  for (const Channel channel : k_channels) ports[std::string(to_string(channel)) + "_port"] = write(info.port(channel));
  return ports;
}

/// JEP 66: one signed frame each way, and the ports are text.
void talk_documented(Talk& talk, const Registration& registration, const ConnectionInfo& info) {
  wire::Signer signer = make_signer(info);
  json content = ports_of(info, [](int port) { return std::to_string(port); });
  content["kernel_id"] = registration.kernel_id;
  const std::string text = content.dump();
  talk.send({wire::k_delimiter, signer.sign({text, "", "", ""}), text});

  const wire::Frames answer = talk.receive();
  const auto delimiter = std::find(answer.begin(), answer.end(), wire::k_delimiter);
  if (answer.end() - delimiter != 3)
    talk.fail("the acknowledgement is not <IDS|MSG>, a signature and one frame", Talk::k_must_acknowledge);
  if (!signer.verify(delimiter[1], {delimiter[2], "", "", ""}))
    talk.fail("the acknowledgement has a wrong signature", Talk::k_must_sign);
  // Whoever does not know the key can do this, and the signature is right.
  if (delimiter[2] == text)
    talk.fail("the registration itself came back, and no acknowledgement", Talk::k_must_acknowledge);
}

/// Positron's supervisor writes null where a reply has no metadata: the reply as it means it.
wire::Frames with_metadata(wire::Frames reply, wire::Signer& signer) {
  const auto delimiter = std::find(reply.begin(), reply.end(), wire::k_delimiter);
  if (reply.end() - delimiter < 6 || delimiter[4] != "null") return reply;
  if (!signer.verify(delimiter[1], {delimiter[2], delimiter[3], delimiter[4], delimiter[5]})) return reply;
  delimiter[4] = "{}";
  delimiter[1] = signer.sign({delimiter[2], delimiter[3], delimiter[4], delimiter[5]});
  return reply;
}

/// Positron: whole messages, and the ports are numbers.
void talk_request_reply(Talk& talk, const ConnectionInfo& info, const Limits& limits) {
  wire::Signer signer = make_signer(info);
  wire::Identity identity;
  wire::Outgoing request;
  request.header = wire::header_json(identity.next_header("handshake_request"));
  request.content = ports_of(info, [](int port) { return port; }).dump();
  talk.send(wire::encode(std::move(request), signer));

  wire::ReplayHistory history(0);
  auto reply = wire::decode(with_metadata(talk.receive(), signer), signer, history, limits);
  if (!reply) {
    using Kind = wire::DecodeError::Kind;
    const Kind kind = reply.error().kind;
    const bool unsigned_or_forged = kind == Kind::unsigned_message || kind == Kind::bad_signature;
    talk.fail(std::string("the handshake_reply is refused: ") + to_string(kind),
              unsigned_or_forged ? Talk::k_must_sign : Talk::k_must_acknowledge);
  }
  const wire::Message message = std::move(reply).value();
  const auto status = message.content.find("status");
  if (message.header.msg_type != "handshake_reply") talk.fail("the answer is no handshake_reply", Talk::k_must_acknowledge);
  if (status == message.content.end() || *status != "ok")
    talk.fail("the launcher refused: " + support::printable(wire::to_text(message.content).substr(0, k_shown_of_refusal)),
              Talk::k_see_its_log);
}

json without_ports(json object) {
  for (const Channel channel : k_channels) object.erase(std::string(to_string(channel)) + "_port");
  return object;
}

}  // namespace

bool is_registration(const json& object) { return has(object, "registration_port"); }

Registration read_registration_json(const json& object, const std::string& where, ConnectionInfo& info) {
  Registration registration;
  const bool documented = has(object, "registration_ip");
  registration.dialect = documented ? Registration::Dialect::documented : Registration::Dialect::request_reply;

  const std::string ip_key = documented ? "registration_ip" : "ip";
  ConnectionInfo registrar = read_connection_json(without_ports(object), where, ip_key);
  if (registrar.ip.empty()) throw StartupError(where + ": " + ip_key + " is missing; it says where to register");
  registrar.ip = address_to_bind(registrar.transport, std::move(registrar.ip));
  // ZeroMQ would look a name up on its own thread, and its end would wait for a name server that does not answer.
  if (registrar.transport == "tcp" && !is_in_numbers(registrar.ip)) {
    throw StartupError(where + ": " + ip_key + " must be an address in numbers, or localhost, not " +
                       support::printable(registrar.ip) + "; the launcher must look the name up");
  }
  // The registrar's address is built as a channel's is.
  registrar.port(Channel::shell) = read_port(object, "registration_port", registrar.transport, where);
  if (registrar.port(Channel::shell) == 0) {
    throw StartupError(where + ": registration_port must be a port, not 0; it is where the launcher waits (JEP 66)");
  }
  registration.endpoint = registrar.endpoint(Channel::shell);

  registration.kernel_id = read_text(object, "kernel_id", "", where);

  info = registrar;
  info.ports = {};
  if (has(object, "ip")) {
    info.ip = read_connection_json(without_ports(object), where).ip;
  } else if (info.transport == "tcp" && !is_loopback(info.ip)) {
    support::log::warning(where + ": registration_ip " + info.ip +
                          " is another machine or all of this one, and ip is missing: listening on 127.0.0.1 only; the "
                          "launcher must write this machine's address into ip if it is to reach this kernel");
    info.ip = "127.0.0.1";
  }
  info.ip = address_to_bind(info.transport, std::move(info.ip));
  return registration;
}

void register_kernel(const Registration& registration, const ConnectionInfo& info, const Limits& limits, int launcher) {
  const support::BlockedSignals blocked;
  Talk talk(registration, limits, launcher);
  support::log::debug("registers at " + support::printable(registration.endpoint));
  if (registration.dialect == Registration::Dialect::documented) {
    talk_documented(talk, registration, info);
  } else {
    talk_request_reply(talk, info, limits);
  }
  support::log::debug("the launcher has acknowledged");
}

}  // namespace adrastea::transport
