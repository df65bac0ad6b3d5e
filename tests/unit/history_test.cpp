// SPDX-License-Identifier: BSD-3-Clause
#include "services/history.hpp"

#include "services/glob.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace adrastea::services {
namespace {

/// Five cells, as a user might type them.
History five() {
  History history;
  history.add(1, "x = 1");
  history.add(2, "x", "1");
  history.add(3, "print(x)");
  history.add(4, "x", "1");
  history.add(5, "é[1]", "nil");
  return history;
}

/// Of a history or, as most tests have it, of a temporary one.
template <class AnyHistory>
Json ask(AnyHistory&& history, const char* request) {
  return history.reply(Json::parse(request))["history"];
}

/// The lines of an answer, by number.
template <class AnyHistory>
std::vector<int> lines(AnyHistory&& history, const char* request) {
  std::vector<int> numbers;
  for (const Json& entry : ask(history, request)) numbers.push_back(entry[1].get<int>());
  return numbers;
}

using Lines = std::vector<int>;

TEST(History, AnswersWithSessionLineAndInput) {
  EXPECT_EQ(five().reply({{"hist_access_type", "tail"}, {"n", 2}, {"output", false}, {"raw", true}}),
            Json::parse(R"({"status":"ok","history":[[1,4,"x"],[1,5,"é[1]"]]})"));
}

TEST(History, AnswersWithOutputsWhenTheyAreAskedFor) {
  EXPECT_EQ(ask(five(), R"({"hist_access_type":"range","output":true,"start":2,"stop":4})"),
            Json::parse(R"json([[1,2,["x","1"]],[1,3,["print(x)",null]]])json"));
}

TEST(History, IsEmptyBeforeTheFirstExecution) {
  for (const char* type : {"range", "tail", "search"}) {
    EXPECT_EQ(History{}.reply({{"hist_access_type", type}}), Json::parse(R"({"status":"ok","history":[]})")) << type;
  }
}

TEST(HistoryRange, BeginsAtStartAndEndsBeforeStop) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":2,"stop":4})"), (Lines{2, 3}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":3,"stop":3})"), Lines{});
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":4,"stop":2})"), Lines{});
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":5,"stop":100})"), Lines{5});
}

TEST(HistoryRange, GoesToTheEndWithoutAStop) {
  for (const char* request :
       {R"({"hist_access_type":"range","start":4})", R"({"hist_access_type":"range","start":4,"stop":null})",
        R"({"hist_access_type":"range","start":4,"stop":0})"}) {
    EXPECT_EQ(lines(five(), request), (Lines{4, 5})) << request;
  }
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range"})"), (Lines{1, 2, 3, 4, 5}));
}

TEST(HistoryRange, CountsNegativeNumbersFromTheEnd) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":-2})"), (Lines{4, 5}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":1,"stop":-1})"), (Lines{1, 2, 3, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":-3,"stop":-1})"), (Lines{3, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"range","start":-100,"stop":-4})"), Lines{1});
}

TEST(HistoryRange, KnowsTheCurrentSessionAsZeroAndAsOneAndNoOther) {
  for (const char* session : {"0", "1", "null", "1.0"}) {
    const Json request = {{"hist_access_type", "range"}, {"session", Json::parse(session)}};
    EXPECT_EQ(five().reply(request)["history"].size(), 5U) << session;
  }
  for (const char* session : {"-1", "2", "-9223372036854775808", "18446744073709551615"}) {
    const Json request = {{"hist_access_type", "range"}, {"session", Json::parse(session)}};
    EXPECT_EQ(five().reply(request)["history"].size(), 0U) << session;
  }
}

TEST(HistoryRange, FindsEachEntryUnderTheNumbersThatTailGaveIt) {
  History history = five();
  for (const Json& entry : ask(history, R"({"hist_access_type":"tail","n":5})")) {
    const int line = entry[1].get<int>();
    const Json request = {{"hist_access_type", "range"}, {"session", entry[0]}, {"start", line}, {"stop", line + 1}};
    EXPECT_EQ(history.reply(request)["history"], Json::array({entry}));
  }
}

TEST(HistoryTail, GivesTheLastOnesOldestFirst) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"tail","n":3})"), (Lines{3, 4, 5}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"tail","n":2.0})"), (Lines{4, 5}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"tail"})"), (Lines{1, 2, 3, 4, 5}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"tail","n":null})"), (Lines{1, 2, 3, 4, 5}));
}

TEST(HistoryTail, SurvivesEveryNumber) {
  for (const char* n : {"0", "-1", "-9223372036854775808", "-1e300"}) {
    EXPECT_EQ(five().reply({{"hist_access_type", "tail"}, {"n", Json::parse(n)}})["history"].size(), 0U) << n;
  }
  for (const char* n : {"1000000000", "9223372036854775807", "18446744073709551615", "1e300"}) {
    EXPECT_EQ(five().reply({{"hist_access_type", "tail"}, {"n", Json::parse(n)}})["history"].size(), 5U) << n;
  }
}

