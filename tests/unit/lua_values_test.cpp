// SPDX-License-Identifier: BSD-3-Clause
// How values are shown.
#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <ostream>

namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Value {
  const char* code;
  const char* text;
};
void PrintTo(const Value& value, std::ostream* out) { *out << value.code; }

class LuaValue : public testing::TestWithParam<Value> {};

TEST_P(LuaValue, IsShownReadably) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value(GetParam().code), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(Numbers, LuaValue,
                         testing::Values(Value{"0.1", "0.1"}, Value{"1/3", "0.3333333333333333"},
                                         Value{"0.1 + 0.2", "0.30000000000000004"}, Value{"2^63", "9.223372036854776e+18"},
                                         Value{"5e-324", "4.9406564584125e-324"}, Value{"1e100", "1e+100"},
                                         Value{"1/0, -1/0, 0/0", "inf\t-inf\tnan"},

                                         Value{"os.setlocale('de_DE.UTF-8') return 1.5", "1.5"}));

#ifdef LUAJIT_VERSION_NUM  // numbers have one type
INSTANTIATE_TEST_SUITE_P(NumbersOfOneType, LuaValue,
                         testing::Values(Value{"1.0", "1"}, Value{"-0.0", "-0.0"}, Value{"2^53", "9007199254740992"},
                                         Value{"1e15", "1000000000000000"}));
#else
INSTANTIATE_TEST_SUITE_P(NumbersOfTwoTypes, LuaValue,
                         testing::Values(Value{"1.0", "1.0"}, Value{"100000.0", "100000.0"}, Value{"-0.0", "-0.0"},
                                         Value{"2^53", "9007199254740992.0"}, Value{"1e15", "1e+15"},
                                         Value{"math.maxinteger", "9223372036854775807"},
                                         Value{"math.mininteger", "-9223372036854775808"},
                                         Value{"{[math.maxinteger] = 1, [0.5] = 2, [math.maxinteger - 1] = 3}",
                                               "{[0.5] = 2, [9223372036854775806] = 3, [9223372036854775807] = 1}"}));
#endif

