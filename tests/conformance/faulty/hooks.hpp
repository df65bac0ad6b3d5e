// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "fault.hpp"

#include <initializer_list>
#include <string>

/// The words that the faults are written in.
namespace faulty {

// ---- which messages ----
[[nodiscard]] Test of_type(std::string type);
/// Whose parent is a request of this type.
[[nodiscard]] Test about(std::string request_type);
[[nodiscard]] Test on_channel(Channel channel);
/// A status of this state.
[[nodiscard]] Test is_state(std::string state);
/// A message that is about something that a user's cell did: stream, display_data, execute_result, error.
[[nodiscard]] Test is_output();
/// Whose content has this status.
[[nodiscard]] Test has_status(std::string status);
/// A comm_info_reply that lists something.
[[nodiscard]] bool has_comms(const Message& message);
[[nodiscard]] Test all_of(std::initializer_list<Test> tests);
/// The first message for which it holds, and no later one.
[[nodiscard]] Test without(Test test);

/// Whose parent is an execute_request whose content fits.
[[nodiscard]] Test of_cell(std::function<bool(const Json& request)> fits);
[[nodiscard]] Test silent();
/// Whose parent is an execute_request with this command in its code.
[[nodiscard]] Test with_command(std::string word);
/// The content of the request that a message is about, or {}.
[[nodiscard]] Json request_of(const Message& message);
/// Called for every request that comes in.
void remember_request(const Message& message);

// ---- what becomes of them ----
[[nodiscard]] HookMaker drop(Test test);
[[nodiscard]] HookMaker alter(Test test, Change change);
/// Sent again under a msg_id of its own.
[[nodiscard]] HookMaker repeat(Test test);
/// Followed by a message made of it.
[[nodiscard]] HookMaker follow(Test test, Change change);
/// Preceded by a message made of it.
[[nodiscard]] HookMaker precede(Test test, Change change);
/// Kept until `until` has gone by.
[[nodiscard]] HookMaker hold(Test test, Test until);
/// From the second on.
[[nodiscard]] HookMaker drop_later(Test test);

// ---- the end ----
/// Does not return while the kernel stays although it was asked to end.
void stay();

// ---- changes ----
[[nodiscard]] Change set(Part part, const char* field, Json value);
[[nodiscard]] Change erase(Part part, const char* field);
/// Becomes a message of another type.
void become(Message& message, const char* type, const Json& content);

}  // namespace faulty
