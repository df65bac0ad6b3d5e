// SPDX-License-Identifier: BSD-3-Clause
// Signed frames whose JSON is none, or says what nobody expects.
#include "cases/cases.hpp"
#include "raw_peer.hpp"

namespace adrastea::conformance {
namespace {

using namespace std::string_literals;

constexpr std::size_t k_megabyte = 1'000'000;

/// What a frame may hold instead of what belongs there, one of each kind of JSON.
const std::vector<Json>& wrong_values() {
  static const std::vector<Json> values{nullptr, true, -5, 2.5, "text", Json::array({1}), {{"key", "value"}}};
  return values;
}

std::string header_of(RawPeer& peer, const char* type = "kernel_info_request") {
  return peer.frames(type, Json::object()).at(2);
}

/// Puts each of `texts` in place of each of the four frames.
void survives_in_every_frame(Trial& trial, const std::vector<std::string>& texts) {
  RawPeer peer(trial);
  for (const auto& text : texts) {
    for (std::size_t index = 0; index < 4; ++index) {
      std::array<std::string, 4> parts{header_of(peer), "{}", "{}", "{}"};
      parts.at(index) = text;
      peer.now(text.substr(0, 40) + " in frame " + std::to_string(index));
      peer.send(Channel::shell, peer.sign(parts));
      peer.send(Channel::control, peer.sign(parts));
    }
    peer.fence();
  }
  trial.expect_alive();
}

void not_object(Trial& trial) {
  survives_in_every_frame(trial, {"null", "true", "5", "2.5", "\"\"", "\"text\"", "[]", "[{}]", "{}"});
}

void broken(Trial& trial) {
  survives_in_every_frame(trial, {"{", "}", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{'a':1}", "{} {}", "{}x", "\"", "\\",
                                  "{}\0"s, "\0"s, "{/**/}"});
}

void around(Trial& trial) {
  survives_in_every_frame(trial, {"\xef\xbb\xbf{}", " \t\r\n{} \n", "\x0c{}", "\xff\xfe{\0}\0"s});
}

void not_numbers(Trial& trial) {
  survives_in_every_frame(trial, {R"({"a":NaN})", R"({"a":Infinity})", R"({"a":-Infinity})", R"({"a":0x10})", R"({"a":+1})",
                                  R"({"a":01})", R"({"a":1e400})", R"({"a":-1e400})"});
}

void bad_utf8(Trial& trial) {
  survives_in_every_frame(trial, {"{\"a\":\"\xff\"}", "{\"\xc3\":1}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}",
                                  "{\"a\":\"\xf5\x80\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "\xff"});
}

void deep(Trial& trial) {
  std::vector<std::string> texts;
  for (const std::size_t depth : {300U, 5'000U, 100'000U}) {
    texts.push_back(R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += R"({"a":)";
    texts.push_back(objects + "1" + std::string(depth, '}'));
    texts.push_back(std::string(depth, '['));
  }
  survives_in_every_frame(trial, texts);
}

/// Sends a request of this type with any text as its content.
void send_raw(RawPeer& peer, const char* type, const std::string& content) {
  peer.now(std::string(type) + " " + content.substr(0, 100));
  peer.send(Channel::shell, peer.sign({header_of(peer, type), "{}", "{}", content}));
}

/// What else an execute_request has: that it may be missing is what execute.defaults.* is about.
constexpr const char* k_flags =
    R"(,"silent":false,"store_history":true,"allow_stdin":false,"stop_on_error":false,"user_expressions":{}})";

void surrogates(Trial& trial) {
  RawPeer peer(trial);
  for (const char* text :
       {R"(\ud800)", R"(\udc00)", R"(\ud83d)", R"(\ud800\ud800)", R"(\udc00\ud800)", R"(\uffff\ufffe)"}) {
    const std::string code = std::string(R"({"code":")") + text + "\"";
    send_raw(peer, "execute_request", code + k_flags);
    send_raw(peer, "complete_request", code + R"(,"cursor_pos":1})");
    send_raw(peer, "inspect_request", code + R"(,"cursor_pos":0,"detail_level":0})");
    send_raw(peer, "is_complete_request", code + "}");
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

void nul(Trial& trial) {
  RawPeer peer(trial);
  const std::string code = R"({"code":"a\u0000b")";
  send_raw(peer, "execute_request", code + k_flags);
  send_raw(peer, "complete_request", code + R"(,"cursor_pos":2})");
  send_raw(peer, "inspect_request", code + R"(,"cursor_pos":2,"detail_level":0})");
  send_raw(peer, "is_complete_request", code + "}");
  send_raw(peer, "comm_open", R"({"comm_id":"a\u0000","target_name":"\u0000","data":{}})");
  expect_no_harm(trial, peer);
}

void duplicate_keys(Trial& trial) {
  RawPeer peer(trial);
  send_raw(peer, "execute_request", std::string(R"({"code":"","code":5,"code":"")") + k_flags);
  send_raw(peer, "complete_request", R"({"code":"a","cursor_pos":1,"code":"","cursor_pos":"x"})");
  std::string header = header_of(peer);
  header.back() = ',';
  peer.send(Channel::shell, peer.sign({header + R"("msg_type":"is_complete_request"})", "{}", "{}", R"({"code":""})"}));
  expect_no_harm(trial, peer);
}

const std::vector<std::string>& odd_numbers() {
  static const std::vector<std::string> numbers{
      "-1",  "1.5",  "-0.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616",
      "1e6", "1e30", "1e-9", "2147483648"};
  return numbers;
}

void cursor_numbers(Trial& trial) {
  RawPeer peer(trial);
  for (const std::string& number : odd_numbers()) {
    send_raw(peer, "complete_request", R"({"code":"abc","cursor_pos":)" + number + "}");
    send_raw(peer, "inspect_request", R"({"code":"abc","detail_level":0,"cursor_pos":)" + number + "}");
    send_raw(peer, "inspect_request", R"({"code":"abc","cursor_pos":0,"detail_level":)" + number + "}");
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

void history_numbers(Trial& trial) {
  RawPeer peer(trial);
  for (const std::string& number : odd_numbers()) {
    const std::string start = R"({"output":false,"raw":true,"hist_access_type":)";
    send_raw(peer, "history_request", start + R"("tail","n":)" + number + "}");
    send_raw(peer, "history_request", start + R"("search","pattern":"*","n":)" + number + "}");
    send_raw(peer, "history_request", start + R"("range","session":)" + number + R"(,"start":0,"stop":1})");
    send_raw(peer, "history_request", start + R"("range","session":0,"start":)" + number + R"(,"stop":)" + number + "}");
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

// ---- wrong types ----

/// A right content of each request that anybody may send at any time, and that changes nothing.
const std::map<std::string, Json>& right_contents() {
  static const std::map<std::string, Json> contents{
      {"execute_request", execute_content("")},
      {"complete_request", {{"code", "a"}, {"cursor_pos", 1}}},
      {"inspect_request", {{"code", "a"}, {"cursor_pos", 1}, {"detail_level", 0}}},
      {"history_request",
       {{"output", false},
        {"raw", true},
        {"hist_access_type", "range"},
        {"session", 0},
        {"start", 0},
        {"stop", 1},
        {"n", 1},
        {"pattern", "*"},
        {"unique", false}}},
      {"is_complete_request", {{"code", "a"}}},
      {"comm_info_request", {{"target_name", "a"}}},
      {"comm_open", {{"comm_id", "1"}, {"target_name", "none"}, {"target_module", nullptr}, {"data", Json::object()}}},
      {"comm_msg", {{"comm_id", "1"}, {"data", Json::object()}}},
      {"comm_close", {{"comm_id", "1"}, {"data", Json::object()}}}};
  return contents;
}

/// Every field of this request holds every kind of JSON in turn.
void send_types(RawPeer& peer, const char* type) {
  for (const auto& field : right_contents().at(type).items()) {
    for (const auto& value : wrong_values()) {
      Json content = right_contents().at(type);
      content[field.key()] = value;
      send_raw(peer, type, content.dump());
    }
    peer.now(std::string(type) + " with wrong values of " + field.key());
    peer.fence(Channel::shell);
  }
}

void survives_types(Trial& trial, const std::vector<const char*>& types) {
  RawPeer peer(trial);
  for (const char* type : types) send_types(peer, type);
  trial.expect_alive();
}

void execute_types(Trial& trial) { survives_types(trial, {"execute_request"}); }
void complete_types(Trial& trial) { survives_types(trial, {"complete_request", "is_complete_request"}); }
void inspect_types(Trial& trial) { survives_types(trial, {"inspect_request"}); }
void history_types(Trial& trial) { survives_types(trial, {"history_request"}); }
void comm_types(Trial& trial) { survives_types(trial, {"comm_info_request", "comm_open", "comm_msg", "comm_close"}); }

void header_types(Trial& trial) {
  RawPeer peer(trial);
  for (const char* field : {"msg_id", "session", "username", "date", "msg_type", "version", "subshell_id"}) {
    for (const auto& value : wrong_values()) {
      peer.now(std::string("header.") + field + " = " + value.dump());
      Json header = Json::parse(header_of(peer));
      header[field] = value;
      const Frames frames = peer.sign({header.dump(), "{}", "{}", "{}"});
      peer.send(Channel::shell, frames);
      peer.send(Channel::control, frames);
    }
    Json header = Json::parse(header_of(peer));
    header.erase(field);
    peer.send(Channel::shell, peer.sign({header.dump(), "{}", "{}", "{}"}));
    peer.fence();
  }
  trial.expect_alive();
}

void metadata_types(Trial& trial) {
  RawPeer peer(trial);
  for (const auto& value : wrong_values()) {
    const Json metadata{{"cellId", value}, {"deletedCells", value}, {"recordTiming", value}, {"trusted", value}};
    const std::string header = header_of(peer, "execute_request");
    peer.now("metadata " + metadata.dump());
    peer.send(Channel::shell, peer.sign({header, metadata.dump(), metadata.dump(), execute_content("").dump()}));
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

void missing(Trial& trial) {
  RawPeer peer(trial);
  for (const auto& [type, right] : right_contents()) {
    for (const auto& field : right.items()) {
      Json content = right;
      content.erase(field.key());
      send_raw(peer, type.c_str(), content.dump());
    }
    send_raw(peer, type.c_str(), "{}");
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

void missing_answered(Trial& trial) {
  RawPeer peer(trial);
  const std::string execute = peer.request(Channel::shell, "execute_request", Json::object());
  const std::string complete = peer.request(Channel::shell, "complete_request", Json::object());
  peer.fence(Channel::shell);
  for (const auto& [what, id] : {std::pair{"execute_request", execute}, {"complete_request", complete}}) {
    const Message* const reply = peer.reply(id);
    trial.check(reply != nullptr, std::string(what) + " without code is not answered");
    if (reply == nullptr || what != "execute_request"s) continue;
    trial.check(testing::text_of(reply->content, "status") == "error",
                std::string(what) + " without code is answered with " + reply->content.dump());
  }
  trial.expect_alive();
}

void unknown_fields(Trial& trial) {
  const Json odd{{"", wrong_values()}, {"__class__", "x"}, {"self", 1}, {"parent", {}}, {"stream", {}}, {"ident", "x"}};
  RawPeer peer(trial);
  for (const auto& [type, right] : right_contents()) {
    Json content = right;
    content.update(odd);
    Json header = Json::parse(header_of(peer, type.c_str()));
    header.update(odd);
    peer.now(type + " with unknown fields");
    peer.send(Channel::shell, peer.sign({header.dump(), odd.dump(), odd.dump(), content.dump()}));
    peer.fence(Channel::shell);
  }
  trial.expect_alive();
}

// ---- size ----

void many_keys(Trial& trial) {
  RawPeer peer(trial);
  std::string object = "{";
  for (int i = 0; i < 100'000; ++i) object += "\"" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  object += "\"last\":0}";
  for (std::size_t index = 1; index < 4; ++index) {
    std::array<std::string, 4> parts{header_of(peer), "{}", "{}", "{}"};
    parts.at(index) = object;
    peer.send(Channel::shell, peer.sign(parts));
  }
  expect_no_harm(trial, peer);
}

void large_code(Trial& trial) {
  RawPeer peer(trial);
  const std::string code = R"({"code":")" + std::string(k_megabyte, ' ') + '"';
  send_raw(peer, "execute_request", code + k_flags);
  for (const char* type : {"complete_request", "inspect_request", "is_complete_request"})
    send_raw(peer, type, code + R"(,"cursor_pos":0,"detail_level":0})");
  expect_no_harm(trial, peer);
}

void escapes(Trial& trial) {
  RawPeer peer(trial);
  std::string text = R"({"ignored":")";
  for (std::size_t i = 0; i < k_megabyte; ++i) text += R"(\u0041)";
  send_raw(peer, "kernel_info_request", text + "\"}");
  expect_no_harm(trial, peer);
}

constexpr std::string_view k_wire = "Robustness; Messaging, The Wire Protocol";
constexpr std::string_view k_alive = "any but harm: dropped, answered, or only busy and idle; the kernel serves as before";
constexpr std::string_view k_every = "puts each in place of header, parent_header, metadata and content of signed requests";
constexpr std::string_view k_types = "puts every kind of JSON into every field";

}  // namespace

std::vector<Case> abuse_json_cases() {
  return {
      {"abuse.json.not-object", k_wire, Level::must, "A kernel survives a signed frame that is JSON and no object.",
       k_every, k_alive, not_object},
      {"abuse.json.broken", k_wire, Level::must, "A kernel survives a signed frame that is no JSON.", k_every, k_alive,
       broken},
      {"abuse.json.around", k_wire, Level::must,
       "A kernel survives byte order marks and white space around the object of a frame.", k_every, k_alive, around},
      {"abuse.json.not-numbers", k_wire, Level::must,
       "A kernel survives NaN, Infinity and other numbers that JSON does not have.", k_every, k_alive, not_numbers},
      {"abuse.json.utf8", k_wire, Level::must, "A kernel survives frames that are not UTF-8.", k_every, k_alive, bad_utf8},
      {"abuse.json.deep", k_wire, Level::must, "A kernel survives any nesting of arrays and objects.",
       "nests 300, 5000 and 100000 of them in every frame of signed requests", k_alive, deep},
      {"abuse.json.surrogates", k_wire, Level::must, "A kernel survives half of a surrogate pair, as JavaScript sends it.",
       "puts lone surrogates into the code of execute, complete, inspect and is_complete requests", k_alive, surrogates},
      {"abuse.json.nul", k_wire, Level::must, "A kernel survives U+0000 in texts.",
       "puts it into codes, comm ids and target names", k_alive, nul},
      {"abuse.json.duplicate-keys", k_wire, Level::must, "A kernel survives a key that comes twice in an object.",
       "sends requests with two codes, and with two msg_types", k_alive, duplicate_keys},
      {"abuse.json.numbers.cursor", "Robustness; Messaging, Completion", Level::must,
       "A kernel survives any number as cursor_pos and detail_level.",
       "sends negative, fractional and huge ones in complete_request and inspect_request", k_alive, cursor_numbers},
      {"abuse.json.numbers.history", "Robustness; Messaging, History", Level::must,
       "A kernel survives any number as n, session, start and stop.",
       "sends negative, fractional and huge ones in history_request", k_alive, history_numbers},
      {"abuse.json.types.execute", "Robustness; Messaging, Execute", Level::must,
       "A kernel survives execute_requests of wrong types.", k_types, k_alive, execute_types},
      {"abuse.json.types.complete", "Robustness; Messaging, Completion", Level::must,
       "A kernel survives complete_requests and is_complete_requests of wrong types.", k_types, k_alive, complete_types},
      {"abuse.json.types.inspect", "Robustness; Messaging, Introspection", Level::must,
       "A kernel survives inspect_requests of wrong types.", k_types, k_alive, inspect_types},
      {"abuse.json.types.history", "Robustness; Messaging, History", Level::must,
       "A kernel survives history_requests of wrong types.", k_types, k_alive, history_types},
      {"abuse.json.types.comm", "Robustness; Messaging, Custom Messages", Level::must,
       "A kernel survives comm messages of wrong types.", k_types, k_alive, comm_types},
      {"abuse.json.types.header", "Robustness; Messaging, Message header", Level::must,
       "A kernel survives headers of wrong types, and such that lack fields.",
       "puts every kind of JSON into every field of signed headers, and leaves each out", k_alive, header_types},
      {"abuse.json.types.metadata", "Robustness; Messaging, Metadata", Level::must,
       "A kernel survives metadata of wrong types.",
       "puts every kind of JSON into the fields that clients send, of metadata and parent_header", k_alive, metadata_types},
      {"abuse.json.missing", k_wire, Level::must, "A kernel survives requests that lack fields.",
       "leaves each field out of each request, and all of them", k_alive, missing},
      {"abuse.json.missing.answered", "Messaging, Request-Reply", Level::should,
       "A request that cannot be handled, because its code is missing, is answered, so that its client does not wait for "
       "ever.",
       "sends execute_request and complete_request without content", "a reply to each; execute_reply has the status error",
       missing_answered},
      {"abuse.json.unknown-fields", "Messaging, General Message Format", Level::must,
       "A kernel survives fields that it does not know.", "adds some to all frames of every request", k_alive,
       unknown_fields},
      {"abuse.json.large.keys", k_wire, Level::must, "A kernel survives objects of many keys.",
       "sends 100000 keys in parent_header, metadata and content", k_alive, many_keys},
      {"abuse.json.large.code", "Robustness; Messaging, Execute", Level::must, "A kernel survives a code of a megabyte.",
       "sends a megabyte of white space in execute, complete, inspect and is_complete requests", k_alive, large_code},
      {"abuse.json.large.escapes", k_wire, Level::must, "A kernel survives a long text of escapes.",
       "sends a million of \\u0041 in one text", k_alive, escapes},
  };
}

}  // namespace adrastea::conformance