INSTANTIATE_TEST_SUITE_P(
    ShortTables, LuaValue,
    testing::Values(Value{"{}", "{}"}, Value{"{1, 'a', true, {2}}", "{1, \"a\", true, {2}}"},
                    Value{"{1, 2, x = 3}", "{1, 2, x = 3}"}, Value{"{b = 1, a = 2}", "{a = 2, b = 1}"},
                    Value{"{1, nil, 3}", "{1, [3] = 3}"},
                    Value{"{[2.5] = 1, [-1] = 2, [10] = 3, x = 4, [false] = 5, [true] = 6}",
                          "{[-1] = 2, [2.5] = 1, [10] = 3, x = 4, [false] = 5, [true] = 6}"},
                    Value{"{['a b'] = 1, ['end'] = 2, [''] = 3, ['1'] = 4, _ok1 = 5, ['x\\0'] = 6}",
                          "{[\"\"] = 3, [\"1\"] = 4, _ok1 = 5, [\"a b\"] = 1, [\"end\"] = 2, [\"x\\000\"] = 6}"},
                    Value{"{'\\xff\\n\"'}", R"({"\255\n\""})"}, Value{"({{}})[1], {}", "{}\t{}"}));

INSTANTIATE_TEST_SUITE_P(
    LongTables, LuaValue,
    testing::Values(Value{"{name = ('n'):rep(40), text = ('t'):rep(40), {1, 2}}",
                          "{\n  {1, 2},\n  name = \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\",\n  text = "
                          "\"tttttttttttttttttttttttttttttttttttttttt\"\n}"},
                    Value{"local t = {} for i = 1001, 1020 do t[#t + 1] = i end t",
                          "{\n  1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,\n"
                          "  1014, 1015, 1016, 1017, 1018, 1019, 1020\n}"},
                    Value{"{a = {b = {('n'):rep(40), ('t'):rep(40)}}}",
                          "{\n  a = {\n    b = {\n      \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\",\n      "
                          "\"tttttttttttttttttttttttttttttttttttttttt\"\n    }\n  }\n}"}));

INSTANTIATE_TEST_SUITE_P(References, LuaValue,
                         testing::Values(Value{"t = {} t.self = t return t", "<1> {self = <cycle 1>}"},
                                         Value{"t = {1} return {t, t}", "{<1> {1}, <table 1>}"},
                                         Value{"t = {} u = {t} t[1] = u return {t, u}",
                                               "{<1> {<2> {<cycle 1>}}, <table 2>}"},
                                         Value{"t = {} return t, t", "{}\t{}"},
                                         Value{"t = {} t[t] = 1 return next(t) == t, {x = {t}} ~= nil", "true\ttrue"}));

INSTANTIATE_TEST_SUITE_P(
    Metatables, LuaValue,
    testing::Values(Value{"setmetatable({x = 1}, {__name = 'Point'})", "Point {x = 1}"},
                    Value{"setmetatable({x = 1}, {__name = 5})", "{x = 1}"},
                    Value{"{setmetatable({}, {__tostring = function() return 'P' end})}", "{P}"},
                    Value{"{setmetatable({}, {__tostring = function() return 'a\\nb' end})}", "{\n  a\n  b\n}"},
                    Value{"setmetatable({}, {__tostring = function() return 12 end})", "12"},
                    Value{"setmetatable({1}, {__index = error, __len = error, __pairs = error, __eq = error, __lt = error, "
                          "__metatable = 1})",
                          "{1}"},
                    Value{"setmetatable({}, {__index = function() return 1 end})", "{}"},
                    Value{"setmetatable({}, setmetatable({}, {__index = function() error('raw') end}))", "{}"}));

INSTANTIATE_TEST_SUITE_P(
    Functions, LuaValue,
    testing::Values(Value{"print", "function: print (builtin)"}, Value{"p = print return p", "function: print (builtin)"},
                    Value{"{string.rep}", "{function: string.rep (builtin)}"},
                    Value{"function outer()\nend\nouter", "function: outer [1]:1"},
                    Value{"\nlocal function f() end f", "function: [1]:2"},
                    Value{"m = {} package.loaded.m = m\nfunction m.f() end m.f", "function: m.f [1]:2"},
                    Value{"load('return function() end')()", "function: [string \"return function() end\"]:1"}));

TEST(LuaValues, WhoseTextIsOnlyAnAddressShowTheirFields) {
  LuaNotebook notebook;
  // As the classes of Penlight.
  EXPECT_FALSE(notebook
                   .run("class = {__tostring = function(self) local class = getmetatable(self) setmetatable(self, nil) "
                        "local text = tostring(self):gsub('^table', class.title) setmetatable(self, class) "
                        "return text end, title = 'Account'}")
                   .failed);
  EXPECT_EQ(notebook.value("{setmetatable({x = 1}, class)}"), "{Account {x = 1}}");
  EXPECT_EQ(notebook.value("class.title = 'table' setmetatable({x = 1}, class)"), "{x = 1}");
  EXPECT_THAT(notebook.value("setmetatable({x = 1}, {__tostring = function(self) return 'A: ' .. tostring(print) end})"),
              StartsWith("A: "));
  EXPECT_EQ(notebook.value("setmetatable({x = 1}, {__tostring = function(self) return 'A: 0x1' end})"), "A: 0x1");
}

#ifndef LUAJIT_VERSION_NUM  // where write returns true
TEST(LuaValues, OfOutputFunctionsAreNotShown) {
  LuaNotebook notebook;
  for (const char* code : {"io.write('x')", "local x = 1 io.stdout:write('x')", "io.stderr:write('x')"}) {
    EXPECT_EQ(notebook.value(code), "") << code;
    EXPECT_EQ(notebook.frontend.both, "x");
  }
  EXPECT_THAT(notebook.value("local x = 1 io.stdout"), StartsWith("file (0x"));
  EXPECT_THAT(notebook.value("io.tmpfile():write('x')"), StartsWith("file (0x"));
  EXPECT_THAT(notebook.value("io.write(), 1"), StartsWith("file (0x"));
}
#endif

TEST(LuaValues, OfJsonThatAreNullAreNull) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("jupyter = require 'jupyter' return {jupyter.null, [jupyter.null] = 1}"), "{null, [null] = 1}");
  const auto outcome = notebook.run("{{a = jupyter.null}, {a = 1}}");
  EXPECT_THAT(outcome.display.data.at("text/html").get<std::string>(), HasSubstr("null</td>"));
}

