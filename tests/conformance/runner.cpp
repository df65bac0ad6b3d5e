// SPDX-License-Identifier: BSD-3-Clause
#include "runner.hpp"

#include "first_look.hpp"
#include "trial.hpp"

#include <adrastea/testing/oracle.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace adrastea::conformance {

using testing::Failure;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One run of one case, still to be done.
struct Task {
  const Case* subject;
  Transport transport;
  int round;
  unsigned seed;
};

/// What all trials in one launch mode and round saw of the standing rules.
struct Standing {
  std::map<std::string, std::vector<std::string>> findings;  ///< by rule; each with the case that saw it
  std::map<std::string, std::string> transcripts;
  std::map<std::string, std::size_t> received;  ///< by message type
  bool held = false;                            ///< what some kernel held was looked at
};

/// What kernels write is in there as they wrote it, and transcripts are cut anywhere.
void make_utf8(Report& report) {
  report.kernel = as_utf8(report.kernel);
  for (auto& outcome : report.outcomes) {
    outcome.transcript = as_utf8(outcome.transcript);
    for (auto& finding : outcome.findings) finding = as_utf8(finding);
  }
}

Outcome outcome_of(Rule rule) {
  Outcome outcome;
  static_cast<Rule&>(outcome) = std::move(rule);
  return outcome;
}

/// The first line of a finding says it; what follows is the transcript.
std::pair<std::string, std::string> split(const std::string& finding) {
  const std::size_t end = finding.find("\ntranscript:");
  if (end == std::string::npos) return {finding, ""};
  return {finding.substr(0, end), finding.substr(end + 1)};
}

/// One of each rule that was broken: what a client waits for in vain may have come in another form.
std::vector<std::string> broken_rules(const Trial& trial) {
  std::vector<std::string> lines;
  std::set<std::string> told;
  for (const auto& violation : trial.violations()) {
    if (told.insert(violation.rule).second) lines.push_back(violation.rule + ": " + split(violation.finding).first);
  }
  return lines;
}

/// One of a kind is enough from one case.
void note_violations(const Trial& trial, const std::string& id, Standing& standing) {
  std::set<std::string> told;
  for (const auto& violation : trial.violations()) {
    auto [text, transcript] = split(violation.finding);
    if (told.insert(violation.rule).second) standing.findings[violation.rule].push_back(id + ": " + text);
    standing.transcripts.try_emplace(violation.rule, std::move(transcript));
  }
}

/// Why a rule that nothing broke cannot have been broken.
std::optional<std::string> unwatched(const Rule& rule, const Standing& standing) {
  if (rule.id == k_resources_rule) {
    if (standing.held) return std::nullopt;
    return "no abuse.* case left a kernel whose descriptors and threads could be counted (in /proc, of a kernel that the "
           "tool started)";
  }
  const bool has_type = !rule.id.starts_with("schema.") || standing.received.contains(rule.id.substr(7));
  if (!standing.received.empty() && has_type) return std::nullopt;
  return "no such message was seen";
}

class Runner {
 public:
  Runner(const Target& target, Samples samples, const RunOptions& options)
      : target_(target), samples_(std::move(samples)), options_(options) {}

  Report run();

 private:
  void try_first(Transport transport);
  Outcome start_outcome(Transport transport, const std::vector<std::string>& findings) const;
  [[nodiscard]] std::vector<Task> tasks() const;
  void work(const std::vector<Task>& tasks);
  Outcome run_one(const Task& task);
  /// NotApplicable when it is clear before that the case can show nothing.
  void need(const Task& task) const;
  void clean_up(Trial& trial, const Task& task);
  void judge(Trial& trial, Outcome& outcome) const;
  /// Looks at what the kernel holds after abuse. Whether it could.
  bool watch_resources(const Task& task, Trial& trial);
  [[nodiscard]] bool is_known_broken(const Task& task, std::string_view rule);
  void keep(const Task& task, const Trial& trial, bool held);
  void add_standing(Transport transport, int round);
  [[nodiscard]] bool selected(std::string_view id) const {
    return matches_any(id, options_.only) && !matches_any(id, options_.skip);
  }

