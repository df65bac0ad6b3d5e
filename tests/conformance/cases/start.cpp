// SPDX-License-Identifier: BSD-3-Clause
// How a kernel starts, and what it does with its connection file. start.tcp, start.ipc and start.port0 are the runner's.
#include "cases/cases.hpp"
#include "trial.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

namespace adrastea::conformance {
namespace {

using testing::Deadline;
using testing::Ending;
using testing::Failure;
using testing::text_of;

bool failed(const Ending& ending) { return ending.status != 0 || ending.signal != 0; }

/// Something is asked and answered, on shell.
void expect_answer(Trial& trial) {
  trial.require(trial.ask(Channel::shell, "kernel_info_request").reply.has_value(), "kernel_info_request is not answered");
}

void works_with(Trial& trial, LaunchOptions options) {
  trial.start(std::move(options));
  expect_answer(trial);
}

// ---- the connection file ----

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void leaves_the_file(Trial& trial) {
  if (trial.transport() == Transport::port0) Trial::not_applicable("the kernel chooses its ports");
  works_with(trial, {});
  trial.check(read(trial.kernel().connection_file()) == trial.kernel().written(), "the connection file was rewritten");
}

void keeps_the_mode(Trial& trial) {
  works_with(trial, {});
  struct stat status {};
  trial.require(::stat(trial.kernel().connection_file().c_str(), &status) == 0, "the connection file is gone");
  trial.check((status.st_mode & 077U) == 0, "others may read the connection file, which has the key");
}

void need_port0(const Trial& trial) {
  if (trial.transport() != Transport::port0) Trial::not_applicable("the kernel does not choose its ports");
}

/// The file that a kernel completed has these keys as they were.
void keeps(Trial& trial, const Json& keys) {
  need_port0(trial);
  trial.start({.fields = keys});
  const Json fields = trial.connection().fields;
  for (const auto& [key, value] : keys.items()) {
    trial.check(fields.value(key, Json()) == value,
                key + " was " + value.dump() + ", and is " + fields.value(key, Json()).dump());
  }
}

void keeps_the_key(Trial& trial) {
  keeps(trial, {{"key", trial.word()}, {"signature_scheme", "hmac-sha256"}, {"transport", "tcp"}});
}

void keeps_unknown_keys(Trial& trial) {
  keeps(trial, {{"kernel_name", "some"}, {"jupyter_session", "a/b.ipynb"}, {"unknown", {{"deep", {1, 2}}}}});
}

void accepts_unknown_keys(Trial& trial) {
  works_with(trial,
             {.fields = {{"kernel_name", "some"}, {"jupyter_session", "a/b.ipynb"}, {"unknown", {{"deep", {1, 2}}}}}});
}

void needs_no_kernel_name(Trial& trial) { works_with(trial, {.fields = {{"kernel_name", nullptr}}}); }
void needs_no_scheme(Trial& trial) { works_with(trial, {.fields = {{"signature_scheme", nullptr}}}); }
void needs_no_parent(Trial& trial) { works_with(trial, {.tell_parent = false}); }

void takes_no_parent_for_one(Trial& trial) {
  works_with(trial, {.environment = {"JPY_PARENT_PID=0"}, .tell_parent = false});
}

void works_with_parent(Trial& trial, const std::string& parent) {
  works_with(trial, {.environment = {"JPY_PARENT_PID=" + parent}, .tell_parent = false});
}

void takes_the_first_process_for_a_parent(Trial& trial) { works_with_parent(trial, "1"); }

void serves_below_init(Trial& trial) {
  if (const auto why = testing::why_no_init()) Trial::not_applicable(*why);
  trial.start({.through_init = true});
  expect_answer(trial);
  trial.expect_alive();
  if (trial.abilities().unhandled.contains("shutdown_request")) return;
  trial.client().request(Channel::control, "shutdown_request", {{"restart", false}});
  trial.expect_end();
}

/// Of a process that has ended, and whose number nobody has again so soon.
std::string former_pid() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return std::to_string(child);
}

/// It works, or it ends: whatever it said before is no matter then.
void decides_about_parent(Trial& trial, const std::string& parent) {
  trial.start({.environment = {"JPY_PARENT_PID=" + parent}, .tell_parent = false});
  try {
    trial.connect({.aftermath = {}});
    expect_answer(trial);
  } catch (const Failure&) {
    trial.expect_end();
  }
}

void decides_about_a_former_parent(Trial& trial) { decides_about_parent(trial, former_pid()); }
void decides_about_a_word(Trial& trial) { decides_about_parent(trial, "nobody"); }

// ---- once more ----

std::string session_of(KernelClient& client) {
  const auto answer = client.exchange(Channel::shell, "kernel_info_request");
  return text_of(Trial::reply(answer).header, "session");
}

/// As a restarter starts it after a crash: with what the file of the first had.
struct Again {
  std::string session_before;
  std::string session;
};

/// Of a client that is connected while the kernel is killed.
std::string session_until_killed(Trial& trial) {
  ClientOptions options;
  options.welcome = false;
  options.exact_parents = false;
  options.process_fd = trial.kernel().pidfd();
  options.patience = trial.timeout();
  options.on_violation = [](const testing::Violation&) {};
  KernelClient client(trial.connection(), options);
  client.synchronize();
  std::string session = session_of(client);
  trial.kernel().signal_group(SIGKILL);
  trial.expect_end();
  client.forget_unasserted();
  client.finish(KernelClient::Kernel::ended);
  return session;
}

Again start_again(Trial& trial, const std::vector<std::string>& same) {
  trial.start({});
  const Json before = trial.connection().fields;
  Again again{session_until_killed(trial), ""};
  Json fields = Json::object();
  for (const auto& key : same) fields[key] = before.at(key);
  trial.start({.fields = fields});
  again.session = session_of(trial.client());
  return again;
}

void starts_on_the_same_ports(Trial& trial) {
  if (!trial.has_fixed_ports()) Trial::not_applicable("the ports are not fixed");
  start_again(trial, {"key", "shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"});
}

void has_a_new_session(Trial& trial) {
  const Again again = start_again(trial, {"key"});
  trial.check(again.session != again.session_before, "both processes have the session " + again.session);
}

// ---- channels ----

/// Connects a plain socket. Whether somebody listens is known at once.
bool listens(const testing::Connection& connection, Channel channel) {
  const std::string endpoint = connection.endpoint(channel);
  if (endpoint.starts_with("ipc://")) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1, 6);
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(connection.fields.at(testing::port_key(channel)).get<int>()));
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

