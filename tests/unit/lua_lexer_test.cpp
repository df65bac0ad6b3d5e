// SPDX-License-Identifier: BSD-3-Clause
#include "lexer.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace {

using lua_kernel::tokenize;
using testing::ElementsAre;

std::vector<std::string> texts(std::string_view code) {
  std::vector<std::string> found;
  for (const auto& token : tokenize(code).tokens) found.emplace_back(text_of(token, code));
  return found;
}

TEST(LuaLexer, CutsSymbolsAtTheirLongestForm) {
  EXPECT_THAT(texts("a...b..c::d//e<=f~=g"),
              ElementsAre("a", "...", "b", "..", "c", "::", "d", "//", "e", "<=", "f", "~=", "g"));
}

TEST(LuaLexer, ReadsNumbersWithSignsOnlyInTheirExponents) {
  EXPECT_THAT(texts("1e+5-2 0x1p-3+0xe-1 .5 3..2"),
              ElementsAre("1e+5", "-", "2", "0x1p-3", "+", "0xe", "-", "1", ".5", "3..2"));
}

TEST(LuaLexer, KeepsQuotesBracketsAndEscapesInsideOfStrings) {
  EXPECT_THAT(texts(R"('a"\'b' "\\" [[ ]=] ]] [==[ ]] ]==])"),
              ElementsAre(R"('a"\'b')", R"("\\")", "[[ ]=] ]]", "[==[ ]] ]==]"));
}

TEST(LuaLexer, ContinuesStringsOverEscapedLineEnds) {
  EXPECT_THAT(texts("'a\\\nb' c 'x\\z  \n  y' '\\\r\n'"), ElementsAre("'a\\\nb'", "c", "'x\\z  \n  y'", "'\\\r\n'"));
}

TEST(LuaLexer, LeavesOutCommentsOfBothKinds) {
  EXPECT_THAT(texts("a -- b [[\nc --[[ d\n e ]] f --[==[ ]] ]==] g --"), ElementsAre("a", "c", "f", "g"));
}

TEST(LuaLexer, KeepsCommentsApart) {
  const std::string_view code = "a -- b\nc --[[ d ]] e --[x]\n--[[ f";
  const auto list = tokenize(code);
  std::vector<std::string> comments;
  for (const auto& comment : list.comments) comments.emplace_back(text_of(comment, code));
  EXPECT_THAT(comments, ElementsAre("-- b", "--[[ d ]]", "--[x]", "--[[ f"));
}

TEST(LuaLexer, KnowsWhatIsTypedIntoAComment) {
  const auto inside = [](std::string code) {
    const std::size_t cursor = code.find('|');
    code.erase(cursor, 1);
    return inside_comment(tokenize(code), code, cursor);
  };
  for (const char* code : {"--|", "-- a|", "-- a|\nb", "--[[|", "--[[ a|", "--[[ a ]|]", "--[=[ ]]|", "--[x]|", "a --|"}) {
    EXPECT_TRUE(inside(code)) << code;
  }
  for (const char* code : {"|", "|--", "-|-", "--[[ a ]]|", "-- a\n|", "a| --", "'--|'", "--[=[ a ]=]|b"}) {
    EXPECT_FALSE(inside(code)) << code;
  }
}

TEST(LuaLexer, ReadsStringsWithoutEscapes) {
  using lua_kernel::plain_string;
  EXPECT_EQ(plain_string("'a b'"), "a b");
  EXPECT_EQ(plain_string("\"\""), "");
  EXPECT_EQ(plain_string("[==[a]]]==]"), "a]]");
  for (const char* literal : {"'a\\n'", "[[\na]]", "", "'", "[", "[="}) EXPECT_FALSE(plain_string(literal)) << literal;
}

TEST(LuaLexer, TellsNamesFromKeywords) {
  for (const char* name : {"a", "_", "end_", "nil0", "A1"}) EXPECT_TRUE(lua_kernel::is_identifier(name)) << name;
  for (const char* name : {"", "1a", "end", "a b", "a-b", "\xc3\xa4"})
    EXPECT_FALSE(lua_kernel::is_identifier(name)) << name;
}

TEST(LuaLexer, MarksWhatTheEndCutsOff) {
  for (const char* code : {"'abc", "\"a\\", "[[a", "[==[ ]]", "--[[ a", "'a\nb"}) {
    const auto tokens = tokenize(code).tokens;
    ASSERT_FALSE(tokens.empty()) << code;
    EXPECT_EQ(tokens.front().kind, lua_kernel::TokenKind::unfinished) << code;
  }
}

TEST(LuaLexer, CountsOpenBlocksAndBrackets) {
  EXPECT_EQ(tokenize("if a then f(function() return {").open, 4);
  EXPECT_EQ(tokenize("while a do for i = 1, 2 do repeat until x end end").open, 0);
  EXPECT_EQ(tokenize("end )").open, -2);
}

TEST(LuaLexer, TakesAnyBytes) {
  std::string code;
  for (int byte = 0; byte < 256; ++byte) code += static_cast<char>(byte);
  EXPECT_EQ(tokenize(code + code).tokens.back().end, 2 * code.size());
}

}  // namespace