  const Target& target_;
  Samples samples_;
  const RunOptions& options_;
  std::map<Transport, Abilities> abilities_;  ///< of the launch modes that work
  std::string spoiled_by_;                    ///< the case after which a kernel of somebody else's was of no use any more
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;  ///< guards what follows
  std::map<std::pair<Transport, int>, Standing> standing_;
  std::vector<std::optional<Outcome>> outcomes_;
  std::size_t done_ = 0;
  Report report_;
};

/// How a cell of a sample of the user's own fails in this kernel. No verdict about the kernel would mean anything then.
std::optional<std::string> misprint(Trial& trial, const Samples& samples) {
  Samples shipped;
  shipped.choose(samples.language());
  if (!samples.code("print") || samples.code("print") == shipped.code("print")) return std::nullopt;
  const Exchange cell = trial.run(trial.sample("print", {{"text", trial.word()}}));
  // Both of them: a kernel that says only one is wrong itself.
  if (cell.status() != "error" || Trial::of_type(cell, "error").empty()) return std::nullopt;
  return "the sample 'print' that --samples gives for the language '" + samples.language() +
         "' fails in this kernel: " + testing::text_of(cell.reply->content, "ename") + ": " +
         testing::text_of(cell.reply->content, "evalue");
}

void Runner::try_first(Transport transport) {
  const auto start = Clock::now();
  Abilities seen;
  Trial first(target_, seen, samples_, transport, options_.patience, options_.seed);
  std::vector<std::string> findings;
  std::optional<std::string> unusable;
  try {
    look_at(first, seen);
    const auto language = seen.kernel_info.find("language_info");
    const std::string name = language != seen.kernel_info.end() ? testing::text_of(*language, "name") : "";
    samples_.choose(name);
    if (!samples_.code("print")) samples_.choose(target_.language);
    unusable = misprint(first, samples_);
    if (!unusable) look_closer(first, seen);
    abilities_[transport] = seen;
    if (report_.kernel_info.is_null()) report_.kernel_info = seen.kernel_info;
  } catch (const std::exception& error) {
    findings = broken_rules(first);
    findings.insert(findings.begin(), split(first.how_it_ended().value_or(error.what())).first);
  }
  if (unusable) throw Failure(*unusable);
  first.finish(true);  // which asks nothing more of a kernel that may be ending
  if (findings.empty()) note_violations(first, "start." + std::string(to_string(transport)), standing_[{transport, 1}]);
  Outcome outcome = start_outcome(transport, findings);
  outcome.seconds = seconds_since(start);
  if (!findings.empty()) outcome.transcript = first.transcript();
  report_.outcomes.push_back(std::move(outcome));
}

std::string section_of(Transport transport) {
  if (transport == Transport::handshake) return "JEP 66; Kernels, Handshake pattern";
  if (transport == Transport::curve) return "JEP 145; jupyter_client, transport_encryption";
  return "Messaging, Connection files; Kernels, Making kernels";
}

std::string requirement_of(Transport transport) {
  if (transport == Transport::handshake)
    return "A kernel that is given a registration file chooses its ports, tells them there and starts.";
  if (transport == Transport::curve)
    return "A kernel with curve keys in its connection file starts, and encrypts all five channels.";
  return std::string("A kernel starts with a connection file for ") + to_string(transport) + ".";
}

