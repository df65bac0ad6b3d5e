// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/testing/kernel_process.hpp>

#include <adrastea/testing/failure.hpp>
#include "output_log.hpp"
#include "registrar.hpp"
#include "spawn.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>
#include <string_view>
#include <thread>

namespace adrastea::testing {
namespace {

constexpr std::array k_all_channels{Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control,
                                    Channel::heartbeat};

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void add_curve_keys(Json& fields) {
  std::array<char, 41> public_key{};
  std::array<char, 41> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw Failure(std::string("this libzmq makes no curve keys: ") + zmq_strerror(zmq_errno()));
  fields["curve_publickey"] = public_key.data();
  fields["curve_secretkey"] = secret_key.data();
}

/// Every KernelProcess there is, for kill_all().
struct Living {
  std::mutex mutex;
  std::map<std::filesystem::path, pid_t> groups;  ///< the kernel's process group, or 0 before it is there, by its directory
};

Living& living() {
  static Living all;
  return all;
}

/// Longest that TMPDIR may be: an ipc path must fit into 107 bytes.
constexpr std::size_t k_longest = 79;

constexpr std::string_view k_prefix = "adrk-";
constexpr const char* k_owner = "lock";  ///< a file that the process keeps locked whose directory it is

std::filesystem::path temporary_folder() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' && std::strlen(given) <= k_longest ? given : "/tmp";
}

/// Of the process: a child that has been forked and not yet become a kernel does not have it, as it would have flock's.
bool lock_alone(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

/// Under its name it is never seen unlocked: who finds it so knows that its owner has ended.
int own(const std::filesystem::path& directory) {
  const std::filesystem::path before = directory / "lock.new";
  const int fd = ::open(before.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 && lock_alone(fd) && ::rename(before.c_str(), (directory / k_owner).c_str()) == 0) return fd;
  const std::string cause = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  throw Failure("cannot lock " + before.string() + ": " + cause);
}

/// Under another name first: a kernel that outlived its owner for a moment makes no more files in it then. The owner's file
/// goes last, so that what could not be removed is found again.
void remove_owned(const std::filesystem::path& given) {
  const std::filesystem::path directory = given.native() + "-gone";
  std::error_code failure;
  std::filesystem::rename(given, directory, failure);
  if (failure) return;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failure)) {
    std::error_code ignored;
    if (entry.path().filename() != k_owner) std::filesystem::remove_all(entry.path(), ignored);
  }
  std::filesystem::remove_all(directory, failure);
}

/// Held (shared) by who makes a directory in a folder, until that has its owner's file; whoever has it alone knows that a
/// directory without one is nobody's. Others may prevent it. Who sweeps waits for nobody, who makes one waits for that.
class FolderLock {
 public:
  FolderLock(const std::filesystem::path& folder, int operation)
      : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), held_(fd_ >= 0 && ::flock(fd_, operation) == 0) {}
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  int fd_;
  bool held_;
};

/// What processes left that were killed with SIGKILL.
void remove_orphans(const std::filesystem::path& folder) {
  const FolderLock alone(folder, LOCK_EX | LOCK_NB);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (!entry.path().filename().string().starts_with(k_prefix)) continue;
    const int fd = ::open((entry.path() / k_owner).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
      if (alone.held() && std::filesystem::is_empty(entry.path(), ignored) && !ignored) ::rmdir(entry.path().c_str());
      continue;
    }
    if (lock_alone(fd)) remove_owned(entry.path());
    ::close(fd);
  }
}

void reap_group(pid_t group) {
  // Those that lost their parent are ours, because this process is a subreaper.
  while (::waitpid(-group, nullptr, 0) > 0 || errno == EINTR) {
  }
}

}  // namespace

