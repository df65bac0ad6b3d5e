// SPDX-License-Identifier: BSD-3-Clause
// print, io and os, connected with the notebook.
#include "lua_fake_frontend.hpp"
#include "lua_program.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(LuaPrint, WritesOneLineAtOnce) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("print(1, 'a', nil, true, 2.0)"), either("1\ta\tnil\ttrue\t2.0\n", "1\ta\tnil\ttrue\t2\n"));
  EXPECT_EQ(notebook.frontend.writes, 1);
  EXPECT_EQ(notebook.printed("print()"), "\n");
  EXPECT_EQ(notebook.printed("print('a\\0b')"), std::string("a\0b\n", 4));
  EXPECT_EQ(notebook.printed("print(setmetatable({}, {__tostring = function() return 'T' end}))"), "T\n");
  EXPECT_EQ(notebook.printed("print(setmetatable({}, {__tostring = function() error('no', 0) end}))"), "LuaError: no");
}

TEST(LuaIo, KeepsTheOrderOfAllStreams) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("io.write('a', 1, 2.5) print('b') io.stderr:write('c') io.stdout:write('d', 'e') print('f')"),
            "a12.5b\ncdef\n");
  EXPECT_EQ(notebook.frontend.err, "c");
}

TEST(LuaIo, GivesFilesThatAreFiles) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("io.type(io.stdout), io.type(io.stderr), io.type(io.stdin)"), "\"file\"\t\"file\"\t\"file\"");
  EXPECT_EQ(notebook.value("io.output() == io.stdout, io.input() == io.stdin"), "true\ttrue");
  EXPECT_EQ(notebook.value("io.write('') == (_VERSION == 'Lua 5.1' or io.stdout)"), "true");
  EXPECT_EQ(notebook.value("not io.stdout:flush(), not io.flush()"), "false\tfalse");
  EXPECT_THAT(notebook.value("io.stdout:seek()"), StartsWith("nil\t\"Illegal seek\""));
  EXPECT_EQ(notebook.value("io.stdout:close()"), "nil\t\"cannot close standard file\"");
  EXPECT_EQ(notebook.value("io.close()"), "nil\t\"cannot close standard file\"");
  EXPECT_THAT(notebook.value("io.stdout:read()"), StartsWith("nil\t"));
  EXPECT_EQ(notebook.printed("io.write('still here')"), "still here");
}

TEST(LuaIo, LosesAndReordersNothingThatIsBuffered) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("io.stdout:setvbuf('full') io.write('a') io.write('b') print('c') io.write('d')"), "abc\nd");
}

TEST(LuaIo, LeavesOtherFilesAlone) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("name = os.tmpname() io.output(name) io.write('1 two\\n3') io.close() io.output(io.stdout) "
                           "local _ = io.write('back')"),
            "");
  EXPECT_EQ(notebook.frontend.out, "back");
  EXPECT_EQ(notebook.value("local f = io.open(name) local a, b, c = f:read('*n', '*l', '*a') f:close() return a, b, c"),
            "1\t\" two\"\t\"3\"");
  EXPECT_EQ(notebook.value("local n = 0 for l in io.lines(name) do n = n + 1 end os.remove(name) return n"), "2");
  EXPECT_THAT(notebook.value("io.open('/nowhere/at/all')"), StartsWith("nil\t\"/nowhere/at/all: No such file"));
}

TEST(LuaInput, ReadsEachFormat) {
  LuaNotebook notebook;
  notebook.frontend.lines = {"line", "kept", "12 0x10", "abcdef"};
  EXPECT_EQ(notebook.value("local a, b, c, d = io.read(), io.read('L'), io.read('n', 'n') return a, b, c, d, io.read('l'), "
                           "io.read(2, 0, 'l')"),
            "\"line\"\t\"kept\\n\"\t12\t16\t\"\"\t\"ab\"\t\"\"\t\"cdef\"");
}

TEST(LuaInput, ReadsLinesUntilTheInputEnds) {
  LuaNotebook notebook;
  notebook.frontend.lines = {"a", "b"};
  EXPECT_EQ(notebook.value("local t = {} for l in io.lines() do t[#t + 1] = l end return table.concat(t, '|'), io.read()"),
            "\"a|b\"\tnil");
  notebook.frontend.lines = {"c", "d"};
  EXPECT_EQ(notebook.value("io.read('a')"), "\"c\\nd\\n\"");
  notebook.frontend.lines = {"e"};
  EXPECT_EQ(notebook.value("for l in io.stdin:lines('L') do return l end"), "\"e\\n\"");
}

TEST(LuaInput, ReadsALineLongerThanAnyBuffer) {
  LuaNotebook notebook;
  notebook.frontend.lines = {std::string(1'000'000, 'x'), "next"};
  EXPECT_EQ(notebook.value("#io.read(), io.read()"), "1000000\t\"next\"");
}

