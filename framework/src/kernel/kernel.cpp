// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/checked_limits.hpp"
#include "kernel/parent_watch.hpp"
#include "kernel/process_signals.hpp"
#include "server/control_loop.hpp"
#include "server/fd_capture.hpp"
#include "server/interrupts.hpp"
#include "server/iopub.hpp"
#include "server/shell_loop.hpp"
#include "server/stdin_channel.hpp"
#include "services/comm_manager.hpp"
#include "services/common_requests.hpp"
#include "services/control_handler.hpp"
#include "services/execution.hpp"
#include "services/history.hpp"
#include "services/kernel_host.hpp"
#include "services/shell_handler.hpp"
#include "support/blocked_signals.hpp"
#include "support/crash.hpp"
#include "support/exit_cleanup.hpp"
#include "support/fork_guard.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "transport/connection_info.hpp"
#include "transport/handshake.hpp"
#include "transport/sockets.hpp"
#include "wire/encode.hpp"
#include "wire/signature.hpp"

#include <adrastea/embed.hpp>
#include <adrastea/errors.hpp>

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

// The life of a kernel, in the order of its members: its launcher is watched, the file is read, the sockets are bound (all
// five or none), output is captured, the interpreter is made, IOPub and control begin to serve, the language starts, shell
// is served.
//
// It ends when stopping_ is set, by whoever: a shutdown_request (either channel), SIGTERM, the parent's death, stop(), user
// code. Who wants it now (all but user code) also interrupts what runs and gives the interpreter Limits::shutdown_deadline;
// if it has not come back then, the thread "control" delivers what IOPub and control hold, removes the files and ends the
// process, because a thread cannot be ended from outside.
namespace adrastea {

namespace {

using Clock = std::chrono::steady_clock;

std::string milliseconds_since(Clock::time_point begin) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()) + " ms";
}

/// What it asks for, without its keys.
void tell_file(const transport::ConnectionFile& file) {
  const transport::ConnectionInfo& info = file.info();
  const auto chosen = info.ports.size() - static_cast<std::size_t>(std::count(info.ports.begin(), info.ports.end(), 0));
  std::string text = "connection file: " + info.transport + ", ip " + support::printable(info.ip) + ", " +
                     std::to_string(chosen) + " of 5 ports given, " + (info.key.empty() ? "not signed" : "signed") +
                     (info.encrypted() ? ", encrypted" : "");
  if (file.registration() != nullptr) text += ", registers at " + support::printable(file.registration()->endpoint);
  support::log::debug(text);
}

KernelOptions checked(KernelOptions options) {
  kernel::check(options.limits);
  return options;
}

kernel::By starter(const KernelOptions& options) {
  return options.connection_file.empty() || ::isatty(STDIN_FILENO) == 1 ? kernel::By::hand : kernel::By::launcher;
}

transport::ConnectionFile open_connection_file(const KernelOptions& options) {
  auto file = options.connection_file.empty() ? transport::ConnectionFile::create(options.name, options.ip)
                                              : transport::ConnectionFile::load(options.connection_file);
  tell_file(file);
  return file;
}

wire::Signer make_signer(const transport::ConnectionFile& file) {
  auto made = wire::Signer::create(file.info().signature_scheme, file.info().key);
  if (!made) throw StartupError(file.described() + ": " + made.error());
  return std::move(made).value();
}

services::History make_history(const KernelOptions& options, const Interpreter& interpreter) {
  if (options.history == HistoryMode::in_memory) return services::History();
  try {
    const std::string name = options.name.empty() ? interpreter.language().name : options.name;
    return services::History(std::make_unique<services::HistoryStore>(services::history_file(name)));
  } catch (const std::exception& error) {
    support::log::warning("history is in memory only: " + std::string(error.what()));
    return services::History();
  }
}

/// What cells started and left behind ends with the kernel, in a session of our own, which is how Jupyter starts kernels.
void end_children() noexcept {
  if (::getsid(0) != ::getpid()) return;
  ::signal(SIGTERM, SIG_IGN);
  ::kill(0, SIGTERM);
}

/// One descriptor that is readable when any of `fds` is.
support::UniqueFd join_fds(std::initializer_list<int> fds) {
  support::UniqueFd all(::epoll_create1(EPOLL_CLOEXEC));
  if (!all) throw StartupError(std::string("cannot make an epoll descriptor: ") + std::strerror(errno));
  for (const int fd : fds) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(all.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw StartupError(std::string("cannot watch a socket: ") + std::strerror(errno));
  }
  return all;
}

}  // namespace

class Kernel::Impl : public services::Life {
 public:
  Impl(const InterpreterFactory& make_interpreter, KernelOptions options);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int run();
  [[nodiscard]] int fd() const { return all_fds_.get(); }
  bool step() { return loop_.step(); }
  void stop() { end_now(false); }
  [[nodiscard]] const std::filesystem::path& connection_file() const { return file_.path(); }

