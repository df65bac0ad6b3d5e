// SPDX-License-Identifier: BSD-3-Clause
#include "support/unique_fd.hpp"
#include "unit/child_process.hpp"
#include "unit/temporary_directory.hpp"
#include "unit/zmq_peer.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

namespace {

using namespace adrastea;
using namespace adrastea::testing;
using namespace adrastea::transport;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

/// Another program's socket; closing the descriptor leaves a stale file.
support::UniqueFd socket_at(const std::filesystem::path& path, int type = SOCK_STREAM) {
  support::UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  EXPECT_EQ(type == SOCK_STREAM ? ::listen(fd.get(), 4) : 0, 0);
  return fd;
}

class BindIpc : public ::testing::Test {
 protected:
  ConnectionInfo info() const { return ipc_info((directory_ / "k").string()); }
  std::filesystem::path path(Channel channel) const { return directory_ / ("k-" + std::to_string(info().port(channel))); }
  static auto names_channel(Channel channel, const ConnectionInfo& info, const std::string& cause) {
    const std::string endpoint = info.endpoint(channel);
    return AllOf(StartsWith(std::string("cannot bind the ") + to_string(channel) + " channel to " + endpoint + ": "),
                 HasSubstr(cause), HasSubstr("(addr=" + endpoint + ")"));
  }

  TemporaryDirectory directory_;
};

void expect_works(Bound& bound, const ConnectionInfo& info) {
  for (int client = 0; client < 3; ++client) {
    ZmqPeer heart(ZMQ_REQ, info.endpoint(Channel::heartbeat));
    heart.send({"ping"});
    EXPECT_EQ(heart.receive(), wire::Frames{"ping"});
    ZmqPeer dealer(ZMQ_DEALER, info.endpoint(Channel::shell), "me");
    dealer.send({"hello"});
    EXPECT_EQ(await_message(*bound.shell), (wire::Frames{"me", "hello"}));
  }
}

TEST_F(BindIpc, SocketsArePrivateAndGoWithTheKernel) {
  const mode_t before = ::umask(0);
  ConnectionInfo got = info();
  {
    const auto bound = bind_all(got, Limits{});
    EXPECT_EQ(got, info());
    EXPECT_THAT(directory_.names(), ElementsAre("k-1", "k-2", "k-3", "k-4", "k-5"));
    for (const Channel channel : k_channels) {
      struct stat status {};
      ASSERT_EQ(::lstat(path(channel).c_str(), &status), 0);
      EXPECT_TRUE(S_ISSOCK(status.st_mode));
      EXPECT_EQ(status.st_mode & 07777U, 0600U);
    }
    expect_works(*bound, got);
    EXPECT_THAT(directory_.names(), ElementsAre("k-1", "k-2", "k-3", "k-4", "k-5")) << "libzmq unlinked something";
  }
  ::umask(before);
  EXPECT_THAT(directory_.names(), IsEmpty());
}

TEST_F(BindIpc, ChoosesTheFirstFreeNumbersInJupytersOrder) {
  write_text(directory_ / "k-2", "in the way");
  ConnectionInfo got = info();
  got.ports = {0, 0, 0, 4, -1};  // shell, iopub, stdin, control, heartbeat
  const auto bound = bind_all(got, Limits{});
  EXPECT_EQ(got.port(Channel::shell), 1);
  EXPECT_EQ(got.port(Channel::iopub), 3);
  EXPECT_EQ(got.port(Channel::stdin_channel), 5);
  EXPECT_EQ(got.port(Channel::control), 4);
  EXPECT_EQ(got.port(Channel::heartbeat), 6);
}

TEST_F(BindIpc, PathLengthLimit) {
  // With "-1" the path has 107 bytes, then 108 and 200.
  const std::string directory = directory_.path().string() + "/";
  for (const std::size_t length : {std::size_t{107}, std::size_t{108}, std::size_t{200}}) {
    ConnectionInfo got = ipc_info(directory + std::string(length - 2 - directory.size(), 'x'));
    if (length == 107) {
      const auto bound = bind_all(got, Limits{});
      expect_works(*bound, got);
    } else {
      EXPECT_THAT(bind_error(got), names_channel(Channel::shell, got,
                                                 "the path is " + std::to_string(length) +
                                                     " bytes long, and the limit for a socket is 107"));
    }
    EXPECT_THAT(directory_.names(), IsEmpty());
  }
}

TEST_F(BindIpc, OneLongPathUndoesTheOthers) {
  const std::string directory = directory_.path().string() + "/";
  ConnectionInfo got = ipc_info(directory + std::string(107 - 2 - directory.size(), 'x'));
  got.port(Channel::heartbeat) = 10;
  EXPECT_THAT(bind_error(got), names_channel(Channel::heartbeat, got, "the path is 108 bytes long"));
  EXPECT_THAT(directory_.names(), IsEmpty());
}

TEST_F(BindIpc, MissingDirectoryIsNamed) {
  const ConnectionInfo got = ipc_info((directory_ / "no/k").string());
  EXPECT_THAT(bind_error(got), AllOf(names_channel(Channel::shell, got, "No such file or directory"),
                                     HasSubstr("make the directory " + (directory_ / "no").string())));
}

TEST_F(BindIpc, AStaleSocketIsReplaced) {
  for (const Channel channel : k_channels) {
    socket_at(path(channel)).reset();
    ASSERT_TRUE(std::filesystem::exists(path(channel)));
    ConnectionInfo got = info();
    const auto bound = bind_all(got, Limits{});
    expect_works(*bound, got);
  }
  EXPECT_THAT(directory_.names(), IsEmpty());
}

TEST_F(BindIpc, ALiveSocketIsNeverTaken) {
  for (const Channel channel : k_channels) {
    const auto other = socket_at(path(channel));
    EXPECT_THAT(bind_error(info()),
                AllOf(names_channel(channel, info(), "Address already in use"), HasSubstr("another program listens")));
    EXPECT_THAT(directory_.names(), ElementsAre(path(channel).filename()));
    const sockaddr_un address = address_of(path(channel));
    const support::UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
        << "still its owner's";
    std::filesystem::remove(path(channel));
  }
}

TEST_F(BindIpc, AFullBacklogIsAliveToo) {
  const auto other = socket_at(path(Channel::shell));
  const sockaddr_un address = address_of(path(Channel::shell));
  std::vector<support::UniqueFd> waiting;
  for (;;) {
    support::UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) break;
    waiting.push_back(std::move(client));
  }
  EXPECT_THAT(bind_error(info()), names_channel(Channel::shell, info(), "Address already in use"));
}

