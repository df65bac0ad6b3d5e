// SPDX-License-Identifier: BSD-3-Clause
#include "support/unique_fd.hpp"
#include "unit/zmq_peer.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>
#include <set>
#include <vector>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::StartsWith;

/// Another program's socket, which listens; or one that keeps a port from whoever lets the system choose, while a kernel
/// may bind it.
class Listener {
 public:
  enum class Use { listen, keep };
  explicit Listener(int port = 0, Use use = Use::listen) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<in_port_t>(port));
    socklen_t size = sizeof address;
    listens_ = ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && use == Use::listen &&
               ::listen(fd_.get(), 1) == 0;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] bool listens() const { return listens_; }
  [[nodiscard]] int port() const { return port_; }

 private:
  support::UniqueFd fd_;
  bool listens_ = false;
  int port_ = 0;
};

void expect_all_answer(Bound& bound, const ConnectionInfo& info) {
  for (const auto& [channel, router] :
       {std::pair{Channel::shell, bound.shell.get()}, std::pair{Channel::stdin_channel, bound.stdin_channel.get()},
        std::pair{Channel::control, bound.control.get()}}) {
    ZmqPeer client(ZMQ_DEALER, info.endpoint(channel), "me");
    client.send({"hello", ""});
    EXPECT_EQ(await_message(*router), (wire::Frames{"me", "hello", ""})) << to_string(channel);
    EXPECT_EQ(router->send({"me", "", "back"}), Router::Sent::yes);
    EXPECT_EQ(client.receive(), (wire::Frames{"", "back"})) << to_string(channel);
  }
  ZmqPeer subscriber(ZMQ_SUB, info.endpoint(Channel::iopub));
  subscriber.subscribe("t");
  ASSERT_TRUE(await_event(*bound.iopub));
  bound.iopub->set_filter("t");
  EXPECT_TRUE(bound.iopub->try_send("topic", shared({"body"})));
  EXPECT_EQ(subscriber.receive(), (wire::Frames{"topic", "body"}));
  ZmqPeer heart(ZMQ_REQ, info.endpoint(Channel::heartbeat));
  heart.send({"ping"});
  EXPECT_EQ(heart.receive(), wire::Frames{"ping"});
}

TEST(BindTcp, ChoosesFivePortsAndTellsThem) {
  ConnectionInfo info = tcp_info();
  const auto bound = bind_all(info, Limits{});
  EXPECT_EQ(std::set<int>(info.ports.begin(), info.ports.end()).size(), 5U);
  for (const int port : info.ports) EXPECT_THAT(port, AllOf(::testing::Gt(0), Lt(65536)));
  expect_all_answer(*bound, info);
}

TEST(BindTcp, TakesThePortsThatItIsGivenAgainAndAgain) {
  ConnectionInfo info = tcp_info();
  std::vector<std::unique_ptr<Listener>> kept;
  for (int& port : info.ports) port = kept.emplace_back(std::make_unique<Listener>(0, Listener::Use::keep))->port();
  for (int start = 0; start < 4; ++start) {
    ConnectionInfo again = info;
    const auto bound = bind_all(again, Limits{});
    EXPECT_EQ(again, info);
    expect_all_answer(*bound, info);
  }
}

TEST(BindTcp, WorksOverIpv6) {
  ConnectionInfo info = tcp_info("::1");
  const auto bound = bind_all(info, Limits{});
  EXPECT_THAT(info.endpoint(Channel::shell), StartsWith("tcp://[::1]:"));
  expect_all_answer(*bound, info);
}

TEST(BindTcp, NegativePortsAreChosenToo) {
  ConnectionInfo info = tcp_info();
  info.ports = {-1, -1, -1, -1, -1};
  const auto bound = bind_all(info, Limits{});
  for (const int port : info.ports) EXPECT_GT(port, 0);
}

TEST(BindTcp, AllOrNone) {
  ConnectionInfo free = tcp_info();
  { const auto bound = bind_all(free, Limits{}); }
  for (const Channel taken : k_channels) {
    const Listener other;
    ASSERT_TRUE(other.listens());
    ConnectionInfo info = free;
    info.port(taken) = other.port();
    const auto start = std::chrono::steady_clock::now();
    const std::string endpoint = info.endpoint(taken);
    EXPECT_THAT(bind_error(info),
                StartsWith(std::string("cannot bind the ") + to_string(taken) + " channel to " + endpoint +
                           ": Address already in use (addr=" + endpoint + "); another program has it"));
    EXPECT_THAT(std::chrono::steady_clock::now() - start, Lt(std::chrono::milliseconds(500)));
    for (const Channel channel : k_channels) {
      EXPECT_EQ(Listener(info.port(channel)).listens(), channel != taken) << to_string(channel);
    }
  }
}

TEST(BindTcp, AChosenPortNeverTakesOneThatWasAskedFor) {
  ConnectionInfo free = tcp_info();
  { const auto bound = bind_all(free, Limits{}); }
  for (const Channel fixed : k_channels) {
    ConnectionInfo info = tcp_info();
    info.port(fixed) = free.port(fixed);
    const auto bound = bind_all(info, Limits{});
    EXPECT_EQ(info.port(fixed), free.port(fixed));
    EXPECT_EQ(std::set<int>(info.ports.begin(), info.ports.end()).size(), 5U);
  }
}

TEST(BindTcp, AddressesThatAreNotOurs) {
  EXPECT_THAT(bind_error(tcp_info("192.0.2.1")), AllOf(HasSubstr("cannot bind the shell channel to tcp://192.0.2.1:0: "),
                                                       HasSubstr("ip must be an address of this machine")));
  EXPECT_THAT(bind_error(tcp_info("no-such-host.invalid")), HasSubstr("ip must be an address of this machine"));
  EXPECT_THAT(bind_error(tcp_info("2001:db8::1")), HasSubstr("cannot bind the shell channel to tcp://[2001:db8::1]:0: "));
}

TEST(BindTcp, AnUnknownTransportIsRefused) {
  ConnectionInfo info = tcp_info();
  info.transport = "inproc";
  EXPECT_THAT(bind_error(info), HasSubstr("transport must be \"tcp\" or \"ipc\""));
}

/// Without the check libzmq ends the process by abort().
TEST(BindTcp, TooFewDescriptorsAreAnErrorAndNoAbort) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  for (const rlim_t limit : {rlim_t{8}, rlim_t{16}, rlim_t{32}}) {
    const rlimit low{.rlim_cur = limit, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    const std::string error = bind_error(tcp_info());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_THAT(error, AllOf(HasSubstr("Too many open files"), HasSubstr("ulimit -n")));
  }
}

}  // namespace
