// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "relay.hpp"
#include "samples.hpp"
#include "target.hpp"

#include <adrastea/testing/client.hpp>
#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernel_process.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace adrastea::conformance {

using testing::Channel;
using testing::ClientOptions;
using testing::Exchange;
using testing::ExecuteOptions;
using testing::Json;
using testing::KernelClient;
using testing::KernelProcess;
using testing::LaunchOptions;
using testing::Message;
using testing::SendOptions;
using testing::Transport;

/// Ends a case without judging the kernel: it does not offer what the case is about, or what the case is about could not be
/// seen because a standing rule is broken, which is reported under that rule.
class NotApplicable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One run of one case: a kernel of its own, its clients, and what was found.
///
/// Usage: a case's function asks for client(), for code by sample(), and says what it found by check() and require(). Every
///   message that any client receives is judged by the standing rules besides; a case need not look at those.
/// Threads: one. Errors: Failure and NotApplicable end the case; the runner catches them.
class Trial {
 public:
  Trial(const Target& target, const Abilities& abilities, const Samples& samples, Transport transport, Patience patience,
        unsigned seed);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();

  // ---- the kernel and its clients ----
  /// Starts this case's kernel in a special way. Before anything else of the trial.
  KernelProcess& start(LaunchOptions options);
  /// The kernel, started. NotApplicable for one that somebody else started.
  KernelProcess& kernel();
  /// Whether signals and the process's end can be tried.
  [[nodiscard]] bool owns_kernel() const { return !target_.existing; }
  /// The first client, made when it is first asked for. IOPub reaches it.
  KernelClient& client();
  /// How IOPub of a new client begins: `reached` returns once what is published reaches it, `untouched` at once, having
  /// asked the kernel for nothing.
  enum class Iopub { reached, untouched };
  /// One more.
  KernelClient& connect(ClientOptions options = {}, Iopub iopub = Iopub::reached);
  /// Where clients find the kernel.
  [[nodiscard]] testing::Connection connection();
  /// Clients that connect from now on reach the kernel through a network of the trial's own. NotApplicable unless it is
  /// reached over plain tcp.
  Relay& relay();
  [[nodiscard]] Transport transport() const { return transport_; }
  [[nodiscard]] bool has_fixed_ports() const { return transport_ == Transport::tcp || transport_ == Transport::curve; }
  /// Where it listens is not known before it has told.
  [[nodiscard]] bool chooses_ports() const { return transport_ == Transport::port0 || transport_ == Transport::handshake; }
  [[nodiscard]] const Abilities& abilities() const { return abilities_; }
  /// kernel_info_reply.supported_features has it.
  [[nodiscard]] bool has_feature(std::string_view feature) const;

  // ---- code ----
  /// NotApplicable when the language has no such sample, or the kernel cannot run it.
  [[nodiscard]] std::string sample(const std::string& name, const Samples::Values& values = {}) const;
  [[nodiscard]] bool has_sample(const std::string& name) const {
    return samples_.code(name).has_value() && !abilities_.unfit.contains(name);
  }
  /// Statements one after the other, as one cell.
  [[nodiscard]] std::string cell(const std::vector<std::string>& statements) const;
  /// A word that nothing else says: letters and digits, another one each time and in each run, for some kernels remember
  /// what was said before.
  [[nodiscard]] std::string word();
  [[nodiscard]] std::mt19937& random() { return random_; }

  // ---- what was found ----
  /// Notes a finding when it does not hold, and goes on.
  void check(bool holds, const std::string& finding);
  /// The same, and ends the case.
  static void require(bool holds, const std::string& finding);
  [[noreturn]] static void not_applicable(const std::string& why) { throw NotApplicable(why); }

