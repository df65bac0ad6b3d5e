// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"
#include "runner.hpp"

#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernelspec.hpp>
#include <adrastea/testing/oracle.hpp>

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>

namespace adrastea::conformance {
namespace {

using testing::Failure;
using testing::Transport;

constexpr int k_conforms = 0;
constexpr int k_does_not_conform = 1;
constexpr int k_could_not_judge = 2;

struct Options {
  std::string kernel;
  std::vector<std::string> argv;
  std::string existing;
  std::string launch = "ipc";
  std::string only = "*";
  std::string skip;
  std::string format = "text";
  std::string output;
  std::vector<std::string> samples;
  std::string language;
  double timeout = 30;
  int repeat = 1;
  unsigned seed = 1;
  unsigned jobs = 1;
  bool strict = false;
  bool list = false;
  bool quiet = false;
};

void define(CLI::App& app, Options& options) {
  app.add_option("kernel", options.kernel, "the name of an installed kernelspec (jupyter kernelspec list)");
  // Taken by take_argv() before CLI11 sees it; here for --help.
  app.add_option("--argv", options.argv, "a command instead, with {connection_file}; everything after it belongs to it");
  app.add_option("--existing", options.existing, "the connection file of a running kernel instead; it is not ended")
      ->check(CLI::ExistingFile);
  app.add_option("--launch", options.launch,
                 "how kernels are started; all for each in turn, handshake and curve if the kernelspec declares them")
      ->check(CLI::IsMember({"tcp", "ipc", "port0", "handshake", "curve", "all"}))
      ->capture_default_str();
  app.add_option("--only", options.only, "globs of the cases to try, parted by commas")->capture_default_str();
  app.add_option("--skip", options.skip, "globs of the cases to leave out, parted by commas");
  app.add_flag("--strict", options.strict, "a SHOULD that does not hold fails, too");
  app.add_option("--repeat", options.repeat, "so many rounds")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--seed", options.seed, "of what is random in the cases")->capture_default_str();
  app.add_option("--jobs", options.jobs, "so many kernels at once")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--timeout", options.timeout, "seconds that a kernel has for anything; a correct one never needs them")
      ->check(CLI::Range(0.5, 3600.0))
      ->capture_default_str();
  app.add_option("--samples", options.samples, "files with code samples for more languages")->check(CLI::ExistingFile);
  app.add_option("--language", options.language, "whose samples to use, when kernel_info does not say");
  app.add_option("--format", options.format, "of the report")
      ->check(CLI::IsMember({"text", "json", "junit", "markdown", "html"}))
      ->capture_default_str();
  app.add_option("--output", options.output, "a file for the report, instead of standard output");
  app.add_flag("--quiet", options.quiet, "no progress on standard error");
  app.add_flag("--list", options.list, "list the cases and the rules that are always watched, and end");
  app.set_version_flag("--version", std::string("jupyter-conformance ") + ADRASTEA_VERSION);
  app.footer("Ends with status 0 when the kernel conforms, 1 when it does not, 2 when it could not be judged.");
}

/// The command after --argv may have options of its own, so CLI11 does not get to see it. Returns what is left for CLI11,
/// in the order that it wants.
std::vector<std::string> take_argv(int argc, char** argv, Options& options) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto found = std::find(words.begin(), words.end(), "--argv");
  if (found != words.end()) options.argv.assign(found + 1, words.end());
  words.erase(found, words.end());
  std::reverse(words.begin(), words.end());
  return words;
}

void print_list(const Options& options) {
  const auto line = [&](std::string_view id, const char* level, std::string_view requirement, std::string_view section) {
    if (!matches_any(id, options.only) || matches_any(id, options.skip)) return;
    std::cout << id << "\n    " << level << "  " << requirement << "  [" << section << "]\n";
  };
  for (const auto& subject : all_cases()) line(subject.id, to_string(subject.level), subject.requirement, subject.section);
  for (const auto& rule : testing::standing_rules()) line(rule.id, "MUST", rule.requirement, rule.section);
}

Target target_of(const Options& options) {
  const int ways = (options.kernel.empty() ? 0 : 1) + (options.argv.empty() ? 0 : 1) + (options.existing.empty() ? 0 : 1);
  if (ways != 1) throw Failure("name one kernel: a kernelspec, or --argv, or --existing (see --help)");
  Target target;
  target.language = options.language;
  if (!options.existing.empty()) {
    target.name = options.existing;
    target.existing = options.existing;
    return target;
  }
  if (!options.argv.empty()) {
    target.argv = options.argv;
    for (const auto& word : options.argv) target.name += (target.name.empty() ? "" : " ") + word;
    if (target.name.find("{connection_file}") == std::string::npos) throw Failure("--argv has no {connection_file}");
    return target;
  }
  const auto spec = testing::find_kernelspec(options.kernel);
  target.name = spec.name;
  target.argv = spec.argv();
  target.environment = spec.environment();
  target.interrupt_mode = spec.interrupt_mode();
  target.handshake = spec.supports_handshake();
  target.curve = spec.supports_curve();
  if (target.language.empty()) target.language = spec.language();
  return target;
}

std::vector<Transport> launches_of(const Options& options, const Target& target) {
  if (target.existing) return {Transport::tcp};
  std::vector<Transport> chosen;
  for (const Transport one : {Transport::tcp, Transport::ipc, Transport::port0, Transport::handshake, Transport::curve}) {
    const bool declared = (one != Transport::handshake || target.handshake) && (one != Transport::curve || target.curve);
    if (options.launch == to_string(one) || (options.launch == "all" && declared)) chosen.push_back(one);
  }
  return chosen;
}

/// One line that is written over on a terminal; elsewhere only what did not pass.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

