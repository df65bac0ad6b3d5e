// SPDX-License-Identifier: BSD-3-Clause
// require "jupyter": what its functions give to a notebook, and what they say about wrong arguments.
#include "lua_fake_frontend.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <fstream>
#include <set>

namespace {

using adrastea::Json;
using adrastea::testing::TemporaryDirectory;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;
using testing::StartsWith;

/// A notebook in which `jupyter` is the module.
class LuaJupyter : public testing::Test {
 protected:
  LuaJupyter() { notebook.run("jupyter = require 'jupyter'"); }

  std::string value(std::string_view code) { return notebook.value(code); }
  /// The only thing that a cell showed.
  FakeFrontend::Shown shown(std::string_view code) {
    const std::string error = notebook.value(code);
    EXPECT_EQ(error, "") << code;
    EXPECT_THAT(notebook.frontend.shown, SizeIs(1)) << code;
    return notebook.frontend.shown.empty() ? FakeFrontend::Shown{} : notebook.frontend.shown.front();
  }
  Json data(std::string_view code) { return shown(code).data; }
  /// The application/json that jupyter.json makes of a Lua expression.
  Json json(const std::string& expression) {
    return data("jupyter.json(" + expression + ")").value("application/json", Json());
  }
  std::string json_error(const std::string& expression) { return value("jupyter.json(" + expression + ")"); }

