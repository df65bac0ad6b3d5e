// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>

namespace adrastea::testing {
namespace {

/// jupyter_client sends SIGTERM 2.5 s after a shutdown_request.
constexpr std::chrono::milliseconds k_before_sigterm{2500};

class Life : public TransportTest {};
ADRASTEA_EVERY_TRANSPORT(Life);

TEST_P(Life, ShutsDownWhenIdle) {
  start_here({.arguments = {"--log-level", "info"}});
  ask_for_shutdown(client(), Channel::control, true);
  expect_end();
  EXPECT_NE(kernel().stderr_text().find("probe: restart"), std::string::npos) << "Interpreter::shutdown is the last call";
}

TEST_P(Life, ShutsDownFromTheShellToo) {
  start_here({.arguments = {"--log-level", "info"}});
  ask_for_shutdown(client(), Channel::shell);
  expect_end();
  EXPECT_NE(kernel().stderr_text().find("probe: shutdown"), std::string::npos);
}

TEST_P(Life, EndsPolitelyOnSigterm) {
  start_here();
  client().run("out a");
  kernel().signal(SIGTERM);
  EXPECT_EQ(kernel().wait().signal, 0) << kernel().stderr_text();
  kernel_ended();
}

TEST_P(Life, LeavesTheConnectionFileAlone) {
  LaunchOptions options;
  options.fields = {{"jupyter_session", "notebook.ipynb"}, {"unknown", {{"kept", true}}}};
  start_here(std::move(options));
  client().run("out a");
  const Json fields = kernel().connection().fields;
  EXPECT_EQ(fields.at("unknown"), (Json{{"kept", true}}));
  EXPECT_EQ(fields.at("jupyter_session"), "notebook.ipynb");
  struct stat status {};
  ASSERT_EQ(::stat(kernel().connection_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ask_for_shutdown(client());
  expect_end();
  EXPECT_EQ(Connection::read(kernel().connection_file()).fields, fields) << "a file that we did not make stays";
}

class Ends : public SystemTest {
 protected:
  std::string begin(const std::string& code) {
    std::string id = client().execute(code);
    client().expect_busy(id);
    client().expect_execute_input(id, code);
    return id;
  }
};

TEST_F(Ends, WithinTheDeadlineWhileBusy) {
  const std::string id = begin("spin");
  ask_for_shutdown(client());
  client().expect_error(id, "Interrupted");
  client().expect_idle(id);
  client().expect_reply(id, "error");
  EXPECT_EQ(kernel().wait(Deadline(k_before_sigterm)), (Ending{0, 0}));
  kernel_ended();
}

class EndsNative : public Ends, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Code, EndsNative, ::testing::Values("loop", "hang"),
                         [](const auto& code) { return std::string(code.param); });

TEST_P(EndsNative, WithinTheDeadlineAfterAShutdownRequest) {
  begin(GetParam());
  ask_for_shutdown(client());
  EXPECT_EQ(kernel().wait(Deadline(k_before_sigterm)), (Ending{0, 0}));
  kernel_ended();
}

TEST_P(EndsNative, WithinTheDeadlineAfterSigterm) {
  begin(GetParam());
  kernel().signal(SIGTERM);
  EXPECT_EQ(kernel().wait(Deadline(k_before_sigterm)).signal, 0);
  kernel_ended();
}

TEST_F(Ends, AsJupyterClientDoesIt) {
  // The manager interrupts, asks for the shutdown over control, and does both whatever runs.
  const std::string id = begin("sleep 1000");
  kernel().signal_group(SIGINT);
  ask_for_shutdown(client());
  client().expect_error(id, "Interrupted");
  client().expect_idle(id);
  client().expect_reply(id, "error");
  expect_end();
}

TEST_F(Ends, WhileItIsFloodedOnControl) {
  // 3 000 requests that wait on control, and nobody who reads the answers.
  KernelClient deaf(kernel().connection());
  for (int i = 0; i < 3'000; ++i) deaf.request(Channel::control, "kernel_info_request");
  begin("spin");
  kernel().signal(SIGTERM);
  EXPECT_EQ(kernel().wait(Deadline(k_before_sigterm)).signal, 0);
  deaf.forget_unasserted();
  deaf.finish(KernelClient::Kernel::ended);
  client().forget_unasserted();
  kernel_ended();
}

TEST_F(Ends, WithAnAnswerForWhatWaits) {
  const std::string gate = client().execute("input ready?", {.allow_stdin = true});
  client().expect_input_request(gate, "ready?");
  std::vector<std::string> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(client().execute("out must not run"));
  const std::string other = client().request(Channel::shell, "is_complete_request", {{"code", "x"}});
  // They are in the kernel before the shutdown_request: both go over local sockets, one after the other.
  client().exchange(Channel::control, "kernel_info_request");
  ask_for_shutdown(client());
  EXPECT_EQ(client().collect(gate).status(), "error");
  for (const std::string& id : waiting) EXPECT_EQ(client().collect(id).status(), "aborted");
  EXPECT_EQ(client().collect(other).status(), "error");
  expect_end();
}

TEST_F(Ends, OfAnySignalWithoutLeavingFiles) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int signal : {SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGPOLL, SIGTRAP}) {
    SCOPED_TRACE(::sigabbrev_np(signal));
    KernelProcess process(ADRASTEA_PROBE);
    KernelClient watcher(process.connection());
    expect_alive(watcher, "out alive", {{"stdout", "alive"}});
    watcher.finish();
    process.signal(signal);
    EXPECT_EQ(process.wait(), (Ending{0, signal}));
    EXPECT_TRUE(process.socket_files().empty());
    EXPECT_NE(process.stderr_text().find(std::string("died of SIG") + ::sigabbrev_np(signal)), std::string::npos)
        << process.stderr_text();
  }
}

TEST_F(Ends, DuringTheStartWithoutLeavingFiles) {
  using std::chrono::microseconds;
  for (int round = 0; round < 90; ++round) {
    KernelProcess process(ADRASTEA_PROBE);
    // From before main() until it serves, in steps; no moment of it may leave anything.
    const auto moment = std::chrono::steady_clock::now() + microseconds(round / 3 * 500);
    while (std::chrono::steady_clock::now() < moment) {
    }
    const int signal = std::array{SIGTERM, SIGHUP, SIGINT}.at(static_cast<std::size_t>(round) % 3);
    process.signal(signal);
    if (signal == SIGINT) process.signal(SIGTERM);  // idle, it goes on after the first
    process.wait();
    EXPECT_TRUE(process.socket_files().empty()) << "round " << round;
  }
}

TEST_F(Ends, WhenItsOwnParentDiesAndJpyParentPidIsNobodys) {
  // As in a container: the number is of another namespace.
  KernelProcess process(ADRASTEA_PROBE,
                        {.environment = {"JPY_PARENT_PID=4194305"}, .tell_parent = false, .through_parent = true});
  KernelClient watcher(process.connection());
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  process.kill_parent();
  EXPECT_EQ(process.wait().signal, 0);
  EXPECT_NE(process.stderr_text().find("watched instead"), std::string::npos) << process.stderr_text();
  watcher.drain();
  watcher.forget_unasserted();
  watcher.finish(KernelClient::Kernel::ended);
}

TEST_F(Ends, NotOfAHangupUnderNohup) {
  KernelProcess process("/bin/sh", {.command_prefix = {"-c", "trap '' HUP; exec " ADRASTEA_PROBE " \"$@\"", "sh"}});
  KernelClient watcher(process.connection());
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  process.signal(SIGHUP);
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  watcher.finish();
  ask_for_shutdown(watcher);
  EXPECT_EQ(process.wait(), (Ending{0, 0}));
}

TEST_F(Ends, WithoutTouchingTheRestOfAPipeline) {
  // In a session that is not its own, the kernel's process group is its launcher's and its neighbours'.
  KernelProcess shell("/bin/sh", {.command_prefix = {"-c",
                                                     "sleep 1000 & neighbour=$!; " ADRASTEA_PROBE
                                                     " \"$@\"; kill -0 $neighbour && echo unharmed; kill $neighbour",
                                                     "sh"}});
  KernelClient watcher(shell.connection());
  const std::string id = watcher.execute("spin");
  watcher.expect_busy(id);
  watcher.expect_execute_input(id, "spin");
  watcher.exchange(Channel::control, "interrupt_request");
  watcher.expect_error(id, "Interrupted");
  watcher.expect_idle(id);
  watcher.expect_reply(id, "error");
  watcher.finish();
  ask_for_shutdown(watcher);
  shell.wait();
  EXPECT_EQ(shell.stdout_text(), "unharmed\n") << shell.stderr_text();
}

TEST_F(Ends, WithTheStatusThatTheCodeAskedFor) {
  const Exchange cell = client().run("exit 7\nout still answered");
  EXPECT_EQ(cell.status(), "ok");
  EXPECT_EQ(cell.text("stdout"), "still answered");
  expect_end(7);
}

TEST_F(Ends, WhenUserCodeCallsExit) {
  client().execute("cexit 9");
  EXPECT_EQ(kernel().wait(), (Ending{9, 0})) << kernel().stderr_text();
  client().forget_unasserted();  // what still left before the process was gone is nobody's promise
  kernel_ended();
}

TEST_F(Ends, WhenTheParentDies) {
  for (const char* code : {"", "spin", "loop", "hang"}) {
    SCOPED_TRACE(code);
    KernelProcess process(ADRASTEA_PROBE, {.through_parent = true});
    KernelClient watcher(process.connection());
    EXPECT_EQ(watcher.run("out a").status(), "ok");
    if (*code != '\0') {
      const std::string id = watcher.execute(code);
      watcher.expect_busy(id);
      watcher.expect_execute_input(id, code);
    }
    process.kill_parent();
    EXPECT_EQ(process.wait().signal, 0);
    EXPECT_TRUE(process.socket_files().empty());
    watcher.drain();
    watcher.forget_unasserted();
    watcher.finish(KernelClient::Kernel::ended);
  }
}

TEST_F(Ends, NotWhenNobodyToldTheParent) {
  KernelProcess process(ADRASTEA_PROBE, {.tell_parent = false, .through_parent = true});
  KernelClient watcher(process.connection());
  process.kill_parent();
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  watcher.finish();
  ask_for_shutdown(watcher);
  EXPECT_EQ(process.wait(), (Ending{0, 0}));
}

TEST_F(Ends, IgnoresAParentThatMeansNothing) {
  for (const char* parent :
       {"JPY_PARENT_PID=", "JPY_PARENT_PID=garbage", "JPY_PARENT_PID=0", "JPY_PARENT_PID=1", "JPY_PARENT_PID=-5"}) {
    SCOPED_TRACE(parent);
    KernelProcess process(ADRASTEA_PROBE, {.environment = {parent}, .tell_parent = false});
    KernelClient watcher(process.connection());
    expect_alive(watcher, "out alive", {{"stdout", "alive"}});
    watcher.finish();
    ask_for_shutdown(watcher);
    EXPECT_EQ(process.wait(), (Ending{0, 0}));
  }
}

class Fork : public SystemTest {};

TEST_F(Fork, InUserCodeDoesNoHarm) {
  EXPECT_EQ(client().run("fork print from the child;").text("stdout"), "from the child;child 0");
  EXPECT_EQ(client().run("fork output from the child;").status(), "ok");
  EXPECT_EQ(client().run("fork exit 5").text("stdout"), "child 5");
  EXPECT_EQ(client().run("fork host 6").text("stdout"), "child 6");
  const Exchange failed = client().run("fork error Broken by the child");
  EXPECT_EQ(failed.text("stdout"), "child 1");
  EXPECT_EQ(failed.text("stderr"), "Broken: by the child\n");
  EXPECT_EQ(client().run("fork return\nout parent goes on").shown().back().kind, "stdout");
  EXPECT_EQ(kernel().socket_files().size(), 5U) << "a child removes nothing of its parent";
  expect_probe_alive(client());
}

TEST_F(Fork, ProgramsInheritTheStandardDescriptorsOnly) { EXPECT_EQ(client().run("descriptors").text("stdout"), "0 1 2 "); }

class Starts : public SystemTest {
 protected:
  /// The kernel must end at once with status 1 and one line that says all of `words`.
  static void expect_refusal(KernelProcess& process, const std::vector<std::string>& words) {
    ASSERT_NO_THROW(EXPECT_EQ(process.wait(), (Ending{1, 0})) << process.stderr_text());
    const std::string text = process.stderr_text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    for (const auto& word : words) EXPECT_NE(text.find(word), std::string::npos) << "no \"" << word << "\" in: " << text;
  }
};

constexpr std::array k_port_channels{Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control,
                                     Channel::heartbeat};

/// Listens on a port that the system chose.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(socket_); }
  [[nodiscard]] int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

TEST_F(Starts, NeverHalfBound) {
  const Listener taken;
  for (const Channel channel : k_port_channels) {
    SCOPED_TRACE(to_string(channel));
    KernelProcess process(ADRASTEA_PROBE, {.transport = Transport::tcp, .fields = {{port_key(channel), taken.port()}}});
    expect_refusal(process, {to_string(channel), "tcp://127.0.0.1:" + std::to_string(taken.port()), "in use"});
  }
}

TEST_F(Starts, NeverTakesALiveKernelsFiles) {
  start();
  client().run("out a");
  for (const Channel channel : k_port_channels) {
    SCOPED_TRACE(to_string(channel));
    const std::string ip = (kernel().directory() / "k").string();
    // Four free names and one that lives; the names differ for each channel.
    Json fields{{"ip", ip}};
    for (std::size_t i = 0; i < k_port_channels.size(); ++i)
      fields[port_key(k_port_channels.at(i))] = 100 + static_cast<int>(i);
    fields[port_key(channel)] = 1;
    KernelProcess process(ADRASTEA_PROBE, {.fields = fields});
    expect_refusal(process, {to_string(channel), ip + "-1", "in use"});
    EXPECT_EQ(kernel().socket_files().size(), 5U);
  }
  expect_probe_alive(client());
}

TEST_F(Starts, ReplacesStaleSocketsAndNothingElse) {
  start();
  client().run("out a");
  client().finish();
  kernel().signal(SIGKILL);
  EXPECT_EQ(kernel().wait(), (Ending{0, SIGKILL}));
  ASSERT_EQ(kernel().socket_files().size(), 5U) << "killed, it cannot clean up";
  const std::string ip = (kernel().directory() / "k").string();
  {
    KernelProcess heir(ADRASTEA_PROBE, {.fields = {{"ip", ip}}});
    KernelClient watcher(heir.connection());
    expect_alive(watcher, "out alive", {{"stdout", "alive"}});
    watcher.finish();
    ask_for_shutdown(watcher);
    EXPECT_EQ(heir.wait(), (Ending{0, 0}));
  }
  expect_nothing_left();
  std::ofstream(ip + "-3") << "precious";
  KernelProcess refused(ADRASTEA_PROBE, {.fields = {{"ip", ip}}});
  expect_refusal(refused, {"stdin", ip + "-3"});
  std::string kept;
  std::ifstream(ip + "-3") >> kept;
  EXPECT_EQ(kept, "precious");
  kernel_ended();
}

TEST_F(Starts, SaysWhatIsWrongWithAConnectionFile) {
  const std::vector<std::pair<Json, std::vector<std::string>>> cases{
      {{{"shell_port", "many"}}, {"shell_port"}},
      {{{"transport", "tcp"}, {"ip", "127.0.0.1"}, {"iopub_port", 65536}}, {"iopub_port", "65536"}},
      {{{"transport", "udp"}}, {"transport", "udp"}},
      {{{"signature_scheme", "hmac-nonsense"}}, {"hmac-nonsense"}},
      {{{"signature_scheme", "sha256"}}, {"sha256"}},
      {{{"key", 5}}, {"key"}},
      {{{"ip", "/tmp/" + std::string(120, 'x')}}, {"107"}},
      {{{"ip", "/nowhere/at/all/k"}}, {"/nowhere/at/all/k-1"}},
  };
  for (const auto& [fields, words] : cases) {
    SCOPED_TRACE(fields.dump());
    KernelProcess process(ADRASTEA_PROBE, {.fields = fields});
    expect_refusal(process, words);
    EXPECT_TRUE(process.socket_files().empty());
  }
}

TEST_F(Starts, WithAnyDigestAndWithNone) {
  for (const char* scheme : {"hmac-md5", "hmac-sha1", "hmac-sha512", "hmac-sha3-256"}) {
    SCOPED_TRACE(scheme);
    KernelProcess process(ADRASTEA_PROBE, {.fields = {{"signature_scheme", scheme}}});
    KernelClient watcher(process.connection());
    expect_alive(watcher, "out alive", {{"stdout", "alive"}});
    watcher.finish();
  }
  KernelProcess open(ADRASTEA_PROBE, {.fields = {{"key", ""}}});
  KernelClient watcher(open.connection());
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  watcher.finish();
}

TEST_F(Starts, OverIpv6) {
  KernelProcess process(ADRASTEA_PROBE, {.transport = Transport::port0, .fields = {{"ip", "::1"}}});
  KernelClient watcher(process.connection());
  expect_alive(watcher, "out alive", {{"stdout", "alive"}});
  watcher.finish();
}

class Many : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Over, Many, ::testing::Values(Transport::ipc, Transport::port0), transport_name);

TEST_P(Many, FiftyStartAtOnceAnswerAndLeaveNothing) {
  std::vector<std::unique_ptr<KernelProcess>> kernels;
  for (int i = 0; i < 50; ++i)
    kernels.push_back(std::make_unique<KernelProcess>(ADRASTEA_PROBE, LaunchOptions{.transport = GetParam()}));
  for (auto& kernel : kernels) {
    KernelClient client(kernel->connection(), {.process_fd = kernel->pidfd()});
    expect_alive(client, "out alive", {{"stdout", "alive"}});
    client.finish();
    ask_for_shutdown(client);
  }
  for (auto& kernel : kernels) {
    EXPECT_EQ(kernel->wait(), (Ending{0, 0}));
    EXPECT_TRUE(kernel->socket_files().empty());
  }
}

}  // namespace
}  // namespace adrastea::testing
