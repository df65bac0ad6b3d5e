// SPDX-License-Identifier: BSD-3-Clause
// Whether code is complete, and how the next line is indented; which cells ask for help.
#include "completeness.hpp"
#include "help_query.hpp"

#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>

namespace {

class LuaIsComplete : public testing::Test {
 protected:
  /// "complete", "invalid", or the indentation between brackets.
  std::string answer(std::string_view code) {
    using Status = adrastea::IsCompleteResult::Status;
    const auto result = lua_kernel::is_complete(notebook.session.state(), code);
    EXPECT_EQ(lua_gettop(notebook.session.state()), 0);
    if (result.status == Status::complete) return "complete";
    if (result.status == Status::invalid) return "invalid";
    EXPECT_EQ(result.status, Status::incomplete);
    return "[" + result.indent + "]";
  }
  LuaNotebook notebook;
};

TEST_F(LuaIsComplete, SaysSoOfWhatRuns) {
  for (const char* code : {"",
                           " \n",
                           "x = 1",
                           "return",
                           "return 1, 2",
                           "1 + 1",
                           "a, b",
                           "f()",
                           "local x",
                           "-- comment",
                           "--[[ a\n ]]",
                           "[[a\nb]]",
                           "for i = 1, 3 do print(i) end",
                           "function f() end",
                           "repeat x = 1 until x",
                           "x = 'a\\\nb'",
                           "x = 'a\\z\n  b'",
                           "goto done ::done::",
                           "while true do break end",

                           "x = {1, 2,}",
                           "if a then elseif b then end",
                           "?print",
                           "string.rep??"}) {
    EXPECT_EQ(answer(code), "complete") << code;
  }
}

TEST_F(LuaIsComplete, AsksForMoreWhileMoreCanHelp) {
  for (const char* code : {"x =",
                           "x = 1 +",
                           "x = y ..",
                           "x = not",
                           "x = #",
                           "a and",
                           "a or",
                           "f(1,",
                           "f(",
                           "f",
                           "x = {",
                           "x = {1,",
                           "t[",
                           "t.",
                           "t:m",
                           "t:",
                           "local",
                           "local function",
                           "local function f",
                           "function",
                           "function f",
                           "function f(",
                           "function f(a,",
                           "if",
                           "if x",
                           "if x then",
                           "if x then y = 1 else",
                           "if x then y = 1 elseif",
                           "while",
                           "while x",
                           "while x do",
                           "for",
                           "for i",
                           "for i =",
                           "for i = 1,",
                           "for i = 1, 2",
                           "for k, v in",
                           "for k, v in pairs(t)",
                           "for i = 1, 2 do",
                           "repeat",
                           "repeat x = 1 until",
                           "do",
                           "::a",
                           "::",
                           "a, b =",
                           "a,",
                           "[[a",
                           "x = [==[ ]]",
                           "--[[ a",
                           "--[==[ ]]",
                           "'a\\",
                           "x = 'a\\z",
                           "return function()",
                           "x = function(a) return a",
                           "(f",
                           "(function() end)(",
                           "f{",
                           "f{1, {2}"}) {
    const std::string found = answer(code);
    // A name alone is a value, and so a cell.
    if (std::string_view(code) == "f") {
      EXPECT_EQ(found, "complete");
    } else {
      EXPECT_EQ(found.front(), '[') << code << " is " << found;
    }
  }
}

TEST_F(LuaIsComplete, RefusesWhatNothingCanMend) {
  for (const char* code : {"end",
                           "x = = 1",
                           "for for",
                           "x = }",
                           "f(1, 2]",
                           "'abc",
                           "x = \"abc",
                           "local 1",
                           "goto nowhere",
                           "break",
                           "x y z",
                           "x = 1e",
                           "'\\q'",
                           "'\\u{110000000}'",
                           "a.b:c = 1",
                           "f() = 1",
                           "local x <wrong> = 1",
                           "x = \x01",
                           "\x1bLua",
                           "?",
                           "x?y",
                           "???x",
                           "?x?",
                           "?1",
                           "? x = 1",
                           "if x then else else",
                           "x = 'a\nb'",
                           "::a:: ::a::",
                           "@",
                           "x = 1 $ 2"}) {
    EXPECT_EQ(answer(code), "invalid") << code;
  }
  EXPECT_EQ(answer(std::string_view("x = \0", 5)), "invalid");
  EXPECT_EQ(answer(std::string(300, '(') + "x"), "invalid");  // more than Lua's parser takes
}

TEST_F(LuaIsComplete, KnowsTheGrammarOfItsLua) {
#if LUA_VERSION_NUM >= 504
  EXPECT_EQ(answer("local t <const> = 1"), "complete");
  EXPECT_EQ(answer("local x <"), "[  ]");
#endif
#ifdef LUAJIT_VERSION_NUM
  EXPECT_EQ(answer("goto"), "complete");  // a name, too
  EXPECT_EQ(answer("\xff"), "complete");
#else
  EXPECT_EQ(answer("goto"), "[  ]");
  EXPECT_EQ(answer("\xff"), "invalid");
  EXPECT_EQ(answer(";"), "complete");
#endif
}

TEST_F(LuaIsComplete, IndentsTheNextLineByTheOpenBlocks) {
  EXPECT_EQ(answer("for i = 1, 3 do"), "[  ]");
  EXPECT_EQ(answer("function f()\n  if x then"), "[    ]");
  EXPECT_EQ(answer("function f()\n  if x then\n    y()"), "[    ]");
  EXPECT_EQ(answer("function f()\n  if x then\n    y()\n  end"), "[  ]");
  EXPECT_EQ(answer("if x then\n  y()\nelse"), "[  ]");
  EXPECT_EQ(answer("if x then\n  y()\nelseif z then"), "[  ]");
  EXPECT_EQ(answer("if x\nthen"), "[  ]");
  EXPECT_EQ(answer("foo(function()"), "[  ]");
  EXPECT_EQ(answer("foo({"), "[  ]");
  EXPECT_EQ(answer("t = {\n  1,\n  2,"), "[  ]");
  EXPECT_EQ(answer("t = {\n  a = {\n    1\n  },"), "[  ]");
  EXPECT_EQ(answer("repeat\n  x = 1\n\n"), "[  ]");
  EXPECT_EQ(answer("do -- comment"), "[  ]");
}

TEST_F(LuaIsComplete, IndentsAfterAHeadOfSeveralLines) {
  EXPECT_EQ(answer("function f(a, b\n)"), "[  ]");
  EXPECT_EQ(answer("function f(a,\n           b)"), "[  ]");
  EXPECT_EQ(answer("local f = function(\n  a, b\n)"), "[  ]");
  EXPECT_EQ(answer("function f(a, b\n)\n    g(a)\n"), "[    ]");
  EXPECT_EQ(answer("do\n  if a and\n      b then"), "[    ]");
  EXPECT_EQ(answer("do\n  if a and\n      b then\n    x()"), "[    ]");
}

TEST_F(LuaIsComplete, IndentsAsTheCodeDoes) {
  EXPECT_EQ(answer("function f()\n    if x then"), "[        ]");
  EXPECT_EQ(answer("function f()\n\tif x then"), "[\t\t]");
  EXPECT_EQ(answer("function f()\n   x = 1\n   if x then"), "[      ]");
  EXPECT_EQ(answer("    for i = 1, 3 do"), "[      ]");
  EXPECT_EQ(answer("  do\n  do\n"), "[    ]");
}

TEST_F(LuaIsComplete, IndentsAnUnfinishedStatementOnce) {
  EXPECT_EQ(answer("x ="), "[  ]");
  EXPECT_EQ(answer("x = 1 +\n  2 +"), "[  ]");
  EXPECT_EQ(answer("do\n  x = 1 +"), "[    ]");
  EXPECT_EQ(answer("do\n  x = 1 +\n    2 +"), "[    ]");
  EXPECT_EQ(answer("do\n  x = 1 +\n    2"), "[    ]");
  EXPECT_EQ(answer("while x"), "[  ]");
  EXPECT_EQ(answer("a, b,"), "[  ]");
}

TEST_F(LuaIsComplete, LeavesTheInsideOfTextAlone) {
  EXPECT_EQ(answer("do\n  x = [[text"), "[]");
  EXPECT_EQ(answer("do --[[ comment"), "[]");
  EXPECT_EQ(answer("do\n  x = 'text\\"), "[]");
}

TEST(LuaHelpQuery, IsANameWithMarks) {
  const auto query = [](std::string_view code) {
    const auto found = lua_kernel::parse_help_query(code);
    return found ? std::string(found->name) + " " + std::to_string(found->detail_level) : "none";
  };
  EXPECT_EQ(query("?print"), "print 0");
  EXPECT_EQ(query("print?"), "print 0");
  EXPECT_EQ(query("  ?? string.rep \n"), "string.rep 1");
  EXPECT_EQ(query("file:read??\n"), "file:read 1");
  EXPECT_EQ(query("?while"), "while 0");
  for (const char* code : {"", "?", "??", "x", "?x?", "???x", "x???", "f()?", "'a'?", "x = 1?", "a.?", ".a?", "a b?",
                           "a.end?", "-- why?", "?-- why", "a\n.b?", "a?\nb"}) {
    EXPECT_EQ(query(code), "none") << code;
  }
}

}  // namespace
