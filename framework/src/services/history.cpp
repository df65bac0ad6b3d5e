// SPDX-License-Identifier: BSD-3-Clause
#include "services/history.hpp"

#include "services/glob.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <unordered_set>
#include <utility>

namespace adrastea::services {
namespace {

constexpr std::int64_t k_only_session = 1;
constexpr std::chrono::seconds k_search_time{2};
// What of this session stays in memory although the store has it.
constexpr std::size_t k_recent_lines = 1000;
constexpr std::size_t k_recent_bytes = std::size_t{4} << 20;

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

/// The lines of a reply, as long as there is room for them.
class Chosen {
 public:
  explicit Chosen(std::size_t max_bytes) : room_(max_bytes) {}
  /// False: there is no more room.
  bool add(const HistoryLine& line) {
    const std::size_t bytes = footprint(line);
    if (bytes > room_) return false;
    room_ -= bytes;
    lines_.push_back(line);
    return true;
  }
  [[nodiscard]] std::vector<HistoryLine>& lines() & { return lines_; }
  [[nodiscard]] std::vector<HistoryLine> lines() && { return std::move(lines_); }

 private:
  std::size_t room_;
  std::vector<HistoryLine> lines_;
};

/// Of a session whose latest line is `last`: from start to before stop. Both count from the end when they are negative, and
/// a stop of 0 is the end.
struct Part {
  Part(const Json& request, std::int64_t last)
      : start(integer(request, "start").value_or(0)), stop(integer(request, "stop").value_or(0)) {
    if (start < 0) start += last + 1;
    if (stop <= 0) stop += last + 1;
  }
  std::int64_t start;
  std::int64_t stop;
};

}  // namespace

void History::add(int execution_count, std::string input, std::optional<std::string> output) {
  own_.push_back({0, execution_count, std::move(input), std::move(output)});
  bytes_ += footprint(own_.back());
  while (bytes_ > max_bytes_) forget_oldest();
}

void History::forget_oldest() {
  bytes_ -= footprint(own_.front());
  own_.pop_front();
  forgot_ = true;
}

void History::save() {
  if (!store_ || !store_->save(own_)) return;
  while (own_.size() > 1 && (own_.size() > k_recent_lines || bytes_ > k_recent_bytes)) forget_oldest();
}

std::optional<std::chrono::nanoseconds> History::due() const {
  if (!store_) return std::nullopt;
  return store_->due(own_);
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
  if (session == 0 || session == number()) return own_range(request, with_output);
  Chosen chosen(max_bytes_);
  if (!store_) return {};
  const Part part(request, store_->last_line(session));
  store_->range(session, part.start, part.stop, with_output, [&](const HistoryLine& line) { return chosen.add(line); });
  return std::move(chosen).lines();
}

History::Lines History::own_range(const Json& request, bool with_output) {
  if (own_.empty()) return {};
  Chosen chosen(max_bytes_);
  bool fits = true;  // what does not fit ends the answer, wherever it was kept
  const auto add = [&](const HistoryLine& line) { return fits = fits && chosen.add(line); };
  const Part part(request, own_.back().line);
  const std::int64_t kept_from = own_.front().line;
  if (store_ && forgot_ && part.start < kept_from)
    store_->range(number(), part.start, std::min(part.stop, kept_from), with_output, add);
  const auto first_from = [&](std::int64_t number) {
    return std::partition_point(own_.begin(), own_.end(), [&](const HistoryLine& line) { return line.line < number; });
  };
  const auto end = first_from(part.stop);
  for (auto line = first_from(part.start); line < end && add(*line);) ++line;
  for (HistoryLine& line : chosen.lines()) line.session = number();
  return std::move(chosen).lines();
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
  Chosen chosen(max_bytes_);
  const auto deadline = std::chrono::steady_clock::now() + k_search_time;
  const auto visit = [&](const HistoryLine& line) {
    if (chosen.lines().size() >= most || std::chrono::steady_clock::now() > deadline) return false;
    return !is_wanted(line) || chosen.add(line);
  };
  const bool go_on = std::all_of(own_.rbegin(), own_.rend(), visit);
  for (HistoryLine& line : chosen.lines()) line.session = number();
  if (store_ && go_on)
    store_->before(own_.empty() ? std::numeric_limits<std::int64_t>::max() : own_.front().line, with_output, visit);
  std::reverse(chosen.lines().begin(), chosen.lines().end());
  return std::move(chosen).lines();
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