  LuaNotebook notebook;
};

TEST_F(LuaJupyter, IsAModuleAndNoGlobal) {
  LuaNotebook fresh;
  EXPECT_EQ(fresh.value("jupyter, package.loaded.jupyter"), "nil\tnil");
  EXPECT_EQ(fresh.value("require 'jupyter' == require 'jupyter'"), "true");
  EXPECT_EQ(fresh.value("jupyter"), "nil");
}

// --- text ----------------------------------------------------------------------------------------

TEST_F(LuaJupyter, ShowsTextOfEachKindAtOnce) {
  EXPECT_EQ(data("jupyter.html('<b>ä</b>')"), Json({{"text/html", "<b>ä</b>"}, {"text/plain", "<HTML, 9 bytes>"}}));
  EXPECT_EQ(data("jupyter.markdown('*a*')"), Json({{"text/markdown", "*a*"}, {"text/plain", "*a*"}}));
  EXPECT_EQ(data("jupyter.latex('$x^2$')"), Json({{"text/latex", "$x^2$"}, {"text/plain", "$x^2$"}}));
  EXPECT_EQ(data("jupyter.svg('<svg/>')"), Json({{"image/svg+xml", "<svg/>"}, {"text/plain", "<SVG image, 6 bytes>"}}));
}

TEST_F(LuaJupyter, KeepsTheOrderWithWhatIsPrinted) {
  std::string seen;
  notebook.frontend.on_show = [&] { seen = notebook.frontend.out; };
  value("io.stdout:setvbuf('full') io.write('before') jupyter.html('x') io.write('after')");
  EXPECT_EQ(seen, "before");
}

TEST_F(LuaJupyter, NamesTheArgumentThatIsWrong) {
  EXPECT_EQ(value("jupyter.html()"), "LuaError: [2]:1: bad argument #1 to 'html' (string expected, got no value)");
  EXPECT_EQ(value("jupyter.html({})"), "LuaError: [3]:1: bad argument #1 to 'html' (string expected, got table)");
  EXPECT_EQ(value("jupyter.svg('ab\\xff')"), "LuaError: [4]:1: bad argument #1 to 'svg' (the text is not UTF-8 (byte 3))");
  EXPECT_EQ(value("jupyter.html('a', 1)"), "LuaError: [5]:1: bad argument #2 to 'html' (table expected, got number)");
  EXPECT_EQ(value("jupyter.html('a', {wdth = 1})"), "LuaError: [6]:1: bad argument #2 to 'html' (unknown option 'wdth')");
  EXPECT_EQ(value("jupyter.html('a', {id = {}})"),
            "LuaError: [7]:1: bad argument #2 to 'html' (id: string expected, got table)");
  EXPECT_THAT(value("jupyter.html('a', {id = ''})"), HasSubstr("bad argument #2 to 'html' (id: "));
  EXPECT_EQ(value("jupyter.html('a', {metadata = {1}})"),
            "LuaError: [9]:1: bad argument #2 to 'html' (metadata: table with string keys expected, got array)");
  EXPECT_EQ(value("jupyter.display()"), "LuaError: [10]:1: bad argument #1 to 'display' (value expected)");
  EXPECT_THAT(notebook.frontend.shown, IsEmpty());
}

// --- values and bundles --------------------------------------------------------------------------

TEST_F(LuaJupyter, DisplaysAValueAsACellDoes) {
  EXPECT_EQ(data("jupyter.display('a')").at("text/plain"), "\"a\"");
  EXPECT_EQ(data("jupyter.display(nil)").at("text/plain"), "nil");
  const auto records = "{{name = 'a', n = 1}, {name = 'b', n = 2}}";
  const auto result = notebook.run(records).display.data;
  EXPECT_EQ(data(std::string("jupyter.display(") + records + ")"), result);
}

TEST_F(LuaJupyter, DisplaysATableOfMimeTypesAsABundle) {
  EXPECT_EQ(data("jupyter.display{['text/plain'] = 'a', ['image/png'] = '\\0\\1\\xff', "
                 "['application/geo+json'] = {type = 'Point', coordinates = {1, 2.5}}}"),
            Json({{"text/plain", "a"},
                  {"image/png", "AAH/"},
                  {"application/geo+json", {{"type", "Point"}, {"coordinates", {1, 2.5}}}}}));
  const auto one = shown("jupyter.display({['text/html'] = 'x'}, {metadata = {isolated = true}, id = 'mine'})");
  EXPECT_EQ(one.metadata, Json({{"isolated", true}}));
  EXPECT_EQ(one.id, "mine");
}

TEST_F(LuaJupyter, TakesNoOrdinaryTableForABundle) {
  EXPECT_THAT(data("jupyter.display{['src/main.lua'] = 'x'}").at("text/plain"), HasSubstr("src/main.lua"));
  EXPECT_THAT(data("jupyter.display{['text/html'] = 'x', other = 1}").at("text/plain"), HasSubstr("other"));
  EXPECT_EQ(data("jupyter.display{}").size(), 1U);
}

TEST_F(LuaJupyter, SaysWhatIsWrongWithABundle) {
  EXPECT_THAT(value("jupyter.display{['text/html'] = 1}"),
              EndsWith("bad argument #1 to 'display' (text/html: string expected, got number)"));
  EXPECT_THAT(value("jupyter.display{['text/html'] = '\\xff'}"), HasSubstr("text/html: the text is not UTF-8 (byte 1)"));
  EXPECT_THAT(value("jupyter.display{['application/json'] = {a = print}}"),
              EndsWith("(application/json: at a: a function cannot be JSON)"));
}

// --- handles -------------------------------------------------------------------------------------

TEST_F(LuaJupyter, UpdatesWhatItDisplayed) {
  const auto first = shown("h = jupyter.display(1)");
  EXPECT_THAT(first.id, MatchesRegex("[0-9a-f]{16}-[0-9]+"));
  EXPECT_EQ(value("h.id"), "\"" + first.id + "\"");
  EXPECT_EQ(value("h:update({['text/html'] = 'new'}, {metadata = {a = 1}})"), "");
  ASSERT_THAT(notebook.frontend.shown, SizeIs(1));
  const auto& update = notebook.frontend.shown.front();
  EXPECT_EQ(update.how, "update");
  EXPECT_EQ(update.id, first.id);
  EXPECT_EQ(update.data, Json({{"text/html", "new"}}));
  EXPECT_EQ(update.metadata, Json({{"a", 1}}));
}

TEST_F(LuaJupyter, UpdatesByTheIdOfAnotherCell) {
  value("jupyter.html('a', {id = 'chart'})");
  const auto update = shown("jupyter.update('chart', 2)");
  EXPECT_EQ(update.how, "update");
  EXPECT_EQ(update.id, "chart");
  EXPECT_EQ(update.data, Json({{"text/plain", "2"}}));
}

TEST_F(LuaJupyter, SaysWhatIsWrongWithAnUpdate) {
  EXPECT_THAT(value("jupyter.update('', 1)"), HasSubstr("bad argument #1 to 'update'"));
  EXPECT_THAT(value("jupyter.update('a')"), EndsWith("bad argument #2 to 'update' (value expected)"));
  EXPECT_THAT(value("h = jupyter.display(1) h:update()"), EndsWith("bad argument #1 to 'update' (value expected)"));
  EXPECT_THAT(value("h:update({['image/png'] = 1})"), EndsWith("(image/png: string expected, got number)"));
  EXPECT_THAT(value("h.update({}, 1)"), HasSubstr("bad argument #1 to 'update' (a display's handle expected)"));
}

TEST_F(LuaJupyter, GivesEachDisplayAnIdOfItsOwn) {
  value("for i = 1, 100 do jupyter.display(i) end");
  std::set<std::string> ids;
  for (const auto& one : notebook.frontend.shown) ids.insert(one.id);
  EXPECT_EQ(ids.size(), 100U);
}

TEST_F(LuaJupyter, ClearsTheOutput) {
  EXPECT_EQ(shown("jupyter.clear_output()").how, "clear");
  EXPECT_EQ(shown("jupyter.clear_output(true)").how, "clear later");
}

// --- images --------------------------------------------------------------------------------------

constexpr const char* png = "'\\x89PNG\\r\\n\\x1a\\n...'";

TEST_F(LuaJupyter, RecognisesImagesByTheirContent) {
  EXPECT_EQ(data(std::string("jupyter.image(") + png + ")"),
            Json({{"image/png", "iVBORw0KGgouLi4="}, {"text/plain", "<image/png, 11 bytes>"}}));
  EXPECT_TRUE(data("jupyter.image('\\xff\\xd8\\xff\\xe0')").contains("image/jpeg"));
  EXPECT_TRUE(data("jupyter.image('GIF89a...')").contains("image/gif"));
  EXPECT_TRUE(data("jupyter.image('RIFF\\0\\0\\0\\0WEBPVP8 ')").contains("image/webp"));
}

TEST_F(LuaJupyter, ReadsImagesFromFiles) {
  const TemporaryDirectory directory;
  const std::string name = (directory.path() / "a.dat").string();
  std::ofstream(name, std::ios::binary) << "GIF87a" << '\0';
  EXPECT_EQ(data("jupyter.image('" + name + "')").at("image/gif"), "R0lGODdhAA==");
  std::ofstream(name, std::ios::binary) << "<svg/>";
  EXPECT_THAT(value("jupyter.image('" + name + "')"),
              HasSubstr("is no PNG, JPEG, GIF or WebP image; for SVG use jupyter.svg"));
}

TEST_F(LuaJupyter, SaysWhyAnImageCannotBeShown) {
  EXPECT_THAT(value("jupyter.image('/nowhere/a.png')"),
              EndsWith("bad argument #1 to 'image' (no such file: /nowhere/a.png)"));
  EXPECT_THAT(value("jupyter.image('/dev/zero')"), HasSubstr("not a regular file"));
  EXPECT_THAT(value("jupyter.image('')"), HasSubstr("neither the bytes"));
  EXPECT_THAT(value("jupyter.image('BM\\0\\0')"), HasSubstr("neither the bytes"));
  EXPECT_THAT(value("jupyter.image(('x'):rep(5000))"), HasSubstr("neither the bytes"));
  EXPECT_THAT(value("jupyter.image(12)"), HasSubstr("string expected, got number"));
}

TEST_F(LuaJupyter, GivesImagesASize) {
  const auto one = shown(std::string("jupyter.image(") + png + ", {width = 320, height = 200.5, metadata = {x = 1}})");
  EXPECT_EQ(one.metadata, Json({{"image/png", {{"width", 320}, {"height", 200}}}, {"x", 1}}));
  EXPECT_THAT(value(std::string("jupyter.image(") + png + ", {width = 'wide'})"),
              EndsWith("bad argument #2 to 'image' (width: a number of pixels expected)"));
  EXPECT_THAT(value(std::string("jupyter.image(") + png + ", {height = 0/0})"), HasSubstr("height: a number"));
}

// --- JSON ----------------------------------------------------------------------------------------

TEST_F(LuaJupyter, MakesJsonOfEachKindOfValue) {
  EXPECT_EQ(json("nil"), Json(nullptr));
  EXPECT_EQ(json("true"), Json(true));
  EXPECT_EQ(json("-2^53"), Json(-9007199254740992));
  EXPECT_EQ(json("1.5"), Json(1.5));
#if LUA_VERSION_NUM >= 503  // before, all numbers are floating-point
  EXPECT_EQ(json("math.mininteger"), Json(INT64_MIN));
  EXPECT_TRUE(json("1.0").is_number_float());
#endif
  EXPECT_EQ(json("'ä\\0b'"), Json(std::string("ä\0b", 4)));
  EXPECT_EQ(json("{}"), Json::object());
  EXPECT_EQ(json("jupyter.array{}"), Json::array());
  EXPECT_EQ(json("jupyter.array()"), Json::array());
  EXPECT_EQ(json("{1, 'a', {true}}"), Json({1, "a", {true}}));
  EXPECT_EQ(json("{a = 1, ['b c'] = {}}"), Json({{"a", 1}, {"b c", Json::object()}}));
  EXPECT_EQ(json("{jupyter.null, 2, jupyter.null}"), Json({nullptr, 2, nullptr}));
  EXPECT_EQ(json("{1/0, -1/0, 0/0}"), Json({nullptr, nullptr, nullptr}));
  EXPECT_EQ(json("{[3] = 'c', [1] = 'a', [2] = 'b'}"), Json({"a", "b", "c"}));
}

TEST_F(LuaJupyter, ShowsJsonAsTextTooButNotAllOfMuch) {
  EXPECT_EQ(data("jupyter.json{a = jupyter.null}").at("text/plain"), "{\n  \"a\": null\n}");
  EXPECT_LT(data("jupyter.json(('x'):rep(1000000))").at("text/plain").get<std::string>().size(), 21000U);
}

TEST_F(LuaJupyter, ReadsTablesRawForJson) {
  EXPECT_EQ(json("setmetatable({a = 1}, {__index = error, __pairs = error, __len = error})"), Json({{"a", 1}}));
}

TEST_F(LuaJupyter, TakesASharedTableForNoCycle) {
  EXPECT_EQ(json("(function() local s = {1} return {s, s, x} end)()"), Json({{1}, {1}}));
}

TEST_F(LuaJupyter, SaysWhereAndWhyAValueIsNoJson) {
  const std::string start = "bad argument #1 to 'json' (";
  EXPECT_THAT(json_error("print"), EndsWith(start + "a function cannot be JSON)"));
  EXPECT_THAT(json_error("{data = {1, 2, {x = io.stdout}}}"), EndsWith(start + "at data[3].x: a userdata cannot be JSON)"));
  EXPECT_THAT(json_error("(function() local t = {} t.a = {t} return t end)()"),
              EndsWith(start + "at a[1]: the table contains itself)"));
  EXPECT_THAT(json_error("{a = {1, nil, 3, n = 4}}"), EndsWith(start + "at a: integer and string keys in one table)"));
  EXPECT_THAT(json_error("{a = {[1] = 1, [3] = 3}}"),
              HasSubstr(start + "at a: a sparse array: 2 entries with indices from 1 to 3"));
  EXPECT_THAT(json_error("{[0] = 1}"), HasSubstr("a sparse array: 1 entry with indices from 0 to 0"));
  EXPECT_THAT(json_error("{[1.5] = 1}"), EndsWith(start + "a key is neither a string nor an integer)"));
  EXPECT_THAT(json_error("{[true] = 1}"), EndsWith(start + "a key is neither a string nor an integer)"));
  EXPECT_THAT(json_error("{'a', 'b\\xff'}"), EndsWith(start + "at [2]: the string is not UTF-8 (byte 2))"));
  EXPECT_THAT(json_error("{['\\xff'] = 1}"), EndsWith(start + "a key is not UTF-8)"));
  EXPECT_THAT(json_error("(function() local t = {} for i = 1, 1000 do t = {t} end return t end)()"),
              HasSubstr("nested deeper than 200 levels"));
  EXPECT_THAT(json_error("jupyter.array{a = 1}"), EndsWith(start + "jupyter.array has string keys)"));
}

TEST_F(LuaJupyter, GivesUpOnTablesThatUnfoldToEndlessJson) {
  EXPECT_THAT(json_error("(function() local t = {} for i = 1, 100 do t = {t, t} end return t end)()"),
              HasSubstr("more than 5000000 values"));
}

TEST_F(LuaJupyter, StopsMakingJsonWhenInterrupted) {
  notebook.frontend.on_write = [&] { notebook.frontend.is_interrupted = true; };
  EXPECT_THAT(value("local t = {} for i = 1, 100 do t = {t, t} end print() jupyter.json(t)"), StartsWith("Interrupted: "));
  notebook.frontend.is_interrupted = false;
  notebook.frontend.on_write = nullptr;
  EXPECT_EQ(value("1"), "1");
}

TEST_F(LuaJupyter, RefusesToMarkATableWithAMetatable) {
  EXPECT_THAT(value("jupyter.array(setmetatable({}, {}))"),
              EndsWith("bad argument #1 to 'array' (the table has a metatable already)"));
  EXPECT_EQ(value("local t = {} return jupyter.array(jupyter.array(t)) == t"), "true");
  EXPECT_THAT(value("jupyter.array(1)"), EndsWith("bad argument #1 to 'array' (table expected, got number)"));
}

TEST_F(LuaJupyter, ShowsJsonAsATreeAndCharts) {
  EXPECT_EQ(shown("jupyter.json({a = 1}, {expanded = true})").metadata, Json({{"application/json", {{"expanded", true}}}}));
  EXPECT_EQ(data("jupyter.vegalite{mark = 'bar', data = {values = jupyter.array{}}}"),
            Json({{"application/vnd.vegalite.v5+json", {{"mark", "bar"}, {"data", {{"values", Json::array()}}}}},
                  {"text/plain", "<Vega-Lite chart>"}}));
  EXPECT_EQ(data("jupyter.plotly('{\"data\": [], \"layout\": {}}')").at("application/vnd.plotly.v1+json"),
            Json({{"data", Json::array()}, {"layout", Json::object()}}));
  EXPECT_THAT(value("jupyter.vegalite('{nope')"), EndsWith("bad argument #1 to 'vegalite' (the text is no JSON object)"));
  EXPECT_THAT(value("jupyter.vegalite(1)"), EndsWith("(table or JSON text expected, got number)"));
  EXPECT_THAT(value("jupyter.plotly{1}"), EndsWith("(table with string keys expected, got array)"));
}

// --- __mimebundle --------------------------------------------------------------------------------

TEST_F(LuaJupyter, LetsAValueDrawItself) {
  value(
      "point = setmetatable({x = 1}, {__mimebundle = function(self) return {['text/html'] = '<b>' .. self.x .. '</b>', "
      "['text/plain'] = 'point'}, {isolated = true} end})");
  const Json bundle = {{"text/html", "<b>1</b>"}, {"text/plain", "point"}};
  const auto outcome = notebook.run("point");
  EXPECT_EQ(outcome.display.data, bundle);
  EXPECT_EQ(outcome.display.metadata, Json({{"isolated", true}}));
  const auto one = shown("jupyter.display(point, {metadata = {more = 1}})");
  EXPECT_EQ(one.data, bundle);
  EXPECT_EQ(one.metadata, Json({{"isolated", true}, {"more", 1}}));
}

TEST_F(LuaJupyter, ShowsNothingForAnEmptyMimebundle) {
  EXPECT_TRUE(notebook.run("setmetatable({}, {__mimebundle = function() end})").display.data.empty());
  EXPECT_TRUE(notebook.run("jupyter.display(1)").display.data.empty()) << "the handle is not shown as well";
}

TEST_F(LuaJupyter, LetsSeveralValuesDrawThemselves) {
  value("function drawn(bundle) return setmetatable({}, {__mimebundle = function() return bundle end}) end");
  const auto data = notebook
                        .run(
                            "drawn{['text/html'] = '<b>1</b>', ['text/plain'] = 'one'}, '<2>', drawn(), "
                            "drawn{['image/png'] = 'PNG'}, drawn{['image/svg+xml'] = '<svg/>', ['text/plain'] = 's'}")
                        .display.data;
  EXPECT_EQ(data, Json({{"text/plain", "one\n\"<2>\"\n\ns"},
                        {"text/html",
                         "<div><b>1</b></div><div><pre>&quot;&lt;2&gt;&quot;</pre></div>"
                         "<div><img src=\"data:image/png;base64,UE5H\"></div><div><svg/></div>"}}));
  EXPECT_TRUE(notebook.run("drawn(), drawn()").display.data.empty());
  EXPECT_EQ(notebook.run("1, {2}").display.data, Json({{"text/plain", "1\t{2}"}}));
}

TEST_F(LuaJupyter, FallsBackToTextWithANoteWhenADrawingFails) {
  const auto text = [&](const std::string& body) {
    return notebook.value("setmetatable({x = 1}, {__tostring = function() return 'T' end, __mimebundle = function() " +
                          body + " end})");
  };
  EXPECT_EQ(text("error('oops', 0)"), "T\n(error in __mimebundle: oops)");
  EXPECT_EQ(text("error()"), "T\n(error in __mimebundle: (error object is a nil value))");
  EXPECT_EQ(text("return 1"), "T\n(error in __mimebundle: it returned a number instead of a table)");
  EXPECT_EQ(text("return {1}"), "T\n(error in __mimebundle: a mime bundle has a key that is no mime type)");
  EXPECT_EQ(text("return {['image/png'] = {}}"), "T\n(error in __mimebundle: image/png: string expected, got table)");
  EXPECT_EQ(text("return {['text/plain'] = 'x'}, 5"),
            "T\n(error in __mimebundle: table with string keys expected, got number)");
  EXPECT_EQ(notebook.value("setmetatable({}, {__mimebundle = 1, __tostring = function() return 'U' end})"),
            "U\n(error in __mimebundle: attempt to call a number value)");
  EXPECT_EQ(value("1"), "1");
}

TEST_F(LuaJupyter, SurvivesHostileDrawings) {
  EXPECT_THAT(value("local t t = setmetatable({1}, {__mimebundle = function(self) return self end}) t"),
              HasSubstr("(error in"));
  EXPECT_THAT(
      value("setmetatable({}, {__mimebundle = function(self) return getmetatable(self).__mimebundle(self) .. '' end})"),
      HasSubstr("stack overflow"));
  EXPECT_EQ(value("1"), "1");
}

// --- input ---------------------------------------------------------------------------------------

TEST_F(LuaJupyter, AsksForALine) {
  notebook.frontend.lines = {"Ada", "s3cret", ""};
  EXPECT_EQ(value("jupyter.input('Name? ')"), "\"Ada\"");
  EXPECT_EQ(notebook.frontend.prompt, "Name? ");
  EXPECT_FALSE(notebook.frontend.password);
  EXPECT_EQ(value("jupyter.password('Key: ')"), "\"s3cret\"");
  EXPECT_TRUE(notebook.frontend.password);
  EXPECT_EQ(value("jupyter.input()"), "\"\"");
  EXPECT_EQ(notebook.frontend.prompt, "");
  EXPECT_EQ(value("(jupyter.input())"), "nil") << "the end of input";
  EXPECT_THAT(value("jupyter.input({})"), EndsWith("bad argument #1 to 'input' (string expected, got table)"));
}

TEST_F(LuaJupyter, LetsAnInterruptOfAPromptThrough) {
  notebook.frontend.on_input = [] { throw adrastea::Interrupted(); };
  EXPECT_THAT(value("while true do pcall(jupyter.input) end"), StartsWith("Interrupted: "));
  notebook.frontend.on_input = [] { throw adrastea::InputUnavailable("this request does not allow input"); };
  EXPECT_EQ(value("jupyter.input()"), "LuaError: [3]:1: this request does not allow input");
}

// --- progress ------------------------------------------------------------------------------------

TEST_F(LuaJupyter, ShowsProgressInPlace) {
  const auto first = shown("bar = jupyter.progress(4, {label = '<a>'})");
  EXPECT_EQ(first.how, "display");
  EXPECT_EQ(first.data.at("text/plain"), "<a> ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0/4 (0 %)");
  EXPECT_THAT(first.data.at("text/html").get<std::string>(), HasSubstr("&lt;a&gt;"));
  const auto last = shown("bar:update() bar:set(3)");
  EXPECT_EQ(last.how, "update");
  EXPECT_EQ(last.id, first.id);
  EXPECT_EQ(last.data.at("text/plain"), "<a> ██████████████████████░░░░░░░░ 3/4 (75 %)");
  EXPECT_EQ(shown("bar:finish()").data.at("text/plain"), "<a> ██████████████████████████████ 4/4 (100 %)");
  EXPECT_EQ(value("tostring(bar:label('b'))"), "\"b ██████████████████████████████ 4/4 (100 %)\"");
}

TEST_F(LuaJupyter, ShowsAFastLoopFewTimesAndItsLastStateAlways) {
  value("local bar = jupyter.progress(200000) for i = 1, 200000 do bar:update() end");
  EXPECT_LT(notebook.frontend.shown.size(), 100U);
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("200000/200000 (100 %)"));
  value("local bar = jupyter.progress(100) for i = 1, 99 do bar:update() end error('stop')");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("99/100"));
  value("do local bar = jupyter.progress(100) bar:set(7) end collectgarbage() print('after')");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("7/100"));
  EXPECT_EQ(value("bar = nil collectgarbage() return 1"), "1");
  EXPECT_THAT(notebook.frontend.shown, IsEmpty());
}