TEST_F(BindIpc, WhatIsNoStreamSocketStays) {
  for (const Channel channel : k_channels) {
    const auto there = path(channel);
    const auto expect_refused = [&] {
      EXPECT_THAT(bind_error(info()), names_channel(channel, info(), "Address already in use"));
      EXPECT_THAT(directory_.names(), ElementsAre(there.filename()));
    };
    write_text(there, "precious");
    expect_refused();
    EXPECT_EQ(read_text(there), "precious");
    std::filesystem::remove(there);

    std::filesystem::create_directory(there);
    expect_refused();
    std::filesystem::remove(there);

    std::filesystem::create_symlink("/nowhere", there);
    expect_refused();
    EXPECT_EQ(std::filesystem::read_symlink(there), "/nowhere");
    std::filesystem::remove(there);

    ASSERT_EQ(::mkfifo(there.c_str(), 0600), 0);
    expect_refused();
    std::filesystem::remove(there);

    const auto datagrams = socket_at(there, SOCK_DGRAM);
    expect_refused();
    std::filesystem::remove(there);
  }
}

TEST_F(BindIpc, ASecondKernelInTheSameProcessIsRefused) {
  ConnectionInfo got = info();
  const auto first = bind_all(got, Limits{});
  EXPECT_THAT(bind_error(info()), names_channel(Channel::shell, info(), "Address already in use"));
  expect_works(*first, got);
}

TEST_F(BindIpc, AReplacedFileIsNotOursToRemove) {
  ConnectionInfo got = info();
  auto bound = bind_all(got, Limits{});
  std::filesystem::rename(path(Channel::control), directory_ / "moved");
  write_text(path(Channel::control), "another's");
  bound.reset();
  EXPECT_THAT(directory_.names(), ElementsAre(path(Channel::control).filename(), "moved"));
}

TEST_F(BindIpc, ARelativePrefixIsRemovedFromWhereItWas) {
  const int status = in_child([&] {
    std::filesystem::current_path(directory_.path());
    ConnectionInfo got = ipc_info("k");
    auto bound = bind_all(got, Limits{});
    if (directory_.names().size() != 5) return 1;
    std::filesystem::current_path("/");
    bound.reset();
    return directory_.names().empty() ? 0 : 2;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
}

/// Two processes at one prefix, started at the same moment: one wins, whole, and the other one says why.
TEST_F(BindIpc, OfTwoAtOnceExactlyOneWins) {
  for (int round = 0; round < 60; ++round) {
    // Stale files make it worse: each of the two wants to remove them.
    for (const Channel channel : k_channels) {
      if (round % 2 == 0) socket_at(path(channel)).reset();
    }
    int start[2];
    int result[2];
    int end[2];
    ASSERT_EQ(::pipe(start) | ::pipe(result) | ::pipe(end), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(60);
        char byte = 0;
        ::close(start[1]);
        ::close(end[1]);
        static_cast<void>(!::read(start[0], &byte, 1));
        std::unique_ptr<Bound> bound;
        ConnectionInfo got = info();
        try {
          bound = bind_all(got, Limits{});
          byte = 'w';
        } catch (const StartupError&) {
          byte = 'l';
        }
        static_cast<void>(!::write(result[1], &byte, 1));
        static_cast<void>(!::read(end[0], &byte, 1));
        bound.reset();
        ::_exit(0);
      }
      children.push_back(child);
    }
    ::close(start[1]);
    std::string results(2, ' ');
    ASSERT_EQ(::read(result[0], results.data(), 1), 1);
    ASSERT_EQ(::read(result[0], results.data() + 1, 1), 1);
    EXPECT_THAT(results, ::testing::AnyOf("wl", "lw")) << "round " << round;
    ZmqPeer heart(ZMQ_REQ, info().endpoint(Channel::heartbeat));
    heart.send({"ping"});
    EXPECT_EQ(heart.receive(), wire::Frames{"ping"});
    ::close(end[1]);
    for (const pid_t child : children) EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    for (const int fd : {start[0], result[0], result[1], end[0]}) ::close(fd);
    EXPECT_THAT(directory_.names(), IsEmpty());
  }
}

TEST_F(BindIpc, TheLockEndsWithBinding) {
  ConnectionInfo got = info();
  const auto bound = bind_all(got, Limits{});
  const support::UniqueFd directory(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(::flock(directory.get(), LOCK_EX | LOCK_NB), 0);
}

}  // namespace
