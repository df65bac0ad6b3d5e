// SPDX-License-Identifier: BSD-3-Clause
// User code that means no good, or does none: the kernel answers the next cell each time.
#include "lua_fake_frontend.hpp"
#include "lua_stop_button.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A new session still does what the first cell of a notebook would ask of it.
void expect_alive(LuaNotebook& notebook) {
  EXPECT_EQ(notebook.value("local a = {1, n = 2}\na"), "{1, n = 2}");
  EXPECT_EQ(notebook.value("(function(...) return select('#', ...) end)(nil, nil)"), "2");
}

struct Attack {
  const char* code;
  const char* text;  // in its value or error
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.code; }

class LuaAttack : public testing::TestWithParam<Attack> {};

TEST_P(LuaAttack, IsSurvived) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value(GetParam().code), HasSubstr(GetParam().text));
  expect_alive(notebook);
  EXPECT_EQ(notebook.printed("print('alive')"), "alive\n");
}

INSTANTIATE_TEST_SUITE_P(
    Metamethods, LuaAttack,
    testing::Values(
        Attack{"setmetatable({x = 1}, {__index = error, __newindex = error, __len = error, __pairs = error, __eq = error})",
               "{x = 1}"},
        Attack{"setmetatable({}, {__tostring = error})", "error in __tostring: a table value"},
        Attack{"setmetatable({}, {__tostring = function() error(nil) end})", "error in __tostring: a nil value"},
        Attack{"setmetatable({}, {__tostring = 1})", "attempt to call a number value"},
        Attack{"setmetatable({}, {__tostring = coroutine.yield})", "error in __tostring: attempt to yield"},
        Attack{"setmetatable({}, {__tostring = function(t) return tostring(t) .. '' end})", "overflow"},
        Attack{"setmetatable({}, {__name = {}})", "{}"}, Attack{"setmetatable({}, {__name = '\\0\\xff'})", " {}"},
        Attack{"setmetatable({}, setmetatable({}, {__index = error, __metatable = error}))", "{}"},
        Attack{"error(setmetatable({}, {__tostring = error, __name = 1}))", "error in __tostring"},
        Attack{"error(setmetatable({}, {__index = error, __concat = error}))", "LuaError: {}"},
        Attack{"setmetatable({}, {__gc = error}) collectgarbage()", ""},
        Attack{"for i = 1, 1000 do setmetatable({}, {__gc = function() error({}) end}) end collectgarbage()", ""},
        Attack{"setmetatable({}, {__gc = function(t) setmetatable(t, getmetatable(t)) end}) collectgarbage()", ""},
        Attack{"setmetatable(_G, {__index = error, __newindex = error}) return 1", "1"},
        Attack{"setmetatable(_G, {__index = function(t, k) return t[k] end}) return missing", "overflow"},
        Attack{"setmetatable(_G, {__metatable = false, __tostring = error}) return 1", "1"},
        Attack{"getmetatable('').__index = error getmetatable('').__name = error return 'text'", "\"text\""},
        Attack{"debug.setmetatable(1, {__tostring = error, __index = error, __call = error}) return 1", "1"},
        Attack{"debug.setmetatable(nil, {__tostring = error, __index = error}) return nil, missing.field", "bad argument"},
        Attack{"debug.setmetatable(print, {__tostring = error, __call = error, __name = 'f'}) return print",
               "error in __tostring"}));

#if LUA_VERSION_NUM == 503  // where such an error is raised by whatever asks for memory
TEST(LuaHostile, ErrorsOfFinalizersFailOneCellAndAreNoSyntaxErrors) {
  constexpr const char* own_error = "LuaError: error in __gc metamethod ([1]:1: mine)";
  const std::string dozens = "for i = 1, 50 do setmetatable({}, {__gc = function() error('mine') end}) end";
  LuaNotebook during;
  EXPECT_EQ(during.value(dozens + " collectgarbage()"), own_error);
  EXPECT_EQ(during.value("collectgarbage()"), "0") << "the other 49 have been called";
  EXPECT_EQ(during.value("collectgarbage('isrunning')"), "true");

  LuaNotebook stopped;
  EXPECT_EQ(stopped.value("collectgarbage('stop') " + dozens + " collectgarbage()"), own_error);
  EXPECT_EQ(stopped.value("collectgarbage('isrunning')"), "false");

  LuaNotebook compiling;
  compiling.run(dozens + " collectgarbage('setpause', 0) pcall(collectgarbage)");  // they wait for the next allocation
  const std::string long_cell = "local long = '" + std::string(100000, 'x') + "' return #long";
  for (int cell = 0; cell < 10; ++cell) EXPECT_THAT(compiling.value(long_cell), Not(StartsWith("SyntaxError: ")));
  EXPECT_EQ(compiling.value("1 + 1"), "2");
}
#endif