TEST(LuaValues, OfOtherTypesAreTold) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("coroutine.wrap(print)"), testing::MatchesRegex("function: 0x[0-9a-f]+ \\(C\\)"));
  EXPECT_THAT(notebook.value("io.stdout"), StartsWith("file (0x"));
  // In LuaJIT the main thread is no value.
  EXPECT_THAT(
      notebook.value(either("coroutine.running()", "coroutine.wrap(function() return coroutine.running(), true end)()")),
      ContainsRegex(either("thread: 0x[0-9a-f]+ \\(running\\)\ttrue", "thread: 0x[0-9a-f]+ \\(dead\\)\ttrue")));
  EXPECT_THAT(notebook.value("c = coroutine.create(function()\ncoroutine.yield() end) return c"), EndsWith("(suspended)"));
  EXPECT_THAT(notebook.value("coroutine.resume(c) return c"), EndsWith("(suspended at [4]:2)"));
  EXPECT_THAT(notebook.value("coroutine.resume(c) return c"), EndsWith("(dead)"));
  EXPECT_THAT(notebook.value("c = coroutine.create(error) coroutine.resume(c) return c"), HasSubstr("(failed"));
  EXPECT_THAT(notebook.value("local up = 1 return debug.upvalueid(function() return up end, 1)"),
              StartsWith("light userdata: 0x"));
  EXPECT_THAT(notebook.value("{[{}] = 1}"), testing::MatchesRegex("\\{\\[table: 0x[0-9a-f]+\\] = 1\\}"));
}

TEST(LuaValues, AreCutVisibly) {
  LuaNotebook notebook;
  EXPECT_THAT(notebook.value("local t = {} for i = 1, 1304 do t[i] = i end t.n = 7 t"),
              AllOf(HasSubstr(" 100,\n  … 1 204 more,\n  n = 7\n}"), Not(HasSubstr("101"))));
  EXPECT_THAT(
      notebook.value("local t = {} for i = 1, 1304 do t['k' .. i] = i end t"),
      AllOf(StartsWith("{\n  k1 = 1,\n  k10 = 10,\n  k100 = 100,\n  k1000 = 1000,"), EndsWith("\n  … 1 204 more\n}")));
  EXPECT_THAT(notebook.value("('x'):rep(30000)"), EndsWith("x\" … 10 000 more bytes"));
  EXPECT_THAT(notebook.value("{('ä'):rep(1000)}"), EndsWith("ä\" … 1 500 more bytes\n}"));
  EXPECT_THAT(notebook.value("setmetatable({}, {__tostring = function() return ('x'):rep(20001) end})"),
              EndsWith("x… 1 more byte"));
  EXPECT_THAT(notebook.value("select(1, 'x', (table.unpack or unpack)({}, 1, 150))"), EndsWith("nil\n… 51 more"));
}

TEST(LuaValues, OfGreatDepthAreCut) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("local t = {} for i = 1, 100000 do t = {t} end t"), "{{{{{{{{{{{…}}}}}}}}}}}");
}