  void shut_down(bool restart) override { end_now(restart); }
  void exit(int status) override;
  [[nodiscard]] bool exiting() const noexcept override { return exiting_; }
  void interrupt() noexcept override { interrupts_.request(); }
  [[nodiscard]] bool interrupted() const noexcept override { return interrupts_.requested() || ending_now_; }

 private:
  [[nodiscard]] std::unique_ptr<transport::Bound> bind();
  [[nodiscard]] std::unique_ptr<server::FdCapture> start_capture();
  [[nodiscard]] std::unique_ptr<Interpreter> make(const InterpreterFactory& make_interpreter);
  [[nodiscard]] server::RequestServer request_server(transport::Router& socket, server::Handler& handler,
                                                     server::RequestContext::Origin origin);
  void start_threads();
  void finish();
  void end_now(bool restart);
  void end_without_interpreter() noexcept;

  const KernelOptions options_;
  const Clock::time_point begin_ = Clock::now();
  kernel::ParentWatch parent_;
  transport::ConnectionFile file_;
  wire::Signer signer_;
  wire::ReplayHistory replays_;
  const std::shared_ptr<wire::Identity> identity_ = std::make_shared<wire::Identity>();
  server::Wakeup shell_wakeup_;
  server::Wakeup control_wakeup_;
  std::atomic<bool> stopping_{false};
  std::mutex ending_;  ///< held by end_now(), on any thread
  std::atomic<bool> ending_now_{false};
  std::atomic<bool> restart_{false};
  std::atomic<int> status_{0};
  std::atomic<bool> exiting_{false};

  std::unique_ptr<transport::Bound> sockets_;
  std::unique_ptr<server::FdCapture> capture_;
  std::unique_ptr<kernel::ProcessSignals> signals_;
  std::unique_ptr<Interpreter> interpreter_;
  server::Interrupts interrupts_;
  std::shared_ptr<server::Iopub> iopub_;

  services::CommonRequests common_;
  services::History history_;
  services::CommManager comms_;
  services::Execution execution_;
  services::ShellHandler shell_handler_;
  services::ControlHandler control_handler_;
  server::ShellLoop loop_;
  server::StdinChannel stdin_;
  services::KernelHost host_;
  server::ControlLoop control_;
  support::UniqueFd all_fds_;
  std::thread control_thread_;
};

Kernel::Impl::Impl(const InterpreterFactory& make_interpreter, KernelOptions options)
    : options_(checked(std::move(options))),
      parent_(options_.watch_parent ? kernel::watch_parent(starter(options_)) : kernel::ParentWatch{}),
      file_(open_connection_file(options_)),
      signer_(make_signer(file_)),
      replays_(options_.limits.digest_history),
      sockets_(bind()),
      capture_(start_capture()),
      signals_(options_.handle_signals ? std::make_unique<kernel::ProcessSignals>(control_wakeup_) : nullptr),
      interpreter_(make(make_interpreter)),
      interrupts_(
          [this] {
            control_wakeup_.signal();
            interpreter_->interrupt();
          },
          shell_wakeup_, options_.handle_signals),
      iopub_(std::make_shared<server::Iopub>(server::Iopub::Parts{.socket = *sockets_->iopub,
                                                                  .signer = signer_.copy(),
                                                                  .identity = identity_,
                                                                  .limits = options_.limits,
                                                                  .capture = capture_.get(),
                                                                  .give_up = [this] { return interrupted(); }})),
      common_(*interpreter_, file_.info(), options_.name.empty() ? interpreter_->language().name : options_.name, *iopub_,
              *this),
      history_(make_history(options_, *interpreter_)),
      comms_(iopub_, options_.limits.max_json_depth),
      execution_(*interpreter_, iopub_, history_, *this, options_.limits.max_json_depth),
      shell_handler_(*interpreter_, common_, execution_, history_, comms_),
      control_handler_(common_),
      loop_(*sockets_->shell, request_server(*sockets_->shell, shell_handler_, server::RequestContext::Origin::shell),
            interrupts_, shell_wakeup_, stopping_, options_.limits.stop_on_error_gap,
            {.due = [this] { return history_.due(); }, .run = [this] { history_.save(); }}),
      stdin_({.socket = *sockets_->stdin_channel,
              .iopub = *iopub_,
              .signer = signer_.copy(),
              .history = replays_,
              .identity = *identity_,
              .limits = options_.limits,
              .wakeup = shell_wakeup_,
              .cancelled = [this] { return interrupted(); }}),
      host_(iopub_, stdin_, loop_, comms_, *this, options_.limits.max_json_depth),
      control_(*sockets_->control,
               request_server(*sockets_->control, control_handler_, server::RequestContext::Origin::control), interrupts_,
               control_wakeup_, std::move(parent_.fd),
               {.woken =
                    [this] {
                      if (options_.handle_signals && kernel::ProcessSignals::terminated()) end_now(false);
                    },
                .parent_gone =
                    [this] {
                      support::log::info("the process that started this kernel has ended");
                      end_now(false);
                    },
                .deadline_passed = [this] { end_without_interpreter(); }}),
      all_fds_(join_fds({sockets_->shell->fd(), shell_wakeup_.fd(), loop_.timer_fd()})) {
  support::log::debug("the interpreter is made, after " + milliseconds_since(begin_));
  interpreter_->attach(&host_);
  try {
    start_threads();
    iopub_->status(iopub_->latest(), server::Iopub::State::starting);
    interpreter_->start();
    support::log::debug("requests are served; the start took " + milliseconds_since(begin_));
  } catch (...) {
    finish();
    throw;
  }
}