#if LUA_VERSION_NUM >= 504
INSTANTIATE_TEST_SUITE_P(
    Closing, LuaAttack,
    testing::Values(
        Attack{"local x <close> = setmetatable({}, {__close = error}) return 1", "LuaError"},
        Attack{"local x <close> = setmetatable({}, {__close = function() error('closing', 0) end}) error('first', 0)",
               "closing"},
        Attack{"local x <close> = setmetatable({}, {__close = 1})", "attempt to call a number value"},
        Attack{"local x <close> = 1", "non-closable"}));
#endif

constexpr const char* too_deep_to_compile = in_luajit                ? "too many syntax levels"
                                            : LUA_VERSION_NUM == 503 ? "too many C levels"
                                                                     : "overflow";

INSTANTIATE_TEST_SUITE_P(
    Depth, LuaAttack,
    testing::Values(
        Attack{"local function f() return 1 + f() end f()", "stack overflow"},
        Attack{"local t = setmetatable({}, {}) getmetatable(t).__add = function(a, b) return a + b end return t + t",
               "overflow"},
        Attack{"local t = {} for i = 1, 100000 do t = {t} end return t", "{…}"},
        Attack{"local t = {} for i = 1, 100000 do t = setmetatable({}, {__index = t}) end return t.x", "loop"},
        Attack{"local s = ('('):rep(300) .. ('x'):rep(1) .. (')'):rep(300) return load('return ' .. s)",
               too_deep_to_compile},
        Attack{"local s = ('{'):rep(100000) return load('return ' .. s)", too_deep_to_compile},
        Attack{"local function f() local c = coroutine.wrap(f) return c() end f()", "overflow"},
        Attack{"return string.format(('%s'):rep(100), (table.unpack or unpack)({}, 1, 100))", "nilnil"},
        Attack{"return select('#', (table.unpack or unpack)({}, 1, 5000))", "5000"},
        Attack{"return string.rep('x', 100, ('y'):rep(1e6)):len()", "99000100"}));

INSTANTIATE_TEST_SUITE_P(
    Bytes, LuaAttack,
    testing::Values(Attack{"'\\0\\xff\\xfe'", R"("\000\255\254")"}, Attack{"error('\\0\\xff')", "LuaError: "},
                    Attack{"print('\\0\\xff')", ""}, Attack{"io.write('\\xc3') io.write('\\xa4')", either("", "true")},
                    Attack{"_G['\\xff\\0'] = 1 return _G['\\xff\\0']", "1"}, Attack{"error('a\\0b', 0)", "LuaError: a"},
                    Attack{"load('x = = \\0\\xff', '=\\xff')", "nil"}, Attack{"\xff\xfe", either("SyntaxError", "nil")},
                    Attack{"x = '\xff'", ""}, Attack{"error(setmetatable({}, {__name = '\\xff\\0'}))", "{}"}));

INSTANTIATE_TEST_SUITE_P(
    Redefinitions, LuaAttack,
    testing::Values(Attack{"tostring, type, pcall, error, assert, next = nil", ""},
                    Attack{"string, table, math, coroutine, debug, utf8 = nil", ""},
                    Attack{"package.loaded._G = nil package.loaded = nil package = nil return {print}", "(builtin)"},
                    Attack{"for k in pairs(package.loaded) do package.loaded[k] = nil end return {print}", "(builtin)"},
                    Attack{"local r = debug.getregistry() r._LOADED = nil return {print}", "(builtin)"},
                    Attack{either("debug.sethook(error, 'crl') return 1", ""), ""},
                    Attack{either("debug.sethook(function() error('hook') end, '', 1) return 1", "'hook'"), "hook"}));