  void operator()(const Outcome& outcome, std::size_t done, std::size_t all) {
    if (quiet_) return;
    const bool passed = outcome.verdict == Verdict::pass || outcome.verdict == Verdict::not_applicable;
    if (!passed) {
      std::fprintf(stderr, "%s%-8s %s (%s)\n", terminal_ ? "\r\33[K" : "", to_string(outcome.verdict), outcome.id.c_str(),
                   outcome.launch.c_str());
    }
    if (terminal_) std::fprintf(stderr, "\r\33[K%zu of %zu  %s", done, all, done == all ? "" : outcome.id.c_str());
    if (terminal_ && done == all) std::fputs("\r\33[K", stderr);
    std::fflush(stderr);
  }

 private:
  bool quiet_;
  bool terminal_;
};

std::string document(const Report& report, const Options& options) {
  if (options.format == "json") return json_report(report);
  if (options.format == "junit") return junit_report(report);
  if (options.format == "markdown") return markdown_report(report);
  if (options.format == "html") return html_report(report);
  return text_report(report, options.output.empty() && ::isatty(STDOUT_FILENO) == 1);
}

void flush_stdout() {
  if (!std::cout.flush()) throw Failure("cannot write to standard output");
}

void write(const std::string& text, const std::string& file) {
  if (file.empty()) {
    std::cout << text;
    flush_stdout();
    return;
  }
  std::ofstream stream(file);
  stream << text;
  stream.close();
  if (!stream) throw Failure("cannot write the report to " + file);
}

/// Said now, and not after a run of minutes.
void require_writable(const std::string& file) {
  if (!file.empty() && !std::ofstream(file, std::ios::app)) throw Failure("cannot write the report to " + file);
}

/// Ctrl-C and its like: no kernel and no directory stays. Made before any other thread, so that the signals come to its
/// own.
class EndOnSignals {
 public:
  EndOnSignals() {
    sigemptyset(&ends_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends_, number);
    pthread_sigmask(SIG_BLOCK, &ends_, nullptr);
    thread_ = std::thread([this] { wait(); });
  }
  EndOnSignals(const EndOnSignals&) = delete;
  EndOnSignals& operator=(const EndOnSignals&) = delete;
  ~EndOnSignals() {
    done_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }

 private:
  void wait() {
    int number = 0;
    sigwait(&ends_, &number);
    if (done_) return;
    std::fputs("\njupyter-conformance: interrupted; there is no report\n", stderr);
    testing::KernelProcess::kill_all();
    std::signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &ends_, nullptr);
    ::raise(number);
  }

  sigset_t ends_{};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

int judge(const Options& options) {
  require_writable(options.output);
  const EndOnSignals until_the_end;
  const Target target = target_of(options);
  Samples samples;
  for (const auto& file : options.samples) samples.load(file);
  RunOptions run;
  run.launches = launches_of(options, target);
  run.only = options.only;
  run.skip = options.skip;
  run.repeat = options.repeat;
  run.seed = options.seed;
  run.jobs = options.existing.empty() ? options.jobs : 1;
  run.patience.timeout = std::chrono::milliseconds(static_cast<long>(options.timeout * 1000));
  Progress progress(options.quiet);
  run.progress = [&](const Outcome& outcome, std::size_t done, std::size_t all) { progress(outcome, done, all); };
  Report report = run_cases(target, std::move(samples), run);
  report.strict = options.strict;
  write(document(report, options), options.output);
  if (report.count()[Verdict::error] > 0) return k_could_not_judge;
  return report.conforms() ? k_conforms : k_does_not_conform;
}

int run(int argc, char** argv) {
  CLI::App app("Does a Jupyter kernel obey the protocol? Tries every rule on processes of the kernel's own.",
               "jupyter-conformance");
  Options options;
  define(app, options);
  try {
    app.parse(take_argv(argc, argv, options));
    if (options.list) {
      print_list(options);
      flush_stdout();
      return k_conforms;
    }
    testing::set_reporter([](const std::string& finding) { std::cerr << "jupyter-conformance: " << finding << "\n"; });
    return judge(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? k_conforms : k_could_not_judge;
  } catch (const Failure& failure) {
    std::cerr << "jupyter-conformance: " << failure.what() << "\n";
    return k_could_not_judge;
  }
}

}  // namespace
}  // namespace adrastea::conformance

int main(int argc, char** argv) { return adrastea::conformance::run(argc, argv); }
