// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"

#include <array>
#include <cstdio>
#include <map>

namespace adrastea::conformance {
namespace {

using testing::text_of;

// A page of its own: no script, nothing loaded; a case opens by <details>.
constexpr std::string_view k_style = R"css(
:root { color-scheme: light dark; --line: #8884; --dim: #777; --pass: #2c974b; --fail: #cf222e; --warn: #b8860b; --na: #888; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h1 small { color: var(--dim); font-weight: 400; font-size: 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
.verdict { display: inline-block; margin: .8rem 0 1.2rem; padding: .3rem .9rem; border-radius: 2rem; color: #fff; font-weight: 600; }
.bar { display: flex; height: 1.1rem; border-radius: .55rem; overflow: hidden; background: var(--line); }
.bar span { display: block; min-width: 2px; }
.counts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: .6rem 0 0; padding: 0; list-style: none; }
.counts b { font-variant-numeric: tabular-nums; }
.dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem; }
.pass { background: var(--pass); } .FAIL, .ERROR { background: var(--fail); } .warning { background: var(--warn); }
.na { background: var(--na); }
details { border-top: 1px solid var(--line); padding: .25rem 0; }
summary { cursor: pointer; display: grid; grid-template-columns: 1.2rem minmax(12rem, 22rem) 1fr auto; align-items: baseline; gap: .4rem; }
summary code { overflow-wrap: anywhere; } summary .level, dt { color: var(--dim); font-size: .85rem; }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .15rem .8rem; margin: .5rem 0 .8rem 1.6rem; } dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0 0 1rem 1.6rem; padding: .7rem; overflow: auto; max-height: 26rem; font-size: 12px; border: 1px solid var(--line); border-radius: .4rem; }
footer { color: var(--dim); margin-top: 2rem; font-size: .85rem; }
@media (max-width: 40rem) { summary { grid-template-columns: 1.2rem 1fr auto; } summary .what { display: none; } }
)css";

constexpr std::array k_shown{Verdict::fail, Verdict::error, Verdict::warning, Verdict::pass, Verdict::not_applicable};

std::string css_class(Verdict verdict) { return verdict == Verdict::not_applicable ? "na" : to_string(verdict); }

std::string row(const std::string& name, const std::string& text) {
  return text.empty() ? "" : "<dt>" + name + "</dt><dd>" + escape_markup(text) + "</dd>";
}

std::string details(const Outcome& outcome) {
  const bool open = outcome.verdict == Verdict::fail || outcome.verdict == Verdict::error;
  std::string text = open ? "<details open>" : "<details>";
  text += "<summary><span class=\"dot " + css_class(outcome.verdict) + "\" title=\"" + to_string(outcome.verdict) +
          "\"></span><code>" + escape_markup(outcome.id) + "</code><span class=what>" + escape_markup(outcome.requirement) +
          "</span><span class=level>" + to_string(outcome.level) + " · " + escape_markup(outcome.launch) +
          "</span></summary>";
  text += "<dl>" + row("rule", outcome.requirement) + row("from", outcome.section) + row("tried", outcome.action) +
          row("legal", outcome.legal);
  for (const auto& finding : outcome.findings)
    text += row(outcome.verdict == Verdict::not_applicable ? "because" : "seen", finding);
  text += "</dl>";
  if (!outcome.transcript.empty()) text += "<pre>" + escape_markup(outcome.transcript) + "</pre>";
  return text + "</details>\n";
}

std::string counts(const Report& report) {
  const auto sum = report.count();
  std::string bar = "<div class=bar>";
  std::string list = "<ul class=counts>";
  for (const Verdict verdict : k_shown) {
    const auto found = sum.find(verdict);
    if (found == sum.end()) continue;
    const std::string number = std::to_string(found->second);
    bar += "<span class=\"" + css_class(verdict) + "\" style=\"flex:" + number + "\"></span>";
    list +=
        "<li><span class=\"dot " + css_class(verdict) + "\"></span><b>" + number + "</b> " + to_string(verdict) + "</li>";
  }
  return bar + "</div>" + list + "</ul>";
}

std::string heading(const Report& report) {
  const auto& info = report.kernel_info;
  const bool known = info.is_object();
  std::string text = "<h1>" + escape_markup(report.kernel);
  if (known) {
    text += " <small>" + escape_markup(text_of(info, "implementation") + " " + text_of(info, "implementation_version")) +
            ", protocol " + escape_markup(text_of(info, "protocol_version")) + "</small>";
  }
  text += "</h1>\n<div class=\"verdict " + std::string(report.conforms() ? "pass" : "FAIL") + "\">" +
          (report.conforms() ? "conforms" : "does not conform") + (report.strict ? ", strictly" : "") + "</div>\n";
  return text;
}

/// What a kernel's author has to look at comes first, then all else by group.
std::string sections(const Report& report) {
  std::string text;
  for (const Verdict verdict : {Verdict::fail, Verdict::error, Verdict::warning}) {
    std::string rows;
    for (const auto& outcome : report.outcomes) rows += outcome.verdict == verdict ? details(outcome) : "";
    if (!rows.empty()) text += std::string("<h2>") + to_string(verdict) + "</h2>\n" + rows;
  }
  std::map<std::string, std::string> groups;
  for (const auto& outcome : report.outcomes) {
    const bool good = outcome.verdict == Verdict::pass || outcome.verdict == Verdict::not_applicable;
    if (good) groups[outcome.id.substr(0, outcome.id.find('.'))] += details(outcome);
  }
  for (const auto& [group, rows] : groups) text += "<h2>" + escape_markup(group) + "</h2>\n" + rows;
  return text;
}

}  // namespace

std::string html_report(const Report& report) {
  std::string text =
      "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>" +
      escape_markup(report.kernel) + ": conformance</title>\n<style>" + std::string(k_style) + "</style>\n";
  text += heading(report) + counts(report) + sections(report);
  std::array<char, 64> time{};
  std::snprintf(time.data(), time.size(), "%.1f s", report.seconds);
  return text + "<footer>jupyter-conformance " + ADRASTEA_VERSION + " checked " + std::to_string(report.messages) +
         " messages in " + time.data() + " with seed " + std::to_string(report.seed) + ".</footer>\n";
}

}  // namespace adrastea::conformance
