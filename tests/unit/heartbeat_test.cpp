// SPDX-License-Identifier: BSD-3-Clause
#include "unit/temporary_directory.hpp"
#include "unit/zmq_peer.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;
using ::testing::Contains;

class HeartbeatTest : public ::testing::Test {
 protected:
  void ping() {
    ZmqPeer client(ZMQ_REQ, info_.endpoint(Channel::heartbeat));
    client.send({"ping"});
    EXPECT_EQ(client.receive(), wire::Frames{"ping"});
  }
  ConnectionInfo info_ = tcp_info();
  std::unique_ptr<Bound> bound_ = bind_all(info_, Limits{});
};

TEST_F(HeartbeatTest, EchoesWhateverComes) {
  ZmqPeer dealer(ZMQ_DEALER, info_.endpoint(Channel::heartbeat));
  const std::vector<wire::Frames> messages{{""},
                                           {"ping"},
                                           {std::string("\0\xff", 2)},
                                           {"1", "", "3", "4", "5", "6", "7", "8", "9", ""},
                                           {std::string(1 << 20, 'm')},
                                           {std::string(10 << 20, 'l'), "end"}};
  for (const auto& message : messages) {
    dealer.send(message);
    EXPECT_EQ(dealer.receive(), message);
  }
}

TEST_F(HeartbeatTest, EveryClientHasItsOwnEcho) {
  std::vector<std::unique_ptr<ZmqPeer>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<ZmqPeer>(ZMQ_REQ, info_.endpoint(Channel::heartbeat)));
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->send({std::to_string(i)});
  for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(clients[i]->receive(), wire::Frames{std::to_string(i)});
}

TEST_F(HeartbeatTest, ATooLargePingEndsOnlyItsConnection) {
  ZmqPeer rude(ZMQ_DEALER, info_.endpoint(Channel::heartbeat));
  rude.send({std::string(17 << 20, 'x')});
  ping();
}

/// Of all threads that binding made, none may take a signal that is meant for the interpreter.
TEST_F(HeartbeatTest, ThreadsTakeNoSignalsAndOursHasAName) {
  ping();
  const std::uint64_t wanted = (1ULL << (SIGINT - 1)) | (1ULL << (SIGTERM - 1)) | (1ULL << (SIGCHLD - 1));
  std::vector<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    names.push_back(read_text(task.path() / "comm"));
    if (task.path().filename() == std::to_string(::getpid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      EXPECT_EQ(std::stoull(line.substr(7), nullptr, 16) & wanted, wanted) << names.back();
    }
  }
  EXPECT_THAT(names, Contains("heartbeat\n"));
}

}  // namespace
