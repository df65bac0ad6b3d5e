// SPDX-License-Identifier: BSD-3-Clause
// The judges are judged: each rule of the oracle and of the schemas refuses what it is there to refuse.
#include <adrastea/testing/client.hpp>
#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/oracle.hpp>
#include <adrastea/testing/schema.hpp>

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace adrastea::testing {
namespace {

const std::string k_request_header =
    R"({"msg_id":"r1","session":"client","username":"u","msg_type":"execute_request","version":"5.5"})";

Message message(const std::string& type, const Json& content, Channel channel = Channel::iopub,
                const std::string& parent = k_request_header) {
  static int count = 0;
  Message made;
  made.channel = channel;
  if (channel == Channel::iopub) made.identities = {"topic"};
  made.header = {{"msg_id", "k" + std::to_string(++count)},
                 {"session", "kernel"},
                 {"username", "k"},
                 {"date", iso_now()},
                 {"msg_type", type},
                 {"version", "5.5"}};
  made.parent_bytes = parent;
  made.parent_header = Json::parse(parent);
  made.metadata = Json::object();
  made.content = content;
  return made;
}

Message status(const char* state) { return message("status", {{"execution_state", state}}); }
Message input() { return message("execute_input", {{"code", "c"}, {"execution_count", 1}}); }
Message text() { return message("stream", {{"name", "stdout"}, {"text", "t"}}); }
Message reply() {
  return message(
      "execute_reply",
      {{"status", "ok"}, {"execution_count", 1}, {"payload", Json::array()}, {"user_expressions", Json::object()}},
      Channel::shell);
}

using Rules = std::vector<std::string>;

class OracleRules : public ::testing::Test {
 protected:
  OracleRules() { oracle_.sent({"r1", Channel::shell, "execute_request", k_request_header, false, true}); }
  /// The rules that these break, and, when it is all over, that which never came.
  Rules broken(const std::vector<Message>& messages) {
    for (const auto& one : messages) oracle_.received(one);
    oracle_.finished();
    return std::exchange(broken_, {});
  }
  Rules broken_;
  Oracle oracle_{true, [this](const Violation& violation) { broken_.push_back(violation.rule); }};
};

TEST_F(OracleRules, RefuseFramesBeforeAReplyThatTheRequestDidNotHave) {
  Message framed = reply();
  framed.identities = {""};
  EXPECT_EQ(broken({status("busy"), input(), framed, status("idle")}), Rules{"wire.reply.identities"});
}

TEST_F(OracleRules, AcceptTheWholePromise) {
  EXPECT_EQ(broken({status("busy"), input(), text(), reply(), status("idle")}), Rules{});
  EXPECT_TRUE(oracle_.complete("r1"));
}

TEST_F(OracleRules, RefuseOutputBeforeBusy) {
  EXPECT_EQ(broken({input(), status("busy"), reply(), status("idle")}), Rules{"order.busy.first"});
}
TEST_F(OracleRules, MissBusy) { EXPECT_EQ(broken({input(), text(), reply(), status("idle")}), Rules{"order.busy.sent"}); }
TEST_F(OracleRules, MissIdle) { EXPECT_EQ(broken({status("busy"), input(), reply()}), Rules{"order.idle.sent"}); }
TEST_F(OracleRules, MissTheReply) {
  EXPECT_EQ(broken({status("busy"), input(), status("idle")}), Rules{"order.reply.sent"});
  EXPECT_FALSE(oracle_.complete("r1"));
}
TEST_F(OracleRules, MissExecuteInput) {
  EXPECT_EQ(broken({status("busy"), text(), reply(), status("idle")}), Rules{"order.input.sent"});
}
TEST_F(OracleRules, RefuseOutputBeforeExecuteInput) {
  EXPECT_EQ(broken({status("busy"), text(), input(), reply(), status("idle")}), Rules{"order.input.first"});
}
TEST_F(OracleRules, RefuseASecondExecuteInput) {
  EXPECT_EQ(broken({status("busy"), input(), input(), reply(), status("idle")}), Rules{"order.input.once"});
}
TEST_F(OracleRules, RefuseASecondBusyIdleOrReply) {
  EXPECT_EQ(broken({status("busy"), input(), status("busy"), reply(), reply(), status("idle"), status("idle")}),
            (Rules{"order.busy.once", "order.reply.once", "order.idle.once"}));
}

TEST_F(OracleRules, RefuseOutputAfterIdleUnlessDeclared) {
  EXPECT_EQ(broken({status("busy"), input(), reply(), status("idle"), text()}), Rules{"order.idle.last"});
  oracle_.allow_late_output("r1");
  EXPECT_EQ(broken({text()}), Rules{});
  EXPECT_EQ(broken({message("error", {{"ename", "E"}, {"evalue", ""}, {"traceback", Json::array()}})}),
            Rules{"order.idle.last"});
}

TEST_F(OracleRules, RefuseAnotherShellRequestInBetween) {
  const std::string second = R"({"msg_id":"r2","session":"other","username":"u","msg_type":"execute_request"})";
  const Message other = message("status", {{"execution_state", "busy"}}, Channel::iopub, second);
  EXPECT_EQ(broken({status("busy"), input(), other, reply(), status("idle")}), Rules{"order.busy.one-at-a-time"});
}

TEST_F(OracleRules, RefuseRepliesOutOfOrderOrOnTheWrongChannel) {
  const std::string second = R"({"msg_id":"r2","session":"client","username":"u","msg_type":"kernel_info_request"})";
  oracle_.sent({"r2", Channel::shell, "kernel_info_request", second, false, true});
  for (const auto& one : {message("kernel_info_reply", Json::object(), Channel::shell, second),
                          message("execute_reply", {{"status", "ok"}}, Channel::control),
                          message("complete_reply", {{"status", "ok"}}, Channel::shell)}) {
    oracle_.received(one);
  }
  EXPECT_EQ(broken_,
            (Rules{"order.reply.channel", "order.reply.fifo", "order.reply.type", "order.reply.once", "order.reply.fifo"}));
}

TEST_F(OracleRules, RefuseWhatBelongsOnAnotherChannel) {
  const Json question{{"prompt", ""}, {"password", false}};
  for (const auto& one :
       {status("busy"), message("input_request", question, Channel::stdin_channel),
        message("shutdown_reply", {{"status", "ok"}, {"restart", false}}), message("execute_reply", {{"status", "ok"}}),
        message("input_request", question), message("execute_reply", {{"status", "ok"}}, Channel::stdin_channel)}) {
    oracle_.received(one);
  }
  EXPECT_EQ(broken_, Rules(3, "wire.channel.type"));
}

TEST_F(OracleRules, RefuseAParentThatIsNotTheRequestsHeader) {
  std::string changed = k_request_header;
  changed.insert(1, " ");
  const Message rewritten = message("status", {{"execution_state", "busy"}}, Channel::iopub, changed);
  oracle_.received(rewritten);
  EXPECT_EQ(broken_, Rules{"wire.parent.header"});
  Oracle lenient(false);
  lenient.sent({"r1", Channel::shell, "execute_request", k_request_header, false, true});
  EXPECT_NO_THROW(lenient.received(rewritten));
  changed.insert(1, R"("more":1,)");
  EXPECT_THROW(lenient.received(message("status", {{"execution_state", "idle"}}, Channel::iopub, changed)), Failure);
}

TEST_F(OracleRules, RefuseReusedIdsAndSecondSessions) {
  const Message busy = status("busy");
  Message other = input();
  other.header["session"] = "another";
  EXPECT_EQ(broken({busy, other, reply(), status("idle")}), Rules{"wire.session.single"});
  EXPECT_EQ(broken({busy}), (Rules{"wire.msg-id.unique", "order.busy.once"}));
}

TEST_F(OracleRules, RefuseMessagesWithoutParent) {
  const auto orphan = [](const std::string& type, const Json& content) {
    return message(type, content, Channel::iopub, "{}");
  };
  EXPECT_EQ(broken({status("busy"), orphan("status", {{"execution_state", "idle"}}), input(),
                    orphan("stream", {{"name", "stdout"}, {"text", "t"}}), reply(), status("idle")}),
            (Rules{"order.status.parent", "order.parent.present"}));
}

TEST(StandingRules, AreNamedOnce) {
  std::set<std::string> ids;
  for (const auto& rule : standing_rules()) EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
  EXPECT_TRUE(ids.contains("schema.stream"));
}

TEST(Schemas, AcceptGoodMessages) {
  for (const auto& good : {status("busy"), input(), text(), reply()}) {
    EXPECT_TRUE(SchemaStore::standard().violations(good).empty()) << summary(good);
  }
}

TEST(Schemas, RefuseBadEnvelopes) {
  const auto refused = [](auto change) {
    Message bad = text();
    change(bad);
    return !SchemaStore::standard().violations(bad).empty();
  };
  EXPECT_TRUE(refused([](Message& m) { m.header.erase("date"); }));
  EXPECT_TRUE(refused([](Message& m) { m.header["date"] = "2026-09-14"; })) << "no time of day";
  EXPECT_FALSE(refused([](Message& m) { m.header["date"] = "2026-09-14T12:34:56"; })) << "the text asks for no zone";
  EXPECT_FALSE(refused([](Message& m) { m.header["date"] = "2026-09-14T12:34:56.123456789Z"; }))
      << "nor for so many digits";
  EXPECT_TRUE(refused([](Message& m) { m.header["session"] = ""; }));
  EXPECT_TRUE(refused([](Message& m) { m.header["version"] = 5; }));
  EXPECT_TRUE(refused([](Message& m) { m.parent_header = {{"msg_id", "half a header"}}; }));
  EXPECT_TRUE(refused([](Message& m) { m.metadata = nullptr; }));
  EXPECT_TRUE(refused([](Message& m) { m.header["msg_type"] = "unheard_of"; }));
}

TEST(Schemas, RefuseBadContents) {
  const std::vector<std::pair<std::string, Json>> cases{
      {"stream", {{"name", "stdlog"}, {"text", "t"}}},
      {"stream", {{"name", "stdout"}, {"text", nullptr}}},
      {"status", {{"execution_state", "dead"}}},
      {"display_data", {{"data", {{"text/plain", "a"}}}}},
      {"display_data", {{"data", {{"no mime type", "a"}}}, {"metadata", Json::object()}}},
      {"display_data", {{"data", {{"text/plain", 5}}}, {"metadata", Json::object()}}},
      {"update_display_data", {{"data", Json::object()}, {"metadata", Json::object()}, {"transient", Json::object()}}},
      {"execute_result", {{"execution_count", 1}, {"data", {{"text/html", "a"}}}, {"metadata", Json::object()}}},
      {"execute_reply", {{"status", "ok"}, {"execution_count", 1}}},
      {"execute_reply", {{"status", "abort"}}},
      {"execute_reply", {{"status", "error"}, {"ename", "E"}, {"evalue", "v"}}},
      {"comm_close", {{"comm_id", "c"}}},
      {"comm_msg", {{"comm_id", "c"}, {"data", nullptr}}},
      {"is_complete_reply", {{"status", "incomplete"}}},
      {"complete_reply", {{"status", "ok"}, {"matches", Json::array()}, {"cursor_start", 0}, {"cursor_end", 0}}},
      {"history_reply", {{"status", "ok"}, {"history", Json::array({Json::array({1, 2})})}}},
      {"kernel_info_reply", {{"status", "ok"}}},
      {"shutdown_reply", {{"status", "ok"}}},
  };
  for (const auto& [type, content] : cases) {
    EXPECT_FALSE(SchemaStore::standard().violations(message(type, content)).empty()) << type << content;
  }
}

TEST(Schemas, KnowEveryKeywordTheyUse) {
  EXPECT_THROW(static_cast<void>(schema_violations({{"maxLength", 5}}, "text")), Failure);
}

TEST(Codec, RefusesWhatTheKeyDidNotSign) {
  const Codec codec("hmac-sha256", "key");
  const Frames good = codec.encode({R"({"msg_type":"t","msg_id":"1"})", "{}", "{}", "{}"}, {"buffer"});
  EXPECT_EQ(codec.decode(Channel::shell, good).buffers, Frames{"buffer"});
  for (std::size_t index = 1; index < 6; ++index) {
    Frames bad = good;
    bad.at(index) += " ";
    EXPECT_THROW(static_cast<void>(codec.decode(Channel::shell, bad)), Failure) << index;
  }
  EXPECT_THROW(static_cast<void>(codec.decode(Channel::shell, Frames(good.begin(), good.begin() + 5))), Failure);
  // RFC 4231, test case 2: the digest is the one that the world means.
  EXPECT_EQ(Codec("hmac-sha256", "Jefe").sign({"what do ya want", " for ", "nothing", "?"}),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(ReportDeathTest, SaysWhyItEndsTheProgram) { EXPECT_DEATH(report("left"), "left.*set_reporter"); }

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Codec, RefusesWhatNestsTooDeepToBeCopied) {
  const Codec codec("hmac-sha256", "key");
  Rules broken;
  const auto decoded = [&](const std::string& content) {
    broken.clear();
    const auto sink = [&](const Violation& violation) { broken.push_back(violation.rule); };
    return codec.decode(Channel::iopub, codec.encode({"{}", "{}", "{}", content}, {}), sink)->content;
  };
  const Json copy = decoded(R"({"text":"x","more":)" + nested(200000) + "}");
  EXPECT_EQ(copy, Json::object());
  EXPECT_EQ(broken, Rules{"wire.frames.json"});
  EXPECT_EQ(decoded(R"({"more":)" + nested(999) + "}").size(), 1U);
  EXPECT_EQ(decoded(R"({"text":")" + std::string(5000, '[') + R"(\"{"})").size(), 1U);
  EXPECT_EQ(broken, Rules{});
}

TEST(Codec, RefusesAByteOrderMark) {
  const Codec codec("hmac-sha256", "key");
  Rules broken;
  const auto sink = [&](const Violation& violation) { broken.push_back(violation.rule); };
  EXPECT_EQ(codec.decode(Channel::iopub, codec.encode({"{}", "{}", "{}", "\xEF\xBB\xBF{}"}, {}), sink)->content,
            Json::object());
  EXPECT_EQ(broken, Rules{"wire.frames.json"});
}

}  // namespace
}  // namespace adrastea::testing