template <Channel channel>
void is_bound(Trial& trial) {
  // The reply says that the kernel is there; it need not have bound all channels before it answers on shell.
  expect_answer(trial);
  const Deadline deadline(trial.timeout());
  while (!listens(trial.connection(), channel)) {
    trial.require(!deadline.passed(), "nobody listens");
    trial.client().fence(Channel::shell);
  }
}

/// A tcp port of 127.0.0.1 where somebody listens already.
class TakenPort {
 public:
  TakenPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 8) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("cannot listen: " + std::string(std::strerror(errno)));
    number_ = ntohs(address.sin_port);
  }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  ~TakenPort() { ::close(fd_); }
  [[nodiscard]] int number() const { return number_; }

 private:
  int fd_;
  int number_ = 0;
};

template <Channel channel>
void ends_when_taken(Trial& trial) {
  if (!trial.has_fixed_ports()) Trial::not_applicable("the ports are not fixed");
  const TakenPort port;
  trial.start({.fields = {{testing::port_key(channel), port.number()}}});
  const Ending ending = trial.expect_end();
  trial.check(failed(ending), "the kernel " + to_string(ending));
}

// ---- signatures ----

void works_with_scheme(Trial& trial, const std::string& scheme) {
  works_with(trial, {.fields = {{"signature_scheme", scheme}}});
}

void works_with_sha512(Trial& trial) { works_with_scheme(trial, "hmac-sha512"); }
void works_with_md5(Trial& trial) { works_with_scheme(trial, "hmac-md5"); }
void works_without_key(Trial& trial) { works_with(trial, {.fields = {{"key", ""}}}); }

