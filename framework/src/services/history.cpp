// SPDX-License-Identifier: BSD-3-Clause
#include "services/history.hpp"

#include "services/glob.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace adrastea::services {
namespace {

constexpr std::int64_t k_session = 1;

/// An integer field; clients also send floats. Nothing when it is absent, null or no number.
std::optional<std::int64_t> integer(const Json& request, const char* name) {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  constexpr double safe = 9e18;
  const auto field = request.find(name);
  if (field == request.end() || !field->is_number()) return std::nullopt;
  if (field->is_number_float()) return static_cast<std::int64_t>(std::clamp(field->get<double>(), -safe, safe));
  if (field->is_number_unsigned() && field->get<std::uint64_t>() > static_cast<std::uint64_t>(largest)) return largest;
  return field->get<std::int64_t>();
}

bool flag(const Json& request, const char* name) {
  const auto field = request.find(name);
  return field != request.end() && field->is_boolean() && field->get<bool>();
}

std::string text(const Json& request, const char* name, const char* otherwise) {
  const auto field = request.find(name);
  return field != request.end() && field->is_string() ? field->get<std::string>() : otherwise;
}

/// How many entries tail and search may give: n, everything when it is absent, nothing when it is negative.
std::size_t most(const Json& request) {
  const std::optional<std::int64_t> n = integer(request, "n");
  return n ? static_cast<std::size_t>(std::max<std::int64_t>(*n, 0)) : std::numeric_limits<std::size_t>::max();
}

}  // namespace

std::size_t History::footprint(const Entry& entry) noexcept {
  return sizeof(Entry) + entry.input.size() + (entry.output ? entry.output->size() : 0);
}

void History::add(int execution_count, std::string input, std::optional<std::string> output) {
  entries_.push_back({execution_count, std::move(input), std::move(output)});
  bytes_ += footprint(entries_.back());
  while (bytes_ > max_bytes_) {
    bytes_ -= footprint(entries_.front());
    entries_.pop_front();
  }
}

History::Chosen History::range(const Json& request) const {
  Chosen chosen;
  const std::int64_t session = integer(request, "session").value_or(0);
  if (entries_.empty() || (session != 0 && session != k_session)) return chosen;
  const std::int64_t end = std::int64_t{entries_.back().line} + 1;
  std::int64_t start = integer(request, "start").value_or(0);
  std::int64_t stop = integer(request, "stop").value_or(0);
  if (start < 0) start += end;
  if (stop == 0) stop = end;
  if (stop < 0) stop += end;
  for (const Entry& entry : entries_) {
    if (entry.line >= start && entry.line < stop) chosen.push_back(&entry);
  }
  return chosen;
}

History::Chosen History::tail(const Json& request) const {
  Chosen chosen;
  const std::size_t count = std::min(most(request), entries_.size());
  for (std::size_t i = entries_.size() - count; i < entries_.size(); ++i) chosen.push_back(&entries_[i]);
  return chosen;
}

History::Chosen History::search(const Json& request) const {
  Chosen chosen;
  const Glob glob{text(request, "pattern", "*")};
  const std::size_t count = most(request);
  const bool unique = flag(request, "unique");
  std::unordered_set<std::string_view> seen;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && chosen.size() < count; ++entry) {
    if (glob.matches(entry->input) && (!unique || seen.insert(entry->input).second)) chosen.push_back(&*entry);
  }
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

Json History::reply(const Json& request_content) const {
  const Json& request = request_content;
  const std::string type = text(request, "hist_access_type", "");
  Chosen chosen;
  if (type == "range") chosen = range(request);
  if (type == "tail") chosen = tail(request);
  if (type == "search") chosen = search(request);
  const bool with_output = flag(request, "output");
  Json history = Json::array();
  for (const Entry* entry : chosen) {
    Json shown = entry->input;
    if (with_output) {
      Json output = entry->output ? Json(*entry->output) : Json(nullptr);
      shown = Json::array({std::move(shown), std::move(output)});
    }
    history.push_back(Json::array({k_session, entry->line, std::move(shown)}));
  }
  return {{"status", "ok"}, {"history", std::move(history)}};
}

}  // namespace adrastea::services
