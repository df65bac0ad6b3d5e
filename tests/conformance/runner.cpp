// SPDX-License-Identifier: BSD-3-Clause
#include "runner.hpp"

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
};

Outcome outcome_of(const Case& subject) {
  Outcome outcome;
  outcome.id = subject.id;
  outcome.section = subject.section;
  outcome.level = subject.level;
  outcome.requirement = subject.requirement;
  outcome.action = subject.action;
  outcome.legal = subject.legal;
  return outcome;
}

/// The first line of a finding says it; what follows is the transcript.
std::pair<std::string, std::string> split(const std::string& finding) {
  const std::size_t end = finding.find("\ntranscript:");
  if (end == std::string::npos) return {finding, ""};
  return {finding.substr(0, end), finding.substr(end + 1)};
}

class Runner {
 public:
  Runner(const Target& target, Samples samples, const RunOptions& options)
      : target_(target), samples_(std::move(samples)), options_(options) {}

  Report run();

 private:
  void try_first(Transport transport);
  Outcome start_outcome(Transport transport, const std::string& finding) const;
  [[nodiscard]] std::vector<Task> tasks() const;
  void work(const std::vector<Task>& tasks);
  Outcome run_one(const Task& task);
  void judge(Trial& trial, Outcome& outcome) const;
  void keep(const Task& task, const Trial& trial);
  void add_standing(Transport transport, int round);
  [[nodiscard]] bool selected(std::string_view id) const {
    return matches_any(id, options_.only) && !matches_any(id, options_.skip);
  }

  const Target& target_;
  Samples samples_;
  const RunOptions& options_;
  std::map<Transport, Abilities> abilities_;  ///< of the launch modes that work
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;  ///< guards what follows
  std::map<std::pair<Transport, int>, Standing> standing_;
  std::vector<std::optional<Outcome>> outcomes_;
  std::size_t done_ = 0;
  Report report_;
};

Abilities look_at(Trial& trial) {
  Abilities seen;
  const Exchange info = trial.ask(Channel::shell, "kernel_info_request");
  if (!info.reply) throw Failure("kernel_info_request on shell is not answered");
  seen.kernel_info = info.reply->content;
  return seen;
}

/// Whether it does this at all. That it should is what a case is about.
bool does(const std::function<bool()>& thing) {
  try {
    return thing();
  } catch (const Failure&) {
    return false;
  }
}

void look_closer(Trial& trial, Abilities& seen) {
  seen.welcome = trial.client().welcome().has_value();
  seen.heartbeat = does([&] { return trial.client().ping({"ping"}) == testing::Frames{"ping"}; });
  seen.prints = trial.has_sample("print") && does([&] {
                  const std::string text = trial.word();
                  return trial.run(trial.sample("print", {{"text", text}})).text("stdout").find(text) != std::string::npos;
                });
  seen.control_info = does([&] { return trial.ask(Channel::control, "kernel_info_request").reply.has_value(); });
}

