// SPDX-License-Identifier: BSD-3-Clause
// The stop button, as a real signal on the thread that runs Lua.
#include "lua_stop_button.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <iterator>

namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LuaEndlessCell : public testing::TestWithParam<const char*> {};

TEST_P(LuaEndlessCell, StopsAndLeavesTheSessionAsItWas) {
  LuaNotebook notebook;
  for (int time = 0; time < 20; ++time) {
    {
      const StopButton button(notebook);
      EXPECT_THAT(notebook.value(GetParam()), StartsWith("Interrupted: "));
    }
    EXPECT_EQ(notebook.value("local c = coroutine.wrap(function() return 1 + 1 end)() return c"), "2");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Loops, LuaEndlessCell,
    testing::Values(
        "print() while true do end", "print() while true do pcall(function() while true do end end) end",
        "print() coroutine.wrap(function() while true do end end)()",
        "local function spin() while true do end end print() while true do coroutine.resume(coroutine.create(spin)) end",
        "local c = coroutine.wrap(function() while true do coroutine.yield() end end) print() while true do c() end",
        "print() coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end "
        "end)()",
        "coroutine.wrap(function() print() while true do pcall(error) end end)()",
        "print() xpcall(function() while true do end end, function() while true do end end)",
        "print() xpcall(error, function() while true do end end)", "print() while true do xpcall(error, print) end",
        "print() table.sort({3, 2, 1}, function() while true do end end)",
        "print() string.gsub('a', 'a', function() while true do end end)",
        "setmetatable({}, {__tostring = function() print() while true do end end})",
        "error(setmetatable({}, {__tostring = function() print() while true do end end}))",
        "print() os.execute('exec sleep 100')", "print() while true do pcall(os.execute, 'exec sleep 100') end",
        "while true do print() end", "print() while true do load('return 1')() end", "print() goto a ::a:: do goto a end",
        "print() local function f() return f() end f()"));

#if LUA_VERSION_NUM >= 504
INSTANTIATE_TEST_SUITE_P(
    ToBeClosed, LuaEndlessCell,
    testing::Values(
        "local c = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() print() while true "
        "do end end}) "
        "coroutine.yield() end) coroutine.resume(c) while true do coroutine.close(c) end",
        "print() while true do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"));
#endif

#if LUA_VERSION_NUM >= 504
TEST(LuaInterrupt, ClosesWhatIsToBeClosed) {
  const adrastea::testing::TemporaryDirectory directory;
  const std::string file = (directory.path() / "o.dat").string();
  LuaNotebook notebook;
  {
    const StopButton button(notebook);
    EXPECT_THAT(notebook.value("order = {} local function note(name) return setmetatable({}, {__close = function(_, why) "
                               "for i = 1, 1000 do order.n = i end order[#order + 1] = name end}) end "
                               "local first <close> = note 'first' "
                               "local f <close> = io.open('" +
                               file +
                               "', 'w') f:write('data') file = f "
                               "pcall(function() local second <close> = note 'second' print() while true do end end) "
                               "order[#order + 1] = 'went on' while true do end"),
                StartsWith("Interrupted: "));
  }
  EXPECT_EQ(notebook.value("io.type(file), table.concat(order, ' ')"), "\"closed file\"\t\"second first\"");
  std::ifstream written(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), "data");
}

TEST(LuaInterrupt, ClosesInTheCodeAroundACoroutineThatItStopped) {
  LuaNotebook notebook;
  {
    const StopButton button(notebook);
    EXPECT_THAT(notebook.value("closed = 0 local x <close> = setmetatable({}, {__close = function() "
                               "closed = coroutine.wrap(function() return 1 end)() end}) "
                               "coroutine.wrap(function() local y <close> = setmetatable({}, {__close = function() "
                               "while true do end end}) print() while true do end end)()"),
                StartsWith("Interrupted: "));
  }
  EXPECT_EQ(notebook.value("closed"), "1");
}

TEST(LuaInterrupt, EndsHandlersThatDoNotEnd) {
  LuaNotebook notebook;
  const StopButton button(notebook);
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = notebook.run(
      "local function endless() while true do pcall(function() while true do end end) end end "
      "local a <close> = setmetatable({}, {__close = endless})\n"
      "local c <close> = setmetatable({}, {__close = function() error('oops') end}) "
      "local d <close> = setmetatable({}, {__close = endless})\nprint() while true do end");
  EXPECT_EQ(outcome.ename, "Interrupted");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  // The stop may come before print() has returned.
  EXPECT_THAT(outcome.traceback, ::testing::Contains(HasSubstr("[1]:3")));
}
#endif

