// SPDX-License-Identifier: BSD-3-Clause
// Completion, inspection and completeness at each byte of odd code: nothing crashes, nothing of the user runs, nothing is
// slow.
#include "completeness.hpp"
#include "completion.hpp"
#include "inspection.hpp"

#include "lua_fake_frontend.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view odd_code = R"lua(
--- A comment @param with @tags( and [[ brackets
---@param x? fun(a: table<string, {b: integer}>): string|nil # text
--[==[ long ]] ]=] comment ]==] local after = 1
local hostile, t <const>, u <close> = hostile, {1, 2; x = 1, ['y z'] = {z = {}}, [3] = function(a, ...) return ... end,}, nil
function t.a.b.c:method(self, other) self.x = other:method "text" {1} (2) [3].x = 4 end
local function f(a, b, ...) local a = a; return f(f(f(a.b.c["d"].e, hostile.x.y:z(1, -2)))) end
for i = 1, #hostile, -1 do for k, v in pairs(hostile) do goto continue; ::continue:: end end
repeat local inner = hostile until inner == hostile.visible or not inner
while not (hostile ~= nil) do break end if x then elseif y then else end
x, y.z, w[1] = 0x1p-3, 1e+10, .5, 3..2, 0xA.8p1, 1//2 >> 3 << 4 & 5 | 6 ~ 7 ~= 8
s = 'a\'b\\' .. "c\"d\z
     e\
