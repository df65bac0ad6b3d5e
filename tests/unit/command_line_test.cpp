// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/command_line.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace {

using adrastea::kernel::Command;
using adrastea::kernel::Location;
using adrastea::kernel::parse_command;
using adrastea::kernel::ParsedCommand;
using adrastea::support::log::Level;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

using Words = std::vector<std::string>;

Command parsed(const Words& words) {
  const ParsedCommand result = parse_command("moon", words);
  EXPECT_TRUE(result.command.has_value()) << result.text;
  return result.command.value_or(Command{});
}

struct Wrong {
  Words words;
  std::string message;
  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << testing::PrintToString(wrong.words); }
};

class ConnectionFileSpelling : public testing::TestWithParam<Words> {};

TEST_P(ConnectionFileSpelling, Serves) {
  const Command command = parsed(GetParam());
  EXPECT_EQ(command.action, Command::Action::serve);
  EXPECT_EQ(command.connection_file, "my ü.json");
  EXPECT_THAT(command.ignored, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, ConnectionFileSpelling,
                         testing::Values(Words{"-f", "my ü.json"}, Words{"--connection-file", "my ü.json"},
                                         Words{"--connection-file=my ü.json"}, Words{"-f=my ü.json"},
                                         Words{"--f=my ü.json"}));

TEST(CommandLine, ServesAnOwnConnectionFileWithoutWords) {
  const Command command = parsed({});
  EXPECT_EQ(command.action, Command::Action::serve);
  EXPECT_EQ(command.connection_file, "");
  EXPECT_EQ(command.log_level, Level::warning);
}

TEST(CommandLine, ListensWhereItIsToldWithoutAFile) {
  EXPECT_EQ(parsed({}).ip, "");
  EXPECT_EQ(parsed({"--ip", "0.0.0.0"}).ip, "0.0.0.0");
  EXPECT_EQ(parsed({"--ip=::1"}).ip, "::1");
  const Command told_by_a_file = parsed({"--ip", "0.0.0.0", "-f", "a.json"});
  EXPECT_EQ(told_by_a_file.ip, "");
  EXPECT_THAT(told_by_a_file.ignored, ElementsAre("--ip 0.0.0.0"));
}

TEST(CommandLine, IgnoresWhatLaunchersAppend) {
  const Command command = parsed({"-f", "a.json", "--ident=7", "--debug", "extra"});
  EXPECT_EQ(command.connection_file, "a.json");
  EXPECT_THAT(command.ignored, ElementsAre("--ident=7", "--debug", "extra"));
}

TEST(CommandLine, RefusesWordsThatMeanNothingWithoutAFile) {
  EXPECT_EQ(parse_command("kernel", {"instal", "--user"}).status, 2);
  EXPECT_EQ(parse_command("kernel", {"extra"}).status, 2);
}

TEST(CommandLine, KeepsHistoryUnlessToldNotTo) {
  EXPECT_TRUE(parsed({"-f", "a.json"}).keep_history);
  EXPECT_FALSE(parsed({"--no-history", "-f", "a.json"}).keep_history);
  EXPECT_FALSE(parsed({"-f", "a.json", "--no-history"}).keep_history);
}

TEST(CommandLine, KnowsTheLevelsOfTheLog) {
  EXPECT_EQ(parsed({"--log-level", "debug"}).log_level, Level::debug);
  EXPECT_EQ(parsed({"--log-level", "info"}).log_level, Level::info);
  EXPECT_EQ(parsed({"--log-level=warning"}).log_level, Level::warning);
  EXPECT_EQ(parsed({"--log-level=error"}).log_level, Level::error);
}

TEST(CommandLine, Installs) {
  const Command plain = parsed({"install"});
  EXPECT_EQ(plain.action, Command::Action::install);
  EXPECT_EQ(plain.location, Location::system);
  EXPECT_EQ(plain.name, "");

  const Command full = parsed({"install", "--prefix", "/opt/x", "--name", "n", "--display-name", "The N"});
  EXPECT_EQ(full.location, Location::prefix);
  EXPECT_EQ(full.prefix, "/opt/x");
  EXPECT_EQ(full.name, "n");
  EXPECT_EQ(full.display_name, "The N");

  EXPECT_EQ(parsed({"install", "--user"}).location, Location::user);
  EXPECT_EQ(parsed({"install", "--sys-prefix"}).location, Location::sys_prefix);
}

TEST(CommandLine, Uninstalls) {
  const Command command = parsed({"uninstall", "--user", "--name=n"});
  EXPECT_EQ(command.action, Command::Action::uninstall);
  EXPECT_EQ(command.location, Location::user);
  EXPECT_EQ(command.name, "n");
}

TEST(CommandLine, PrintsHelpAndVersion) {
  const ParsedCommand help = parse_command("moon", {"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_FALSE(help.command);
  EXPECT_THAT(help.text, testing::AllOf(HasSubstr("Usage: moon"), HasSubstr("--connection-file"), HasSubstr("uninstall")));
  EXPECT_THAT(parse_command("moon", {"install", "--help"}).text, HasSubstr("--display-name"));
  EXPECT_EQ(parsed({"--version"}).action, Command::Action::version);
}

class WrongCommandLine : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCommandLine, IsRefusedWithItsCauseOnOneLine) {
  const ParsedCommand result = parse_command("moon", GetParam().words);
  EXPECT_FALSE(result.command);
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.text, StartsWith("moon: "));
  EXPECT_EQ(result.text.find('\n'), result.text.size() - 1);
  EXPECT_THAT(result.text, HasSubstr(GetParam().message));
  EXPECT_THAT(result.text, HasSubstr("--help"));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongCommandLine,
    testing::Values(Wrong{{"-f", "a", "-f", "b"}, "--connection-file"}, Wrong{{"-f", "a", "--f=b"}, "--connection-file"},
                    Wrong{{"-f"}, "--connection-file"}, Wrong{{"-f", ""}, "must not be empty"},
                    Wrong{{"--ip", ""}, "must not be empty"}, Wrong{{"--ip", "::1", "install"}, "--ip excludes install"},
                    Wrong{{"--log-level", "loud"}, "debug, info, warning or error, not loud"},
                    Wrong{{"-f", "a", "install"}, "--connection-file excludes install"},
                    Wrong{{"install", "--bogus"}, "--bogus"}, Wrong{{"install", "word"}, "word"},
                    Wrong{{"word", "install"}, "word"}, Wrong{{"install", "--user", "--sys-prefix"}, "--sys-prefix"},
                    Wrong{{"install", "--user", "--prefix", "/x"}, "--prefix"},
                    Wrong{{"install", "--prefix", ""}, "--prefix"}, Wrong{{"install", "--name", ""}, "--name"},
                    Wrong{{"uninstall", "--display-name", "x"}, "--display-name"}));

}  // namespace
