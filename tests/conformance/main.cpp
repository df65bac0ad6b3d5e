// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"
#include "runner.hpp"

#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernelspec.hpp>

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
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
  std::string launch;  ///< tcp, unless the kernel runs already
  std::string only = "*";
  std::string skip;
  std::vector<std::string> formats;
  std::vector<std::string> outputs;  ///< of each format
  std::vector<std::string> samples;
  std::string language;
  std::string interrupt_mode;
  std::vector<std::string> supports;
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
  app.add_option(
         "--launch", options.launch,
         "how kernels are started: over tcp, as every launcher does it unless it is told otherwise; all for each in "
         "turn, handshake and curve if the kernelspec (or --supports) declares them")
      ->check(CLI::IsMember({"tcp", "ipc", "port0", "handshake", "curve", "all"}))
      ->default_str("tcp");
  app.add_option("--only", options.only, "globs of the cases to try, parted by commas")->capture_default_str();
  app.add_option("--skip", options.skip, "globs of the cases to leave out, parted by commas");
  app.add_flag("--strict", options.strict, "a SHOULD that does not hold fails, too");
  app.add_option("--repeat", options.repeat, "so many rounds")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--seed", options.seed, "of what is random in the cases")->capture_default_str();
  app.add_option("--jobs", options.jobs, "so many kernels at once")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--timeout", options.timeout, "seconds that a kernel has for anything; a correct one never needs them")
      ->check(CLI::Range(0.5, 3600.0))
      ->check([](const std::string& text) { return std::isnan(std::stod(text)) ? "it must be a number" : std::string(); })
      ->capture_default_str();
  app.add_option("--samples", options.samples, "files with code samples for more languages")
      ->allow_extra_args(false)
      ->check(CLI::ExistingFile);
  app.add_option("--language", options.language, "whose samples to use, when kernel_info does not say");
  app.add_option("--interrupt-mode", options.interrupt_mode, "of a kernel by --argv, as a kernelspec says it [signal]")
      ->check(CLI::IsMember({"signal", "message"}));
  app.add_option("--supports", options.supports, "what a kernel by --argv declares, as a kernelspec does")
      ->delimiter(',')
      ->check(CLI::IsMember({"handshake", "curve"}));
  app.add_option("--format", options.formats, "of the report; several times, each with its --output, for several reports")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"text", "json", "junit", "markdown", "html"}))
      ->default_str("text");
  app.add_option("--output", options.outputs, "a file for the report, instead of standard output, which is -")
      ->allow_extra_args(false);
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

struct Output {
  std::string format;
  std::string file;  ///< empty for standard output
};

/// The reports that are asked for, one at least.
std::vector<Output> outputs_of(const Options& options) {
  const std::vector<std::string> formats = options.formats.empty() ? std::vector<std::string>{"text"} : options.formats;
  const bool to_stdout = options.outputs.empty() && formats.size() == 1;
  if (!to_stdout && options.outputs.size() != formats.size())
    throw Failure("there are " + std::to_string(formats.size()) + " --format and " +
                  std::to_string(options.outputs.size()) +
                  " --output: of several reports each needs both (- is standard output)");
  std::vector<Output> made;
  for (std::size_t i = 0; i < formats.size(); ++i)
    made.push_back({formats[i], to_stdout || options.outputs[i] == "-" ? "" : options.outputs[i]});
  return made;
}

std::string list(const Options& options, const std::string& format) {
  std::vector<Rule> rules;
  for (const auto& subject : all_cases()) rules.push_back(rule_of(subject));
  for (auto& rule : watched_rules()) rules.push_back(std::move(rule));
  std::erase_if(
      rules, [&](const Rule& rule) { return !matches_any(rule.id, options.only) || matches_any(rule.id, options.skip); });
  if (format == "text") return text_list(rules);
  if (format == "json") return json_list(rules);
  if (format == "markdown") return markdown_list(rules);
  throw Failure("--list has the formats text, json and markdown, and not " + format);
}

