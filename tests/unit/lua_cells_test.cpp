// SPDX-License-Identifier: BSD-3-Clause
// Cells, and what they show.
#include "chunk.hpp"
#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <ostream>

namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Cell {
  const char* code;
  const char* value;
};
void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.code; }

class LuaCell : public testing::TestWithParam<Cell> {};

TEST_P(LuaCell, ShowsItsValue) {
  LuaNotebook notebook;
  ASSERT_FALSE(notebook.run("function f(...) return ... end function nothing() end x, t, g = 5, {n = 7}, 3").failed);
  EXPECT_EQ(notebook.value(GetParam().code), GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(Expressions, LuaCell,
                         testing::Values(Cell{"1 + 1", "2"}, Cell{"x", "5"}, Cell{"x;", "5"},
                                         Cell{"1, 'a', 2.5", "1\t\"a\"\t2.5"}, Cell{"nil", "nil"}, Cell{"undefined", "nil"},
                                         Cell{"nil, nil", "nil\tnil"}, Cell{"t.missing", "nil"}, Cell{"(nothing())", "nil"},
                                         Cell{"f() and 1", "nil"}, Cell{"x -- comment", "5"}, Cell{"--[[ a\n b]] x", "5"},
                                         Cell{"", ""}, Cell{"-- only", ""}, Cell{"\n\n", ""}, Cell{"t.n\n- 2", "5"},
                                         Cell{"'a' .. 1", "\"a1\""}));

INSTANTIATE_TEST_SUITE_P(Calls, LuaCell,
                         testing::Values(Cell{"f(1, nil)", "1\tnil"}, Cell{"f()", ""}, Cell{"f(nil)", ""},
                                         Cell{"f(nil, nil)", ""}, Cell{"nothing()", ""}, Cell{"f'text'", "\"text\""},
                                         Cell{"local y = 1 f(y)", "1"}, Cell{"local y = 1\nnothing()", ""},
                                         Cell{"f(nil, 'why')", "nil\t\"why\""}, Cell{"f(f)(f)(4)", "4"},
                                         Cell{"f(1)\nf(2)", "2"}, Cell{"('x'):rep(3)", "\"xxx\""}));

INSTANTIATE_TEST_SUITE_P(
    AfterStatements, LuaCell,
    testing::Values(Cell{"local x = 6\nx", "6"}, Cell{"local x = 6 x", "6"}, Cell{"y = 'a\\\nb'\ny", "\"a\\nb\""},
                    Cell{"local s = [[\nx\n]]\n#s", "2"}, Cell{"if x then x = 8 end x", "8"},
                    Cell{"for i = 1, 2 do x = i end\nx, x", "2\t2"}, Cell{"repeat local z = 1 until z x", "5"},
                    Cell{"function h() return 1 end\nh() + 1", "2"}, Cell{"local y = {}\n{1, #y} == nil", "false"},
                    Cell{"y = 1\n-x", ""}, Cell{"y = 1; -x", "-5"}, Cell{"local y\n-x", "-5"},
                    Cell{"local y\n'text'", "\"text\""}, Cell{"do end -x", "-5"}, Cell{"local h = function() end (x)", "5"},
                    Cell{"::here:: x", "5"}, Cell{"goto there ::there:: x", "5"},
                    Cell{"y = 2\nfunction(a) return a end == nil", "false"}, Cell{"f(1)\n- x", "-4"},
                    Cell{"y = 3\nf(1)\n- x", "-4"}, Cell{"y = 3\nf'1'\n- x", LUA_VERSION_NUM == 503 ? "-4.0" : "-4"},
                    Cell{"local y = 1 undefined", "nil"}, Cell{"y = 3; x;", "5"}, Cell{"y = 3\n...", ""}));

#ifdef LUAJIT_VERSION_NUM  // the grammar of 5.1
INSTANTIATE_TEST_SUITE_P(LuaJit, LuaCell,
                         testing::Values(Cell{";", "SyntaxError: [2]:1: unexpected symbol near ';'"},
                                         Cell{"f\n(g)",
                                              "SyntaxError: [2]:2: ambiguous syntax (function call x new "
                                              "statement) near '('"},
                                         Cell{"y = f\n(g)",
                                              "SyntaxError: [2]:2: ambiguous syntax (function call x new "
                                              "statement) near '('"},
                                         Cell{"y = f --[[ ]]\n(g) y",
                                              "SyntaxError: [2]:2: ambiguous syntax (function call x "
                                              "new statement) near '('"},
                                         Cell{"2^53 == 2^53 + 1", "true"}, Cell{"1LL + 1", "2LL"},
                                         Cell{"bit.bor(1, 2), (jit.status())", "3\ttrue"},
                                         Cell{"local ffi = require 'ffi' return ffi.new('int[3]')[1], ffi.sizeof('int')",
                                              "0\t4"},
                                         Cell{"setfenv(function() return v end, {v = 7})()", "7"}));
#else
INSTANTIATE_TEST_SUITE_P(SinceLua52, LuaCell,
                         testing::Values(Cell{";", ""}, Cell{"f\n(g)", "3"}, Cell{"y = f\n(g)", ""},
                                         Cell{"y = f --[[ ]]\n(g) y", "3"}));
INSTANTIATE_TEST_SUITE_P(SinceLua53, LuaCell,
                         testing::Values(Cell{"1 // 0.0", "inf"}, Cell{"math.mininteger", "-9223372036854775808"},
                                         Cell{"1 << 62", "4611686018427387904"}));
#endif
#if LUA_VERSION_NUM >= 504
INSTANTIATE_TEST_SUITE_P(SinceLua54, LuaCell, testing::Values(Cell{"local y <const> = 2 y", "2"}));
#endif

INSTANTIATE_TEST_SUITE_P(Returns, LuaCell,
                         testing::Values(Cell{"return 1, 2", "1\t2"}, Cell{"return", ""}, Cell{"return nil", "nil"},
                                         Cell{"return nothing()", ""}, Cell{"local y = 4 return y;", "4"},
                                         Cell{"do return 3 end", "3"}, Cell{"return x -- c", "5"}));

INSTANTIATE_TEST_SUITE_P(Statements, LuaCell,
                         testing::Values(Cell{"x = 1", ""}, Cell{"local a, b = 1", ""}, Cell{"if x then f(1) end", ""},
                                         Cell{"while false do f(1) end", ""}, Cell{"local function k() f(1) end", ""},
                                         Cell{"x = f(1)", ""}, Cell{"function h() return 1 end", ""}));

INSTANTIATE_TEST_SUITE_P(Texts, LuaCell,
                         testing::Values(Cell{"'a\"b\\\\c\\n\\t\\0001'", R"("a\"b\\c\n\t\0001")"}, Cell{"'ä€😀'", "\"ä€😀\""},
                                         Cell{"'\\xff\\xc3'", R"("\255\195")"},
                                         Cell{"'\\xed\\xa0\\x80'", R"("\237\160\128")"},
                                         Cell{"1e15", either("1e+15", "1000000000000000")},
                                         Cell{"2^53", either("9007199254740992.0", "9007199254740992")},
                                         Cell{"1 / 0", "inf"},

                                         Cell{"setmetatable({}, {__tostring = function() return 'T!' end})", "T!"},
                                         Cell{"setmetatable({}, {__name = 'Point'}) ~= nil", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Errors, LuaCell,
    testing::Values(
        Cell{"error('boom')", "LuaError: [2]:1: boom"}, Cell{"\n\nerror('boom')", "LuaError: [2]:3: boom"},
        Cell{"local a = 1\nf(a.b.c)", either("LuaError: [2]:2: attempt to index a number value (local 'a')",
                                             "LuaError: [2]:2: attempt to index local 'a' (a number value)")},
        Cell{"error('at the caller', 2)", "LuaError: at the caller"},
        Cell{"local function e() error('low', 2) end\ne()", "LuaError: [2]:2: low"}, Cell{"error({})", "LuaError: {}"},
        Cell{"error()", "LuaError: nil"}, Cell{"error(nil)", "LuaError: nil"},
        Cell{"error(42)", either("LuaError: 42", "LuaError: [2]:1: 42")}, Cell{"error(true)", "LuaError: true"},
        Cell{"error(setmetatable({}, {__tostring = function() return 'mine' end}))", "LuaError: mine"},
        Cell{"error({code = 1, why = 'none'})", "LuaError: {code = 1, why = \"none\"}"},
        Cell{"error(setmetatable({code = 1}, {__name = 'Refused'}))", "Refused: {code = 1}"},
        Cell{"error(setmetatable({}, {__name = 'Refused', __tostring = function() return 'mine' end}))", "Refused: mine"},
        Cell{"error(setmetatable({}, {__name = 7}))", "LuaError: {}"},
        Cell{"error(print)", "LuaError: function: print (builtin)"},
        Cell{"x = = 1", "SyntaxError: [2]:1: unexpected symbol near '='"},
        Cell{"local x = 1\ny +",
             either("SyntaxError: [2]:2: syntax error near '+'", "SyntaxError: [2]:2: '=' expected near '+'")},
        Cell{"f(", either("SyntaxError: [2]:1: unexpected symbol near <eof>",
                          "SyntaxError: [2]:1: unexpected symbol near '<eof>'")},
        Cell{"'abc", either("SyntaxError: [2]:1: unfinished string near <eof>",
                            "SyntaxError: [2]:1: unfinished string near '<eof>'")},
        Cell{"goto nowhere", either("SyntaxError: [2]:1: no visible label 'nowhere' for <goto> at line 1",
                                    "SyntaxError: [2]:1: undefined label 'nowhere'")},
        Cell{"\x1bLua", either("SyntaxError: attempt to load a binary chunk (mode is 't')",
                               "SyntaxError: attempt to load chunk with wrong mode")},
        Cell{"string.rep('x', -1, 2, 3).y.z", either("LuaError: [2]:1: attempt to index a nil value (field 'y')",
                                                     "LuaError: [2]:1: attempt to index field 'y' (a nil value)")},
        Cell{"string.rep()", "LuaError: [2]:1: bad argument #1 to 'rep' (string expected, got no value)"},
        Cell{"io.read('z')", "LuaError: [2]:1: bad argument #1 to 'read' (invalid format)"}));

TEST(LuaSession, KeepsGlobalsAndForgetsLocals) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("local a = 1 b = 2 a"), "1");
  EXPECT_EQ(notebook.value("a, b"), "nil\t2");
}

TEST(LuaSession, RunsATrailingCallOnce) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("n = 0 function count() n = n + 1 return n end count()"), "1");
  EXPECT_EQ(notebook.value("local unused = 1\ncount()"), "2");
  EXPECT_EQ(notebook.value("n"), "2");
}

