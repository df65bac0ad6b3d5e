// SPDX-License-Identifier: BSD-3-Clause
#include "inspection.hpp"

#include "doc_comment.hpp"
#include "help_page.hpp"
#include "lua_fake_frontend.hpp"
#include "standard_library.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <string>

namespace {

using adrastea::testing::TemporaryDirectory;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// Inspects where the code has a `|`, or at its end.
class LuaInspection : public testing::Test {
 protected:
  adrastea::InspectResult inspect(std::string code, int detail_level = 0) {
    std::size_t cursor = code.find('|');
    if (cursor == std::string::npos) {
      cursor = code.size();
    } else {
      code.erase(cursor, 1);
    }
    return lua_kernel::inspect(notebook.session, {.code = code, .cursor = cursor, .detail_level = detail_level});
  }
  /// The plain text, empty when nothing was found.
  std::string help(const std::string& code, int detail_level = 0) {
    const auto result = inspect(code, detail_level);
    EXPECT_EQ(lua_gettop(notebook.session.state()), 0);
    return result.found ? result.data.at("text/plain").get<std::string>() : std::string();
  }
  std::string markdown(const std::string& code, int detail_level = 0) {
    const auto result = inspect(code, detail_level);
    return result.found ? result.data.at("text/markdown").get<std::string>() : std::string();
  }
  LuaNotebook notebook;
};

TEST_F(LuaInspection, ExplainsTheStandardLibraryByAnyName) {
  EXPECT_THAT(help("string.rep"), StartsWith("string.rep(s, n [, sep])\n\nReturns `n` copies"));
  notebook.run("local r = string.rep  mine = {again = r}");
  EXPECT_THAT(help("mine.again"), StartsWith("string.rep(s, n [, sep])"));
  EXPECT_THAT(help("('x'):rep"), StartsWith("string.rep(s, n [, sep])"));
  EXPECT_THAT(help("local s = 'x' s:rep"), StartsWith("s:rep(n [, sep])"));
  EXPECT_THAT(help("io.stdout:read"), StartsWith("file:read(...)"));
  EXPECT_THAT(help("print"), HasSubstr("standard output"));
  EXPECT_THAT(help("math.pi"), AllOf(HasSubstr("circumference"), HasSubstr("3.14159")));
  EXPECT_THAT(help("table"),
              AllOf(HasSubstr("Functions:"), HasSubstr("concat(list [, sep [, i [, j]]])  Returns the strings")));
  notebook.run("function print() end");
  EXPECT_THAT(help("print"), Not(HasSubstr("standard output")));
}

TEST_F(LuaInspection, HasAnEntryForAllOfTheStandardLibrary) {
  std::set<std::string> names;
  for (const auto& entry : lua_kernel::standard_library()) {
    EXPECT_TRUE(names.emplace(entry.name).second) << entry.name << " is there twice";
    EXPECT_TRUE(entry.text.ends_with('.') || entry.text.ends_with(".)")) << entry.name;
    EXPECT_TRUE(entry.signature.empty() || (entry.signature.front() == '(' && entry.signature.back() == ')')) << entry.name;
  }
  const std::string listed = notebook.value(R"(
    local all = {}
    for name in pairs(require 'jupyter') do all[#all + 1] = 'jupyter.' .. name end
    for name in pairs(require 'jupyter'.comm) do all[#all + 1] = 'jupyter.comm.' .. name end
    for kind, of_kernel in pairs{comm = 'Comm', bar = 'Progress', handle = 'Display'} do
      for name in pairs(debug.getregistry()['jupyter.' .. of_kernel].__index) do all[#all + 1] = kind .. ':' .. name end
    end
    for name, value in pairs(_G) do
      if name ~= 'arg' then all[#all + 1] = name end
      if type(value) == 'table' and name ~= '_G' and name ~= 'arg' then
        for field in pairs(value) do if type(field) == 'string' then all[#all + 1] = name .. '.' .. field end end
      end
    end
    for field in pairs(getmetatable(io.stdout).__index) do
      if not field:find('^__') then all[#all + 1] = 'file:' .. field end
    end
    local _ = io.write(table.concat(all, '\n')))");
  EXPECT_EQ(listed, "");
  std::string_view rest = notebook.frontend.out;
  int count = 0;
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    EXPECT_TRUE(names.contains(name)) << name << " has no entry in standard_library.cpp";
    ++count;
  }
  EXPECT_GT(count, 130);
}

TEST_F(LuaInspection, ExplainsTheModuleOfTheKernelWhereverItIsKept) {
  EXPECT_THAT(help("jupyter.html"), StartsWith("jupyter.html(text [, options])\n\nShows HTML."));
  EXPECT_THAT(help("local j = require 'jupyter'\nj.comm.open"), StartsWith("jupyter.comm.open(target"));
  EXPECT_THAT(help("jupyter"), HasSubstr("Functions:"));
  notebook.run("local jupyter = require 'jupyter' bar = jupyter.progress(1) comm = jupyter.comm.open('t')");
  EXPECT_THAT(help("jupyter.html"), StartsWith("jupyter.html(text [, options])"));
  EXPECT_THAT(help("bar:update"), AllOf(StartsWith("bar:update([n])"), HasSubstr("kernel's module jupyter")));
  EXPECT_THAT(help("comm:send"), StartsWith("comm:send([data [, metadata [, buffers]]])"));
  EXPECT_EQ(notebook.value("package.loaded.mine = {f = function(a) end} jupyter"), "nil");
  EXPECT_THAT(help("mine.f"), StartsWith("mine.f(a)"));
  EXPECT_EQ(help("?no_module.f"), "");
}

TEST_F(LuaInspection, ShowsNoValueWhereOnlyTheTypeIsKnown) {
  EXPECT_THAT(help("local s = 'a' .. 'b'\ns"), AllOf(HasSubstr("Set to: 'a' .. 'b'"), Not(HasSubstr("Value"))));
  EXPECT_THAT(help("local f = io.open('x')\nf:read"), StartsWith("file:read(...)"));
}

TEST_F(LuaInspection, ExplainsEachKeyword) {
  for (const auto keyword : lua_kernel::keywords()) {
    EXPECT_THAT(help(std::string(keyword)), HasSubstr(std::string(keyword))) << keyword;
  }
  EXPECT_THAT(help("wh|ile true do end"), StartsWith("while condition do … end\n\nRepeats"));
}

TEST_F(LuaInspection, ShowsTheCommentOfAFunctionWhereItIsDefinedAndItsSource) {
  notebook.run(
      "x = 1\n\n--- Adds two numbers.\n-- Slowly.\n-- @param a the first\n-- @tparam[opt] number b the second\n"
      "-- @treturn number the sum\n-- @raise when it rains\n-- @usage\n-- add(1,\n--   2)\n"
      "function add(a, b)\n  return a + b\nend\n");
  EXPECT_EQ(
      help("add"),
      "add(a, b)\n\nAdds two numbers.\nSlowly.\n\nParameters:\n  a  the first\n  b: number  (optional) the second\n\n"
      "Returns:\n  number  the sum\n\nUsage:\nadd(1,\n  2)\n\nRaises: when it rains\n\nDefined in: cell [1], line 12");
  EXPECT_THAT(help("add", 1), HasSubstr("\n\nfunction add(a, b)\n  return a + b\nend"));
  EXPECT_EQ(markdown("add"),
            "```lua\nadd(a, b)\n```\n\nAdds two numbers.\nSlowly.\n\n**Parameters**\n\n- `a` the first\n"
            "- `b: number` (optional) the second\n\n**Returns**\n\n- `number` the sum\n\n**Usage**\n\n"
            "```lua\nadd(1,\n  2)\n```\n\nRaises: when it rains\n\n**Defined in:** `cell [1], line 12`");
}

TEST_F(LuaInspection, ReadsCommentsOfTheLanguageServerAndLongOnes) {
  notebook.run(
      "---Opens it.\n---@param name string the name\n---@param mode? \"r\"|\"w\"\n---@param f fun(a: integer): string\n"
      "---@return file|nil handle # the file\n---@deprecated\nfunction opened(name, mode, f) end\n"
      "--[[--\nA long one.\n@param x it\n]]\nfunction long(x) end\n"
      "-- far away\n\nfunction bare() end");
  const std::string opened = help("opened");
  EXPECT_THAT(opened, StartsWith("opened(name, mode, f)\n\nOpens it.\n\nParameters:\n  name: string  the name\n"));
  EXPECT_THAT(opened, HasSubstr("  f: fun(a: integer): string\n"));
  EXPECT_THAT(opened, HasSubstr("Returns:\n  file|nil  handle # the file\n\nDeprecated."));
  EXPECT_THAT(help("long"), StartsWith("long(x)\n\nA long one.\n\nParameters:\n  x  it\n"));
  EXPECT_EQ(help("bare"), "bare()\n\nDefined in: cell [1], line 15");
}

TEST_F(LuaInspection, ReadsFilesAndStrings) {
  const TemporaryDirectory folder;
  std::ofstream(folder.path() / "counted.lua")
      << "local M = {}\n--- Counts.\nfunction M.count(t)\n  return #t\nend\nreturn M\n";
  notebook.run("package.path = '" + folder.path().string() + "/?.lua;' .. package.path  counted = require 'counted'");
  notebook.run("load('\\n--- From text.\\nfunction loaded(q) end')()");
  EXPECT_THAT(help("counted.count", 1), AllOf(StartsWith("counted.count(t)\n\nCounts."), HasSubstr("/counted.lua, line 3"),
                                              HasSubstr("  return #t\nend")));
  EXPECT_THAT(help("loaded"), AllOf(HasSubstr("From text."), HasSubstr("a string given to load, line 3")));
  EXPECT_THAT(help("counted"), AllOf(HasSubstr("Functions:\n  count(t)"), HasSubstr("Type: table")));
  EXPECT_THAT(help("local c = require 'counted'\nc.cou|nt()"), HasSubstr("Counts."));
  std::filesystem::remove(folder.path() / "counted.lua");
  EXPECT_EQ(help("counted.count").substr(0, 16), "counted.count(t)");
}

TEST_F(LuaInspection, ShowsTypesAndPreviewsOfValues) {
  notebook.run(
      "n = 12.5 s = 'a\\0b\\xff' t = {1, 2, x = {y = {z = 1}}} b = false u = io.stdout c = coroutine.create(print)");
  EXPECT_EQ(help("n"), "n\n\nType: number\nValue: 12.5");
  EXPECT_EQ(help("s"), "s\n\nType: string\nValue: \"a\\000b\\255\"");
  EXPECT_THAT(help("t"), AllOf(HasSubstr("Type: table\nValue: {1, 2, x = {y = "), Not(HasSubstr("z = "))));
  EXPECT_EQ(help("t.x.y.z"), "t.x.y.z\n\nType: number\nValue: 1");
  EXPECT_EQ(help("b"), "b\n\nType: boolean\nValue: false");
  EXPECT_THAT(help("u"), AllOf(HasSubstr("Type: userdata"), HasSubstr("seek([whence")));
  EXPECT_THAT(help("c"), HasSubstr("Type: thread"));
}

TEST_F(LuaInspection, ShowsMethods) {
  notebook.run(
      "Account = {}  Account.__index = Account\n--- Puts money in.\nfunction Account:deposit(value) end\n"
      "account = setmetatable({}, Account)");
  EXPECT_THAT(help("account:deposit(1|0)"), StartsWith("account:deposit(value)\n\nPuts money in."));
  EXPECT_THAT(help("Account.deposit"), StartsWith("Account.deposit(self, value)\n\nPuts money in."));
}

TEST_F(LuaInspection, FindsTheCallAroundTheCursor) {
  for (const char* code :
       {"string.rep(", "string.rep('x', |", "string.rep('x|', 3)", "string.rep(|)", "string.rep(unknown|, 3)",
        "string.rep({1, 2|}, 3)", "string.rep((1 +| 2), 3)", "f(string.rep('x', |", "string.re|p('x')", "|string.rep"}) {
    if (std::string_view(code) == "|string.rep") {
      EXPECT_THAT(help(code), StartsWith("string\n")) << code;
    } else {
      EXPECT_THAT(help(code), StartsWith("string.rep(")) << code;
    }
  }
  EXPECT_THAT(help("string.rep(math.floor(1), |2)"), StartsWith("string.rep("));
  EXPECT_THAT(help("string.rep(math.floor(|1), 2)"), StartsWith("math.floor("));
  EXPECT_THAT(help("string.rep(type|, 2)"), StartsWith("type("));
}

TEST_F(LuaInspection, FindsNothingWhereNothingIsKnown) {
  for (const char* code : {"", "  ", "unknown", "unknown.field", "string.unknown", "-- print|", "--[[ print| ]]", "1 + |1",
                           "'print|'", "x.y:z", "goto pri|nt"}) {
    EXPECT_EQ(help(code), "") << code;
  }
}

TEST_F(LuaInspection, KnowsWhatTheCellDefinesBeforeItRan) {
  EXPECT_EQ(help("--- Doubles.\nlocal function double(x) return 2 * x end\ndoub|le(2)", 1),
            "double(x)\n\nDoubles.\n\nDefined in: this cell, line 2\n\nfunction double(x) return 2 * x end\n\n"
            "Scope: local variable, line 2 of this cell");
  EXPECT_THAT(help("--- Doubles.\nfunction dou|ble(x) end"), StartsWith("double(x)\n\nDoubles."));
  EXPECT_THAT(help("--- Doubles.\nlocal function dou|ble(x) end"), StartsWith("double(x)\n\nDoubles."));
  EXPECT_THAT(help("later|()\n--- Comes later.\nfunction later(a) end"), StartsWith("later(a)\n\nComes later."));
  EXPECT_THAT(help("local M = {}\n--- Its.\nM.f = function(a, b) end\nM.f|()"), StartsWith("M.f(a, b)\n\nIts."));
  EXPECT_THAT(help("local s = string\ns.rep|"), StartsWith("string.rep("));
  EXPECT_EQ(help("function f(width) return wid|th end"), "width\n\nScope: parameter, line 1 of this cell");
  EXPECT_EQ(help("local total = 1 + 2\ntotal|"), "total\n\nSet to: 1 + 2\nScope: local variable, line 1 of this cell");
  EXPECT_EQ(help("for key in pairs(t) do key| end"), "key\n\nScope: loop variable, line 1 of this cell");
}

TEST_F(LuaInspection, KeepsTicksInsideOfMarkdown) {
  notebook.run("t = {['a```b'] = '`'}\n--- Has ```ticks```.\nfunction f() return '```' end");
  EXPECT_THAT(markdown("f", 1), HasSubstr("````lua\nfunction f() return '```' end\n````"));
  EXPECT_THAT(markdown("t"), HasSubstr("````"));
}

TEST_F(LuaInspection, RunsNoCodeOfTheUser) {
  notebook.run(R"(
    calls = 0
    local function called() rawset(_G, 'calls', rawget(_G, 'calls') + 1) return 'called' end
    hostile = setmetatable({visible = 1, f = function() end}, {__index = called, __pairs = called, __len = called,
      __tostring = called, __eq = called, __call = called, __name = 'Hostile'})
    nested = {hostile, [hostile] = hostile}
    setmetatable(_G, {__index = called})
    local garbage = setmetatable({}, {__gc = called}) garbage = nil)");
  lua_State* L = notebook.session.state();
  const auto calls = [&] {
    lua_getglobal(L, "calls");
    const auto count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return count;
  };
  const auto before = calls();
  for (int round = 0; round < 200; ++round) {
    for (const char* code : {"hostile", "hostile.none", "hostile.f", "nested", "undefined", "hostile:none("})
      inspect(code, 1);
  }
  EXPECT_EQ(calls(), before);
  EXPECT_THAT(help("hostile"), HasSubstr("Type: table (Hostile)\nValue: "));
}

TEST_F(LuaInspection, TakesHugeAndCyclicValues) {
  notebook.run(
      "big = {} for i = 1, 200000 do big['key' .. i] = print end  loop = {} loop.loop = loop setmetatable(loop, loop) "
      "loop.__index = loop  long = ('x'):rep(1e7)");
  EXPECT_THAT(help("big"), HasSubstr("more"));
  EXPECT_THAT(help("loop"), HasSubstr("Type: table"));
  EXPECT_LT(help("long").size(), 5000U);
  EXPECT_EQ(help("loop.nothing"), "");
}

}  // namespace
