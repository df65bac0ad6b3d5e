// SPDX-License-Identifier: BSD-3-Clause
// Measures kernels, in turn within one run, and writes every value as JSON on stdout; report.py makes tables of it.
//
//   adrastea-bench [--rounds N] [--only GLOB] [--quick | --full] NAME:LANGUAGE=COMMAND…
//   adrastea-bench --list
//
// The first subject is what the others are compared with. What happens is told on stderr.
#include "bench/scenario.hpp"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <sstream>
#include <stdexcept>

namespace {

using namespace adrastea::bench;
using adrastea::testing::Json;

struct Arguments {
  int rounds = 5;
  std::string only = "*";
  Extent extent = Extent::usual;
  std::vector<Subject> subjects;
};

Subject parse_subject(const std::string& text) {
  const auto equals = text.find('=');
  const auto colon = text.find(':');
  if (equals == std::string::npos || colon > equals)
    throw std::runtime_error("expected NAME:LANGUAGE=COMMAND, got " + text);
  Subject subject;
  subject.name = text.substr(0, colon);
  subject.language = &language(text.substr(colon + 1, equals - colon - 1));
  std::istringstream words(text.substr(equals + 1));
  words >> subject.program;
  for (std::string word; words >> word;) subject.prefix.push_back(word);
  return subject;
}

int parse_rounds(std::string_view text) {
  int rounds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rounds);
  if (error != std::errc() || end != text.data() + text.size() || rounds < 1)
    throw std::runtime_error("--rounds wants a number from 1 on, not " + std::string(text));
  return rounds;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool last = i + 1 == argc;
    if (word == "--rounds" && !last)
      arguments.rounds = parse_rounds(argv[++i]);
    else if (word == "--only" && !last)
      arguments.only = argv[++i];
    else if (word == "--quick")
      arguments.extent = Extent::quick;
    else if (word == "--full")
      arguments.extent = Extent::full;
    else
      arguments.subjects.push_back(parse_subject(word));
  }
  if (arguments.subjects.empty())
    throw std::runtime_error(
        "usage: adrastea-bench [--rounds N] [--only GLOB] [--quick | --full] NAME:LANGUAGE=COMMAND...");
  return arguments;
}

bool chosen(const Scenario& scenario, const std::string& glob) {
  return ::fnmatch(glob.c_str(), scenario.id.c_str(), 0) == 0;
}

Json to_json(const Target& target, const Figure& figure) {
  constexpr std::array<const char*, 3> names{"ratio", "difference", "absolute"};
  return {{"subject", target.subject},
          {"limit", target.limit},
          {"compared", names.at(static_cast<std::size_t>(target.compared))},
          {"with_subject", target.with_subject},
          {"with_figure", target.with_figure.empty() ? figure.id : target.with_figure}};
}

Json to_json(const Figure& figure) {
  Json targets = Json::array();
  for (const Target& target : figure.targets) targets.push_back(to_json(target, figure));
  return {{"id", figure.id},           {"title", figure.title},
          {"unit", figure.unit},       {"more_is_better", figure.more_is_better},
          {"series", figure.series},   {"size", figure.size},
          {"targets", targets},        {"values", Json::object()},
          {"failures", Json::object()}};
}

/// All rounds of one scenario, the subjects in turn; each round begins with another, so that none always follows the same.
Json measure(const Scenario& scenario, const Arguments& arguments) {
  Json rows = Json::array();
  for (const Figure& figure : scenario.figures) rows.push_back(to_json(figure));
  std::vector<std::unique_ptr<Stage>> stages;
  for (const Subject& subject : arguments.subjects) stages.push_back(std::make_unique<Stage>(subject, arguments.extent));
  const int rounds = std::min(arguments.rounds, scenario.most_rounds);
  for (int round = 0; round < rounds; ++round) {
    if (round > 0) std::rotate(stages.begin(), stages.begin() + 1, stages.end());
    for (auto& stage : stages) {
      if (!stage) continue;
      const std::string name = stage->subject().name;
      try {
        const auto values = scenario.measure(*stage);
        for (std::size_t i = 0; values && i < rows.size(); ++i)
          if (!std::isnan(values->at(i))) rows[i]["values"][name].push_back(values->at(i));
        if (!values) stage.reset();
      } catch (const std::exception& failure) {
        // The others go on; this one is out of the scenario, and the table says why.
        std::fprintf(stderr, "  %s: %s: %s\n", scenario.id.c_str(), name.c_str(), failure.what());
        for (auto& row : rows) row["failures"][name] = failure.what();
        stage.reset();
      }
    }
  }
  return rows;
}

/// Takes out those that do not start, and says why: each would be waited for in every scenario.
Json remove_dead(std::vector<Subject>& subjects) {
  Json reasons = Json::object();
  std::erase_if(subjects, [&](const Subject& subject) {
    if (subject.language->one.empty()) return false;
    try {
      const Running once(subject, adrastea::testing::Transport::ipc);
      return false;
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "  %s does not start: %s\n", subject.name.c_str(), failure.what());
      reasons[subject.name] = std::string("does not start: ") + failure.what();
      return true;
    }
  });
  return reasons;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2 && std::string_view(argv[1]) == "--list") {
      for (const Scenario& scenario : all_scenarios()) std::printf("%s\n", scenario.id.c_str());
      return 0;
    }
    Arguments arguments = parse(argc, argv);
    Scenarios scenarios = all_scenarios();
    std::erase_if(scenarios, [&](const Scenario& scenario) { return !chosen(scenario, arguments.only); });
    if (scenarios.empty()) throw std::runtime_error("no scenario is called " + arguments.only + "; --list names them");
    const Json not_started = remove_dead(arguments.subjects);
    Json figures = Json::array();
    for (const Scenario& scenario : scenarios) {
      const auto before = Clock::now();
      for (auto& row : measure(scenario, arguments)) figures.push_back(std::move(row));
      std::fprintf(stderr, "  %-40s %6.1f s\n", scenario.id.c_str(), seconds_since(before));
    }
    Json subjects = Json::array();
    for (const Subject& subject : arguments.subjects) subjects.push_back(subject.name);
    constexpr std::array<const char*, 3> extents{"quick", "usual", "full"};
    const Json result{{"subjects", subjects},
                      {"not_started", not_started},
                      {"rounds", arguments.rounds},
                      {"extent", extents.at(static_cast<std::size_t>(arguments.extent))},
                      {"figures", figures}};
    std::printf("%s\n", result.dump(1, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "adrastea-bench: %s\n", failure.what());
    return 1;
  }
}