TEST_F(LuaJupyter, CountsWithoutATotal) {
  value("bar = jupyter.progress() bar:update(2.5) bar:update(-1)");
  EXPECT_EQ(notebook.frontend.shown.back().data.at("text/plain"), "1.5");
  EXPECT_EQ(shown("bar:finish()").data.at("text/plain"), "██████████████████████████████ 1.5");
  EXPECT_EQ(shown("local b = jupyter.progress(0)").data.at("text/plain"), "██████████████████████████████ 0/0 (100 %)");
}

TEST_F(LuaJupyter, ShowsTheProgressOfALoop) {
  EXPECT_EQ(
      value("local s = '' for x in jupyter.progress_of({'a', false, 'c'}, {label = 'L'}) do s = s .. tostring(x) end s"),
      "\"afalsec\"");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("3/3 (100 %)"));
  EXPECT_EQ(value("local s = '' for a, b in jupyter.progress_of(('k=v l=w'):gmatch('(%w)=(%w)'), {total = 2}) do s = s .. "
                  "a .. b end s"),
            "\"kvlw\"");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("2/2 (100 %)"));
  EXPECT_EQ(value("for x in jupyter.progress_of{1, 2, 3} do if x == 2 then break end end"), "");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr("1/3"));
  EXPECT_EQ(value("for x in jupyter.progress_of{} do end"), "");
}

