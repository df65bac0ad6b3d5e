// SPDX-License-Identifier: BSD-3-Clause
#include "comms.hpp"

#include "attempt.hpp"
#include "json_values.hpp"
#include "options.hpp"
#include "raw_access.hpp"
#include "session.hpp"

#include <adrastea/errors.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lua_kernel {
namespace {

using adrastea::Comm;
using adrastea::CommMessage;

constexpr const char* type_name = "jupyter.Comm";

/// Keys of tables in the registry: comm id → {the comm, its handlers}, and target name → function.
char comms_key = 0;
char targets_key = 0;

void push_registered(lua_State* L, char* key) {
  lua_pushlightuserdata(L, key);
  lua_rawget(L, LUA_REGISTRYINDEX);
}

void make_registered(lua_State* L, char* key) {
  lua_pushlightuserdata(L, key);
  lua_newtable(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

// --- messages ------------------------------------------------------------------------------------

/// Reads data, metadata and buffers, the arguments from `first` on. Throws; `argument` tells then which of them was wrong.
CommMessage message_of_arguments(lua_State* L, int first, int& argument) {
  CommMessage message;
  argument = first;
  message.data = json_object_of(L, argument);
  ++argument;
  message.metadata = json_object_of(L, argument);
  ++argument;
  if (lua_isnoneornil(L, argument)) return message;
  if (!lua_istable(L, argument)) throw std::invalid_argument("a list of strings expected");
  const auto count = static_cast<lua_Integer>(lua_rawlen(L, argument));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, argument, i);
    if (lua_type(L, -1) != LUA_TSTRING) throw std::invalid_argument("buffer " + std::to_string(i) + " is no string");
    message.buffers.emplace_back(text_at(L, -1));
    lua_pop(L, 1);
  }
  return message;
}

/// Pushes {data =, metadata =, buffers =}; of the buffers only Lua's copy is kept. May raise.
void push_message(lua_State* L, CommMessage& message) {
  luaL_checkstack(L, 4, nullptr);
  lua_newtable(L);
  push_json(L, message.data);
  lua_setfield(L, -2, "data");
  push_json(L, message.metadata);
  lua_setfield(L, -2, "metadata");
  lua_newtable(L);
  for (std::size_t i = 0; i < message.buffers.size(); ++i) {
    lua_pushlstring(L, message.buffers[i].data(), message.buffers[i].size());
    lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    std::string().swap(message.buffers[i]);
  }
  lua_setfield(L, -2, "buffers");
}

// --- the comms that Lua knows --------------------------------------------------------------------

/// Pushes a new comm, and remembers it.
void push_new_comm(lua_State* L, std::string_view id, std::string_view target) {
  luaL_checkstack(L, 6, nullptr);
  lua_newtable(L);
  luaL_setmetatable(L, type_name);
  lua_pushlstring(L, target.data(), target.size());
  lua_setfield(L, -2, "target");
  push_registered(L, &comms_key);
  lua_pushlstring(L, id.data(), id.size());
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "id");
  lua_newtable(L);
  lua_pushvalue(L, -4);
  lua_setfield(L, -2, "comm");
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/// Pushes what is remembered of the comm with this id; nil once it is closed.
void push_record(lua_State* L, std::string_view id) {
  push_registered(L, &comms_key);
  lua_pushlstring(L, id.data(), id.size());
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

void forget(lua_State* L, std::string_view id) {
  push_registered(L, &comms_key);
  lua_pushlstring(L, id.data(), id.size());
  lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/// The id of the comm that is the first of so many arguments; it is left behind them on the stack.
std::string_view check_comm(lua_State* L, int arguments) {
  lua_settop(L, arguments);
  luaL_checkstack(L, 8, nullptr);
  bool is_comm = false;
  if (lua_istable(L, 1) && lua_getmetatable(L, 1) != 0) {
    luaL_getmetatable(L, type_name);
    is_comm = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
  }
  if (!is_comm) type_error(L, 1, type_name);
  lua_pushliteral(L, "id");
  lua_rawget(L, 1);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, 1, "the comm has lost its id");
  return text_at(L, -1);
}

// --- what clients send ---------------------------------------------------------------------------

/// One event of a comm, on its way to Lua.
struct Event {
  enum class Kind { opened, message, closed };
  Kind kind;
  const Comm& comm;
  CommMessage& message;
};

const char* field_of(Event::Kind kind) { return kind == Event::Kind::closed ? "on_close" : "on_message"; }

/// Called protected with an Event: calls the handler in Lua, where there is one.
int handle_event(lua_State* L) {
  const Event& event = *static_cast<const Event*>(lua_touserdata(L, 1));
  const std::string& id = event.comm.comm_id();
  if (event.kind == Event::Kind::opened) {
    push_registered(L, &targets_key);
    lua_pushlstring(L, event.comm.target_name().data(), event.comm.target_name().size());
    lua_rawget(L, -2);
    push_new_comm(L, id, event.comm.target_name());
  } else {
    push_record(L, id);
    if (lua_isnil(L, -1)) return 0;
    lua_getfield(L, -1, field_of(event.kind));
    lua_getfield(L, -2, "comm");
    if (event.kind == Event::Kind::closed) forget(L, id);
    if (lua_isnil(L, -2)) return 0;
  }
  push_message(L, event.message);
  lua_call(L, 2, 0);
  return 0;
}

int forget_event(lua_State* L) {
  forget(L, static_cast<const Event*>(lua_touserdata(L, 1))->comm.comm_id());
  return 0;
}

/// Throws when the handler fails: then the framework knows.
void deliver(const std::weak_ptr<Session>& to, const Event& event) {
  const auto session = to.lock();
  if (!session) return;
  session->frontend().enter_request();
  Outcome outcome = session->run_handler(handle_event, &event);
  if (!outcome.failed) return;
  // A comm whose target fails is closed by the framework.
  if (event.kind == Event::Kind::opened) static_cast<void>(session->run_handler(forget_event, &event));
  std::string text;
  for (const std::string& line : outcome.traceback) text += line + "\n";
  session->frontend().write_stderr(text);
  throw adrastea::ExecutionError(std::move(outcome.ename), std::move(outcome.evalue), std::move(outcome.traceback));
}

void connect(Comm& comm, const std::weak_ptr<Session>& session) {
  comm.on_message([session](Comm& self, CommMessage message) { deliver(session, {Event::Kind::message, self, message}); });
  comm.on_close([session](Comm& self, CommMessage message) { deliver(session, {Event::Kind::closed, self, message}); });
}

// --- jupyter.comm --------------------------------------------------------------------------------

int comm_open(lua_State* L) {
  const std::string_view target = check_text(L, 1, 1);
  lua_settop(L, 4);
  luaL_checkstack(L, 8, nullptr);
  Session& session = Session::of(L);
  std::string& id = session.jupyter().text_to_push();
  int argument = 0;
  const Failure failure = attempt(L, [&] {
    CommMessage message = message_of_arguments(L, 2, argument);
    argument = 0;
    session.streams().flush();
    const auto comm = session.frontend().comms().open(std::string(target), std::move(message));
    connect(*comm, session.reference());
    id = comm->comm_id();
  });
  if (failure) return failure.raise(L, argument);
  push_new_comm(L, id, target);
  return 1;
}

int comm_register(lua_State* L) {
  const std::string_view name = check_text(L, 1, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  push_registered(L, &targets_key);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  Session& session = Session::of(L);
  const Failure failure = attempt(L, [&] {
    session.frontend().comms().register_target(
        std::string(name), [to = session.reference()](const std::shared_ptr<Comm>& comm, CommMessage message) {
          connect(*comm, to);
          deliver(to, {Event::Kind::opened, *comm, message});
        });
  });
  return failure ? failure.raise(L) : 0;
}

int comm_unregister(lua_State* L) {
  const std::string_view name = check_text(L, 1, 1);
  push_registered(L, &targets_key);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_rawset(L, -3);
  Session& session = Session::of(L);
  const Failure failure = attempt(L, [&] { session.frontend().comms().unregister_target(name); });
  return failure ? failure.raise(L) : 0;
}

int comm_send(lua_State* L) {
  const std::string_view id = check_comm(L, 4);
  Session& session = Session::of(L);
  int argument = 0;
  const Failure failure = attempt(L, [&] {
    const auto comm = session.frontend().comms().find(id);
    if (!comm) throw std::logic_error("the comm is closed");
    CommMessage message = message_of_arguments(L, 2, argument);
    argument = 0;
    session.streams().flush();
    comm->send(std::move(message));
  });
  return failure ? failure.raise(L, argument) : 0;
}

int comm_close(lua_State* L) {
  const std::string_view id = check_comm(L, 4);
  Session& session = Session::of(L);
  int argument = 0;
  const Failure failure = attempt(L, [&] {
    CommMessage message = message_of_arguments(L, 2, argument);
    argument = 0;
    session.streams().flush();
    if (const auto comm = session.frontend().comms().find(id)) comm->close(std::move(message));
  });
  if (failure) return failure.raise(L, argument);
  forget(L, id);
  return 0;
}

int set_handler(lua_State* L, const char* field) {
  const std::string_view id = check_comm(L, 2);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  push_record(L, id);
  if (lua_isnil(L, -1)) return luaL_error(L, "the comm is closed");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, field);
  lua_settop(L, 1);
  return 1;
}

int comm_on_message(lua_State* L) { return set_handler(L, field_of(Event::Kind::message)); }
int comm_on_close(lua_State* L) { return set_handler(L, field_of(Event::Kind::closed)); }

int comm_tostring(lua_State* L) {
  check_comm(L, 1);
  lua_getfield(L, 1, "target");
  luaL_tolstring(L, -1, nullptr);
  lua_pushfstring(L, "%s: %s (%s)", type_name, lua_tostring(L, -1), lua_tostring(L, 2));
  return 1;
}

}  // namespace

void install_comms(lua_State* L) {
  constexpr luaL_Reg methods[] = {{"send", comm_send},
                                  {"close", comm_close},
                                  {"on_message", comm_on_message},
                                  {"on_close", comm_on_close},
                                  {nullptr, nullptr}};
  constexpr luaL_Reg functions[] = {
      {"open", comm_open}, {"register", comm_register}, {"unregister", comm_unregister}, {nullptr, nullptr}};
  make_registered(L, &comms_key);
  make_registered(L, &targets_key);
  luaL_newmetatable(L, type_name);
  lua_pushcfunction(L, comm_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, "comm");
}

}  // namespace lua_kernel
