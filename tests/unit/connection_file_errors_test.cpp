// SPDX-License-Identifier: BSD-3-Clause
// What a launcher may get wrong: each gives one line that names the path, the key and the cause, and never the key's value.
#include "transport/connection_info.hpp"
#include "unit/temporary_directory.hpp"

#include <adrastea/errors.hpp>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>

namespace {

using namespace adrastea;
using namespace adrastea::transport;
using adrastea::testing::TemporaryDirectory;
using adrastea::testing::write_text;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ConnectionErrors : public ::testing::Test {
 protected:
  std::string error_of(const std::filesystem::path& name) {
    try {
      static_cast<void>(ConnectionFile::load(name));
    } catch (const StartupError& error) {
      return error.what();
    }
    return "no error";
  }
  std::string error_of_text(const std::string& text) {
    write_text(path_, text);
    return error_of(path_);
  }
  std::string error_of_json(const char* key, const json& value) {
    json content{{"key", "geheim"}};
    content[key] = value;
    return error_of_text(content.dump());
  }
  /// One line about this file.
  auto says(const std::string& cause) {
    return AllOf(StartsWith("connection file " + path_.string() + ": "), HasSubstr(cause), Not(HasSubstr("\n")),
                 Not(HasSubstr("geheim")));
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "kernel.json";
};

TEST_F(ConnectionErrors, NoFile) {
  EXPECT_THAT(error_of(path_), says("No such file or directory"));
  ::setenv("JUPYTER_RUNTIME_DIR", directory_.path().c_str(), 1);
  EXPECT_THAT(error_of("nowhere.json"),
              AllOf(HasSubstr("nowhere.json"), HasSubstr((directory_ / "nowhere.json").string())));
  EXPECT_THAT(error_of(""), HasSubstr("its name is empty"));
}

TEST_F(ConnectionErrors, NotARegularFile) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(error_of(path_), says("is a directory"));
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(error_of(path_), says("is no regular file"));
  EXPECT_THAT(error_of("/dev/zero"), HasSubstr("is no regular file"));
}

TEST_F(ConnectionErrors, WhatIsNoConnectionFileSaysWhatIs) {
  const auto remedy = HasSubstr("; -f needs the file that a launcher wrote; without -f the kernel makes its own");
  EXPECT_THAT(error_of(path_), remedy);
  EXPECT_THAT(error_of(""), remedy);
  EXPECT_THAT(error_of("nowhere.json"), remedy);
  EXPECT_THAT(error_of(directory_.path()), AllOf(HasSubstr("is a directory"), remedy));
  EXPECT_THAT(error_of("/dev/zero"), remedy);
  EXPECT_THAT(error_of_text(""), AllOf(says("is empty"), remedy));
  EXPECT_THAT(error_of_text(std::string((1 << 20) + 1, ' ')), AllOf(says("is larger"), remedy));
  for (const char* text : {"{", "[1]", R"({"x": 1e999})"}) {
    EXPECT_THAT(error_of_text(text), HasSubstr("; it must be a file that a launcher wrote for this kernel")) << text;
  }
}

TEST_F(ConnectionErrors, AWorkingDirectoryThatIsGone) {
  const auto before = std::filesystem::current_path();
  std::filesystem::create_directory(directory_ / "gone");
  std::filesystem::current_path(directory_ / "gone");
  std::filesystem::remove(directory_ / "gone");
  const std::string error = error_of("kernel.json");
  std::filesystem::current_path(before);
  EXPECT_THAT(error,
              AllOf(HasSubstr("no working directory"), HasSubstr("; start the kernel in a directory that is there")));
}

TEST_F(ConnectionErrors, ANameWithANewlineStaysOneLine) {
  EXPECT_THAT(error_of(directory_ / "a\nb"), AllOf(HasSubstr("a\\x0ab"), Not(HasSubstr("\n"))));
}

TEST_F(ConnectionErrors, Size) {
  EXPECT_THAT(error_of_text(""), says("is empty"));
  EXPECT_THAT(error_of_text("{\"x\": \"" + std::string(1 << 20, 'x') + "\"}"), says("larger than 1048576 bytes"));
  write_text(path_, "{");
  std::filesystem::resize_file(path_, std::uintmax_t{1} << 30);
  EXPECT_THAT(error_of(path_), says("larger than 1048576 bytes"));
}

TEST_F(ConnectionErrors, Text) {
  EXPECT_THAT(error_of_text(R"({"key": "geheim)"), says("is no valid JSON (at byte 16 of 15)"));
  EXPECT_THAT(error_of_text("{\"key\": \"geheim\", \xff}"), says("is no valid JSON"));
  EXPECT_THAT(error_of_text("{\"key\": \"geheim\xc3\"}"), says("is no valid JSON"));
  EXPECT_THAT(error_of_text("\x7f"
                            "ELF\x01\x02"),
              says("is no valid JSON"));
  EXPECT_THAT(error_of_text(R"({"key": "geheim"} {})"), says("is no valid JSON"));
  EXPECT_THAT(error_of_text(R"({"x": 1e999})"), says("is no valid JSON"));
  EXPECT_THAT(error_of_text("[1]"), says("must hold a JSON object, not array"));
  EXPECT_THAT(error_of_text("null"), says("must hold a JSON object, not null"));
  EXPECT_THAT(error_of_text("{\"x\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
              says("nests deeper than 64"));
}

TEST_F(ConnectionErrors, TypeOfEachText) {
  for (const char* key : {"transport", "ip", "signature_scheme", "kernel_name", "key"}) {
    for (const json& value : {json(7), json::array({"geheim"}), json{{"a", "geheim"}}, json(true)}) {
      EXPECT_THAT(error_of_json(key, value), says(std::string(key) + " must be a string, not "));
    }
  }
}

TEST_F(ConnectionErrors, NullIsAsIfItWereNotThere) {
  const json file{{"key", "k"}};
  for (const char* key : {"transport", "ip", "signature_scheme", "kernel_name", "kernel_id", "registration_port"}) {
    json with_null = file;
    with_null[key] = nullptr;
    EXPECT_EQ(error_of_text(with_null.dump()), "no error") << key;
  }
  EXPECT_THAT(error_of_text(R"({"key": null})"), says("key is missing"));
}

TEST_F(ConnectionErrors, EachPort) {
  const std::vector<json> wrong{
      65536, 1e9,           1000000000,    18446744073709551615U, 5.5, "", "x", " 5", "5 ", "0x10", "99999999999999999999",
      true,  json::array(), json::object()};
  for (const char* key : {"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"}) {
    for (const json& value : wrong) {
      EXPECT_THAT(error_of_json(key, value), says(std::string(key) + " must be an integer of at most 65535, not "))
          << value;
    }
  }
  EXPECT_THAT(error_of_json("hb_port", std::string(100'000, '7')).size(), ::testing::Lt(300U));
}

TEST_F(ConnectionErrors, AnyJsonIsNoConnectionFile) {
  EXPECT_THAT(error_of_text(R"({"name": "my-app", "version": "1.0.0"})"), says("key is missing"));
}

TEST_F(ConnectionErrors, ThePortTwice) {
  EXPECT_THAT(error_of_text(R"({"shell_port": 5, "iopub_port": 6, "control_port": "5"})"),
              says("control_port and shell_port are both 5"));
  EXPECT_THAT(error_of_text(R"({"transport": "ipc", "shell_port": 1, "hb_port": 1})"),
              says("hb_port and shell_port are both 1"));
  EXPECT_EQ(error_of_text(R"({"key": "", "shell_port": 0, "iopub_port": 0})"), "no error");
  EXPECT_EQ(error_of_text(R"({"key": "", "shell_port": -1, "iopub_port": "-1", "hb_port": null, "control_port": 5.0})"),
            "no error");
}

TEST_F(ConnectionErrors, Transport) {
  for (const char* name : {"udp", "inproc", "", "tcp ", "IPC\n"}) {
    EXPECT_THAT(error_of_json("transport", name), says("transport must be \"tcp\" or \"ipc\", not \""));
  }
}

TEST_F(ConnectionErrors, ControlCharactersInIp) {
  EXPECT_THAT(error_of_json("ip", std::string("127.0.0.1\0x", 11)), says("ip holds a control character: 127.0.0.1\\x00x"));
  EXPECT_THAT(error_of_json("ip", "127.0.0.1\n"), says("ip holds a control character"));
  EXPECT_THAT(error_of_text(R"({"transport": "ipc", "ip": "@name"})"), says("abstract"));
}

TEST_F(ConnectionErrors, EncryptionIsNeverIgnored) {
  EXPECT_THAT(error_of_json("curve_publickey", "geheim1"),
              says("curve_publickey must be 40 characters of Z85 (JEP 145), as zmq_curve_keypair() makes them"));
  EXPECT_THAT(error_of_json("curve_secretkey", std::string(39, 'a') + " "), says("curve_secretkey must be 40 characters"));
  EXPECT_THAT(error_of_json("curve_secretkey", 7), says("curve_secretkey must be a string"));
  EXPECT_THAT(error_of_json("curve_secretkey", std::string(40, 'a')), says("curve_publickey is missing"));
  EXPECT_THAT(error_of_json("curve_publickey", std::string(40, 'a')), says("curve_secretkey is missing"));
  EXPECT_THAT(error_of_json("curve_publickey", ""), says("curve_publickey must be 40 characters of Z85"));
  // A server's secret key, and the public one of a client.
  EXPECT_THAT(error_of_text(R"({"key": "k", "curve_publickey": "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
                                "curve_secretkey": "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"})"),
              says("curve_publickey does not belong to curve_secretkey"));
  EXPECT_EQ(error_of_text(R"({"key": "k", "curve_publickey": null, "curve_secretkey": null})"), "no error");
}

TEST_F(ConnectionErrors, Registration) {
  const auto error_of_port = [&](const json& port) {
    return error_of_text(json{{"key", "geheim"}, {"ip", "127.0.0.1"}, {"registration_port", port}}.dump());
  };
  EXPECT_THAT(error_of_port("many"), says("registration_port must be an integer"));
  EXPECT_THAT(error_of_port(0), says("registration_port must be a port"));
  EXPECT_THAT(error_of_port(65536), says("registration_port must be an integer of at most 65535"));
  EXPECT_THAT(error_of_json("registration_port", 5), says("ip is missing"));
  EXPECT_THAT(error_of_text(R"({"registration_port": 5, "registration_ip": "127.0.0.1"})"), says("key is missing"));
  EXPECT_THAT(error_of_text(R"({"registration_port": 5, "key": "k", "registration_ip": 7})"),
              says(": registration_ip must be a string"));
  EXPECT_THAT(error_of_text(R"({"registration_port": 5, "key": "k", "registration_ip": "a\tb"})"),
              says(": registration_ip holds a control character"));
  EXPECT_THAT(error_of_text(R"({"registration_port": 5, "key": "k", "registration_ip": "127.0.0.1", "kernel_id": 7})"),
              says("kernel_id must be a string"));
}

TEST_F(ConnectionErrors, ARegistrarIsNamedInNumbers) {
  ::setenv("JUPYTER_RUNTIME_DIR", directory_.path().c_str(), 1);
  const auto error_of_ip = [&](const char* ip) {
    return error_of_text(json{{"key", "k"}, {"ip", "127.0.0.1"}, {"registration_ip", ip}, {"registration_port", 5}}.dump());
  };
  for (const char* ip :
       {"127.0.0.1", "localhost", "*", "::1", "[::1]", "fe80::1%eth0", "[fe80::1%eth0]", "::ffff:192.0.2.1"})
    EXPECT_EQ(error_of_ip(ip), "no error") << ip;
  for (const char* ip : {"example.org", "a:b", "::x", "[::1", "::1]", "[]", "127.0.0.1:5", "eth0:1", "%eth0"})
    EXPECT_THAT(error_of_ip(ip), says("registration_ip must be an address in numbers")) << ip;
}

TEST_F(ConnectionErrors, NoKeyOnlyAtHome) {
  for (const char* ip : {"0.0.0.0", "*", "::", "192.0.2.1", "example.org"}) {
    EXPECT_THAT(error_of_text(json{{"ip", ip}, {"key", ""}}.dump()), says("key is empty")) << ip;
    EXPECT_EQ(error_of_text(json{{"ip", ip}, {"key", "k"}}.dump()), "no error") << ip;
  }
  for (const char* ip : {"127.0.0.1", "127.1.2.3", "::1"})
    EXPECT_EQ(error_of_text(json{{"ip", ip}, {"key", ""}}.dump()), "no error");
  EXPECT_EQ(error_of_text(R"({"transport": "ipc", "ip": "/tmp/x", "key": ""})"), "no error");
}

}  // namespace