TEST_F(LuaJupyter, ShowsNoHandlesBesideOtherValues) {
  EXPECT_EQ(value("jupyter.html 'x', 5, jupyter.progress(1), 'a'"), "5\t\"a\"");
  EXPECT_EQ(value("jupyter.html 'x', jupyter.html 'y'"), "");
  EXPECT_THAT(value("{jupyter.html 'x'}"), HasSubstr("id ="));
}

TEST_F(LuaJupyter, ShowsTheProgressOfWhatAForTakes) {
  EXPECT_EQ(
      value("local n, s = 0, '' for k, v in jupyter.progress_of(pairs{a = 1, b = 2, c = 4}) do n = n + v s = s .. k end "
            "return n, #s"),
      "7\t3");
  EXPECT_THAT(notebook.frontend.shown.back().data.at("text/plain").get<std::string>(), HasSubstr(" 3"));
  EXPECT_EQ(value("local s = '' for i, v in jupyter.progress_of(ipairs{'x', 'y'}) do s = s .. i .. v end s"), "\"1x2y\"");
  EXPECT_THAT(value("for k in jupyter.progress_of(next, {x = 1}, 'no key') do end"), StartsWith("LuaError: "));
#if LUA_VERSION_NUM >= 504
  EXPECT_EQ(value("closed = false local closing = setmetatable({}, {__close = function() closed = true end}) "
                  "for x in jupyter.progress_of(function() return 1 end, nil, nil, closing) do break end closed"),
            "true");
#endif
}

