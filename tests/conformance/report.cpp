// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

namespace adrastea::conformance {
namespace {

using testing::Json;

constexpr std::array k_verdicts{Verdict::pass, Verdict::fail, Verdict::warning, Verdict::not_applicable, Verdict::error};

std::string seconds_text(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", seconds);
  return text.data();
}

bool counts(const Outcome& outcome) {
  return outcome.verdict != Verdict::pass && outcome.verdict != Verdict::not_applicable;
}

std::string indented(const std::string& text, const std::string& margin) {
  std::string made = margin;
  for (const char letter : text) {
    made += letter;
    if (letter == '\n') made += margin;
  }
  return made;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

std::string summary_line(const Report& report) {
  auto sum = report.count();
  if (!report.judged) return report.kernel + " could not be judged: it does not start, or does not answer";
  std::string line = report.kernel + (report.conforms() ? " conforms: " : " does NOT conform: ");
  for (const Verdict verdict : k_verdicts) {
    if (sum[verdict] > 0 || verdict == Verdict::pass || verdict == Verdict::fail)
      line += std::to_string(sum[verdict]) + " " + to_string(verdict) + ", ";
  }
  return line + std::to_string(report.messages) + " messages checked in " + seconds_text(report.seconds) + " s";
}

std::string escape_cell(const std::string& text) {
  std::string made;
  for (const char letter : as_utf8(text.substr(0, 300))) {
    if (letter == '|') made += '\\';
    made += letter == '\n' ? ' ' : letter;
  }
  return made;
}

Json to_json(const Outcome& outcome) {
  return {{"id", outcome.id},
          {"section", outcome.section},
          {"level", to_string(outcome.level)},
          {"requirement", outcome.requirement},
          {"action", outcome.action},
          {"legal", outcome.legal},
          {"launch", outcome.launch},
          {"round", outcome.round},
          {"verdict", to_string(outcome.verdict)},
          {"findings", outcome.findings},
          {"transcript", outcome.transcript},
          {"seconds", outcome.seconds}};
}

bool fails(const Outcome& outcome, bool strict) {
  return outcome.verdict == Verdict::fail || (strict && outcome.verdict == Verdict::warning);
}

struct JunitSums {
  int tests = 0;
  int failures = 0;
  int errors = 0;
  int skipped = 0;
  double seconds = 0;

  void add(const Outcome& outcome, bool strict) {
    ++tests;
    failures += fails(outcome, strict) ? 1 : 0;
    errors += outcome.verdict == Verdict::error ? 1 : 0;
    skipped += outcome.verdict == Verdict::not_applicable ? 1 : 0;
    seconds += outcome.seconds;
  }
  [[nodiscard]] std::string attributes() const {
    return " tests=\"" + std::to_string(tests) + "\" failures=\"" + std::to_string(failures) + "\" errors=\"" +
           std::to_string(errors) + "\" skipped=\"" + std::to_string(skipped) + "\" time=\"" + seconds_text(seconds) + "\"";
  }
};

std::string junit_case(const Outcome& outcome, bool strict) {
  std::string text = "    <testcase classname=\"" + escape_markup(outcome.launch) + "." +
                     escape_markup(outcome.id.substr(0, outcome.id.find('.'))) + "\" name=\"" + escape_markup(outcome.id) +
                     "\" time=\"" + seconds_text(outcome.seconds) + "\">";
  const std::string said = escape_markup(joined(outcome.findings));
  const std::string body = escape_markup(outcome.requirement) + "\n" + said + "\n" + escape_markup(outcome.transcript);
  if (fails(outcome, strict)) {
    text += "\n      <failure message=\"" + escape_markup(outcome.requirement) + "\">" + body + "</failure>";
  } else if (outcome.verdict == Verdict::error) {
    text += "\n      <error>" + body + "</error>";
  } else if (outcome.verdict == Verdict::not_applicable) {
    text += "\n      <skipped message=\"" + said + "\"/>";
  } else if (outcome.verdict == Verdict::warning) {
    text += "\n      <system-out>warning: " + body + "</system-out>";
  }
  return text + "\n    </testcase>\n";
}

constexpr std::string_view k_replacement = "\xef\xbf\xbd";

/// U+FFFE and U+FFFF are UTF-8 that XML has no way to write.
std::string without_noncharacters(std::string text) {
  for (const std::string_view odd : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {
    for (std::size_t at = text.find(odd); at != std::string::npos; at = text.find(odd, at))
      text.replace(at, odd.size(), k_replacement);
  }
  return text;
}

}  // namespace

std::string escape_markup(const std::string& text) {
  std::string made;
  for (const char letter : without_noncharacters(text)) {
    if (letter == '&') {
      made += "&amp;";
    } else if (letter == '<') {
      made += "&lt;";
    } else if (letter == '>') {
      made += "&gt;";
    } else if (letter == '"') {
      made += "&quot;";
    } else if (static_cast<unsigned char>(letter) >= 0x20 || letter == '\n' || letter == '\t') {
      made += letter;
    } else {
      made += k_replacement;  // XML has no way to write the others
    }
  }
  return made;
}

std::string text_report(const Report& report, bool colour) {
  const auto paint = [&](const char* code, const std::string& text) {
    return colour ? std::string("\33[") + code + "m" + text + "\33[0m" : text;
  };
  std::string text;
  for (const auto& outcome : report.outcomes) {
    if (!counts(outcome)) continue;
    text += paint(outcome.verdict == Verdict::warning ? "33" : "31", to_string(outcome.verdict)) + "  " +
            paint("1", outcome.id) + "  (" + outcome.launch +
            (outcome.round > 1 ? ", round " + std::to_string(outcome.round) : "") + ")\n";
    text += "    " + std::string(to_string(outcome.level)) + ": " + outcome.requirement + "  [" + outcome.section + "]\n";
    text += "    tried: " + outcome.action + "\n    legal: " + outcome.legal + "\n";
    for (const auto& finding : outcome.findings) text += indented("seen: " + finding, "    ") + "\n";
    if (!outcome.transcript.empty()) text += paint("2", indented(outcome.transcript, "      | ")) + "\n";
    text += "\n";
  }
  return text + paint(report.conforms() ? "32" : "31", summary_line(report)) + "\n";
}

std::string json_report(const Report& report) {
  Json outcomes = Json::array();
  for (const auto& outcome : report.outcomes) outcomes.push_back(to_json(outcome));
  Json sums = Json::object();
  for (const auto& [verdict, number] : report.count()) sums[to_string(verdict)] = number;
  const Json whole{{"tool", std::string("jupyter-conformance ") + ADRASTEA_VERSION},
                   {"kernel", report.kernel},
                   {"kernel_info", report.kernel_info},
                   {"strict", report.strict},
                   {"seed", report.seed},
                   {"seconds", report.seconds},
                   {"messages", report.messages},
                   {"counts", sums},
                   {"judged", report.judged},
                   {"conforms", report.conforms()},
                   {"outcomes", outcomes}};
  return whole.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string junit_report(const Report& report) {
  std::set<std::string> launches;
  for (const auto& outcome : report.outcomes) launches.insert(outcome.launch);
  std::string suites;
  JunitSums all;
  for (const auto& launch : launches) {
    std::string cases;
    JunitSums sums;
    for (const auto& outcome : report.outcomes) {
      if (outcome.launch != launch) continue;
      sums.add(outcome, report.strict);
      all.add(outcome, report.strict);
      cases += junit_case(outcome, report.strict);
    }
    suites += "  <testsuite name=\"" + escape_markup(report.kernel + " over " + launch) + "\"" + sums.attributes() + ">\n" +
              cases + "  </testsuite>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"jupyter-conformance\"" + all.attributes() + ">\n" +
         suites + "</testsuites>\n";
}

std::string markdown_report(const Report& report) {
  std::string text = "# " + report.kernel + "\n\n" + summary_line(report) + ".\n\n";
  text += "| case | | launch | verdict | |\n|---|---|---|---|---|\n";
  for (const auto& outcome : report.outcomes) {
    const std::string said = outcome.verdict == Verdict::pass ? outcome.requirement : joined(outcome.findings);
    const std::string verdict = to_string(outcome.verdict);
    text += "| `" + outcome.id + "` | " + to_string(outcome.level) + " | " + outcome.launch + " | " +
            (counts(outcome) ? "**" + verdict + "**" : verdict) + " | " + escape_cell(said) + " |\n";
  }
  return text;
}

namespace {

Json to_json(const Rule& rule) {
  return {{"id", rule.id},
          {"section", rule.section},
          {"level", to_string(rule.level)},
          {"requirement", rule.requirement},
          {"action", rule.action},
          {"legal", rule.legal}};
}

}  // namespace

std::string text_list(const std::vector<Rule>& rules) {
  std::string text;
  for (const auto& rule : rules) {
    text += rule.id + "\n    " + to_string(rule.level) + "  " + rule.requirement + "  [" + rule.section +
            "]\n    tried: " + rule.action + "\n    legal: " + rule.legal + "\n";
  }
  return text;
}

std::string json_list(const std::vector<Rule>& rules) {
  Json all = Json::array();
  for (const auto& rule : rules) all.push_back(to_json(rule));
  return all.dump(1) + "\n";
}

std::string markdown_list(const std::vector<Rule>& rules) {
  std::string text = "| case | | requirement | section | tried | legal |\n|---|---|---|---|---|---|\n";
  for (const auto& rule : rules) {
    text += "| `" + rule.id + "` | " + to_string(rule.level) + " | " + escape_cell(rule.requirement) + " | " +
            escape_cell(rule.section) + " | " + escape_cell(rule.action) + " | " + escape_cell(rule.legal) + " |\n";
  }
  return text;
}

}  // namespace adrastea::conformance