Target target_of(const Options& options) {
  const int ways = (options.kernel.empty() ? 0 : 1) + (options.argv.empty() ? 0 : 1) + (options.existing.empty() ? 0 : 1);
  if (ways != 1) throw Failure("name one kernel: a kernelspec, or --argv, or --existing (see --help)");
  Target target;
  target.language = options.language;
  if (options.argv.empty() && (!options.interrupt_mode.empty() || !options.supports.empty()))
    throw Failure(
        "--interrupt-mode and --supports are for --argv: a kernelspec says it itself, and a kernel that runs is "
        "interrupted by message");
  if (!options.existing.empty()) {
    if (!options.launch.empty())
      throw Failure("--launch is for kernels that the tool starts; one that runs is reached as its connection file says");
    target.name = options.existing;
    target.existing = options.existing;
    return target;
  }
  if (!options.argv.empty()) {
    target.argv = options.argv;
    if (!options.interrupt_mode.empty()) target.interrupt_mode = options.interrupt_mode;
    const auto supports = [&](const char* what) {
      return std::find(options.supports.begin(), options.supports.end(), what) != options.supports.end();
    };
    target.handshake = supports("handshake");
    target.curve = supports("curve");
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
  if (target.existing) {
    const bool ipc = testing::text_of(testing::Connection::read(*target.existing).fields, "transport") == "ipc";
    return {ipc ? Transport::ipc : Transport::tcp};
  }
  const std::string launch = options.launch.empty() ? "tcp" : options.launch;
  std::vector<Transport> chosen;
  for (const Transport one : {Transport::tcp, Transport::ipc, Transport::port0, Transport::handshake, Transport::curve}) {
    const bool declared = (one != Transport::handshake || target.handshake) && (one != Transport::curve || target.curve);
    if (launch == to_string(one) || (launch == "all" && declared)) chosen.push_back(one);
  }
  return chosen;
}

/// On a terminal one line that is written over; elsewhere, for logs, one after each tenth. And whatever did not pass.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

  void operator()(const Outcome& outcome, std::size_t done, std::size_t all) {
    if (quiet_) return;
    const bool passed = outcome.verdict == Verdict::pass || outcome.verdict == Verdict::not_applicable;
    if (!passed) {
      ++not_passed_;
      std::fprintf(stderr, "%s%-8s %s (%s)\n", terminal_ ? "\r\33[K" : "", to_string(outcome.verdict), outcome.id.c_str(),
                   outcome.launch.c_str());
    }
    if (terminal_) {
      std::fprintf(stderr, "\r\33[K%zu of %zu  %s", done, all, done == all ? "" : outcome.id.c_str());
      if (done == all) std::fputs("\r\33[K", stderr);
    } else if (done * 10 / all > (done - 1) * 10 / all) {
      const auto now = std::chrono::steady_clock::now() - start_;
      std::fprintf(stderr, "%zu of %zu cases, %zu did not pass, %lld s\n", done, all, not_passed_,
                   static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(now).count()));
    }
    std::fflush(stderr);
  }

 private:
  bool quiet_;
  bool terminal_;
  std::size_t not_passed_ = 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string document(const Report& report, const Output& output) {
  if (output.format == "json") return json_report(report);
  if (output.format == "junit") return junit_report(report);
  if (output.format == "markdown") return markdown_report(report);
  if (output.format == "html") return html_report(report);
  return text_report(report, output.file.empty() && ::isatty(STDOUT_FILENO) == 1);
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

int judge(const Options& options, const std::vector<Output>& outputs) {
  for (const auto& output : outputs) require_writable(output.file);
  const EndOnSignals until_the_end;
  const Target target = target_of(options);
  Samples samples;
  for (const auto& file : options.samples) samples.load(file);
  if (!options.language.empty()) samples.require_language(options.language);
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
  for (const auto& output : outputs) write(document(report, output), output.file);
  const bool said = std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return output.file.empty(); });
  if (!report.judged && !said) {
    const Outcome& start = report.outcomes.front();
    std::cerr << "jupyter-conformance: the kernel does not start, or does not answer:\n";
    for (const auto& finding : start.findings) std::cerr << finding << "\n";
    std::cerr << start.transcript << "\n";
  }
  if (!report.judged) return k_could_not_judge;
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
    const std::vector<Output> outputs = outputs_of(options);
    if (options.list) {
      for (const auto& output : outputs) write(list(options, output.format), output.file);
      return k_conforms;
    }
    testing::set_reporter([](const std::string& finding) { std::cerr << "jupyter-conformance: " << finding << "\n"; });
    return judge(options, outputs);
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