TEST_F(LuaJupyter, SaysWhatIsWrongWithProgress) {
  EXPECT_THAT(value("jupyter.progress(-1)"),
              HasSubstr("bad argument #1 to 'progress' (a number that is not negative expected)"));
  EXPECT_THAT(value("jupyter.progress(0/0)"), HasSubstr("bad argument #1 to 'progress' (a finite number expected)"));
  EXPECT_THAT(value("jupyter.progress(1, {lable = 'x'})"), HasSubstr("unknown option 'lable'"));
  EXPECT_THAT(value("jupyter.progress(1, {label = '\\xff'})"), HasSubstr("label: the text is not UTF-8"));
  EXPECT_THAT(value("jupyter.progress_of(1)"),
              HasSubstr("bad argument #1 to 'progress_of' (table or function expected, got number)"));
  EXPECT_THAT(value("jupyter.progress_of({}, {total = 'x'})"), HasSubstr("total: a number"));
  EXPECT_THAT(value("jupyter.progress(1).update({})"), HasSubstr("jupyter.Progress expected"));
  EXPECT_THAT(value("local bar = jupyter.progress(1) debug.getmetatable(bar).__gc(bar) bar:update()"),
              StartsWith("LuaError: "));
  EXPECT_EQ(value("getmetatable(jupyter.progress(1))"), "\"protected\"");
}