f" .. [[long
string]] .. [==[ ]] ]=] ]==] .. ('lit'):upper():lower().x
local r = require "string" local q = require('math').flo require 'no.such. module' io.open("/tmp/../tmp/
string.format("%d %s", hostile.visible, hostile:f(), (hostile), hostile["vis"], hostile['
function incomplete(a, b  local function  for in do while until ) ] } end end end ::label goto
hostile. hostile: hostile[ hostile( hostile" hostile{ hostile. .x hostile: :x hostile..x
local x <cl local a, b, c = d, e for i for i, j in function( function f( function f.g. function f:g
?print print?? ?? ? $ @ ` \ ! # ~ käse "ünï" '😀' = == === .. ... .... :: ::: [=[ [==
return hostile, undefined.field.of:nothing(t.x, {f = function() return self.and_more end}), (function() return x end)()
)lua";

class LuaHelp : public testing::Test {
 protected:
  void SetUp() override {
    notebook.run(R"(
      calls = 0
      local function called() rawset(_G, 'calls', rawget(_G, 'calls') + 1) return 'called' end
      hostile = setmetatable({visible = 1, f = function(self) end}, {__index = called, __newindex = called, __pairs = called,
        __len = called, __tostring = called, __eq = called, __lt = called, __call = called, __concat = called, __gc = called,
        __close = called, __name = 'Hostile\xff\0'})
      hostile.itself = 1
      setmetatable(_G, {__index = called})
      for i = 1, 1000 do setmetatable({}, {__gc = called}) end)");
    calls_before_ = calls();
  }
  void TearDown() override {
    EXPECT_EQ(calls(), calls_before_);
    EXPECT_EQ(lua_gettop(L), 0);
    EXPECT_EQ(notebook.frontend.both, "");
    EXPECT_LT(slowest_,
              std::chrono::seconds(10));  // 0.1 s where nothing else runs; sanitizers and busy machines are slower
  }

  /// All that helps to write, at one place.
  void ask(const std::string& code, std::size_t cursor) {
    const auto start = std::chrono::steady_clock::now();
    const auto completions = lua_kernel::complete(L, {.code = code, .cursor = cursor});
    ASSERT_LE(completions.start, completions.end) << code.substr(0, cursor);
    if (!completions.matches.empty()) {
      ASSERT_EQ(completions.end, cursor);
    }
    for (const auto& match : completions.matches) ASSERT_FALSE(match.text.empty());
    const auto found = lua_kernel::inspect(notebook.session, {.code = code, .cursor = cursor, .detail_level = 1});
    if (found.found) {
      ASSERT_FALSE(found.data.at("text/plain").get<std::string>().empty());
    }
    slowest_ = std::max(slowest_, std::chrono::steady_clock::now() - start);
  }

  lua_Integer calls() {
    lua_getglobal(L, "calls");
    const auto count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return count;
  }

  LuaNotebook notebook;
  lua_State* L = notebook.session.state();

 private:
  lua_Integer calls_before_ = 0;
  std::chrono::steady_clock::duration slowest_{};
};

TEST_F(LuaHelp, HoldsAtEachByteOfOddCode) {
  const std::string code(odd_code);
  for (std::size_t cursor = 0; cursor <= code.size(); ++cursor) ask(code, cursor);
}

TEST_F(LuaHelp, HoldsWhereverTheCodeEnds) {
  for (std::size_t end = 0; end <= odd_code.size(); ++end) {
    const std::string code(odd_code.substr(0, end));
    ask(code, end);
    lua_kernel::is_complete(L, code);
  }
}

TEST_F(LuaHelp, HoldsWhereverTheCodeStarts) {
  for (std::size_t begin = 0; begin <= odd_code.size(); begin += 3) {
    const std::string code(odd_code.substr(begin));
    ask(code, code.size() / 2);
    lua_kernel::is_complete(L, code);
  }
}

TEST_F(LuaHelp, HoldsForShuffledPieces) {
  std::mt19937 random(20240521);  // the same ones each time
  std::uniform_int_distribution<std::size_t> position(0, odd_code.size() - 1);
  std::uniform_int_distribution<std::size_t> length(1, 12);
  std::uniform_int_distribution<int> byte(0, 255);
  for (int round = 0; round < 2000; ++round) {
    std::string code;
    for (int piece = 0; piece < 20; ++piece) code += odd_code.substr(position(random), length(random));
    code[code.size() / 3] = static_cast<char>(byte(random));
    ask(code, code.size());
    ask(code, code.size() * 2 / 3);
    lua_kernel::is_complete(L, code);
  }
}

TEST_F(LuaHelp, HoldsForDeepAndLongCode) {
  const auto repeated = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  std::string chain = "local x0 = hostile\n";
  for (int i = 1; i < 150; ++i) chain += "local x" + std::to_string(i) + " = x" + std::to_string(i - 1) + ".a.b.c\n";
  std::string definitions;
  for (const char* path : {"t.x", "t.x.x", "t.x.x.x", "t.x.x.x.x"}) definitions += std::string(path) + " = t.x.x.x.x.x.x\n";
  for (const std::string& code : {repeated("(", 50000),
                                  repeated("f(", 20000),
                                  repeated("{", 50000),
                                  repeated("function f() ", 20000),
                                  repeated("do ", 50000),
                                  repeated("if x then ", 20000),
                                  repeated("a.", 20000),
                                  repeated("a[", 20000),
                                  repeated("local a = a\n", 20000),
                                  repeated("x = x + ", 20000),
                                  repeated("-", 50000),
                                  repeated("--[[ ]]", 20000),
                                  repeated("not ", 20000),
                                  repeated("goto a ::a:: ", 10000) + "goto ",
                                  repeated("'", 50000),
                                  repeated("[==", 30000),
                                  repeated("end ", 50000),
                                  std::string(100000, ' '),
                                  std::string(1000, '\0'),
                                  chain + "x149.",
                                  definitions + "t.x.x.x.x.x.",
                                  repeated("\n", 100000),
                                  repeated("f(function() ", 20000),
                                  repeated("local function f(a, b) end\n", 20000) + "f(",
                                  repeated("x.y.z = {a = {b = ", 10000)}) {
    ask(code, code.size());
    ask(code, code.size() / 2);
    lua_kernel::is_complete(L, code);
  }
}

}  // namespace