void ignores_signatures_without_key(Trial& trial) {
  works_with(trial, {.fields = {{"key", ""}}});
  KernelClient& client = trial.client();
  testing::Frames frames = client.frames_of("kernel_info_request");
  frames.at(1) = std::string(64, '0');
  const std::string id = client.send_request(Channel::shell, frames);
  trial.check(client.wait_until([&] { return client.waiting(Channel::shell); }), "a signed request is not answered");
  client.collect(id);
}

/// A kernel that was told of a scheme that nobody knows.
KernelProcess& start_with_unknown_scheme(Trial& trial) {
  if (trial.chooses_ports()) Trial::not_applicable("where the kernel would listen is not known");
  return trial.start({.fields = {{"signature_scheme", "hmac-nosuchdigest"}}});
}

void ends_with_unknown_scheme(Trial& trial) {
  start_with_unknown_scheme(trial);
  const Ending ending = trial.expect_end();
  trial.check(failed(ending), "the kernel " + to_string(ending));
}

void is_never_open(Trial& trial) {
  KernelProcess& kernel = start_with_unknown_scheme(trial);
  testing::Connection unsigned_connection = trial.connection();
  unsigned_connection.fields["key"] = "";
  unsigned_connection.fields["signature_scheme"] = "hmac-sha256";
  ClientOptions options;
  options.subscribe = false;
  options.welcome = false;
  options.exact_parents = false;
  options.process_fd = kernel.pidfd();
  options.patience = trial.timeout();
  options.on_violation = [](const testing::Violation&) {};
  KernelClient client(unsigned_connection, options);
  client.request(Channel::shell, "kernel_info_request");
  const bool answered = client.wait_until([&] { return client.waiting(Channel::shell); });
  client.forget_unasserted();
  client.finish(KernelClient::Kernel::ended);
  kernel.signal_group(SIGKILL);
  trial.expect_end();
  trial.check(!answered, "an unsigned request is answered");
}

// ---- what cannot work ----

/// Whether the kernel told somebody on its stderr, after it has ended by itself with a failure.
void ends_with(Trial& trial, LaunchOptions options) {
  trial.start(std::move(options));
  const Ending ending = trial.expect_end();
  trial.check(failed(ending), "the kernel " + to_string(ending));
}

void says_why(Trial& trial, LaunchOptions options) {
  trial.start(std::move(options));
  trial.expect_end();
  trial.check(!trial.kernel().stderr_text().empty(), "stderr is empty");
}