TEST(LuaInput, DoesNotGiveTheRestOfALineToTheNextCell) {
  LuaNotebook notebook;
  notebook.frontend.lines = {"12 rest", "fresh"};
  EXPECT_EQ(notebook.value("io.read('n')"), "12");
  EXPECT_EQ(notebook.value("io.read()"), "\"fresh\"");
}

TEST(LuaInput, ShowsThePromptFirst) {
  LuaNotebook notebook;
  std::string seen;
  notebook.frontend.on_input = [&] { seen = notebook.frontend.out; };
  EXPECT_EQ(notebook.value("io.stdout:setvbuf('full') io.write('Name? ') return io.read()"), "");
  EXPECT_EQ(seen, "Name? ");
}

TEST(LuaInput, ThatIsRefusedIsAnErrorOfTheLineThatReads) {
  LuaNotebook notebook;
  notebook.frontend.on_input = [] { throw adrastea::InputUnavailable("this request does not allow input"); };
  EXPECT_EQ(notebook.value("local a = 1\nlocal b = io.read()\nreturn b"),
            "LuaError: [1]:2: this request does not allow input");
  EXPECT_EQ(notebook.value("select(2, pcall(function() local l = io.read() return l end))"),
            "\"[2]:1: this request does not allow input\"");
  EXPECT_THAT(notebook.value("for l in io.lines() do end"), HasSubstr("this request does not allow input"));
  EXPECT_EQ(notebook.printed("io.write('x')"), "x");
}

TEST(LuaInput, ThatIsInterruptedEndsTheCell) {
  LuaNotebook notebook;
  notebook.frontend.on_input = [] { throw adrastea::Interrupted(); };
  EXPECT_THAT(notebook.value("while true do pcall(io.read) end"), StartsWith("Interrupted: "));
  EXPECT_THAT(notebook.value("while true do pcall(function() for l in io.lines() do end end) end"),
              StartsWith("Interrupted: "));
  EXPECT_EQ(notebook.value("1"), "1");
}

#if LUA_VERSION_NUM >= 504
TEST(LuaWarnings, GoToStderrOnceTheyAreOn) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("warn('hidden') warn('@on') warn('a', 'b')"), "Lua warning: ab\n");
  EXPECT_THAT(notebook.printed("setmetatable({}, {__gc = function() error('late') end}) collectgarbage()"),
              HasSubstr("late"));
  EXPECT_EQ(notebook.printed("warn('@off') warn('hidden')"), "");
}
#endif

TEST(LuaOs, ExecuteTellsHowTheCommandEnded) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("os.execute('exit 3')"), either("nil\t\"exit\"\t3", "768"));
  EXPECT_EQ(notebook.value("os.execute('true')"), either("true\t\"exit\"\t0", "0"));
  EXPECT_EQ(notebook.value("os.execute('kill -TERM $$')"), either("nil\t\"signal\"\t15", "15"));
  EXPECT_EQ(notebook.value("os.execute()"), either("true", "1"));
}

TEST(LuaOs, ExitEndsTheCellWhateverSurroundsItAndAsksForTheEnd) {
  for (const char* code : {
         "os.exit(3)", "pcall(os.exit, 3) print('never')", "coroutine.wrap(function() os.exit(3) end)() print('never')",
             "xpcall(os.exit, function() while true do end end, 3)", "while true do pcall(pcall, os.exit, 3) end",
#if LUA_VERSION_NUM >= 504
             "local x <close> = setmetatable({}, {__close = function() while true do end end}) os.exit(3)"
#endif
       }) {
    LuaNotebook notebook;
    const auto outcome = notebook.run(code);
    EXPECT_FALSE(outcome.failed) << code << outcome.evalue;
    EXPECT_EQ(notebook.frontend.exit_status, 3) << code;
    EXPECT_EQ(notebook.frontend.both, "") << code;
  }
}

TEST(LuaOs, ExitTakesTruthValues) {
  LuaNotebook notebook;
  notebook.value("os.exit(false)");
  EXPECT_EQ(notebook.frontend.exit_status, EXIT_FAILURE);
  notebook.value("os.exit(true, true)");
  EXPECT_EQ(notebook.frontend.exit_status, EXIT_SUCCESS);
}

/// A variable of the environment, as it was afterwards.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(LuaProgram, HasArg) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("arg[0]"), HasSubstr("lua_tests"));
  EXPECT_EQ(notebook.value("#arg"), "0");
}

TEST(LuaProgram, RunsLuaInit) {
  const Variable init("LUA_INIT", "from_init = 1 print('hello')");
  LuaNotebook notebook;
  EXPECT_EQ(lua_kernel::run_lua_init(notebook.session), "");
  EXPECT_EQ(notebook.frontend.out, "hello\n");
  EXPECT_EQ(notebook.value("from_init"), "1");
}