Kernel::Impl::~Impl() { finish(); }

void Kernel::Impl::finish() {
  stopping_ = true;
  // Whoever called stop() may not have come back from it yet.
  { const std::lock_guard wait(ending_); }
  loop_.abort_rest();
  history_.close();
  control_.finish();
  if (control_thread_.joinable()) control_thread_.join();
  iopub_->stop();
  interpreter_->attach(nullptr);
  if (options_.handle_signals) end_children();
  if (!capture_) return;
  support::log::set_fd(STDERR_FILENO);
  support::crash::set_fd(STDERR_FILENO);
}

std::unique_ptr<transport::Bound> Kernel::Impl::bind() {
  auto bound = transport::bind_all(file_.info(), options_.limits, parent_.fd.get());
  if (const auto* registration = file_.registration())
    transport::register_kernel(*registration, file_.info(), options_.limits, parent_.fd.get());
  file_.store();
  if (!file_.path().empty()) support::log::debug("clients connect with " + file_.path().string());
  file_.warn();
  if (!parent_.remark.empty()) support::log::warning(parent_.remark);
  return bound;
}

std::unique_ptr<server::FdCapture> Kernel::Impl::start_capture() {
  support::fork_guard::install();
  if (!options_.capture_output) return nullptr;
  auto capture = std::make_unique<server::FdCapture>();
  support::log::set_fd(capture->original_stderr());
  support::crash::set_fd(capture->original_stderr());
  return capture;
}

std::unique_ptr<Interpreter> Kernel::Impl::make(const InterpreterFactory& make_interpreter) {
  auto made = make_interpreter();
  if (!made) throw StartupError("the interpreter's factory made none");
  return made;
}

server::RequestServer Kernel::Impl::request_server(transport::Router& socket, server::Handler& handler,
                                                   server::RequestContext::Origin origin) {
  return server::RequestServer({.socket = socket,
                                .iopub = *iopub_,
                                .signer = signer_.copy(),
                                .history = replays_,
                                .identity = *identity_,
                                .limits = options_.limits,
                                .handler = handler,
                                .origin = origin});
}

void Kernel::Impl::start_threads() {
  const support::BlockedSignals blocked;
  iopub_->start();
  control_thread_ = std::thread([this] {
    if (signals_) kernel::ProcessSignals::unblock_here();
    control_.run();
  });
}

int Kernel::Impl::run() {
  while (step()) loop_.wait();
  // The language's own end may take as long as a cell, however the kernel came to its end.
  if (options_.handle_signals) control_.end_by(options_.limits.shutdown_deadline);
  try {
    interpreter_->shutdown(restart_);
  } catch (...) {
    support::log::error("the interpreter's shutdown failed: " +
                        server::error_content_of_current_exception().value("evalue", ""));
  }
  history_.close();  // while control still counts the time of a kernel that must end
  return status_;
}

void Kernel::Impl::exit(int status) {
  status_ = status;
  exiting_ = true;
  stopping_ = true;
}

void Kernel::Impl::end_now(bool restart) {
  const std::lock_guard lock(ending_);
  if (ending_now_.exchange(true)) return;
  restart_ = restart;
  stopping_ = true;
  interrupts_.request();
  shell_wakeup_.signal();
  // A host program's thread is its own affair; a process that is only a kernel must be gone in time.
  if (options_.handle_signals) control_.end_by(options_.limits.shutdown_deadline);
}

void Kernel::Impl::end_without_interpreter() noexcept {
  support::log::warning("the interpreter did not stop in time; the process ends without it");
  iopub_->stop();
  sockets_->deliver_without_interpreter();
  support::ExitFile::unlink_all();
  end_children();
  ::_exit(status_);
}

Kernel::Kernel(const InterpreterFactory& make_interpreter, KernelOptions options)
    : impl_(std::make_unique<Impl>(make_interpreter, std::move(options))) {}
Kernel::~Kernel() = default;
int Kernel::run() { return impl_->run(); }
int Kernel::fd() const { return impl_->fd(); }
bool Kernel::step() { return impl_->step(); }
void Kernel::stop() { impl_->stop(); }
const std::filesystem::path& Kernel::connection_file() const { return impl_->connection_file(); }

}  // namespace adrastea
