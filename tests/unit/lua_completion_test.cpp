// SPDX-License-Identifier: BSD-3-Clause
#include "completion.hpp"

#include "lua_fake_frontend.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using adrastea::testing::TemporaryDirectory;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

/// Completes where the code has a `|`, or at its end.
class LuaCompletion : public testing::Test {
 protected:
  adrastea::CompleteResult complete(std::string code) {
    std::size_t cursor = code.find('|');
    if (cursor == std::string::npos) {
      cursor = code.size();
    } else {
      code.erase(cursor, 1);
    }
    return lua_kernel::complete(notebook.session.state(), {.code = code, .cursor = cursor});
  }
  std::vector<std::string> texts(const std::string& code) {
    std::vector<std::string> found;
    for (const auto& match : complete(code).matches) found.push_back(match.text);
    return found;
  }
  adrastea::Completion only(const std::string& code) {
    auto found = complete(code).matches;
    EXPECT_EQ(found.size(), 1U) << code;
    return found.empty() ? adrastea::Completion() : found.front();
  }
  LuaNotebook notebook;
};

TEST_F(LuaCompletion, OffersGlobalsAndKeywordsByTheirPrefix) {
  notebook.run("printer = 1  Printed = 2");
  EXPECT_THAT(texts("pri"), ElementsAre("print", "printer", "Printed"));
  EXPECT_THAT(texts("x = re"), ElementsAre("require"));
  EXPECT_THAT(texts("re"), ElementsAre("repeat", "require", "return"));
  EXPECT_THAT(texts("nothing_like_it"), IsEmpty());
}

TEST_F(LuaCompletion, ReplacesThePartOfTheWordBeforeTheCursor) {
  const auto result = complete("x = str|ing");
  EXPECT_EQ(result.start, 4U);
  EXPECT_EQ(result.end, 7U);
  ASSERT_EQ(result.matches.size(), 1U);
  EXPECT_EQ(result.matches[0].text, "string");
  EXPECT_EQ(result.matches[0].type, "module");
}

TEST_F(LuaCompletion, ShowsTypesAndSignatures) {
  notebook.run("function area(width, height) end  function variable(a, ...) end  number = 1");
  EXPECT_EQ(only("are").type, "function");
  EXPECT_EQ(only("are").signature, "(width, height)");
#ifndef LUAJIT_VERSION_NUM  // which does not tell
  EXPECT_EQ(only("variabl").signature, "(a, ...)");
#endif
  EXPECT_EQ(only("numbe").type, "instance");
  EXPECT_EQ(only("string.rep").signature, "(s, n [, sep])");
  EXPECT_EQ(only("('x'):rep").signature, "(n [, sep])");
  EXPECT_EQ(only("whil").type, "keyword");
}

TEST_F(LuaCompletion, KnowsTheTypesOfResultsOfKnownFunctions) {
  notebook.run("Account = {deposit = function(self, value) end}  Account.__index = Account  Animal = {speak = print}");
  EXPECT_THAT(texts("local self = setmetatable({}, Account)\nself:dep"), ElementsAre("deposit"));
  EXPECT_THAT(texts("local o = setmetatable({a = 1, b = {2, 3}}, {__index = Animal})\no:sp"), ElementsAre("speak"));
  EXPECT_THAT(texts("local o = setmetatable({}, Animal)\no:sp"), ElementsAre("speak"));
  EXPECT_THAT(texts("local f = io.open('x', 'w')\nf:wri"), ElementsAre("write"));
  EXPECT_THAT(texts("io.open 'x':wri"), ElementsAre("write"));
  EXPECT_THAT(texts("('a'):upper():low"), ElementsAre("lower"));
  EXPECT_THAT(texts("local s = 'a' .. 1 .. f(2)\ns:upp"), ElementsAre("upper"));
  EXPECT_THAT(texts("tostring{}:upp"), ElementsAre("upper"));
  EXPECT_THAT(texts("local s = 'a' .. 'b' == 'ab'\ns:upp"), IsEmpty());
  EXPECT_THAT(texts("local s = t and 'a' .. 'b'\ns:upp"), IsEmpty());
  EXPECT_THAT(texts("local f = unknown('a')\nf:"), IsEmpty());
  EXPECT_THAT(texts("local o = setmetatable({})\no:"), IsEmpty());
  EXPECT_THAT(texts("local o = setmetatable(\no:"), IsEmpty());
  notebook.run("function tostring() end");
  EXPECT_THAT(texts("tostring(1):upp"), IsEmpty());
}

