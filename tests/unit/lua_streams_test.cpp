// SPDX-License-Identifier: BSD-3-Clause
// print, io and os, connected with the notebook.
#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace {

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

}  // namespace