TEST(LuaProgram, TellsWhatWentWrongInLuaInitAndGoesOn) {
  LuaNotebook notebook;
  {
    const Variable init("LUA_INIT", "x = 1\nerror('no')");
    EXPECT_THAT(lua_kernel::run_lua_init(notebook.session),
                AllOf(StartsWith("Error in LUA_INIT\n"), HasSubstr("LUA_INIT:2: no")));
    EXPECT_EQ(notebook.value("x"), "1");
  }
  const Variable init("LUA_INIT", "x = = 1");
  EXPECT_THAT(lua_kernel::run_lua_init(notebook.session), HasSubstr("LUA_INIT:1: unexpected symbol"));
}

TEST(LuaProgram, RunsAFileFromLuaInit) {
  const auto path = std::filesystem::path(testing::TempDir()) / "lua_init 'test'.lua";
  std::ofstream(path) << "#!/usr/bin/lua\nfrom_file = 1\nerror('late', 0)\n";
  LuaNotebook notebook;
  {
    const Variable init("LUA_INIT", "@" + path.string());
    EXPECT_THAT(lua_kernel::run_lua_init(notebook.session), HasSubstr("late"));
  }
  EXPECT_EQ(notebook.value("from_file"), "1");
  std::filesystem::remove(path);
  const Variable init("LUA_INIT", "@" + path.string());
  EXPECT_THAT(lua_kernel::run_lua_init(notebook.session), HasSubstr("cannot open"));
}

#ifdef LUA_VERSUFFIX
TEST(LuaProgram, PrefersTheLuaInitOfItsVersion) {
  const Variable general("LUA_INIT", "which = 'general'");
  const Variable versioned("LUA_INIT" LUA_VERSUFFIX, "which = 'versioned'");
  LuaNotebook notebook;
  EXPECT_EQ(lua_kernel::run_lua_init(notebook.session), "");
  EXPECT_EQ(notebook.value("which"), "\"versioned\"");
}
#endif

TEST(LuaModules, AreFoundBesideTheNotebook) {
  const auto before = std::filesystem::current_path();
  const auto folder = std::filesystem::path(testing::TempDir()) / "lua_modules_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "beside.lua") << "return {answer = 42, name = ...}\n";
  std::filesystem::current_path(folder);
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("(require 'beside')"), "{answer = 42, name = \"beside\"}");
  EXPECT_THAT(notebook.value("require 'nowhere'"),
              AllOf(StartsWith("LuaError: [2]:1: module 'nowhere' not found:"), HasSubstr("./nowhere.lua")));
  std::ofstream(folder / "broken.lua") << "x = = 1\n";
  EXPECT_THAT(notebook.value("require 'broken'"), HasSubstr("./broken.lua:1: unexpected symbol"));
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}

/// The usual C modules, where the system has them for this Lua.
TEST(LuaModules, WrittenInCWork) {
  LuaNotebook notebook;
  const auto has = [&](const std::string& module) {
    return notebook.value("(pcall(require, '" + module + "'))") == "true";
  };
  if (!has("cjson") || !has("lpeg") || !has("socket") || !has("pl.List"))
    GTEST_SKIP() << "lua-cjson, lua-lpeg, lua-socket or lua-penlight is not installed";
  EXPECT_EQ(notebook.value("local cjson = require 'cjson' return cjson.encode({1, {x = 2}})"), "\"[1,{\\\"x\\\":2}]\"");
  EXPECT_EQ(notebook.value("local lpeg = require 'lpeg' return (lpeg.C(lpeg.R'az'^1) * -1):match('hello')"), "\"hello\"");
#if LUA_VERSION_NUM >= 503  // earlier ones do not know __name
  EXPECT_THAT(notebook.value("require 'lpeg'.P'a'"), StartsWith("lpeg-pattern: 0x"));
#endif
  EXPECT_EQ(notebook.value("require 'socket'.gettime() > 0"), "true");
  EXPECT_EQ(notebook.value("require 'pl.List' {1, 2}:map(function(x) return 2 * x end)"), "{2,4}");
  EXPECT_THAT(notebook.value("require 'cjson'.decode('[')"), StartsWith("LuaError: ["));
}

TEST(LuaPopen, GivesTheOutputAndTheEndOfACommand) {
  LuaNotebook notebook;
#if LUA_VERSION_NUM >= 503  // earlier ones do not tell how a command ended
  EXPECT_EQ(notebook.value("local p = io.popen('echo a; echo b; exit 3') local t = p:read('l', 'L') return t, p:close()"),
            "\"a\"\tnil\t\"exit\"\t3");
#endif
  EXPECT_EQ(notebook.value("local t = {} for l in io.popen('echo 1; echo 2'):lines() do t[#t + 1] = l end t"),
            "{\"1\", \"2\"}");
}

}  // namespace