#ifndef LUAJIT_VERSION_NUM  // which does not tell that a function runs as a hook
TEST(LuaHostile, HookThatRaisesIsTakenAway) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.printed("debug.sethook(error, 'crl') return 1"), StartsWith("LuaError: "));
  EXPECT_THAT(notebook.frontend.err, HasSubstr("hook"));
  EXPECT_EQ(notebook.value("debug.gethook() == nil"), "true");
}
#endif

TEST(LuaHostile, RedefinesPrintAndIo) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.printed("local p = print print = function() p('mine') end print(1)"), "mine\n");
  EXPECT_EQ(notebook.printed("io.write = error io.stdout = nil io.stderr = 1 io.output = nil print = nil"), "");
  EXPECT_EQ(notebook.value("io, os, print = nil, nil, nil"), "");
  expect_alive(notebook);
}

TEST(LuaHostile, ClosesAndReopensTheStandardFiles) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("io.stdout:close() io.stderr:close() io.stdin:close() return io.output():close()"),
              HasSubstr("cannot close"));
  EXPECT_EQ(notebook.printed("io.stdout:setvbuf('full', 2^20) io.stdout:write('kept')"), "kept");
  EXPECT_EQ(notebook.printed("print('alive')"), "alive\n");
}

TEST(LuaHostile, StringsOfAGigabyte) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("big = ('x'):rep(2^30) return #big, big"),
              AllOf(StartsWith("1073741824\n\"xxx"), HasSubstr("more bytes")));
  EXPECT_THAT(notebook.value("{big, n = big}"), HasSubstr("more bytes"));
  EXPECT_THAT(notebook.value("setmetatable({}, {__tostring = function() return big end})"), HasSubstr("more bytes"));
  EXPECT_THAT(notebook.value("setmetatable({}, {__name = big})"), HasSubstr("more bytes"));
  EXPECT_EQ(notebook.value("big = nil collectgarbage()"), "0");
  expect_alive(notebook);
}

TEST(LuaHostile, TablesOfAMillionKeysOfAllKinds) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("local t = {} for i = 1, 250000 do t[i] = i t['k' .. i] = i t[i + 0.5] = i t[{}] = i end t"),
              AllOf(HasSubstr("… 249 900 more"), HasSubstr("… 749 900 more")));
  EXPECT_THAT(notebook.value("local t = {} for i = 1, 1000000 do t[i] = {} end t"), HasSubstr("… 999 900 more"));
  expect_alive(notebook);
}

/// What was started before it was to be stopped is stopped, whatever was done to hinder that.
class LuaStubbornCell : public testing::TestWithParam<const char*> {};

TEST_P(LuaStubbornCell, Stops) {
  LuaNotebook notebook;
  {
    const StopButton button(notebook);
    EXPECT_THAT(notebook.value(GetParam()), StartsWith("Interrupted: "));
  }
  expect_alive(notebook);
}

INSTANTIATE_TEST_SUITE_P(
    Cells, LuaStubbornCell,
    testing::Values(
        "print() debug.sethook(function() end, 'l') while true do end",
        "print() debug.sethook() while true do debug.sethook() end",
        "print() local c = coroutine.create(function() while true do coroutine.yield() end end) "
        "debug.sethook(c, function() end, 'l') while true do coroutine.resume(c) end",
        "print() pcall, error, print = nil while true do end",
        "print() getmetatable('').__index = function() while true do end end local s = ('x').y",
        "print() setmetatable(_G, {__index = function() while true do end end}) return missing",
        "return setmetatable({}, {__tostring = function() print() while true do pcall(error) end end})",
        "return {setmetatable({}, {__tostring = function() print() while true do pcall(error) end end})}",
        "return setmetatable({}, {__tostring = function() print() coroutine.wrap(function() while true do end end)() end})",
        "error(setmetatable({}, {__tostring = function() print() while true do end end}))",
        "print() local function spin() while true do pcall(coroutine.wrap(spin)) end end spin()",
        "print() io.open('/dev/zero'):read('a')",
        "print() local t = {} for i = 1, 1e7 do t[i] = 'xxxxxxxx' end while true do table.concat(t) end"));