TEST_F(LuaCompletion, KnowsTheModuleOfTheKernelBeforeItIsLoaded) {
  EXPECT_THAT(texts("local j = require 'jupyter'\nj.pro"), ElementsAre("progress", "progress_of"));
  EXPECT_THAT(texts("jupyter.comm.o"), ElementsAre("open"));
  EXPECT_EQ(notebook.value("package.loaded.jupyter"), "nil");
}

TEST_F(LuaCompletion, FollowsFieldsThroughTablesAndIndexChains) {
  notebook.run(R"(
    Base = {from_base = 1, shared = 1}  Base.__index = Base
    Derived = setmetatable({from_derived = 1, shared = 2}, Base)  Derived.__index = Derived
    object = setmetatable({own = {deep = {deeper = 1}}}, Derived)
    loop = setmetatable({}, {})  getmetatable(loop).__index = loop)");
  EXPECT_THAT(texts("object."), ElementsAre("from_base", "from_derived", "own", "shared", "__index"));
  EXPECT_THAT(texts("object.own.de"), ElementsAre("deep"));
  EXPECT_THAT(texts("object['own'].deep.d"), ElementsAre("deeper"));
  EXPECT_THAT(texts("(object).own.deep .\n dee"), ElementsAre("deeper"));
  EXPECT_THAT(texts("loop."), IsEmpty());
  EXPECT_THAT(texts("_G.obj"), ElementsAre("object"));
  EXPECT_THAT(texts("object.nothing."), IsEmpty());
  EXPECT_THAT(texts("object.own.deep.deeper."), IsEmpty());
}

TEST_F(LuaCompletion, OffersOnlyFunctionsAfterAColon) {
  notebook.run(
      "Account = {balance = 0, deposit = function(self, value) end}  Account.__index = Account "
      "account = setmetatable({}, Account)");
  EXPECT_THAT(texts("account:"), ElementsAre("deposit"));
  EXPECT_EQ(only("account:dep").signature, "(value)");
  EXPECT_EQ(only("account.dep").signature, "(self, value)");
  EXPECT_THAT(texts("io.stdout:"), IsSupersetOf({"close", "flush", "lines", "read", "seek", "setvbuf", "write"}));
  EXPECT_EQ(only("io.stdout:see").signature, "([whence [, offset]])");
}

TEST_F(LuaCompletion, OffersStringMethods) {
  notebook.run("name = 'x'");
  for (const char* code : {"('abc'):up", "name:up", "local s = [[x]] s:up", "local s = 'a\\n' return s:up", "string.up"}) {
    EXPECT_THAT(texts(code), ElementsAre("upper")) << code;
  }
}

