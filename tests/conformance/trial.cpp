// SPDX-License-Identifier: BSD-3-Clause
#include "trial.hpp"

#include "case.hpp"

#include <algorithm>
#include <csignal>

namespace adrastea::conformance {

using testing::Deadline;
using testing::Ending;
using testing::Failure;
using testing::Frames;
using testing::Violation;

Trial::Trial(const Target& target, const Abilities& abilities, const Samples& samples, Transport transport,
             Patience patience, unsigned seed)
    : target_(target),
      abilities_(abilities),
      samples_(samples),
      transport_(transport),
      patience_(patience),
      random_(seed) {}

Trial::~Trial() = default;

KernelProcess& Trial::start(LaunchOptions options) {
  if (target_.existing) not_applicable("the kernel was started by somebody else");
  former_ = std::move(kernel_);
  kernel_ = target_.launch(transport_, std::move(options));
  return *kernel_;
}

KernelProcess& Trial::kernel() { return kernel_ ? *kernel_ : start({}); }

Relay& Trial::relay() {
  if (!owns_kernel() || (transport_ != Transport::tcp && transport_ != Transport::port0))
    not_applicable("the kernel is not started over tcp");
  relay_ = std::make_unique<Relay>(connection());
  return *relay_;
}

testing::Connection Trial::connection() {
  if (relay_) return relay_->connection();
  if (target_.existing) return testing::Connection::read(*target_.existing);
  return kernel().connection(Deadline(patience_.timeout));
}

KernelClient& Trial::client() { return clients_.empty() ? connect() : *clients_.front(); }

KernelClient& Trial::connect(ClientOptions options, Iopub iopub) {
  options.welcome = false;
  options.exact_parents = false;
  options.on_violation = [this](const Violation& violation) { add_violation(violation); };
  options.quiet = patience_.quiet();
  options.patience = patience_.timeout;
  options.unhandled = abilities_.unhandled;
  const bool subscribe = options.subscribe && options.topic.empty() && iopub == Iopub::reached;
  const testing::Connection where = connection();
  if (kernel_) options.process_fd = kernel_->pidfd();
  clients_.push_back(std::make_unique<KernelClient>(where, std::move(options)));
  if (subscribe) clients_.back()->synchronize();
  return *clients_.back();
}

void Trial::add_violation(const Violation& violation) {
  constexpr std::ptrdiff_t most = 10;
  const auto known = std::count_if(violations_.begin(), violations_.end(),
                                   [&](const Violation& other) { return other.rule == violation.rule; });
  if (known < most) violations_.push_back(violation);
}

bool Trial::has_feature(std::string_view feature) const {
  const auto features = abilities_.kernel_info.find("supported_features");
  return features != abilities_.kernel_info.end() && features->is_array() &&
         std::find(features->begin(), features->end(), Json(feature)) != features->end();
}

std::string Trial::sample(const std::string& name, const Samples::Values& values) const {
  auto code = samples_.code(name, values);
  if (!code) not_applicable("no sample '" + name + "' for the language '" + samples_.language() + "'");
  if (const auto how = abilities_.unfit.find(name); how != abilities_.unfit.end())
    not_applicable("this kernel cannot run the sample '" + name + "' for the language '" + samples_.language() +
                   "': " + how->second);
  const bool endless = name == "loop" || name == "print_loop" || name == "sleep";
  if (endless && !owns_kernel() && abilities_.unhandled.contains("interrupt_request"))
    not_applicable(
        "nothing could end this cell: the kernel was started by somebody else, and handles no interrupt_request");
  return *code;
}

std::string Trial::cell(const std::vector<std::string>& statements) const {
  std::string joined;
  for (const auto& statement : statements) joined += (joined.empty() ? "" : "\n") + statement;
  return joined;
}

std::string Trial::word() {
  constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz";
  std::string made = "w";
  for (int i = 0; i < 8; ++i) made += letters[letters_() % letters.size()];
  return made + std::to_string(++words_);
}

void Trial::check(bool holds, const std::string& finding) {
  if (!holds) findings_.push_back(finding);
}

void Trial::require(bool holds, const std::string& finding) {
  if (!holds) throw Failure(finding);
}

const Message& Trial::reply(const Exchange& exchange) {
  if (!exchange.reply) not_applicable("there was no reply: see order.reply.sent");
  return *exchange.reply;
}

Exchange Trial::observe_request(const std::string& id) {
  Exchange seen = client().collect(id);
  client().fence(Channel::shell);
  for (auto& message : client().published(id)) {
    if (message.type() != "status") seen.published.push_back(std::move(message));
  }
  return seen;
}

Exchange Trial::observe(const std::string& code, const ExecuteOptions& options) {
  return observe_request(client().execute(code, options));
}

void Trial::expect(bool came, const std::string& type, const std::string& finding) {
  if (came) return;
  const std::string rules = "wire.frames.*,wire.parent.*,order.parent.present,order.idle.last,schema." + type;
  for (const auto& violation : violations_) {
    if (matches_any(violation.rule, rules)) not_applicable(finding + ": see " + violation.rule);
  }
  throw Failure(finding);
}

bool Trial::has_ended(KernelClient& client, const std::string& id) {
  const auto is_idle = [](const Message& message) {
    return testing::text_of(message.content, "execution_state") == "idle";
  };
  return client.waiting(Channel::shell) || client.has_published(id, is_idle);
}

std::optional<Message> Trial::input_request(const std::string& id) {
  const auto asked = [&] { return client().waiting(Channel::stdin_channel); };
  require(wait_until([&] { return asked() || has_ended(client(), id); }), "the cell neither asks nor ends");
  if (!asked()) client().fence(Channel::shell);
  if (!asked()) return std::nullopt;
  return client().take(Channel::stdin_channel);
}

bool Trial::wait_until(const std::function<bool()>& holds, std::optional<std::chrono::milliseconds> time) {
  const Deadline deadline = time ? Deadline::exactly(*time) : Deadline(patience_.timeout);
  while (true) {
    // Asking may read messages, which nobody shall wait for then.
    const std::uint64_t arrived = client().arrived();
    if (holds()) return true;
    if (client().arrived() != arrived && !deadline.passed()) continue;
    if (deadline.passed() || (kernel_ && !kernel_->running())) {
      client().drain();
      return holds();
    }
    // Each client can wait for its own messages only.
    client().wait(clients_.size() == 1 ? deadline.left() : std::min(deadline.left(), std::chrono::milliseconds(5)));
  }
}

std::vector<Message> Trial::of_type(const Exchange& exchange, std::string_view type) {
  std::vector<Message> found;
  std::copy_if(exchange.published.begin(), exchange.published.end(), std::back_inserter(found),
               [&](const Message& message) { return message.type() == type; });
  return found;
}

std::optional<Message> Trial::try_ask(Channel channel, std::string_view type, const Json& content, SendOptions options) {
  options.reply_due = false;
  const std::string id = client().request(channel, type, content, options);
  if (auto reply = client().collect(id).reply) return reply;
  client().fence(channel);
  while (client().waiting(channel)) {
    Message message = client().take(channel);
    if (message.parent_id() == id) return message;
  }
  return std::nullopt;
}

std::string Trial::begin(KernelClient& from, const std::string& code, const ExecuteOptions& options) {
  if (!abilities_.prints) not_applicable("nothing that a cell prints is published: see execute.print");
  const std::string mark = word();
  std::string id = from.execute(cell({sample("print", {{"text", mark}}), code}), options);
  const bool seen = from.wait_until([&] {
    std::string text;
    for (const auto& message : from.published(id)) text += testing::text_of(message.content, "text");
    return text.find(mark) != std::string::npos;
  });
  if (!seen) {
    abandon();  // the cell may go on for ever
    not_applicable("what a cell prints is not seen while it runs");
  }
  return id;
}

void Trial::interrupt() {
  if (interrupts_by_signal()) {
    kernel().signal_group(SIGINT);
  } else {
    interrupt_by_message();
  }
}

void Trial::interrupt_by_message() {
  client().request(Channel::control, "interrupt_request", Json::object(), {.reply_due = false});
}

bool Trial::until_ended(KernelClient& from, const std::string& id) {
  return from.wait_until([&] { return has_ended(from, id); });
}

void Trial::abandon() {
  if (!owns_kernel()) return;  // clean_up() does it
  kernel().signal_group(SIGKILL);
  expect_end();
}

void Trial::expect_alive() {
  const Exchange info = ask(Channel::shell, "kernel_info_request");
  require(info.reply.has_value(), "kernel_info on shell is not answered any more");
  if (abilities_.control_info) {
    const Exchange control = ask(Channel::control, "kernel_info_request");
    require(control.reply.has_value(), "kernel_info on control is not answered any more");
  }
  if (abilities_.heartbeat) {
    const Frames payload{word()};
    require(client().ping(payload) == payload, "the heartbeat is not an echo any more");
  }
  if (abilities_.prints) {
    const std::string text = word();
    const Exchange printed = run(sample("print", {{"text", text}}));
    require(printed.text("stdout").find(text) != std::string::npos, "a cell does not print any more");
  }
}

Ending Trial::expect_end() { return kernel().wait(Deadline(patience_.timeout)); }

void Trial::interrupt(KernelClient& by) {
  if (takes_sigint()) {
    kernel().signal_group(SIGINT);
  } else {
    // That it answers is the business of interrupt.reply.
    by.request(Channel::control, "interrupt_request", Json::object(), {.reply_due = false});
  }
}

void Trial::finish(bool failed) {
  for (const auto& client : clients_) {
    const bool alive = !failed && (!kernel_ || kernel_->running());
    try {
      client->finish(alive ? KernelClient::Kernel::alive : KernelClient::Kernel::ended);
    } catch (const Failure& failure) {
      findings_.emplace_back(failure.what());
    }
  }
  end_kernel();
}

bool Trial::dismiss() {
  const std::size_t before = findings_.size();
  for (const auto& client : clients_) {
    try {
      client->finish(KernelClient::Kernel::alive);
    } catch (const Failure& failure) {
      findings_.emplace_back(failure.what());
    }
  }
  if (findings_.size() != before) return false;
  dismissed_received_ = received_types();
  clients_.clear();
  relay_.reset();
  return true;
}

std::optional<Holdings> Trial::holdings(const Holdings& most, std::chrono::milliseconds time) const {
  if (!kernel_ || !kernel_->running()) return std::nullopt;
  return settled_holdings(kernel_->pid(), most, time);
}

bool Trial::repeat(void (*act)(Trial& trial)) {
  if (!kernel_) return false;
  const pid_t process = kernel_->pid();
  Trial again(target_, abilities_, samples_, transport_, patience_, static_cast<unsigned>(random_()));
  again.kernel_ = std::move(kernel_);
  bool good = false;
  try {
    act(again);
    good = again.findings().empty() && again.dismiss();
  } catch (const std::exception&) {
    good = false;
  }
  kernel_ = std::move(again.kernel_);
  return good && kernel_ && kernel_->pid() == process && kernel_->running();
}

void Trial::clean_up() {
  if (!target_.existing || clients_.empty()) return;
  KernelClient& client = *clients_.front();
  client.drain();
  bool answered = false;
  try {
    client.fence(Channel::shell, Deadline(patience_.quiet()));
    answered = true;
  } catch (const Failure&) {
    interrupt_by_message();
  }
  if (!answered) client.fence(Channel::shell, Deadline(patience_.timeout));
  delete_subshells();
  close_new_comms();
  client.forget_unasserted();
}

void Trial::delete_subshells() {
  if (!has_feature("kernel subshells")) return;
  const auto list = try_ask(Channel::control, "list_subshell_request");
  const Json ids = list ? list->content.value("subshell_id", Json::array()) : Json::array();
  for (const auto& id : ids) {
    if (!abilities_.subshells.contains(id)) try_ask(Channel::control, "delete_subshell_request", {{"subshell_id", id}});
  }
}

void Trial::close_new_comms() {
  if (abilities_.unhandled.contains("comm_info_request")) return;
  const auto info = try_ask(Channel::shell, "comm_info_request");
  const Json comms = info ? info->content.value("comms", Json::object()) : Json::object();
  for (const auto& [id, comm] : comms.items()) {
    if (abilities_.comms.contains(id)) continue;
    client().request(Channel::shell, "comm_close", {{"comm_id", id}, {"data", Json::object()}});
  }
  client().fence(Channel::shell);
}

/// As jupyter_client ends a kernel: a shutdown_request, then SIGTERM, and the destructor's SIGKILL. With the default
/// patience after the same times, too.
void Trial::end_kernel() {
  if (!kernel_ || !kernel_->running()) return;
  const auto most = patience_.timeout / 12;
  try {
    if (abilities_.unhandled.contains("shutdown_request")) throw Failure("it does not handle shutdown_request");
    if (clients_.empty()) connect().finish(KernelClient::Kernel::ended);  // nobody asks what it hears
    clients_.front()->request(Channel::control, "shutdown_request", {{"restart", false}});
    kernel_->wait(Deadline(most));
    return;
  } catch (const std::exception&) {
    kernel_->signal_group(SIGTERM);
  }
  try {
    kernel_->wait(Deadline(most));
  } catch (const Failure&) {
    // The destructor kills it. That a kernel ends when it is asked to is what shutdown.* is about.
  }
}

std::optional<std::string> Trial::how_it_ended() {
  if (!kernel_ || kernel_->running()) return std::nullopt;
  const Ending ending = kernel_->wait();
  // By convention of shells and of spawn().
  const bool unusable = ending.status == 127 || ending.status == 126;
  return "the kernel " + to_string(ending) + (unusable ? ": the system cannot execute its program" : "");
}

std::map<std::string, std::size_t> Trial::received_types() const {
  std::map<std::string, std::size_t> sum = dismissed_received_;
  for (const auto& client : clients_) {
    for (const auto& [type, count] : client->received_types()) sum[type] += count;
  }
  return sum;
}

std::string Trial::transcript() const {
  std::string text;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    text += "client " + std::to_string(i + 1) + ", " + clients_[i]->transcript() + "\n";
  }
  if (kernel_) {
    const std::string log = kernel_->stderr_text();
    if (!log.empty()) text += "the kernel's stderr:\n" + log.substr(log.size() > 4000 ? log.size() - 4000 : 0);
    const std::string said = clients_.empty() ? kernel_->stdout_text() : "";
    if (!said.empty()) text += "the kernel's stdout:\n" + said.substr(said.size() > 4000 ? said.size() - 4000 : 0);
  }
  return text;
}

}  // namespace adrastea::conformance
