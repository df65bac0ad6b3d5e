// SPDX-License-Identifier: BSD-3-Clause
// What a failed cell shows.
#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The traceback of a cell as one text, without colours.
std::string traceback(LuaNotebook& notebook, std::string_view code) {
  std::string text;
  for (const std::string& line : notebook.run(code).traceback) text += line + "\n";
  for (std::size_t at = 0; (at = text.find('\x1b', at)) != std::string::npos;) text.erase(at, text.find('m', at) + 1 - at);
  return text;
}

TEST(LuaTraceback, ShowsTheLineOfEachFrame) {
  LuaNotebook notebook;
  ASSERT_FALSE(notebook.run("function low(n)\n\t error('boom ' .. n)\nend").failed);
  EXPECT_EQ(traceback(notebook, "local function high()\n  low(7)\nend\n\nhigh()"),
            "stack traceback (innermost first):\n"
            "  [C]: in function 'error'\n"
            "  [1]:2: in function 'low'\n      error('boom ' .. n)\n"
            "  [2]:2: in function 'high'\n      low(7)\n"
            "  [2]:5: in main chunk\n      high()\n"
            "LuaError: [1]:2: boom 7\n");
}

TEST(LuaTraceback, NamesBuiltinsAndShowsLinesOfLoadedCode) {
  LuaNotebook notebook;
  const std::string text = traceback(notebook, "local f = load('\\n  string.rep(nil, {})')\nf()");
  EXPECT_THAT(text, AllOf(HasSubstr("[C]: in function 'string.rep'\n"), HasSubstr(":2: in "),
                          HasSubstr("\n      string.rep(nil, {})\n")));
}

TEST(LuaTraceback, ShowsLinesOfFiles) {
  LuaNotebook notebook;
  const auto folder = std::filesystem::path(testing::TempDir()) / "lua_traceback_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "broken_module.lua") << "local M = {}\nfunction M.fail()\n  local x = nil + 1\nend\nreturn M\n";
  notebook.run("package.path = '" + folder.string() + "/?.lua'");
  const std::string text = traceback(notebook, "require 'broken_module'.fail()");
  EXPECT_THAT(text, AllOf(HasSubstr("broken_module.lua:3: in function 'fail'\n      local x = nil + 1\n")));
  std::filesystem::remove_all(folder);
  EXPECT_THAT(traceback(notebook, "require 'broken_module'.fail()"), Not(HasSubstr("nil + 1")));
}

TEST(LuaTraceback, ShowsTheLineOfAModuleThatDoesNotCompile) {
  LuaNotebook notebook;
  const auto folder = std::filesystem::path(testing::TempDir()) / ("lua_traceback_" + std::string(80, 'x'));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "misspelt.lua") << "local M = {}\n\nlocal x = = 1\nreturn M\n";
  notebook.run("package.path = '" + folder.string() + "/?.lua'");
  EXPECT_THAT(traceback(notebook, "require 'misspelt'"),
              StartsWith("  " + (folder / "misspelt.lua").string() + ":3\n      local x = = 1\nstack traceback"));
  std::filesystem::remove_all(folder);
  EXPECT_THAT(traceback(notebook, "error('error loading module \\'x\\' from file \\'/dev/zero\\':\\n\\tzero:1: bad', 0)"),
              StartsWith("  /dev/zero:1\nstack traceback"));
}

TEST(LuaTraceback, TakesTheNameOfLoadedCodeForNoSource) {
  LuaNotebook notebook;
  EXPECT_THAT(traceback(notebook, "load('error(1)', 'my chunk')()"),
              AllOf(HasSubstr("[string \"my chunk\"]:1: in "), Not(HasSubstr("\n      my chunk\n"))));
  EXPECT_THAT(traceback(notebook, "load('local a = ...\\n error(a)')()"), HasSubstr("\n      error(a)\n"));
}

TEST(LuaTraceback, NeverWaitsForASourceThatIsNoFile) {
  LuaNotebook notebook;
  EXPECT_THAT(traceback(notebook, "load('error(1)', '@/dev/zero')()"), HasSubstr("/dev/zero:1: in "));
}