TEST_F(LuaCompletion, SeesTheLocalVariablesInScope) {
  EXPECT_THAT(texts("local alpha, alps = 1, 2\nal"), ElementsAre("alpha", "alps"));
  EXPECT_THAT(texts("do local alpha = 1 end\nal"), IsEmpty());
  EXPECT_THAT(texts("local function f(alpha, ...) al| end"), ElementsAre("alpha"));
  EXPECT_THAT(texts("local function f(alpha) end al"), IsEmpty());
  EXPECT_THAT(texts("for alpha = 1, 3 do al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("for alpha, alps in pairs(al|) do"), IsEmpty());
  EXPECT_THAT(texts("if x then local alpha else al"), IsEmpty());
  EXPECT_THAT(texts("repeat local alpha = 1 until al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("local alpha = al"), IsEmpty());
  EXPECT_THAT(texts("local function alpha() return al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("local alpha = function() return al"), IsEmpty());
  EXPECT_THAT(texts("local alpha <const> = 1 al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("f(function(alpha) g({x = function() return al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("local alpha = 5\n-- a comment\n\nal| = 3"), ElementsAre("alpha"));
  EXPECT_EQ(only("function f(alpha) al").type, "param");
}

TEST_F(LuaCompletion, SeesThroughCodeThatIsWrong) {
  EXPECT_THAT(texts("x = \nlocal alpha = 1 end end ) al"), ElementsAre("alpha"));
  EXPECT_THAT(texts("foo.\nlocal alpha = {1, 2\nal"), IsEmpty());  // may be the table's: alpha has no value yet
  EXPECT_THAT(texts("local alpha = 'unfinished\nal"), ElementsAre("alpha"));
  EXPECT_THAT(texts("if then local alpha for in al"), ElementsAre("alpha"));
}

TEST_F(LuaCompletion, KnowsWhatLocalVariablesStartWith) {
  notebook.run("Account = {balance = 0, deposit = function(self, value) end}");
  EXPECT_THAT(texts("local s = string\nlocal t = s\nt.rep"), ElementsAre("rep"));
  EXPECT_THAT(texts("local string = string; string.rep"), ElementsAre("rep"));
  EXPECT_THAT(texts("local m = require 'math' m.flo"), ElementsAre("floor"));
  EXPECT_THAT(texts("local m = require('math').huge, 1\nm."), IsEmpty());
  EXPECT_THAT(texts("require('math').flo"), ElementsAre("floor"));
  EXPECT_THAT(texts("local t = {one = 1, two = function(a) end, [3] = 4, inner = {deep = 'x'}} t."),
              ElementsAre("inner", "one", "two"));
  EXPECT_THAT(texts("local t = {one = 1, two = function(a) end} t:"), ElementsAre("two"));
  EXPECT_THAT(texts("local t = {inner = {deep = 'x'}} t.inner.deep:up"), ElementsAre("upper"));
  EXPECT_THAT(texts("function Account:withdraw() self:dep"), ElementsAre("deposit"));
  EXPECT_THAT(texts("local x = x.x.x x."), IsEmpty());
}

TEST_F(LuaCompletion, KnowsWhatTheCellDefinesBeforeItRan) {
  EXPECT_THAT(texts("gamma = 1\nfunction gamut(a, b) end\ngam"), ElementsAre("gamma", "gamut"));
  EXPECT_EQ(only("function gamut(a, b) end gam").signature, "(a, b)");
  EXPECT_THAT(texts("local M = {}\nfunction M.first(x) end\nM.second = 2\nfunction M:third(y) end\nM."),
              ElementsAre("first", "second", "third"));
  EXPECT_THAT(texts("local M = {}\nM.second = 2\nfunction M:third(y) end\nM:"), ElementsAre("third"));
  EXPECT_EQ(only("local M = {}\nfunction M:third(y) end\nM:th").signature, "(y)");
  EXPECT_THAT(texts("function fact(n) return n * fac"), ElementsAre("fact"));
}

TEST_F(LuaCompletion, OffersNothingWhereNamesAreMade) {
  notebook.run("prime = 1");
  for (const char* code : {"local pri", "for pri", "function f(pri", "f(function(a, pri", "::pri", "local function pri",
                           "-- pri", "--[[ pri", "--[==[ pri ]] pri", "x = 12pri", "--pri|\nx", "--[[ pri| ]] x"}) {
    EXPECT_THAT(texts(code), IsEmpty()) << code;
  }
  EXPECT_THAT(texts("local func"), ElementsAre("function"));
  EXPECT_THAT(texts("local x <"), ElementsAre("close", "const"));
  EXPECT_THAT(texts("--[[ closed ]]pri"), ElementsAre("prime", "print"));
  EXPECT_THAT(texts("-- a\npri"), ElementsAre("prime", "print"));
}

TEST_F(LuaCompletion, OffersTheLabelsThatAGotoReaches) {
  EXPECT_THAT(texts("::top:: for i = 1, 3 do goto | ::continue:: end"), ElementsAre("continue", "top"));
  EXPECT_THAT(texts("do ::inner:: end goto | ::after::"), ElementsAre("after"));
  EXPECT_THAT(texts("::top:: local f = function() goto | ::mine:: end"), ElementsAre("mine"));
  EXPECT_THAT(texts("if a then ::one:: else goto | end ::two::"), ElementsAre("two"));
}

TEST_F(LuaCompletion, OffersStringKeysBetweenBrackets) {
  notebook.run("t = {['a b'] = 1, ab = 2, ['end'] = 3, ['quote\"'] = 4, ['bad\\xff'] = 5, [\"it's\"] = 6, ['käse'] = 7}");
  EXPECT_THAT(texts("t['a"), ElementsAre("a b", "ab"));
  EXPECT_THAT(texts("t[\""), ElementsAre("a b", "ab", "end", "käse"));
  EXPECT_THAT(texts("t['e|'] = 3"), ElementsAre("end"));
  EXPECT_THAT(texts("t."), ElementsAre("ab"));
}

TEST_F(LuaCompletion, OffersModules) {
  const TemporaryDirectory folder;
  const auto path = folder.path();
  std::filesystem::create_directories(path / "pack" / "deep");
  for (const char* file :
       {"zz_one.lua", "zz_two.lua", "pack/part.lua", "pack/init.lua", "pack/deep/leaf.lua", "notes.txt"}) {
    std::ofstream(path / file) << "return 1";
  }
  std::filesystem::create_directory(path / "zz_empty");
  notebook.run("package.path = '" + path.string() + "/?.lua;" + path.string() + "/?/init.lua;;?' package.cpath = ''");
  notebook.run("package.preload['zz.preloaded'] = print");
  EXPECT_THAT(texts("require 'zz"), ElementsAre("zz.preloaded", "zz_one", "zz_two"));
  EXPECT_THAT(texts("local x = require(\"pac|\")"), ElementsAre("pack", "pack.", "package"));
  EXPECT_THAT(texts("require 'pack."), ElementsAre("pack.deep.", "pack.init", "pack.part"));
  EXPECT_THAT(texts("require 'math"), ElementsAre("math"));
  EXPECT_EQ(only("require 'zz_o").type, "module");
  EXPECT_EQ(complete("require 'pack.p").start, 9U);
  notebook.run("package = nil");
  EXPECT_THAT(texts("require 'zz_o"), ElementsAre("zz_one"));
}

TEST_F(LuaCompletion, OffersFilesInStrings) {
  const TemporaryDirectory folder;
  std::filesystem::create_directory(folder.path() / "data");
  for (const char* file : {"data.csv", "other.csv", ".hidden", "it's", "data/deep.csv"}) {
    std::ofstream(folder.path() / file) << "1";
  }
  const std::string base = folder.path().string() + "/";
  EXPECT_THAT(texts("io.open('" + base), ElementsAre("data.csv", "data/", "other.csv"));
  EXPECT_THAT(texts("io.open(\"" + base + "da|\")"), ElementsAre("data.csv", "data/"));
  EXPECT_THAT(texts("x = [[" + base + "data/d"), ElementsAre("deep.csv"));
  EXPECT_THAT(texts("x = '" + base + "."), ElementsAre(".hidden"));
  EXPECT_EQ(complete("io.open('" + base + "oth").start, 9 + base.size());
  EXPECT_EQ(only("io.open('" + base + "oth").type, "path");
  EXPECT_THAT(texts("io.open('/nowhere/at/all/"), IsEmpty());
  EXPECT_THAT(texts("x = 'closed'|"), Not(Contains("data.csv")));
}

TEST_F(LuaCompletion, TakesATableOfAHundredThousandKeysAtOnce) {
  notebook.run("big = {} for i = 1, 100000 do big['key' .. i] = i end");
  const auto start = std::chrono::steady_clock::now();
  const auto result = complete("big.");
  const auto narrow = texts("big.key9999");
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(result.matches.size(), 500U);
  EXPECT_TRUE(std::is_sorted(result.matches.begin(), result.matches.end(),
                             [](const auto& a, const auto& b) { return a.text < b.text; }));
  EXPECT_EQ(result.matches.front().text, "key1");
  EXPECT_EQ(narrow.size(), 11U);
  EXPECT_LT(took, std::chrono::seconds(1));  // 20 ms where nothing else runs; sanitizers and busy machines are slower
}

int hook_calls = 0;

TEST_F(LuaCompletion, RunsNoCodeOfTheUser) {
  notebook.run(R"(
    calls = 0
    local function called() rawset(_G, 'calls', rawget(_G, 'calls') + 1) return {} end
    hostile = setmetatable({visible = 1}, {__index = called, __pairs = called, __len = called, __tostring = called,
      __eq = called, __newindex = called, __call = called, __metatable = false, __name = 'Hostile'})
    setmetatable(_G, {__index = called}))");
  lua_State* L = notebook.session.state();
  const auto calls = [&] {  // not by running a cell, whose display may call them
    lua_getglobal(L, "calls");
    const auto count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return count;
  };
  const auto calls_before = calls();
  lua_sethook(
      L, [](lua_State*, lua_Debug*) { ++hook_calls; }, LUA_MASKCALL | LUA_MASKRET, 0);
  EXPECT_THAT(texts("hostile.vis"), ElementsAre("visible"));
  for (const char* code : {"hostile:", "hostile.none.more.", "undefined.", "pri", "hostile['", "require 'x", ""})
    texts(code);
  EXPECT_NE(lua_gethook(L), nullptr);
  lua_sethook(L, nullptr, 0, 0);
  EXPECT_EQ(hook_calls, 0);
  EXPECT_EQ(calls(), calls_before);
  EXPECT_EQ(lua_gettop(L), 0);
}

}  // namespace