  // ---- what most cases do ----
  /// Executes, and waits for all that it causes.
  Exchange run(const std::string& code, const ExecuteOptions& options = {}) { return client().run(code, options); }
  Exchange ask(Channel channel, std::string_view type, const Json& content = Json::object(),
               const SendOptions& options = {}) {
    return client().exchange(channel, type, content, options);
  }
  /// The reply of an exchange. NotApplicable when none came: that is order.reply.sent's business.
  [[nodiscard]] static const Message& reply(const Exchange& exchange);
  /// Executes, and has also what came after the idle, or after the reply to a request that got no idle: that it came too
  /// late is a standing rule's business.
  Exchange observe(const std::string& code, const ExecuteOptions& options = {});
  /// The same of a request that was sent.
  Exchange observe_request(const std::string& id);
  /// Ends the case when what it is about did not come: with a failure, or not applicable when messages were lost or went
  /// astray because a standing rule is broken, which is reported under that rule. `type` is of the message that is missed.
  void expect(bool came, const std::string& type, const std::string& finding);
  /// Reads messages until it holds. Whether it does; not after `time`, by default the patience, or the kernel's end.
  bool wait_until(const std::function<bool()>& holds, std::optional<std::chrono::milliseconds> time = {});
  /// A cell has ended: its idle has come, or a reply on shell that nobody took, which is its own when no other is due.
  [[nodiscard]] static bool has_ended(KernelClient& client, const std::string& id);
  /// The next message on stdin; nothing when the cell ends without one.
  std::optional<Message> input_request(const std::string& id);
  /// The messages of one type.
  [[nodiscard]] static std::vector<Message> of_type(const Exchange& exchange, std::string_view type);
  /// The reply to a request that need not have one. Waits until it is clear that none will come.
  std::optional<Message> try_ask(Channel channel, std::string_view type, const Json& content = Json::object(),
                                 SendOptions options = {});
  /// Executes a word's print and the code after it, and returns once the word is published: the code runs, now or soon.
  /// NotApplicable when what a cell prints is not seen while the cell runs.
  std::string begin(KernelClient& from, const std::string& code, const ExecuteOptions& options = {});
  /// Interrupts the kernel as its kernelspec asks for it.
  void interrupt();
  void interrupt_by_message();
  [[nodiscard]] bool interrupts_by_signal() const { return owns_kernel() && target_.interrupt_mode == "signal"; }
  /// Interrupts by message are one of several ways, so that a kernel may leave them alone.
  [[nodiscard]] bool may_ignore_interrupts() const { return target_.existing || target_.interrupt_mode == "signal"; }
  /// The cell has ended, within the patience. `id` is the oldest request of `from` on shell whose reply nobody took.
  bool until_ended(KernelClient& from, const std::string& id);
  /// Gives up a cell that would go on for ever, and the kernel with it if it is ours. Nothing more is asked of it.
  void abandon();
  /// The kernel still does all that it did when it was tried first: kernel_info on shell and control, heartbeat, a cell.
  void expect_alive();
  /// The kernel is not there any more, within the patience. Returns how it ended.
  testing::Ending expect_end();
  /// As jupyter_client interrupts: by SIGINT to the process group, or by a request that `by` sends, as the kernelspec says.
  void interrupt(KernelClient& by);
  /// The kernelspec promises that SIGINT interrupts and does not end it.
  [[nodiscard]] bool takes_sigint() const { return owns_kernel() && target_.interrupt_mode == "signal"; }
  /// The patience, for waits of the case's own.
  [[nodiscard]] std::chrono::milliseconds timeout() const { return patience_.timeout; }

  // ---- for the runner ----
  /// Leaves a kernel that somebody else started as the next case must find it: no cell that runs, no subshells and comms of
  /// this trial. Errors: Failure when the kernel does not answer any more.
  void clean_up();
  /// Ends clients and kernel; what that shows is judged too. `failed`: the case did, so nothing more is asked.
  void finish(bool failed);
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }
  [[nodiscard]] const std::vector<testing::Violation>& violations() const { return violations_; }
  /// Lets all clients go, and goes on without. Whether that showed nothing wrong; if not, they stay for the transcript.
  bool dismiss();
  /// What the kernel holds once it holds no more than `most`, or after `time`. Nothing when nobody can tell.
  [[nodiscard]] std::optional<Holdings> holdings(const Holdings& most, std::chrono::milliseconds time) const;
  /// Does the same again to this kernel, by clients of its own. Whether it went well, and the kernel is there as before; it
  /// was judged the first time.
  bool repeat(void (*act)(Trial& trial));
  /// Notes that a standing rule is broken that no client watches.
  /// Only the first of a rule is told, and a few are kept: each has a transcript, and a kernel may break one for ever.
  void add_violation(const testing::Violation& violation);
  [[nodiscard]] std::map<std::string, std::size_t> received_types() const;
  [[nodiscard]] std::string transcript() const;
  /// Of a kernel that was started and is not there any more.
  [[nodiscard]] std::optional<std::string> how_it_ended();

 private:
  void end_kernel();
  void close_new_comms();
  void delete_subshells();

  const Target& target_;
  const Abilities& abilities_;
  const Samples& samples_;
  const Transport transport_;
  const Patience patience_;
  std::mt19937 random_;
  std::random_device letters_;  ///< of words, which no seed repeats
  unsigned words_ = 0;
  std::unique_ptr<KernelProcess> former_;  ///< has ended; keeps its ports from others until the kernel has them again
  std::unique_ptr<KernelProcess> kernel_;
  std::unique_ptr<Relay> relay_;
  std::vector<std::unique_ptr<KernelClient>> clients_;
  std::map<std::string, std::size_t> dismissed_received_;  ///< by clients that were let go
  std::vector<std::string> findings_;
  std::vector<testing::Violation> violations_;
};

}  // namespace adrastea::conformance