TEST(LuaSession, ShowsAnErrorInToStringOfAValueInItsText) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("setmetatable({}, {__tostring = function() error('no', 0) end})"),
              testing::MatchesRegex("table: 0x[0-9a-f]+ \\(error in __tostring: no\\)"));
}

TEST(LuaSession, EndsATracebackWithNameAndMessageAndLeavesOutItsOwnFrames) {
  LuaNotebook notebook;
  const auto outcome = notebook.run("local function inner() error('boom') end\nfunction outer() inner() end\nouter()");
  ASSERT_TRUE(outcome.failed);
  EXPECT_THAT(outcome.traceback,
              ElementsAre(HasSubstr("traceback"), HasSubstr("[C]\x1b[0m: in function \x1b[36m'error'"),
                          HasSubstr("[1]:1\x1b[0m: in function \x1b[36m'inner'"),
                          HasSubstr("[1]:2\x1b[0m: in function \x1b[36m'outer'"), HasSubstr("[1]:3\x1b[0m: in main chunk"),
                          EndsWith("LuaError\x1b[0m: [1]:1: boom")));
}

TEST(LuaSession, ShowsTheLineOfASyntaxError) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.run("x = 1\ny = = 2\n").traceback, ElementsAre(HasSubstr("y = = 2"), HasSubstr("SyntaxError")));
}