#ifdef LUAJIT_VERSION_NUM
// Each of them runs long enough to be compiled before the button is pressed.
INSTANTIATE_TEST_SUITE_P(
    Compiled, LuaEndlessCell,
    testing::Values("local warm = 0 for i = 1, 1e6 do warm = warm + i end print() while true do end",
                    "print() local n = 0 while true do n = n + 1 end", "print() for i = 1, 1e18 do end",
                    "print() local s = 0 while true do s = s + math.sin(s) end", "print() while true do local t = {} end",
                    "local t = {} for i = 1, 100 do t[i] = i end print() while true do for _, v in ipairs(t) do end end",
                    "local ffi = require 'ffi' local a = ffi.new('int[100]') local i = 0 print() while true do a[i % 100] "
                    "= i i = i + 1 "
                    "end",
                    "local t = setmetatable({}, {__index = function(_, k) return k end}) local n = 0 print() while true do "
                    "n = n + t[n] "
                    "end",
                    "local function f(n) if n > 0 then return f(n - 1) end end print() while true do f(100) end"));

TEST(LuaInterrupt, StopsCompiledCodeAfterACellUsedTheProfiler) {
  LuaNotebook notebook;
  ASSERT_FALSE(notebook.run("local p = require 'jit.profile' p.start('i10', function() end) p.stop()").failed);
  const StopButton button(notebook);
  EXPECT_THAT(notebook.value("print() local n = 0 while true do n = n + 1 end"), StartsWith("Interrupted: "));
}

TEST(LuaInterrupt, LeavesTheCompilerOn) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("local traces = 0 local function count(what) if what == 'stop' then traces = traces + 1 end end "
                           "jit.attach(count, 'trace') local n = 0 for i = 1, 1e6 do n = n + i end jit.attach(count) "
                           "return traces > 0"),
            "true");
}
#endif

TEST(LuaInterrupt, TellsWhereItStopped) {
  LuaNotebook notebook;
  const StopButton button(notebook);
  const auto outcome = notebook.run("print()\nlocal function spin() while true do end end\nspin()");
  EXPECT_EQ(outcome.ename, "Interrupted");
  ASSERT_GE(outcome.traceback.size(), 3U);
  EXPECT_THAT(outcome.traceback[outcome.traceback.size() - 2], HasSubstr("main chunk"));
  EXPECT_THAT(outcome.traceback.back(), HasSubstr("Interrupted"));
}

TEST(LuaInterrupt, OfACommandTellsWhereItStopped) {
  LuaNotebook notebook;
  const StopButton button(notebook);
  const auto outcome = notebook.run("print() os.execute('exec sleep 100')");
  EXPECT_EQ(outcome.ename, "Interrupted");
  ASSERT_GE(outcome.traceback.size(), 3U);
  EXPECT_THAT(outcome.traceback[outcome.traceback.size() - 2], HasSubstr("[1]:1"));
}

TEST(LuaInterrupt, BeforeACellStartsStopsThatCell) {
  LuaNotebook notebook;
  notebook.frontend.is_interrupted = true;
  EXPECT_THAT(notebook.value("while true do end"), StartsWith("Interrupted: "));
}

TEST(LuaInterrupt, OfAnEarlierCellIsForgotten) {
  LuaNotebook notebook;
  notebook.session.interrupt();
  EXPECT_EQ(notebook.value("local n = 0 for i = 1, 1000 do n = n + i end n"), "500500");
}

TEST(LuaInterrupt, ThatHitACoroutineWhichSurvivedDoesNotStopItLater) {
  LuaNotebook notebook;
  notebook.run("c = coroutine.create(function() coroutine.yield() return 7 end) coroutine.resume(c)");
  lua_State* L = notebook.session.state();
  lua_getglobal(L, "c");
  {  // as when the signal comes after the last instruction before a yield
    const lua_kernel::Interrupts::Running running(notebook.session.interrupts(), lua_tothread(L, -1));
    notebook.session.interrupt();
  }
  lua_pop(L, 1);
  EXPECT_EQ(notebook.value("coroutine.resume(c)"), "true\t7");
}

TEST(LuaInterrupt, LeavesAHookOfTheUserAlone) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("hits = 0 debug.sethook(function() hits = hits + 1 end, 'l')"), "");
  EXPECT_EQ(notebook.value("local a = 1\nlocal b = 2\nhits > 0"), "true");
}

TEST(LuaInterrupt, PutsAHookOfTheUserBack) {
  LuaNotebook notebook;
  notebook.run("hits = 0 debug.sethook(function() hits = hits + 1 end, 'l')");
  for (const char* code : {"print() while true do end", "print() coroutine.wrap(function() while true do end end)()"}) {
    {
      const StopButton button(notebook);
      EXPECT_THAT(notebook.value(code), StartsWith("Interrupted: "));
    }
    EXPECT_EQ(notebook.value("hits = 0\nlocal a = 1\nhits > 0"), "true") << code;
  }
  EXPECT_EQ(notebook.value("debug.sethook() hits = 0"), "");
  {
    const StopButton button(notebook);
    EXPECT_THAT(notebook.value("print() while true do end"), StartsWith("Interrupted: "));
  }
  EXPECT_EQ(notebook.value("hits = 0\nlocal a = 1\nhits, (debug.gethook())"), "0\tnil");
}

}  // namespace