Outcome Runner::start_outcome(Transport transport, const std::vector<std::string>& findings) const {
  Outcome outcome;
  outcome.launch = to_string(transport);
  outcome.id = "start." + outcome.launch;
  outcome.section = section_of(transport);
  if (target_.existing) {
    outcome.requirement = "A kernel that runs answers where its connection file says.";
    outcome.action = "asks the running kernel for kernel_info on shell";
  } else {
    // A launcher may ask for any of them, and most ask for tcp.
    outcome.level = transport == Transport::tcp ? Level::must : Level::should;
    outcome.requirement = requirement_of(transport);
    outcome.action = "starts the kernel and asks for kernel_info on shell";
  }
  outcome.legal = "kernel_info_reply, and something published about it";
  if (!findings.empty()) outcome.verdict = outcome.level == Level::must ? Verdict::fail : Verdict::warning;
  outcome.findings = findings;
  return outcome;
}

std::vector<Task> Runner::tasks() const {
  std::vector<Task> made;
  for (int round = 1; round <= options_.repeat; ++round) {
    for (const auto& [transport, abilities] : abilities_) {
      unsigned number = 0;
      for (const auto& subject : all_cases()) {
        ++number;
        if (selected(subject.id)) made.push_back({&subject, transport, round, options_.seed * 1000003U + number});
      }
    }
  }
  return made;
}

void Runner::work(const std::vector<Task>& tasks) {
  for (std::size_t index = next_++; index < tasks.size(); index = next_++) {
    Outcome outcome = run_one(tasks[index]);
    const std::lock_guard lock(mutex_);
    if (options_.progress) options_.progress(outcome, ++done_, tasks.size());
    outcomes_[index] = std::move(outcome);
  }
}

Outcome Runner::run_one(const Task& task) {
  const auto start = Clock::now();
  Outcome outcome = outcome_of(rule_of(*task.subject));
  outcome.launch = to_string(task.transport);
  outcome.round = task.round;
  Trial trial(target_, abilities_.at(task.transport), samples_, task.transport, options_.patience, task.seed);
  bool ended_early = true;
  try {
    need(task);
    task.subject->run(trial);
    ended_early = false;
  } catch (const NotApplicable& reason) {
    outcome.verdict = Verdict::not_applicable;
    outcome.findings.emplace_back(reason.what());
    ended_early = false;
  } catch (const Failure& failure) {
    trial.check(false, failure.what());
  } catch (const std::exception& error) {
    outcome.verdict = Verdict::error;
    outcome.findings.emplace_back(error.what());
  }
  bool held = false;
  try {
    clean_up(trial, task);
    if (!ended_early && trial.findings().empty() && outcome.verdict == Verdict::pass) held = watch_resources(task, trial);
    trial.finish(ended_early || !trial.findings().empty());
  } catch (const std::exception& error) {
    trial.check(false, error.what());
  }
  judge(trial, outcome);
  outcome.seconds = seconds_since(start);
  keep(task, trial, held);
  return outcome;
}

void Runner::need(const Task& task) const {
  if (!spoiled_by_.empty()) Trial::not_applicable("the kernel has not answered any more since " + spoiled_by_);
  if (const auto type = unhandled_type(abilities_.at(task.transport), task.subject->id))
    Trial::not_applicable(*type == "input_reply" ? "a cell that asks for input fails: the kernel has no stdin"
                                                 : "the kernel does not handle " + *type + ", which is optional");
}

/// A kernel that somebody else started is used by one case after the other, and by one worker.
void Runner::clean_up(Trial& trial, const Task& task) {
  try {
    trial.clean_up();
  } catch (const Failure&) {
    spoiled_by_ = task.subject->id;
  }
}

void Runner::judge(Trial& trial, Outcome& outcome) const {
  if (outcome.verdict == Verdict::error || trial.findings().empty()) return;
  outcome.verdict = outcome.level == Level::must ? Verdict::fail : Verdict::warning;
  outcome.findings.clear();
  for (const auto& finding : trial.findings()) outcome.findings.push_back(split(finding).first);
  outcome.transcript = trial.transcript();
}

/// That it is broken takes long to find out, and once is enough.
bool Runner::is_known_broken(const Task& task, std::string_view rule) {
  const std::lock_guard lock(mutex_);
  return standing_[{task.transport, task.round}].findings.contains(std::string(rule));
}