// --- comms ---------------------------------------------------------------------------------------

TEST_F(LuaJupyter, OpensAndUsesAComm) {
  EXPECT_EQ(value("comm = jupyter.comm.open('plot', {a = 1}, {m = 2}, {'\\0\\xff', ''})"), "");
  EXPECT_EQ(value("comm:send({b = {}}) comm:send(nil, nil, {'x'}) comm:close({c = 3}) comm:close()"), "");
  const auto& sent = notebook.frontend.fake_comms.sent;
  ASSERT_THAT(sent, SizeIs(4));
  EXPECT_EQ(sent[0].how, "comm_open");
  EXPECT_EQ(sent[0].message.data, Json({{"a", 1}}));
  EXPECT_EQ(sent[0].message.metadata, Json({{"m", 2}}));
  EXPECT_EQ(sent[0].message.buffers, (adrastea::Buffers{std::string("\0\xff", 2), ""}));
  EXPECT_EQ(sent[1].message.data, Json({{"b", Json::object()}}));
  EXPECT_EQ(sent[2].message.buffers, adrastea::Buffers{"x"});
  EXPECT_EQ(sent[3].how, "comm_close");
  EXPECT_THAT(value("comm:send{}"), EndsWith("the comm is closed"));
  EXPECT_THAT(value("comm:on_message(print)"), EndsWith("the comm is closed"));
  EXPECT_EQ(value("tostring(comm), comm.target"), "\"jupyter.Comm: plot (comm1)\"\t\"plot\"");
}