TEST(LuaSession, KeepsTheEndsOfADeepTraceback) {
  LuaNotebook notebook;
  const auto outcome = notebook.run("local function deep() return 1 + deep() end\ndeep()");
  EXPECT_THAT(outcome.evalue, HasSubstr("stack overflow"));
  EXPECT_LT(outcome.traceback.size(), 30U);
  EXPECT_THAT(outcome.traceback[outcome.traceback.size() - 2], HasSubstr("main chunk"));
  EXPECT_EQ(notebook.value("1"), "1");
}

/// Cells that go to the limits of Lua; the next one must be answered as if nothing had been.
class LuaAbuse : public testing::TestWithParam<Cell> {};

TEST_P(LuaAbuse, LeavesTheSessionAlive) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value(GetParam().code), HasSubstr(GetParam().value));
  EXPECT_EQ(notebook.value("local a = 1\na + 1"), "2");
  EXPECT_EQ(notebook.printed("print('alive')"), "alive\n");
}

// LuaJIT counts no C calls: the first is the end of the process in luajit(1) too; and it has no such numbers.
#ifndef LUAJIT_VERSION_NUM
INSTANTIATE_TEST_SUITE_P(
    PucLimits, LuaAbuse,
    testing::Values(Cell{"local function r() return (string.gsub('a', 'a', r)) end r()", "C stack overflow"},
                    Cell{"string.rep('x', 1 << 62)", "LuaError"},
                    Cell{"table.concat(setmetatable({}, {__len = function() return 1 << 62 end}))", "LuaError"}));