TEST(LuaValues, ThatBranchStayWithinABound) {
  LuaNotebook notebook;
  const std::string text = notebook.value(
      "local function tree(depth) local t = {} for i = 1, 20 do t[i] = depth > 0 and tree(depth - 1) or i end return t end "
      "return tree(3)");
  EXPECT_LT(text.size(), 200'000U);
  EXPECT_THAT(text, HasSubstr(" more"));
}

TEST(LuaValues, WithAMillionKeysAreShownSoon) {
  LuaNotebook notebook;
  ASSERT_FALSE(notebook.run("t = {} for i = 1, 1000000 do t['k' .. i] = i end").failed);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(notebook.value("t"), AllOf(StartsWith("{\n  k1 = 1,"), HasSubstr("… 999 900 more")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(LuaValues, MayChangeWhileTheyAreShown) {
  LuaNotebook notebook;
  ASSERT_FALSE(
      notebook
          .run("local t = {} for i = 1, 50 do local v = setmetatable({}, {__tostring = function() for k in pairs(t) do "
               "t[k] = nil end for j = 1, 100 do t['new' .. j] = j end collectgarbage() return 'changed' end}) t[i] = v "
               "t['k' .. i] = v end "
               "changing = t")
          .failed);
  EXPECT_THAT(notebook.value("changing"), StartsWith("{\n  changed,\n  nil,"));
}

std::string html(LuaNotebook& notebook, std::string_view code) {
  return notebook.run(code).display.data.value("text/html", "");
}

TEST(LuaHtmlTable, ShowsRecords) {
  LuaNotebook notebook;
  EXPECT_EQ(html(notebook, "{{name = 'a<b>&\"', n = 1.5}, {n = 2, extra = {1, 2}}, {}}"),
            "<table>\n<thead><tr><th></th><th>extra</th><th>n</th><th>name</th></tr></thead>\n<tbody>\n"
            "<tr><th>1</th><td style=\"text-align: left\"></td><td>1.5</td><td style=\"text-align: "
            "left\">a&lt;b&gt;&amp;&quot;</td></tr>\n"
            "<tr><th>2</th><td style=\"text-align: left\">{1, 2}</td><td>2</td><td style=\"text-align: left\"></td></tr>\n"
            "<tr><th>3</th><td style=\"text-align: left\"></td><td style=\"text-align: left\"></td><td style=\"text-align: "
            "left\"></td></tr>\n"
            "</tbody>\n</table>");
}

TEST(LuaHtmlTable, ShowsListsOfOneLength) {
  LuaNotebook notebook;
  EXPECT_EQ(
      html(notebook, "{{1, 2}, {3, 4}}"),
      "<table>\n<thead><tr><th></th><th>1</th><th>2</th></tr></thead>\n<tbody>\n<tr><th>1</th><td>1</td><td>2</td></tr>\n"
      "<tr><th>2</th><td>3</td><td>4</td></tr>\n</tbody>\n</table>");
}

TEST(LuaHtmlTable, IsOnlyForTables) {
  LuaNotebook notebook;
  for (const char* code :
       {"1", "'x'", "{}", "{{}}", "{{}, {}}", "{1, 2}", "{{1}, {2, 3}}", "{{1}, {a = 1}}", "{{a = 1}, {1}}", "{{a = 1}, 2}",
        "{{a = 1, 2}}", "{{a = 1}, n = 1}", "{[2] = {a = 1}}", "{{[3] = 1}}", "{{[1.5] = 1}}", "{{[{}] = 1}}",
        "{{a = 1}}, 1", "setmetatable({{a = 1}}, {__tostring = function() return '' end})",
        "{setmetatable({a = 1}, {__tostring = function() return '' end})}"}) {
    EXPECT_EQ(html(notebook, code), "") << code;
  }
}

TEST(LuaHtmlTable, CountsWhatItLeavesOut) {
  LuaNotebook notebook;
  const std::string rows = html(notebook, "local t = {} for i = 1, 1264 do t[i] = {a = i} end t");
  EXPECT_THAT(
      rows,
      HasSubstr("<th>60</th><td>60</td></tr>\n<tr><td colspan=\"2\" style=\"text-align: left\">… 1 204 more</td></tr>"));
  const std::string wide = html(notebook, "local r = {} for i = 1, 30 do r['c' .. i] = i end return {r}");
  EXPECT_THAT(wide, HasSubstr("<th>… 10 more</th></tr></thead>"));
  EXPECT_THAT(html(notebook, "{{a = ('x'):rep(1000)}}"), HasSubstr("x… 800 more bytes</td>"));
}

TEST(LuaHtmlTable, LetsRowsChangeWhileItAsksThem) {
  LuaNotebook notebook;
  EXPECT_THAT(html(notebook,
                   "local t, asked = {}, 0 local bad = setmetatable({}, {__tostring = function() "
                   "asked = asked + 1 for i = 1, asked > 5 and #t or 0 do t[i] = nil end "
                   "collectgarbage() return 'gone' end}) for i = 1, 5 do t[i] = {a = bad, b = i} end t"),
              AllOf(HasSubstr("gone"), EndsWith("</table>")));
  EXPECT_THAT(html(notebook, "{{a = setmetatable({}, {__tostring = error})}}"), HasSubstr("error in __tostring"));
}

TEST(LuaValues, AskToStringOnlyWhereItCanBeStopped) {
  LuaNotebook notebook;
  EXPECT_EQ(notebook.value("setmetatable({}, {__tostring = function() os.exit(3) end})"), "");
  EXPECT_EQ(notebook.frontend.exit_status, 3);
  EXPECT_THAT(notebook.value("{setmetatable({}, {__tostring = function() error({}) end})}"),
              HasSubstr("(error in __tostring: a table value)"));
  EXPECT_THAT(notebook.value("{setmetatable({}, {__tostring = function() return {} end})}"),
              HasSubstr("(error in __tostring: '__tostring' returned a table value)"));
  EXPECT_THAT(notebook.value("{setmetatable({}, {__tostring = function(t) return (tostring(t)) end})}"),
              HasSubstr("overflow"));
}

}  // namespace