TEST_F(LuaJupyter, CallsTheHandlersOfAComm) {
  value(
      "comm = jupyter.comm.open('plot') comm:on_message(function(c, m) print(c == comm, m.data.x[1], m.metadata.k, "
      "#m.buffers, m.buffers[1], m.data.none == jupyter.null) end) comm:on_close(function(c, m) print('closed', c.id) "
      "end)");
  auto& comms = notebook.frontend.fake_comms;
  const auto comm = comms.open_comms.at("comm1");
  comms.send_by_client(*comm, {.data = {{"x", {"é"}}, {"none", nullptr}}, .metadata = {{"k", 5}}, .buffers = {"bin"}});
  EXPECT_EQ(notebook.frontend.out, "true\té\t5\t1\tbin\ttrue\n");
  EXPECT_EQ(notebook.frontend.requests_entered, 1);
  comms.close_by_client(*comm);
  EXPECT_THAT(notebook.frontend.out, EndsWith("closed\tcomm1\n"));
  EXPECT_THAT(value("comm:send{}"), EndsWith("the comm is closed"));
}

TEST_F(LuaJupyter, GivesBackJsonAsItCame) {
  value("comm = jupyter.comm.open('plot') comm:on_message(function(c, m) c:send(m.data) end)");
  auto& comms = notebook.frontend.fake_comms;
  const Json data = {{"a", Json::array()},
                     {"o", Json::object()},
                     {"n", nullptr},
                     {"l", {nullptr, 1, nullptr}},
                     {"i", INT64_MAX},
                     {"f", 0.5},
                     {"s", "ü"}};
  comms.send_by_client(*comms.open_comms.at("comm1"), {.data = data});
  EXPECT_EQ(comms.sent.back().message.data, data);
}

TEST_F(LuaJupyter, LetsClientsOpenARegisteredTarget) {
  value(
      "jupyter.comm.register('echo', function(comm, message) last = comm print('open', comm.target, message.data.n) "
      "comm:on_message(function(c, m) c:send(m.data) end) end)");
  auto& comms = notebook.frontend.fake_comms;
  const auto comm = comms.open_by_client("echo", {.data = {{"n", 1}}});
  EXPECT_EQ(notebook.frontend.out, "open\techo\t1\n");
  comms.send_by_client(*comm, {.data = {{"x", 2}}});
  ASSERT_THAT(comms.sent, SizeIs(1));
  EXPECT_EQ(comms.sent[0].message.data, Json({{"x", 2}}));
  EXPECT_EQ(value("jupyter.comm.unregister('echo')"), "");
  EXPECT_THAT(comms.targets, IsEmpty());
}