#endif

INSTANTIATE_TEST_SUITE_P(
    Limits, LuaAbuse,
    testing::Values(Cell{"string.find(string.rep('a', 300000), string.rep('a?', 300000) .. 'b')", "too complex"},

                    Cell{"setmetatable({}, {__gc = function() error('in gc') end}) collectgarbage()", ""},
                    Cell{"local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", "loop"},
                    Cell{"local function co() return coroutine.wrap(co)() end co()", "C stack overflow"},
                    Cell{"xpcall(error, function() error('again') end)", "false"},
                    Cell{"error(setmetatable({}, {__tostring = error}))", "LuaError"},
                    Cell{"debug.setmetatable(nil, {__tostring = 1}) error()", "LuaError"},

                    Cell{"_G._ENV = nil setmetatable(_G, {__index = error, __newindex = error})", ""},
                    Cell{"local s = '' for i = 1, 5 do s = s .. ('('):rep(100) end load(s)",
                         in_luajit                ? "too many syntax levels"
                         : LUA_VERSION_NUM == 503 ? "too many C levels"
                                                  : "overflow"},
                    Cell{"return (table.unpack or unpack)({}, 1, 1e6)", "too many results"}));

TEST(LuaSession, ReportsThatMemoryRanOut) {
  LuaNotebook notebook;
  // The allocator refuses what would exceed the limit, as the system does under a limit on the process.
  struct Budget {
    lua_Alloc allocate;
    void* data;
    std::size_t limit;
    static void* call(void* self, void* block, std::size_t old_size, std::size_t new_size) {
      auto& budget = *static_cast<Budget*>(self);
      if (new_size > budget.limit) return nullptr;
      return budget.allocate(budget.data, block, old_size, new_size);
    }
  } budget{nullptr, nullptr, std::size_t{1} << 20};
  lua_State* L = notebook.session.state();
  budget.allocate = lua_getallocf(L, &budget.data);
  lua_setallocf(L, &Budget::call, &budget);
  EXPECT_EQ(notebook.value("local s = 'x' while true do s = s .. s end"), "LuaError: not enough memory");
  EXPECT_EQ(notebook.value("pcall(string.rep, 'x', 2^25)"),
            LUA_VERSION_NUM == 503 ? "false\t\"not enough memory for buffer allocation\"" : "false\t\"not enough memory\"");
  EXPECT_EQ(notebook.value("1 + 1"), "2");
  lua_setallocf(L, budget.allocate, budget.data);
}

TEST(LuaSession, PrintsTenMegabytesAtOnce) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("print(('x'):rep(10000000))").size(), 10000001U);
  EXPECT_EQ(notebook.frontend.writes, 1);
}

TEST(LuaSession, CompilesALongCellOfCallsInLittleTime) {
  LuaNotebook notebook;
  std::string code = "function f() end\n";
  for (int line = 0; line < 20000; ++line) code += "f(" + std::to_string(line) + ")\n";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(notebook.value(code), "");
  EXPECT_THAT(notebook.value(code + "= 1"), StartsWith("SyntaxError: [2]:20002:"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20))
      << "a trial per line must not parse the whole cell";
}