TEST(HistorySearch, MatchesTheWholeInput) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"x"})"), (Lines{2, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"x*"})"), (Lines{1, 2, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"*x*"})"), (Lines{1, 2, 3, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"? = [0-9]"})"), Lines{1});
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"y"})"), Lines{});
}

TEST(HistorySearch, GivesTheMostRecentOnesOldestFirst) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"*x*","n":2})"), (Lines{3, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"*","n":0})"), Lines{});
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search"})"), (Lines{1, 2, 3, 4, 5}));
}

TEST(HistorySearch, GivesOfEqualInputsTheLatestWhenTheyAreToBeUnique) {
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"*x*","unique":true})"), (Lines{1, 3, 4}));
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":"*x*","unique":true,"n":2})"), (Lines{3, 4}));
}

TEST(HistoryRequests, OfAnUnknownOrNoTypeGiveNothing) {
  for (const char* request :
       {"{}", R"({"hist_access_type":"all"})", R"({"hist_access_type":null})", R"({"hist_access_type":["tail"]})"}) {
    EXPECT_EQ(five().reply(Json::parse(request)), Json::parse(R"({"status":"ok","history":[]})")) << request;
  }
}

TEST(HistoryRequests, WithFieldsOfWrongTypesTakeTheDefaults) {
  for (const char* wrong : {"null", "\"x\"", "[]", "{}", "true"}) {
    for (const char* type : {"range", "tail", "search"}) {
      Json request = {{"hist_access_type", type}};
      for (const char* field : {"session", "start", "stop", "n"}) request[field] = Json::parse(wrong);
      EXPECT_EQ(five().reply(request)["history"].size(), 5U) << request;
    }
  }
  EXPECT_EQ(lines(five(), R"({"hist_access_type":"search","pattern":7,"unique":"x","output":1})"), (Lines{1, 2, 3, 4, 5}));
}

TEST(HistoryMemory, IsBoundedByForgettingTheOldest) {
  History history{nullptr, 100'000};
  for (int i = 1; i <= 1000; ++i) history.add(i, std::string(900, 'x'), std::string(100, 'y'));
  const Lines left = lines(history, R"({"hist_access_type":"tail"})");
  EXPECT_EQ(left.back(), 1000);
  EXPECT_LE(left.size(), 100U);
  EXPECT_GE(left.size(), 80U);
  EXPECT_EQ(left.front(), 1000 - static_cast<int>(left.size()) + 1);
  EXPECT_EQ(lines(history, R"({"hist_access_type":"range","start":-1})"), Lines{1000});
}

TEST(HistoryMemory, TakesNothingThatIsLargerThanAllOfIt) {
  History history{nullptr, 1000};
  history.add(1, "small");
  history.add(2, std::string(2000, 'x'));
  EXPECT_EQ(lines(history, R"({"hist_access_type":"tail"})"), Lines{});
  history.add(3, "small");
  EXPECT_EQ(lines(history, R"({"hist_access_type":"tail"})"), Lines{3});
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Glob, MatchesAsAShellDoesOverCodePoints) {
  for (const GlobCase& c : std::vector<GlobCase>{{"", "", true},
                                                 {"", "a", false},
                                                 {"*", "", true},
                                                 {"*", "a\nb", true},
                                                 {"**", "x", true},
                                                 {"?", "", false},
                                                 {"?", "é", true},
                                                 {"?", "\U0001F600", true},
                                                 {"??", "é", false},
                                                 {"a*b", "ab", true},
                                                 {"a*b", "axxb", true},
                                                 {"a*b", "axxbc", false},
                                                 {"*b", "bab", true},
                                                 {"a?c", "abc", true},
                                                 {"[abc]", "b", true},
                                                 {"[abc]", "d", false},
                                                 {"[a-c]x", "bx", true},
                                                 {"[^a-c]", "b", false},
                                                 {"[^a-c]", "d", true},
                                                 {"[!a-c]", "d", true},
                                                 {"[]]", "]", true},
                                                 {"[^]]", "]", false},
                                                 {"[^]]", "x", true},
                                                 {"[a-]", "-", true},
                                                 {"[-a]", "-", true},
                                                 {"[é-ü]", "ö", true},
                                                 {"[é-ü]", "o", false},
                                                 {"[*]", "*", true},
                                                 {"[*]", "x", false},
                                                 {"a[", "a[", true},
                                                 {"a[1*", "a[1] = 2", true},
                                                 {"[]", "[]", true},
                                                 {"[^]", "[^]", true},
                                                 {"*.lua", "x.lua", true},
                                                 {"A", "a", false},
                                                 {"[z-a]", "m", false},
                                                 {"*a*b*c", "xaxbxbxc", true},
                                                 {"a*a", "a", false}}) {
    EXPECT_EQ(Glob{c.pattern}.matches(c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(Glob, TakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(Glob{pattern + "b"}.matches(std::string(20'000, 'a')));
  EXPECT_TRUE(Glob{pattern}.matches(std::string(20'000, 'a')));
}

}  // namespace
}  // namespace adrastea::services
