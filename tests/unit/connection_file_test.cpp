// SPDX-License-Identifier: BSD-3-Clause
#include "support/log.hpp"
#include "transport/connection_info.hpp"
#include "unit/child_process.hpp"
#include "unit/temporary_directory.hpp"

#include <adrastea/errors.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <optional>

namespace {

using namespace adrastea;
using namespace adrastea::transport;
using adrastea::testing::ended_with;
using adrastea::testing::in_child;
using adrastea::testing::read_text;
using adrastea::testing::TemporaryDirectory;
using adrastea::testing::write_text;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const json k_complete = {{"transport", "tcp"},     {"ip", "127.0.0.1"},
                         {"shell_port", 50001},    {"iopub_port", 50002},
                         {"stdin_port", 50003},    {"control_port", 50004},
                         {"hb_port", 50005},       {"key", "secret"},
                         {"kernel_name", "lua"},   {"signature_scheme", "hmac-sha512"},
                         {"jupyter_session", "n"}, {"extra", {{"deep", {1, 2}}}}};

class ConnectionFileTest : public ::testing::Test {
 protected:
  ConnectionFileTest() {
    ::setenv("JUPYTER_RUNTIME_DIR", (directory_ / "runtime").c_str(), 1);
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
  }
  std::filesystem::path write(const json& content) { return write_raw(content.dump()); }
  std::filesystem::path write_raw(const std::string& content) {
    write_text(path_, content);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path_;
  }
  struct stat status() const {
    struct stat status {};
    EXPECT_EQ(::stat(path_.c_str(), &status), 0);
    return status;
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "kernel.json";
};

TEST_F(ConnectionFileTest, ReadsEveryField) {
  const ConnectionFile file = ConnectionFile::load(write(k_complete));
  const ConnectionInfo& info = file.info();
  EXPECT_EQ(info.transport, "tcp");
  EXPECT_EQ(info.ip, "127.0.0.1");
  EXPECT_EQ(info.port(Channel::shell), 50001);
  EXPECT_EQ(info.port(Channel::iopub), 50002);
  EXPECT_EQ(info.port(Channel::stdin_channel), 50003);
  EXPECT_EQ(info.port(Channel::control), 50004);
  EXPECT_EQ(info.port(Channel::heartbeat), 50005);
  EXPECT_EQ(info.key, "secret");
  EXPECT_EQ(info.signature_scheme, "hmac-sha512");
  EXPECT_EQ(info.kernel_name, "lua");
  EXPECT_EQ(file.path(), path_);
}

TEST_F(ConnectionFileTest, MissingFieldsHaveDefaults) {
  const ConnectionInfo info = ConnectionFile::load(write({{"key", ""}})).info();
  EXPECT_EQ(info, ConnectionInfo{});
}

TEST_F(ConnectionFileTest, IsLenient) {
  json content = k_complete;
  content["transport"] = "TCP";
  content["ip"] = "*";
  content["shell_port"] = "50001";
  const ConnectionInfo info = ConnectionFile::load(write(content)).info();
  EXPECT_EQ(info.transport, "tcp");
  EXPECT_EQ(info.ip, "0.0.0.0");
  EXPECT_EQ(info.port(Channel::shell), 50001);
}

TEST_F(ConnectionFileTest, AKeyIsItsUtf8Bytes) {
  const ConnectionInfo info = ConnectionFile::load(write_raw(R"({"key": "\u00e9\ud83d\ude00"})")).info();
  EXPECT_EQ(info.key, "\xc3\xa9\xf0\x9f\x98\x80");
}

TEST_F(ConnectionFileTest, IpcPrefixDefaultsToTheFileName) {
  const ConnectionInfo info = ConnectionFile::load(write({{"transport", "ipc"}, {"shell_port", 3}, {"key", ""}})).info();
  EXPECT_EQ(info.ip, (directory_ / "kernel-ipc").string());
  EXPECT_EQ(info.endpoint(Channel::shell), "ipc://" + (directory_ / "kernel-ipc-3").string());
}

TEST_F(ConnectionFileTest, EndpointsBracketIpv6) {
  ConnectionInfo info;
  info.ip = "::1";
  info.port(Channel::shell) = 7;
  EXPECT_EQ(info.endpoint(Channel::shell), "tcp://[::1]:7");
  info.ip = "127.0.0.1";
  EXPECT_EQ(info.endpoint(Channel::shell), "tcp://127.0.0.1:7");
}

TEST_F(ConnectionFileTest, ARelativeNameMeansHereThenTheRuntimeDirectory) {
  const int status = in_child([&] {
    std::filesystem::current_path(directory_.path());
    std::filesystem::create_directory("runtime");
    write_text(directory_ / "runtime/kernel.json", R"({"key": "", "kernel_name": "there"})");
    if (ConnectionFile::load("kernel.json").info().kernel_name != "there") return 1;
    write_text(directory_ / "kernel.json", R"({"key": "", "kernel_name": "here"})");
    return ConnectionFile::load("kernel.json").info().kernel_name == "here" ? 0 : 2;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
}

TEST_F(ConnectionFileTest, StoresWhatWasBoundAndKeepsUnknownKeys) {
  json content = k_complete;
  content["shell_port"] = 0;
  content.erase("hb_port");
  ConnectionFile file = ConnectionFile::load(write(content));
  file.info().port(Channel::shell) = 40001;
  file.info().port(Channel::heartbeat) = 40005;
  file.store();
  json expected = k_complete;
  expected["shell_port"] = 40001;
  expected["hb_port"] = 40005;
  EXPECT_EQ(json::parse(read_text(path_)), expected);
  EXPECT_EQ(status().st_mode & 0777U, 0600U);
  EXPECT_THAT(directory_.names(), ElementsAre("kernel.json"));
}

TEST_F(ConnectionFileTest, DoesNotTouchAFileInWhichNothingChanged) {
  json content = k_complete;
  content["transport"] = "TCP";
  content["shell_port"] = "50001";
  content.erase("kernel_name");
  ConnectionFile file = ConnectionFile::load(write(content));
  const struct stat before = status();
  const std::string text = read_text(path_);
  file.store();
  const struct stat after = status();
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
  EXPECT_EQ(read_text(path_), text);
}

TEST_F(ConnectionFileTest, LocalhostIsNoReasonToRewriteIt) {
  json content = k_complete;
  content["ip"] = "localhost";
  ConnectionFile file = ConnectionFile::load(write(content));
  const std::string text = read_text(path_);
  EXPECT_EQ(file.info().ip, "127.0.0.1");
  file.store();
  EXPECT_EQ(read_text(path_), text);
}

TEST_F(ConnectionFileTest, AWildcardAndADefaultIpcPrefixAreWrittenOut) {
  json content = k_complete;
  content["ip"] = "*";
  ConnectionFile::load(write(content)).store();
  EXPECT_EQ(json::parse(read_text(path_)).at("ip"), "0.0.0.0");
  ConnectionFile::load(write({{"transport", "ipc"}, {"key", ""}})).store();
  EXPECT_EQ(json::parse(read_text(path_)).at("ip"), (directory_ / "kernel-ipc").string());
}

TEST_F(ConnectionFileTest, AFailedStoreLeavesTheOldFile) {
  ConnectionFile file = ConnectionFile::load(write(k_complete));
  file.info().port(Channel::shell) = 1;
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  try {
    file.store();
    ADD_FAILURE() << "no error";
  } catch (const StartupError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path_.string()), HasSubstr("Is a directory")));
  }
  EXPECT_THAT(directory_.names(), ElementsAre("kernel.json"));
}

TEST_F(ConnectionFileTest, ALoadedFileStays) {
  { const ConnectionFile file = ConnectionFile::load(write(k_complete)); }
  EXPECT_THAT(directory_.names(), ElementsAre("kernel.json"));
}

TEST_F(ConnectionFileTest, MakesAnOwnFileAndRemovesIt) {
  const auto runtime = directory_ / "runtime";
  {
    ConnectionFile file = ConnectionFile::create("echo");
    EXPECT_EQ(file.path(), runtime / ("kernel-" + std::to_string(::getpid()) + ".json"));
    EXPECT_NE(ConnectionFile::create("another before this one is written").path(), file.path());
    file.store();
    struct stat made {};
    ASSERT_EQ(::stat(runtime.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777U, 0700U);
    ASSERT_EQ(::stat(file.path().c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777U, 0600U);

    const ConnectionInfo read = ConnectionFile::load(file.path()).info();
    EXPECT_EQ(read, file.info());
    EXPECT_EQ(read.kernel_name, "echo");
    EXPECT_EQ(read.key.size(), 64U);
    EXPECT_EQ(read.ip, "127.0.0.1");
    EXPECT_EQ(read.ports, (std::array<int, 5>{}));

    ConnectionFile second = ConnectionFile::create("echo");
    second.store();
    EXPECT_NE(second.path(), file.path());
    EXPECT_NE(second.info().key, file.info().key);
  }
  EXPECT_TRUE(std::filesystem::is_empty(runtime));
}

TEST_F(ConnectionFileTest, AForkedChildKeepsTheOwnFile) {
  std::optional<ConnectionFile> file = ConnectionFile::create("echo");
  file->store();
  EXPECT_TRUE(ended_with(in_child([&] {
                           file.reset();
                           return 0;
                         }),
                         0));
  EXPECT_TRUE(std::filesystem::exists(file->path()));
}

TEST_F(ConnectionFileTest, DirectoriesFollowTheEnvironment) {
  const int status = in_child([&] {
    ::unsetenv("JUPYTER_RUNTIME_DIR");
    ::setenv("JUPYTER_DATA_DIR", "", 1);
    ::setenv("XDG_DATA_HOME", "/xdg", 1);
    if (runtime_directory() != "/xdg/jupyter/runtime") return 1;
    ::unsetenv("XDG_DATA_HOME");
    ::setenv("HOME", "/home/me", 1);
    if (runtime_directory() != "/home/me/.local/share/jupyter/runtime") return 2;
    ::setenv("JUPYTER_DATA_DIR", "/data", 1);
    if (runtime_directory() != "/data/runtime") return 3;
    ::unsetenv("JUPYTER_DATA_DIR");
    ::unsetenv("HOME");
    return data_directory().is_absolute() ? 0 : 4;
  });
  EXPECT_TRUE(ended_with(status, 0)) << status;
}

class ConnectionWarnings : public ConnectionFileTest {
 protected:
  std::string warnings_of(const json& content, std::filesystem::perms mode) {
    const auto log = directory_ / "log";
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    write(content);
    std::filesystem::permissions(path_, mode);
    support::log::open(fd, support::log::Level::warning);
    ConnectionFile::load(path_).warn();
    support::log::open(-1, support::log::Level::error);
    ::close(fd);
    return read_text(log);
  }
};

using std::filesystem::perms;
constexpr perms k_private = perms::owner_read | perms::owner_write;

TEST_F(ConnectionWarnings, NoneForAPrivateFileWithAKey) { EXPECT_THAT(warnings_of(k_complete, k_private), IsEmpty()); }

TEST_F(ConnectionWarnings, AFileThatOthersMayRead) {
  EXPECT_THAT(warnings_of(k_complete, k_private | perms::others_read),
              AllOf(HasSubstr(path_.string()), HasSubstr("0600"), HasSubstr("chmod 600"), Not(HasSubstr("secret"))));
}

TEST_F(ConnectionWarnings, NoKey) {
  json content = k_complete;
  content["key"] = "";
  EXPECT_THAT(warnings_of(content, k_private), HasSubstr("neither signed nor checked; set a key"));
}

TEST_F(ConnectionWarnings, NoneForThisMachineByAnyName) {
  for (const char* ip : {"localhost", "127.0.0.2", "::1", "[::1]"}) {
    json content = k_complete;
    content["ip"] = ip;
    EXPECT_THAT(warnings_of(content, k_private), IsEmpty()) << ip;
  }
}

TEST_F(ConnectionWarnings, AWildcard) {
  json content = k_complete;
  content["ip"] = "*";
  EXPECT_THAT(warnings_of(content, k_private), AllOf(HasSubstr("other machines"), HasSubstr("ssh tunnel")));
}

}  // namespace