TEST_F(LuaJupyter, ShowsTheErrorOfAHandlerAndTellsTheFramework) {
  value("comm = jupyter.comm.open('plot') comm:on_message(function() local t = nil; t.x = 1 end)");
  auto& comms = notebook.frontend.fake_comms;
  EXPECT_THROW(comms.send_by_client(*comms.open_comms.at("comm1"), {}), adrastea::ExecutionError);
  EXPECT_THAT(notebook.frontend.err, HasSubstr("[2]:1"));
  EXPECT_THAT(notebook.frontend.err, HasSubstr("a nil value"));
  EXPECT_EQ(value("1"), "1");
}

TEST_F(LuaJupyter, ForgetsACommWhoseTargetFails) {
  value("jupyter.comm.register('bad', function(comm) kept = comm error('no') end)");
  EXPECT_THROW(static_cast<void>(notebook.frontend.fake_comms.open_by_client("bad")), adrastea::ExecutionError);
  EXPECT_THAT(value("kept:on_message(print)"), EndsWith("the comm is closed"));
}

TEST_F(LuaJupyter, StopsAHandlerThatRunsForEver) {
  value("comm = jupyter.comm.open('plot') comm:on_message(function() print() while true do pcall(error) end end)");
  notebook.frontend.on_write = [&] { notebook.session.interrupt(); };
  auto& comms = notebook.frontend.fake_comms;
  EXPECT_THROW(comms.send_by_client(*comms.open_comms.at("comm1"), {}), adrastea::ExecutionError);
  EXPECT_THAT(notebook.frontend.err, HasSubstr("Interrupted"));
}

TEST_F(LuaJupyter, SaysWhatIsWrongWithACommsArguments) {
  EXPECT_THAT(value("jupyter.comm.open()"), EndsWith("bad argument #1 to 'open' (string expected, got no value)"));
  EXPECT_THAT(value("jupyter.comm.open('x', {1})"),
              EndsWith("bad argument #2 to 'open' (table with string keys expected, got array)"));
  EXPECT_THAT(value("jupyter.comm.open('x', {}, {a = print})"),
              EndsWith("bad argument #3 to 'open' (at a: a function cannot be JSON)"));
  EXPECT_THAT(value("jupyter.comm.open('x', {}, {}, {1})"), EndsWith("bad argument #4 to 'open' (buffer 1 is no string)"));
  EXPECT_THAT(value("c = jupyter.comm.open('x') c:send(5)"),
              EndsWith("bad argument #1 to 'send' (table with string keys expected, got number)"));
  EXPECT_THAT(value("c:on_message(5)"), EndsWith("bad argument #1 to 'on_message' (function expected, got number)"));
  EXPECT_THAT(value("c.send({})"), HasSubstr("jupyter.Comm expected, got table"));
  EXPECT_THAT(value("jupyter.comm.register('x')"), HasSubstr("bad argument #2 to 'register' (function expected"));
}

TEST(LuaJupyterEnd, LeavesHandlersThatDoNothing) {
  FakeFrontend frontend;
  {
    lua_kernel::Session session(frontend);
    EXPECT_FALSE(session
                     .run("local j = require 'jupyter' j.comm.register('t', print) "
                          "j.comm.open('x'):on_message(print) b = j.progress(5)",
                          "[1]")
                     .failed);
  }
  frontend.out.clear();
  const auto comm = frontend.fake_comms.open_by_client("t");
  frontend.fake_comms.send_by_client(*frontend.fake_comms.open_comms.at("comm1"), {});
  EXPECT_EQ(frontend.out, "");
}

TEST_F(LuaJupyter, ReportsThatMemoryRanOut) {
  struct Budget {
    lua_Alloc allocate;
    void* data;
    bool refuse;
    static void* call(void* self, void* block, std::size_t old_size, std::size_t new_size) {
      auto& budget = *static_cast<Budget*>(self);
      if (budget.refuse && new_size > std::size_t{1} << 16) return nullptr;
      return budget.allocate(budget.data, block, old_size, new_size);
    }
  } budget{nullptr, nullptr, true};
  lua_State* L = notebook.session.state();
  budget.allocate = lua_getallocf(L, &budget.data);
  lua_setallocf(L, &Budget::call, &budget);
  notebook.frontend.lines = {std::string(1U << 20U, 'x')};
  EXPECT_THAT(value("jupyter.input()"), HasSubstr("not enough memory"));
  EXPECT_EQ(value("1 + 1"), "2");
  lua_setallocf(L, budget.allocate, budget.data);
}

}  // namespace