/// Made 0700, removed with all that is in it. Known to kill_all() from the first moment on.
class PrivateDirectory {
 public:
  PrivateDirectory() {
    const std::lock_guard lock(living().mutex);
    const std::filesystem::path folder = temporary_folder();
    static std::once_flag first;
    std::call_once(first, remove_orphans, folder);
    const FolderLock making(folder, LOCK_SH);
    std::string pattern = folder / (std::string(k_prefix) + "XXXXXX");
    if (::mkdtemp(pattern.data()) == nullptr) throw Failure("mkdtemp " + pattern + ": " + std::strerror(errno));
    path_ = pattern;
    owner_ = own(path_);
    living().groups.emplace(path_, 0);
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory() {
    const std::lock_guard lock(living().mutex);
    remove_owned(path_);
    ::close(owner_);
    living().groups.erase(path_);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int owner_ = -1;
};

const char* to_string(Transport transport) noexcept {
  switch (transport) {
    case Transport::tcp:
      return "tcp";
    case Transport::ipc:
      return "ipc";
    case Transport::port0:
      return "port0";
    case Transport::handshake:
      return "handshake";
    case Transport::curve:
      return "curve";
  }
  return "?";
}

std::string to_string(const Ending& ending) {
  if (ending.signal == 0) return "ended with status " + std::to_string(ending.status);
  const char* name = ::sigabbrev_np(ending.signal);
  return "ended by signal " + std::to_string(ending.signal) + (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

namespace {

Ending ending_of(int status, bool told_by_init) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  const int code = WEXITSTATUS(status);
  return told_by_init && code > k_signalled ? Ending{0, code - k_signalled} : Ending{code, 0};
}

}  // namespace

KernelProcess::KernelProcess(const std::filesystem::path& program, LaunchOptions options)
    : options_(std::move(options)),
      home_(std::make_unique<PrivateDirectory>()),
      directory_(home_->path()),
      file_(directory_ / "connection.json"),
      log_(std::make_unique<OutputLog>()) {
  write_connection_file();
  inotify_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  ::inotify_add_watch(inotify_, directory_.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE);
  launch(program);
}

Json KernelProcess::connection_fields() {
  if (options_.transport == Transport::handshake) {
    registrar_ = std::make_unique<Registrar>(options_.acknowledgement);
    return registrar_->registration_file();
  }
  Json fields{{"transport", "tcp"},
              {"ip", "127.0.0.1"},
              {"key", random_id()},
              {"signature_scheme", "hmac-sha256"},
              {"kernel_name", ""}};
  for (std::size_t i = 0; i < k_all_channels.size(); ++i) {
    fields[port_key(k_all_channels.at(i))] = options_.transport == Transport::ipc ? static_cast<int>(i) + 1 : 0;
  }
  if (options_.transport == Transport::ipc) {
    fields["transport"] = "ipc";
    fields["ip"] = (directory_ / "k").string();
  }
  if (options_.transport == Transport::tcp || options_.transport == Transport::curve) reserve_ports(fields);
  if (options_.transport == Transport::curve) add_curve_keys(fields);
  return fields;
}

void KernelProcess::write_connection_file() {
  Json fields = connection_fields();
  for (const auto& [name, value] : options_.fields.items()) {
    if (value.is_null()) {
      fields.erase(name);
    } else {
      fields[name] = value;
    }
  }
  written_ = options_.file_text.value_or(fields.dump(1));
  if (!options_.write_file) return;
  std::ofstream(file_) << written_;
  std::filesystem::permissions(file_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

void KernelProcess::reserve_ports(Json& fields) {
  // A socket that is bound with SO_REUSEADDR and does not listen keeps a port from everybody who lets the system choose
  // one, and still lets the kernel, which sets SO_REUSEADDR too, bind and listen: no launch race in the tests.
  for (const Channel channel : k_all_channels) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    reserved_.push_back(socket);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw Failure("cannot reserve a port: " + std::string(std::strerror(errno)));
    }
    fields[port_key(channel)] = ntohs(address.sin_port);
  }
}

std::vector<std::string> KernelProcess::command_line(const std::filesystem::path& program) const {
  std::vector<std::string> command = options_.argv;
  if (command.empty()) {
    command = {program.string()};
    command.insert(command.end(), options_.command_prefix.begin(), options_.command_prefix.end());
    command.insert(command.end(), {"-f", "{connection_file}"});
    command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  }
  constexpr std::string_view placeholder = "{connection_file}";
  for (auto& word : command) {
    for (std::size_t at = word.find(placeholder); at != std::string::npos; at = word.find(placeholder)) {
      word.replace(at, placeholder.size(), file_.string());
    }
  }
  return command;
}

void KernelProcess::launch(const std::filesystem::path& program) {
  SpawnRequest request;
  request.command = command_line(program);
  request.environment = options_.environment;
  // A kernel keeps its history and its own connection file there: no test may read or write the user's own.
  for (const auto& [variable, folder] :
       {std::pair{"JUPYTER_DATA_DIR=", "data"}, std::pair{"JUPYTER_RUNTIME_DIR=", "runtime"},
        std::pair{"IPYTHONDIR=", "ipython"}}) {
    const std::string name = variable;
    const auto is_it = [&](const std::string& given) { return given.starts_with(name); };
    if (std::none_of(request.environment.begin(), request.environment.end(), is_it))
      request.environment.push_back(name + (directory_ / folder).string());
  }
  request.tell_parent = options_.tell_parent;
  request.through_parent = options_.through_parent;
  request.through_thread = options_.through_thread;
  request.through_init = options_.through_init;
  request.stdout_fd = log_->stdout_fd();
  request.stderr_fd = log_->stderr_fd();
  {
    // kill_all() sees either no kernel or all of it.
    const std::lock_guard lock(living().mutex);
    const Spawned spawned = spawn(request);
    pid_ = spawned.pid;
    parent_ = spawned.parent;
    thread_end_ = spawned.thread_end;
    living().groups[directory_] = pid_;
  }
  log_->give_away();
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) throw Failure("pidfd_open: " + std::string(std::strerror(errno)));
}

void KernelProcess::kill_all() {
  // Kept: nobody may remove a directory, or start a kernel, while the program ends.
  living().mutex.lock();
  for (const auto& [directory, pid] : living().groups) {
    if (pid > 0) {
      ::kill(-pid, SIGKILL);
      reap_group(pid);
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
}

KernelProcess::~KernelProcess() {
  if (parent_ > 0) kill_parent();
  if (!ending_) {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    check_sanitizers();
  }
  ::kill(-pid_, SIGKILL);  // children that user code left in the kernel's group
  reap_group(pid_);
  for (const int fd : reserved_) ::close(fd);
  ::close(inotify_);
  ::close(thread_end_);
  ::close(pidfd_);
}

bool KernelProcess::running() const {
  pollfd ended{pidfd_, POLLIN, 0};
  return !ending_ && ::poll(&ended, 1, 0) == 0;
}

Connection KernelProcess::connection(Deadline deadline) {
  if (options_.transport == Transport::handshake) {
    if (!registered_) await_registration(deadline);
    return {*registered_};
  }
  if (options_.transport == Transport::port0) await_written_ports(deadline);
  return Connection::read(file_);
}

void KernelProcess::await_written_ports(Deadline deadline) {
  // The watch was set before the kernel started, so no change is missed between a look and a wait.
  while (true) {
    const Json fields = Json::parse(read_all(file_), nullptr, false);
    if (!fields.is_object()) throw Failure("the connection file is not replaced atomically: " + read_all(file_));
    bool complete = true;
    for (const Channel channel : k_all_channels) complete = complete && fields.at(port_key(channel)) != 0;
    if (complete) return;
    if (!running()) throw Failure("the kernel " + to_string(wait()) + " before it wrote its ports: " + stderr_text());
    if (deadline.passed()) throw Failure("the kernel never wrote its ports: " + stderr_text());
    std::array<pollfd, 2> waits{pollfd{inotify_, POLLIN, 0}, pollfd{pidfd_, POLLIN, 0}};
    ::poll(waits.data(), waits.size(), static_cast<int>(deadline.left().count()));
    std::array<char, 4096> events{};
    while (::read(inotify_, events.data(), events.size()) > 0) {
    }
  }
}

void KernelProcess::await_registration(Deadline deadline) {
  registered_ = registrar_->await(Json::parse(written_), pidfd_, deadline);
  if (registered_) return;
  throw Failure(running() ? "the kernel never registered: " + stderr_text()
                          : "the kernel " + to_string(wait()) + " before it registered: " + stderr_text());
}

void KernelProcess::signal(int number) const { ::syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0); }

void KernelProcess::signal_group(int number) const { ::kill(-pid_, number); }

void KernelProcess::kill_parent() {
  ::kill(parent_, SIGKILL);
  int status = 0;
  while (::waitpid(parent_, &status, 0) < 0 && errno == EINTR) {
  }
  parent_ = -1;
}

void KernelProcess::end_parent_thread() {
  const char any = 0;
  if (::write(thread_end_, &any, 1) != 1) throw Failure("there is no thread in between");
  const std::filesystem::path threads = "/proc/" + std::to_string(parent_) + "/task";
  const Deadline deadline;
  // It can be joined before the system has told its children of its end; its entry here goes afterwards.
  while (std::distance(std::filesystem::directory_iterator(threads), {}) > 1) {
    if (deadline.passed()) throw Failure("the thread in between does not end");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // polled: /proc, which tells nobody of a change
  }
}

Ending KernelProcess::wait(Deadline deadline) {
  if (ending_) return *ending_;
  pollfd ended{pidfd_, POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(deadline.left().count())) != 1) {
    throw Failure("the kernel did not end in time; its stderr: " + stderr_text());
  }
  // One whose parent was killed is ours now, because the tests are a subreaper. An init ends as its child did.
  int status = 0;
  while (::waitpid(options_.through_init ? parent_ : pid_, &status, 0) < 0) {
    if (errno != EINTR) throw Failure("waitpid: " + std::string(std::strerror(errno)));
  }
  if (options_.through_init) parent_ = -1;
  ending_ = ending_of(status, options_.through_init);
  check_sanitizers();
  return *ending_;
}

void KernelProcess::check_sanitizers() {
  const std::string text = stderr_text();
  for (const char* mark : {"ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer", "LeakSanitizer"}) {
    if (text.find(mark) != std::string::npos) {
      report("a sanitizer found something in the kernel:\n" + text);
      return;
    }
  }
}

std::string KernelProcess::stdout_text() const { return log_->stdout_text(); }
std::string KernelProcess::stderr_text() const { return log_->stderr_text(); }

std::size_t KernelProcess::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::vector<std::filesystem::path> KernelProcess::socket_files() const {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.is_socket()) found.push_back(entry.path());
  }
  return found;
}

}  // namespace adrastea::testing