TEST(LuaTraceback, ForgetsOldCellsBeforeMemoryGrows) {
  LuaNotebook notebook;
  ASSERT_FALSE(notebook.run("function old() error('x') end").failed);
  const std::string comment = "-- function " + std::string(3'000'000, 'x');
  for (int cell = 0; cell < 3; ++cell) notebook.run(comment);
  EXPECT_THAT(traceback(notebook, "old()"),
              AllOf(HasSubstr("[1]:1: in function 'old'\n"), Not(HasSubstr("function old()"))));
}

TEST(LuaTraceback, ShowsTheStacksOfCoroutines) {
  LuaNotebook notebook;
  notebook.run("function low()\n  error('deep')\nend");
  const std::string expected =
      "stack traceback (innermost first):\n"
      "  [C]: in function 'error'\n"
      "  [1]:2: in function 'low'\n      error('deep')\n"
      "  [2]:1: in function <[2]:1>\n      local f = coroutine.wrap(function() low() end)\n"
      "resumed from:\n";
  EXPECT_THAT(traceback(notebook, "local f = coroutine.wrap(function() low() end)\nf()"),
              AllOf(StartsWith(expected), HasSubstr("[2]:2: in main chunk\n      f()\n"), EndsWith("[1]:2: deep\n")));
}

TEST(LuaTraceback, FollowsAnErrorThatWasHandedOn) {
  LuaNotebook notebook;
  notebook.run("function low()\n  error('deep')\nend");
  for (const char* how : {"error(e)", "error(e, 0)", "assert(ok, e)"}) {
    const std::string text =
        traceback(notebook, std::string("local c = coroutine.create(low)\nlocal ok, e = coroutine.resume(c)\n") + how);
    EXPECT_THAT(text,
                AllOf(HasSubstr("in function <[1]:1>\n      error('deep')\nresumed from:\n"), HasSubstr("main chunk")))
        << how << text;
  }
  const std::string nested = traceback(notebook, "local c = coroutine.wrap(function()\n  coroutine.wrap(low)()\nend)\nc()");
  EXPECT_THAT(nested,
              AllOf(HasSubstr("error('deep')\nresumed from:\n"), HasSubstr("coroutine.wrap(low)()\nresumed from:\n")));
  EXPECT_THAT(traceback(notebook, "coroutine.wrap(function() error({}) end)()"), HasSubstr("resumed from"));
}

TEST(LuaTraceback, LeavesOutCoroutinesThatFailedOfSomethingElse) {
  LuaNotebook notebook;
  EXPECT_THAT(traceback(notebook, "coroutine.resume(coroutine.create(function() error('a') end)) error('b')"),
              Not(HasSubstr("resumed")));
  EXPECT_THAT(traceback(notebook, "pcall(coroutine.wrap(function() error('') end)) error('b')"), Not(HasSubstr("resumed")));
  notebook.run("c = coroutine.create(error) coroutine.resume(c, 'a')");
  EXPECT_THAT(traceback(notebook, "error('a', 0)"), Not(HasSubstr("resumed")));
  EXPECT_THAT(traceback(notebook, "assert(coroutine.resume(c))"), Not(HasSubstr("resumed")));
}

TEST(LuaTraceback, BoundsTheStacksOfNestedCoroutines) {
  LuaNotebook notebook;
  const auto outcome =
      notebook.run("local function nest(n) if n == 0 then error('x') end coroutine.wrap(nest)(n - 1) end nest(150)");
  EXPECT_TRUE(outcome.failed);
  EXPECT_LT(outcome.traceback.size(), 200U);
}

TEST(LuaTraceback, CutsALongMessageThatEvalueHasWhole) {
  LuaNotebook notebook;
  const auto outcome = notebook.run("error(('x'):rep(1000000), 0)");
  EXPECT_EQ(outcome.evalue.size(), 1'000'000U);
  EXPECT_LT(outcome.traceback.back().size(), 3000U);
  EXPECT_THAT(outcome.traceback.back(), EndsWith("… 998 000 more bytes"));
}

TEST(LuaTraceback, ShowsSourceThatIsNoText) {
  LuaNotebook notebook;
  EXPECT_THAT(traceback(notebook, "error('a') -- \xff\x1b[31m\t."), HasSubstr("      error('a') -- \uFFFD\uFFFD[31m .\n"));
}

}  // namespace