void Runner::try_first(Transport transport) {
  const auto start = Clock::now();
  Abilities seen;
  Trial first(target_, seen, samples_, transport, options_.patience, options_.seed);
  std::string finding;
  try {
    seen = look_at(first);
    const auto language = seen.kernel_info.find("language_info");
    const std::string name = language != seen.kernel_info.end() ? testing::text_of(*language, "name") : "";
    samples_.choose(name);
    if (!samples_.code("print")) samples_.choose(target_.language);
    look_closer(first, seen);
    abilities_[transport] = seen;
    if (report_.kernel_info.is_null()) report_.kernel_info = seen.kernel_info;
  } catch (const std::exception& error) {
    finding = error.what();
  }
  first.finish(!finding.empty());
  Outcome outcome = start_outcome(transport, finding);
  outcome.seconds = seconds_since(start);
  if (!finding.empty()) outcome.transcript += "\n" + first.transcript();
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

Outcome Runner::start_outcome(Transport transport, const std::string& finding) const {
  Outcome outcome;
  outcome.launch = to_string(transport);
  outcome.id = "start." + outcome.launch;
  outcome.section = section_of(transport);
  // A launcher may ask for any of them, and most ask for tcp.
  outcome.level = transport == Transport::tcp ? Level::must : Level::should;
  outcome.requirement = requirement_of(transport);
  outcome.action = "starts the kernel and asks for kernel_info on shell";
  outcome.legal = "kernel_info_reply, and something published about it";
  if (!finding.empty()) {
    outcome.verdict = outcome.level == Level::must ? Verdict::fail : Verdict::warning;
    std::tie(outcome.findings.emplace_back(), outcome.transcript) = split(finding);
  }
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
  Outcome outcome = outcome_of(*task.subject);
  outcome.launch = to_string(task.transport);
  outcome.round = task.round;
  Trial trial(target_, abilities_.at(task.transport), samples_, task.transport, options_.patience, task.seed);
  bool ended_early = true;
  try {
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
  try {
    trial.finish(ended_early || !trial.findings().empty());
  } catch (const std::exception& error) {
    trial.check(false, error.what());
  }
  judge(trial, outcome);
  outcome.seconds = seconds_since(start);
  keep(task, trial);
  return outcome;
}

void Runner::judge(Trial& trial, Outcome& outcome) const {
  if (outcome.verdict == Verdict::error || trial.findings().empty()) return;
  outcome.verdict = outcome.level == Level::must ? Verdict::fail : Verdict::warning;
  outcome.findings.clear();
  for (const auto& finding : trial.findings()) outcome.findings.push_back(split(finding).first);
  outcome.transcript = trial.transcript();
}

void Runner::keep(const Task& task, const Trial& trial) {
  const std::lock_guard lock(mutex_);
  Standing& standing = standing_[{task.transport, task.round}];
  for (const auto& [type, count] : trial.received_types()) {
    standing.received[type] += count;
    report_.messages += count;
  }
  std::set<std::string> told;
  for (const auto& violation : trial.violations()) {
    auto [text, transcript] = split(violation.finding);
    if (told.insert(violation.rule).second)  // one of a kind is enough from one case
      standing.findings[violation.rule].push_back(std::string(task.subject->id) + ": " + text);
    standing.transcripts.try_emplace(violation.rule, std::move(transcript));
  }
}

void Runner::add_standing(Transport transport, int round) {
  const Standing& standing = standing_[{transport, round}];
  for (const auto& rule : testing::standing_rules()) {
    const auto found = standing.findings.find(rule.id);
    const bool broken = found != standing.findings.end();
    if (!selected(rule.id) && !broken) continue;
    Outcome outcome;
    outcome.id = rule.id;
    outcome.section = rule.section;
    outcome.requirement = rule.requirement;
    outcome.action = "watches every message of every case";
    outcome.legal = "no message that breaks it";
    outcome.launch = to_string(transport);
    outcome.round = round;
    if (broken) {
      outcome.verdict = Verdict::fail;
      outcome.findings = found->second;
      outcome.transcript = standing.transcripts.at(rule.id);
    } else if (standing.received.empty() ||
               (rule.id.starts_with("schema.") && !standing.received.contains(rule.id.substr(7)))) {
      outcome.verdict = Verdict::not_applicable;
      outcome.findings = {"no such message was seen"};
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
  if (abilities_.empty()) {
    throw Failure("the kernel does not start: " + report_.outcomes.front().findings.at(0) + "\n" +
                  report_.outcomes.front().transcript);
  }
  const std::vector<Task> all = tasks();
  outcomes_.resize(all.size());
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::max(1U, options_.jobs); ++i) workers.emplace_back([&] { work(all); });
  for (auto& worker : workers) worker.join();
  for (auto& outcome : outcomes_) report_.outcomes.push_back(std::move(*outcome));
  for (int round = 1; round <= options_.repeat; ++round) {
    for (const auto& [transport, abilities] : abilities_) add_standing(transport, round);
  }
  report_.seconds = seconds_since(start);
  return std::move(report_);
}

}  // namespace

Report run_cases(const Target& target, Samples samples, const RunOptions& options) {
  return Runner(target, std::move(samples), options).run();
}

}  // namespace adrastea::conformance