LaunchOptions truncated() { return {.file_text = R"({"transport": "tcp", "ip": "127.0.0.1", "shell_po)"}; }

void ends_with_a_truncated_file(Trial& trial) { ends_with(trial, truncated()); }
void says_what_is_truncated(Trial& trial) { says_why(trial, truncated()); }
void ends_with_an_empty_file(Trial& trial) { ends_with(trial, {.file_text = ""}); }
void ends_with_an_array(Trial& trial) { ends_with(trial, {.file_text = "[]"}); }
void ends_with_unknown_transport(Trial& trial) { ends_with(trial, {.fields = {{"transport", "pigeon"}}}); }

void ends_without_a_file(Trial& trial) {
  KernelProcess& kernel = trial.start({.write_file = false});
  const Deadline deadline(trial.timeout());
  // A kernel may make the file, as ipykernel does: then it must be a whole one.
  while (kernel.running() && !std::filesystem::exists(kernel.connection_file())) {
    trial.require(!deadline.passed(), "the kernel neither ends nor makes the file");
    try {
      kernel.wait(Deadline(std::chrono::milliseconds(10)));
    } catch (const Failure&) {
      continue;
    }
  }
  if (!kernel.running()) {
    const Ending ending = trial.expect_end();
    trial.check(failed(ending), "the kernel " + to_string(ending));
    return;
  }
  kernel.signal_group(SIGKILL);
  trial.expect_end();
}

/// The machine has ::1.
bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

void works_over_ipv6_or_ends(Trial& trial) {
  need_port0(trial);
  if (!has_ipv6()) Trial::not_applicable("this machine has no ::1");
  KernelProcess& kernel = trial.start({.fields = {{"ip", "::1"}}});
  try {
    static_cast<void>(trial.connection());
  } catch (const Failure&) {
    if (kernel.running()) throw;
    const Ending ending = trial.expect_end();
    trial.check(failed(ending), "the kernel " + to_string(ending));
    return;
  }
  expect_answer(trial);
}

template <Channel channel>
Case bound_case(std::string_view id) {
  return {id,
          "Messaging, Introduction",
          Level::must,
          "Each of the five channels of the connection file is there.",
          "connects a plain socket to this channel",
          "the connection is accepted",
          is_bound<channel>};
}

template <Channel channel>
Case taken_case(std::string_view id) {
  return {id,
          "Kernels, Connection files",
          Level::must,
          "A kernel that cannot have all of its ports ends, and does not serve the others.",
          "starts the kernel while somebody else listens at this port",
          "the process ends, and not with exit status 0",
          ends_when_taken<channel>};
}

std::vector<Case> file_cases() {
  constexpr std::string_view section = "Kernels, Connection files";
  constexpr std::string_view answers = "kernel_info_request is answered";
  constexpr std::string_view ends = "the process ends, and not with exit status 0";
  return {
      {"start.file.untouched", section, Level::should, "A kernel that chooses nothing leaves its connection file alone.",
       "compares the file's bytes before and after the start", "the same bytes", leaves_the_file},
      {"start.file.mode", section, Level::must, "Nobody else may read the connection file.",
       "looks at the file's mode after the start", "no rights for group and others", keeps_the_mode},
      {"start.port0.key", section, Level::must, "A kernel that writes its ports leaves key, scheme and transport.",
       "starts the kernel with ports 0", "the same values in the file", keeps_the_key},
      {"start.port0.unknown", section, Level::should, "A kernel that writes its ports leaves what it does not know.",
       "starts the kernel with ports 0 and keys of the launcher's", "the same values in the file", keeps_unknown_keys},
      {"start.fields.unknown", section, Level::must, "A connection file may have more keys.",
       "starts the kernel with kernel_name, jupyter_session and an unknown key", answers, accepts_unknown_keys},
      {"start.fields.kernel-name", section, Level::should, "A connection file may lack kernel_name.",
       "starts the kernel without kernel_name", answers, needs_no_kernel_name},
      {"start.fields.scheme", section, Level::should, "Without signature_scheme it is hmac-sha256.",
       "starts the kernel without signature_scheme", answers, needs_no_scheme},
      {"start.file.missing", section, Level::should, "A connection file that is not there is made, or an error.",
       "names a file that does not exist", "the process ends, and not with exit status 0; or it makes the file",
       ends_without_a_file},
      {"start.file.truncated", section, Level::should, "A connection file that cannot be read is an error.",
       "starts the kernel with half a file", ends, ends_with_a_truncated_file},
      {"start.file.truncated.stderr", section, Level::should, "A kernel that cannot start says why.",
       "starts the kernel with half a file", "something on stderr", says_what_is_truncated},
      {"start.file.empty", section, Level::should, "A connection file that cannot be read is an error.",
       "starts the kernel with an empty file", ends, ends_with_an_empty_file},
      {"start.file.array", section, Level::should, "A connection file that is no object is an error.",
       "starts the kernel with the file []", ends, ends_with_an_array},
      {"start.transport.unknown", section, Level::should, "A transport that nobody knows is an error.",
       "starts the kernel with the transport 'pigeon'", ends, ends_with_unknown_transport},
  };
}

std::vector<Case> signature_cases() {
  constexpr std::string_view section = "Messaging, The Wire Protocol";
  constexpr std::string_view answers = "kernel_info_request is answered";
  return {
      {"start.scheme.sha512", section, Level::should, "signature_scheme may be hmac-sha512.",
       "starts the kernel with hmac-sha512", answers, works_with_sha512},
      {"start.scheme.md5", section, Level::should, "signature_scheme may be hmac-md5.", "starts the kernel with hmac-md5",
       answers, works_with_md5},
      {"start.scheme.unknown", section, Level::should, "A scheme that nobody knows is an error.",
       "starts the kernel with hmac-nosuchdigest", "the process ends, and not with exit status 0",
       ends_with_unknown_scheme},
      {"start.scheme.unknown.closed", section, Level::must, "A kernel that cannot check signatures serves nobody.",
       "starts the kernel with hmac-nosuchdigest and sends an unsigned request", "no reply", is_never_open},
      {"start.key.empty", section, Level::must, "With an empty key messages are not signed.",
       "starts the kernel with key '' and sends an unsigned request", answers, works_without_key},
      {"start.key.empty.signed", section, Level::should, "With an empty key signatures are not looked at.",
       "starts the kernel with key '' and sends a request with some signature", answers, ignores_signatures_without_key},
  };
}

}  // namespace

