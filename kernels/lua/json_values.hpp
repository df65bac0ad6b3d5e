// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/messages.hpp>

#include <lua.hpp>

namespace lua_kernel {

/// Lua values as JSON, and back.
///
/// A table whose keys are 1…n is an array, one with string keys an object, an empty one an object unless it went through
/// jupyter.array. Tables are read raw: no metamethod runs. NaN and the infinities become null, which JSON has instead.
///
/// Threads: interpreter.

/// The value at `index`. Lua errors never leave it.
/// Errors: std::invalid_argument that says where in the value and why, for what JSON cannot hold: functions, coroutines,
///   userdata, keys of other kinds, mixed and sparse tables, cycles, text that is not UTF-8; nesting and sizes beyond
///   any use. adrastea::Interrupted when it is stopped meanwhile. std::bad_alloc.
adrastea::Json json_of(lua_State* L, int index);

/// As json_of, for what the protocol wants to be an object: also nil, which is an empty one.
adrastea::Json json_object_of(lua_State* L, int index);

/// Pushes the value. null becomes jupyter.null, so that it keeps its place in a table; an array is remembered as one.
/// May raise for want of memory: call it protected, and let `json` be owned outside of Lua's frames.
void push_json(lua_State* L, const adrastea::Json& json);

/// Pushes jupyter.null: the null pointer, as other JSON libraries for Lua have it.
void push_json_null(lua_State* L);

/// jupyter.array(table): a table, a new one by default, that is an array even when it is empty.
int json_array(lua_State* L);

/// Once per state, before the others. May raise.
void prepare_json(lua_State* L);

}  // namespace lua_kernel
