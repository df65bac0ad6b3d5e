// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "trial.hpp"

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What several groups of cases look at.
namespace adrastea::conformance {

/// The text/plain of a message with a mime bundle, its lines joined where it is a list; empty without any.
[[nodiscard]] std::string plain_text(const Message& message);

/// The number of a cell. NotApplicable when it has none, or when execute_input and reply say different ones.
[[nodiscard]] std::int64_t count_of(const Exchange& cell);

/// Where a text was published in full: the number of the message, and how much of its stream came before.
struct Place {
  std::size_t message;
  std::size_t offset;
  auto operator<=>(const Place&) const = default;
};

/// Of the first time that a text comes, in the streams (each searched as one text) or in any output but execute_input.
[[nodiscard]] std::optional<Place> place_in_streams(const Exchange& cell, std::string_view text);
[[nodiscard]] std::optional<Place> place_of(const Exchange& cell, std::string_view text);

/// Ends the case unless all came, and notes a finding unless they came in this order.
void check_order(Trial& trial, const Exchange& cell, const std::vector<std::string>& texts);

/// A finding's text: long ones are cut.
[[nodiscard]] std::string quote(const std::string& text);

/// The object under a key, or an empty one: whatever a kernel sent there instead, asking for it never throws.
[[nodiscard]] Json object_of(const Json& object, std::string_view key);

/// Notes a finding when the reply's status is another.
void check_status(Trial& trial, const Exchange& exchange, const std::string& status);

/// A line that a cell printed; some languages print no newline.
[[nodiscard]] bool is_line(const std::string& printed, const std::string& line);

/// What was sent before, on any channel, has reached the kernel's process, as well as can be known while a cell runs.
void let_arrive(Trial& trial);

}  // namespace adrastea::conformance
