// SPDX-License-Identifier: BSD-3-Clause
#include "services/history.hpp"

#include "services/glob.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <unordered_set>
#include <utility>

namespace adrastea::services {
namespace {

constexpr std::int64_t k_only_session = 1;
constexpr std::chrono::seconds k_search_time{2};

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

std::size_t footprint(const HistoryLine& line) noexcept {
  return sizeof line + line.input.size() + (line.output ? line.output->size() : 0);
}

/// Of a session whose latest line is `last`: from start to before stop. Both count from the end when they are negative, and
/// a stop of 0 is the end.
struct Part {
  Part(const Json& request, std::int64_t last)
      : start(integer(request, "start").value_or(0)), stop(integer(request, "stop").value_or(0)) {
    if (start < 0) start += last + 1;
    if (stop <= 0) stop += last + 1;
  }
  [[nodiscard]] bool has(const HistoryLine& line) const noexcept { return line.line >= start && line.line < stop; }
  std::int64_t start;
  std::int64_t stop;
};

}  // namespace

void History::add(int execution_count, std::string input, std::optional<std::string> output) {
  own_.push_back({0, execution_count, std::move(input), std::move(output)});
  bytes_ += footprint(own_.back());
  while (bytes_ > max_bytes_) {
    bytes_ -= footprint(own_.front());
    own_.pop_front();
  }
}

void History::save() {
  if (store_) store_->save(own_);
}

void History::close() {
  if (store_) store_->close(own_);
}

std::int64_t History::number() const noexcept { return store_ ? store_->session().value_or(0) : k_only_session; }

History::Lines History::range(const Json& request, bool with_output) {
  std::int64_t session = integer(request, "session").value_or(0);
  if (session < 0) {
    const std::optional<std::int64_t> current = store_ ? store_->current_session() : std::nullopt;
    session += current.value_or(k_only_session);
    if (session <= 0) return {};
  }
  if (session == 0 || session == number()) return own_range(request);
  Lines chosen;
  if (!store_) return chosen;
  const Part part(request, store_->last_line(session));
  store_->range(session, with_output, [&](const HistoryLine& line) {
    if (part.has(line)) chosen.push_back(line);
    return line.line < part.stop;
  });
  return chosen;
}

History::Lines History::own_range(const Json& request) const {
  Lines chosen;
  if (own_.empty()) return chosen;
  const Part part(request, own_.back().line);
  std::copy_if(own_.begin(), own_.end(), std::back_inserter(chosen), [&](const auto& line) { return part.has(line); });
  for (HistoryLine& line : chosen) line.session = number();
  return chosen;
}

History::Lines History::search(const Json& request, bool with_output) {
  const Glob glob{text(request, "pattern", "*")};
  const bool unique = flag(request, "unique");
  std::unordered_set<std::string> seen;
  return latest(most(request), with_output, [&](const HistoryLine& line) {
    return glob.matches(line.input) && (!unique || seen.insert(line.input).second);
  });
}

/// The latest lines that are wanted, oldest first; those of this session are the last ones.
History::Lines History::latest(std::size_t most, bool with_output,
                               const std::function<bool(const HistoryLine&)>& is_wanted) {
  Lines chosen;
  std::size_t bytes = 0;
  const auto deadline = std::chrono::steady_clock::now() + k_search_time;
  const auto visit = [&](const HistoryLine& line) {
    if (chosen.size() >= most || std::chrono::steady_clock::now() > deadline) return false;
    if (!is_wanted(line)) return true;
    bytes += footprint(line);
    if (bytes > max_bytes_) return false;
    chosen.push_back(line);
    return true;
  };
  const bool go_on = std::all_of(own_.rbegin(), own_.rend(), visit);
  for (HistoryLine& line : chosen) line.session = number();
  if (store_ && go_on) store_->others(with_output, visit);
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

Json History::reply(const Json& request_content) {
  const Json& request = request_content;
  const std::string type = text(request, "hist_access_type", "");
  const bool with_output = flag(request, "output");
  Lines chosen;
  if (type == "range") chosen = range(request, with_output);
  if (type == "tail") chosen = latest(most(request), with_output, [](const HistoryLine&) { return true; });
  if (type == "search") chosen = search(request, with_output);
  Json history = Json::array();
  for (HistoryLine& line : chosen) {
    Json shown = std::move(line.input);
    if (with_output) {
      Json output = line.output ? Json(std::move(*line.output)) : Json(nullptr);
      shown = Json::array({std::move(shown), std::move(output)});
    }
    history.push_back(Json::array({line.session, line.line, std::move(shown)}));
  }
  return {{"status", "ok"}, {"history", std::move(history)}};
}

}  // namespace adrastea::services