#if LUA_VERSION_NUM >= 503
// LuaJIT reads a line of NUL bytes for ever without asking for memory, which is where a stop would reach it.
INSTANTIATE_TEST_SUITE_P(EndlessLines, LuaStubbornCell, testing::Values("print() for l in io.lines('/dev/zero') do end"));
#endif

TEST(LuaMemoryLimit, IsReadFromText) {
  EXPECT_EQ(lua_kernel::parse_size("12345"), 12345U);
  EXPECT_EQ(lua_kernel::parse_size("2K"), 2048U);
  EXPECT_EQ(lua_kernel::parse_size("3m"), 3145728U);
  EXPECT_EQ(lua_kernel::parse_size("1G"), 1073741824U);
  for (const char* text : {"", "x", "-1", "1T", "1MB", "1 M", "99999999999999999999", "99999999999G", "1.5G"}) {
    EXPECT_THROW(lua_kernel::parse_size(text), std::invalid_argument) << text;
  }
}

/// What the library's buffers say, in strings of known size and in read.
#if LUA_VERSION_NUM == 503
constexpr const char* no_buffer = "not enough memory for buffer allocation";
constexpr const char* no_buffer_in_cell = "[1]:1: not enough memory for buffer allocation";
#else
constexpr const char* no_buffer = "not enough memory";
constexpr const char* no_buffer_in_cell = no_buffer;
#endif

class LuaMemory : public testing::TestWithParam<Attack> {};

TEST_P(LuaMemory, EndsAtTheLimit) {
  LuaNotebook notebook(std::size_t{16} << 20);
  EXPECT_EQ(notebook.value(GetParam().code), "LuaError: " + std::string(GetParam().text) +
                                                 ": the limit is 16777216 bytes, set by ADRASTEA_LUA_MEMORY_LIMIT");
  EXPECT_EQ(notebook.value("1 + 1"), "2");
  EXPECT_EQ(notebook.value("hoard = nil"), "");
  expect_alive(notebook);
}

INSTANTIATE_TEST_SUITE_P(
    Cells, LuaMemory,
    testing::Values(
        Attack{"string.rep('x', 2^30)", no_buffer_in_cell},
        Attack{"local t = {} while true do t[#t + 1] = {} end", "not enough memory"},
        Attack{"hoard = {} while true do hoard[#hoard + 1] = ('x'):rep(1000) .. #hoard end", "not enough memory"},
        Attack{"local s = 'x' while true do s = s .. s end", "not enough memory"},
        Attack{"table.concat({('x'):rep(1e7), ('y'):rep(1e7)})", "not enough memory"},
        Attack{"local f = function() end while true do local g = f f = function() return g() end end", "not enough memory"},
        Attack{"coroutine.wrap(function() local t = {} while true do t[#t + 1] = {} end end)()", "not enough memory"},
        Attack{"local t = {} while true do t[#t + 1] = coroutine.create(print) end", "not enough memory"},
        Attack{"io.open('/dev/zero'):read('a')", no_buffer_in_cell}));

TEST(LuaMemoryLimit, IsALimitForEachCellAndForWhatItShows) {
  LuaNotebook notebook(std::size_t{16} << 20);
  EXPECT_EQ(notebook.value("pcall(string.rep, 'x', 2^30)"), "false\t\"" + std::string(no_buffer) + "\"");
  EXPECT_THAT(notebook.value("setmetatable({}, {__tostring = function() return ('x'):rep(2^30) end})"),
              AllOf(HasSubstr("(error in __tostring: "), HasSubstr(no_buffer + std::string(")"))));
  EXPECT_EQ(notebook.value("error('not enough memory', 0)"), "LuaError: not enough memory");
  expect_alive(notebook);
}

TEST(LuaMemoryLimit, IsCountedWhereItIsGivenBack) {
  LuaNotebook notebook(std::size_t{16} << 20);
  EXPECT_EQ(notebook.value("for i = 1, 300 do local s = ('x'):rep(2^20) .. i end return 'done'"), "\"done\"");
}

}  // namespace
