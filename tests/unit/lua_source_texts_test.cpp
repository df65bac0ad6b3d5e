// SPDX-License-Identifier: BSD-3-Clause
#include "source_texts.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lua_kernel {
namespace {

TEST(SourceTexts, KeepCellsThatMayHaveLeftFunctions) {
  SourceTexts texts;
  texts.keep("=[1]", "function f()\n  return 1\nend");
  texts.keep("=[2]", "x = 1\ny = 2");
  EXPECT_EQ(texts.lines("=[2]", 2, 2), "y = 2") << "the cell that runs";
  texts.keep("=[3]", "local g = function() end return g");
  EXPECT_EQ(texts.lines("=[2]", 2, 2), "") << "nothing of it can be asked for";
  texts.keep("=[4]", "z = 3");
  EXPECT_EQ(texts.lines("=[1]", 2, 2), "  return 1");
  EXPECT_EQ(texts.lines("=[3]", 1, 1), "local g = function() end return g");
}

TEST(SourceTexts, ForgetTheOldestWhereTheyWouldTakeTooMuch) {
  SourceTexts texts;
  const std::string code = "function f() end " + std::string(100'000, ' ');
  for (int cell = 1; cell <= 200; ++cell) texts.keep("=[" + std::to_string(cell) + "]", code);
  EXPECT_EQ(texts.lines("=[1]", 1, 1), "");
  EXPECT_EQ(texts.lines("=[100]", 1, 1), "");
  EXPECT_EQ(texts.lines("=[150]", 1, 1), code);
  EXPECT_EQ(texts.lines("=[200]", 1, 1), code);
}

}  // namespace
}  // namespace lua_kernel