TEST(LuaCoroutines, BehaveAsLuasOwn) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("c = coroutine.create(function(a) local b = coroutine.yield(a + 1) error('e' .. b, 0) end) "
                           "coroutine.resume(c, 1)"),
            "true\t2");
  EXPECT_EQ(notebook.value("coroutine.resume(c, 5)"), "false\t\"e5\"");
  EXPECT_EQ(notebook.value("coroutine.resume(c)"), "false\t\"cannot resume dead coroutine\"");
  EXPECT_EQ(notebook.value("coroutine.wrap(function() return coroutine.resume((coroutine.running())) end)()"),
            "false\t\"cannot resume non-suspended coroutine\"");
  EXPECT_EQ(notebook.value("coroutine.resume(1)"),
            "LuaError: [5]:1: bad argument #1 to 'resume' (coroutine expected, got number)");
  EXPECT_EQ(
      notebook.value(
          "local w = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return w(), w(), w(), w()"),
      "1\t2\t3");
  EXPECT_EQ(notebook.value("coroutine.wrap(function() error('oops') end)()"), "LuaError: [7]:1: [7]:1: oops");
  EXPECT_EQ(notebook.value("coroutine.wrap(function() error({code = 1}) end)()"), "LuaError: {code = 1}");
  EXPECT_EQ(notebook.value("coroutine.wrap(function() return pcall(coroutine.yield, 4) end)()"), "4");
  EXPECT_EQ(notebook.value("local outer outer = coroutine.create(function() return coroutine.wrap(function() return "
                           "coroutine.resume(outer) end)() end) return coroutine.resume(outer)"),
            "true\tfalse\t\"cannot resume non-suspended coroutine\"");
#if LUA_VERSION_NUM >= 504
  EXPECT_EQ(
      notebook.value(
          "local closed local c = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() "
          "closed = true end}) coroutine.yield() end) coroutine.resume(c) return coroutine.close(c), closed, "
          "coroutine.status(c)"),
      "true\ttrue\t\"dead\"");
  EXPECT_EQ(notebook.value("coroutine.close(coroutine.running())"), "LuaError: [12]:1: cannot close a running coroutine");
#endif
}

struct Completeness {
  const char* code;
  lua_kernel::CompiledCell::Status status;
};
void PrintTo(const Completeness& cell, std::ostream* out) { *out << cell.code; }

class LuaCompleteness : public testing::TestWithParam<Completeness> {};

TEST_P(LuaCompleteness, IsSeenWithoutRunningTheCell) {
  LuaNotebook notebook;
  lua_State* L = notebook.session.state();
  const auto cell = lua_kernel::compile_cell(L, GetParam().code + std::string("\n"), "=code");
  EXPECT_EQ(cell.status, GetParam().status) << cell.message;
  EXPECT_EQ(lua_gettop(L), cell.status == lua_kernel::CompiledCell::Status::compiled ? 1 : 0);
}

constexpr auto complete = lua_kernel::CompiledCell::Status::compiled;
constexpr auto incomplete = lua_kernel::CompiledCell::Status::incomplete;
constexpr auto invalid = lua_kernel::CompiledCell::Status::invalid;
INSTANTIATE_TEST_SUITE_P(Cells, LuaCompleteness,
                         testing::Values(Completeness{"x = 1", complete}, Completeness{"1 + 1", complete},
                                         Completeness{"", complete}, Completeness{"x = 1\nx", complete},
                                         Completeness{"if x then", incomplete}, Completeness{"function f()", incomplete},
                                         Completeness{"f(", incomplete}, Completeness{"x =", incomplete},
                                         Completeness{"1 +", incomplete}, Completeness{"x = 1\nx +", incomplete},
                                         Completeness{"[[ a", incomplete}, Completeness{"x = [[ a", incomplete},
                                         Completeness{"x = 1 --[[", incomplete}, Completeness{"x = 'a\\", incomplete},
                                         Completeness{"t = {1,", incomplete}, Completeness{"a.", incomplete},
                                         Completeness{"x = = 1", invalid}, Completeness{"end", invalid},
                                         Completeness{"x = 'a", invalid}, Completeness{"f(}", invalid},
                                         Completeness{"x = 1 )", invalid}));

}  // namespace