/// One thread more, made when it was first needed, is no harm: as many more with each time of many is.
bool Runner::watch_resources(const Task& task, Trial& trial) {
  constexpr int repetitions = 8;
  if (is_known_broken(task, k_resources_rule)) return false;
  const auto& before = abilities_.at(task.transport).holdings;
  if (!before || !task.subject->id.starts_with("abuse.") || !trial.holdings(*before, {}) || !trial.dismiss()) return false;
  const auto quiet = options_.patience.quiet();
  const auto after = trial.holdings(*before, quiet);
  if (!after || after->within(*before)) return after.has_value();
  Growth growth(*after);
  for (int i = 0; i < repetitions; ++i) {
    if (!trial.repeat(task.subject->run)) return false;
    const auto next = trial.holdings(growth.last(), quiet);
    if (!next) return false;
    growth.add(*next);
    if (!growth.goes_on()) return true;
  }
  const auto left = trial.holdings(growth.first(), options_.patience.timeout);
  if (!left) return false;
  for (const auto& finding : growth.findings(*left)) trial.add_violation({std::string(k_resources_rule), finding});
  return true;
}

void Runner::keep(const Task& task, const Trial& trial, bool held) {
  const std::lock_guard lock(mutex_);
  Standing& standing = standing_[{task.transport, task.round}];
  for (const auto& [type, count] : trial.received_types()) {
    standing.received[type] += count;
    report_.messages += count;
  }
  standing.held = standing.held || held;
  note_violations(trial, std::string(task.subject->id), standing);
}

void Runner::add_standing(Transport transport, int round) {
  const Standing& standing = standing_[{transport, round}];
  for (const auto& rule : watched_rules()) {
    const auto found = standing.findings.find(rule.id);
    const bool broken = found != standing.findings.end();
    // A broken rule is told of whatever --only leaves, but for one that is left out by name.
    if (matches_any(rule.id, options_.skip) || (!broken && !matches_any(rule.id, options_.only))) continue;
    Outcome outcome = outcome_of(rule);
    outcome.launch = to_string(transport);
    outcome.round = round;
    if (broken) {
      outcome.verdict = rule.level == Level::must ? Verdict::fail : Verdict::warning;
      outcome.findings = found->second;
      outcome.transcript = standing.transcripts.at(rule.id);
    } else if (const auto why = unwatched(rule, standing)) {
      outcome.verdict = Verdict::not_applicable;
      outcome.findings = {*why};
    }
    report_.outcomes.push_back(std::move(outcome));
  }
}

Report Runner::run() {
  const auto start = Clock::now();
  report_.kernel = target_.name;
  report_.seed = options_.seed;
  const auto is_selected = [&](const Case& subject) { return selected(subject.id); };
  if (std::none_of(all_cases().begin(), all_cases().end(), is_selected))
    throw Failure("no case is left by --only " + options_.only + (options_.skip.empty() ? "" : " --skip " + options_.skip) +
                  " (--list names them; rules that are always watched need a case to be watched in)");
  for (const Transport transport : options_.launches) try_first(transport);
  report_.judged = !abilities_.empty();
  const std::vector<Task> all = tasks();
  outcomes_.resize(all.size());
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::max(1U, options_.jobs); ++i) workers.emplace_back([&] { work(all); });
  for (auto& worker : workers) worker.join();
  for (auto& outcome : outcomes_) report_.outcomes.push_back(std::move(*outcome));
  for (int round = 1; round <= options_.repeat; ++round) {
    for (const auto& [transport, abilities] : abilities_) add_standing(transport, round);
  }
  make_utf8(report_);
  report_.seconds = seconds_since(start);
  return std::move(report_);
}

}  // namespace

Report run_cases(const Target& target, Samples samples, const RunOptions& options) {
  return Runner(target, std::move(samples), options).run();
}

}  // namespace adrastea::conformance