std::vector<Case> start_cases() {
  std::vector<Case> cases = file_cases();
  for (const auto& one : signature_cases()) cases.push_back(one);
  const std::vector<Case> others{
      bound_case<Channel::shell>("start.bound.shell"),
      bound_case<Channel::iopub>("start.bound.iopub"),
      bound_case<Channel::stdin_channel>("start.bound.stdin"),
      bound_case<Channel::control>("start.bound.control"),
      bound_case<Channel::heartbeat>("start.bound.heartbeat"),
      taken_case<Channel::shell>("start.taken.shell"),
      taken_case<Channel::iopub>("start.taken.iopub"),
      taken_case<Channel::stdin_channel>("start.taken.stdin"),
      taken_case<Channel::control>("start.taken.control"),
      taken_case<Channel::heartbeat>("start.taken.heartbeat"),
      {"start.parent.untold", "jupyter_client, JPY_PARENT_PID", Level::must, "A kernel need not know who started it.",
       "starts the kernel without JPY_PARENT_PID", "kernel_info_request is answered", needs_no_parent},
      {"start.parent.zero", "jupyter_client, JPY_PARENT_PID", Level::should, "A parent 0 is none.",
       "starts the kernel with JPY_PARENT_PID=0", "kernel_info_request is answered", takes_no_parent_for_one},
      {"start.parent.word", "jupyter_client, JPY_PARENT_PID", Level::must,
       "A kernel whose parent is no number does not hang.", "starts the kernel with JPY_PARENT_PID=nobody",
       "kernel_info_request is answered, or the process ends", decides_about_a_word},
      {"start.parent.first", "jupyter_client, JPY_PARENT_PID", Level::should,
       "A parent that runs, and did not start the kernel itself, is no reason to end.",
       "starts the kernel with JPY_PARENT_PID=1", "kernel_info_request is answered", takes_the_first_process_for_a_parent},
      {"start.parent.init", "jupyter_client, JPY_PARENT_PID; pid_namespaces", Level::must,
       "A kernel whose parent is the first process of a container is no orphan.",
       "starts the kernel in a PID namespace of its own by the process 1, and sends shutdown_request",
       "the kernel serves, and ends when it is asked to", serves_below_init},
      {"start.parent.former", "jupyter_client, JPY_PARENT_PID", Level::must,
       "A kernel that starts when its parent has ended does not hang.",
       "starts the kernel with the JPY_PARENT_PID of a process that has ended",
       "kernel_info_request is answered, or the process ends", decides_about_a_former_parent},
      {"start.again.ports", "jupyter_client, restarts", Level::must,
       "A kernel that was killed can be started again at once with the same ports.",
       "kills a kernel that a client is connected to, and starts it with the same connection file",
       "kernel_info_request is answered", starts_on_the_same_ports},
      {"start.again.session", "Messaging, General message format", Level::must,
       "Each process of a kernel has a session of its own, which says to clients that it was restarted.",
       "kills the kernel and starts it again with the same key", "another session in the headers", has_a_new_session},
      {"start.ipv6", "Kernels, Connection files", Level::may, "The ip of a connection file may be one of IPv6.",
       "starts the kernel with the ip ::1", "kernel_info_request is answered; or the process ends, not with exit status 0",
       works_over_ipv6_or_ends},
  };
  cases.insert(cases.end(), others.begin(), others.end());
  return cases;
}

}  // namespace adrastea::conformance
