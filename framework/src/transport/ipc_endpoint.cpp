// SPDX-License-Identifier: BSD-3-Clause
#include "transport/ipc_endpoint.hpp"

#include "support/cause.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace adrastea::transport {
namespace {

using support::cause_of;
using support::UniqueFd;

constexpr std::chrono::seconds k_lock_patience{5};
constexpr const char* k_choose_another = "choose another ip prefix or another number";

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  constexpr std::size_t limit = sizeof address.sun_path - 1;
  if (path.size() > limit) {
    throw BindFailure{"the path is " + std::to_string(path.size()) + " bytes long, and the limit for a socket is " +
                          std::to_string(limit),
                      "choose a shorter ip prefix"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw BindFailure{"cannot make a socket: " + cause_of(errno), "check the limit for open files"};
  return fd;
}

/// 0 or errno.
int try_bind(const UniqueFd& fd, const sockaddr_un& address) {
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

/// Returns when nobody listens on the socket file at the path, or it has gone meanwhile.
void require_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw BindFailure{cause_of(errno), k_choose_another};
  }
  if (!S_ISSOCK(status.st_mode)) {
    throw BindFailure{cause_of(EADDRINUSE),
                      std::string("a file that is no socket is in the way and was left alone; ") + k_choose_another};
  }
  const UniqueFd probe = new_socket();
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) return;
    if (errno != EAGAIN) {  // EAGAIN: alive, with many clients waiting to be accepted
      throw BindFailure{cause_of(EADDRINUSE), "whether the socket there is alive cannot be found out (" + cause_of(errno) +
                                                  "); " + k_choose_another};
    }
  }
  throw BindFailure{cause_of(EADDRINUSE), std::string("another program listens there; ") + k_choose_another};
}

/// 0 or errno: EWOULDBLOCK when somebody else holds it all the time, EOWNERDEAD when the launcher has ended meanwhile.
int lock(const UniqueFd& directory, int launcher) {
  const auto give_up = std::chrono::steady_clock::now() + k_lock_patience;
  while (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= give_up) return errno;
    // There is no flock() with a time limit; others hold it for about a millisecond.
    pollfd ended{launcher, POLLIN, 0};  // poll ignores a negative fd
    if (::poll(&ended, 1, 1) == 1) return EOWNERDEAD;
  }
  return 0;
}

}  // namespace

IpcDirectoryLock::IpcDirectoryLock(const std::string& socket_path, int launcher) {
  std::filesystem::path directory = std::filesystem::path(socket_path).parent_path();
  if (directory.empty()) directory = ".";
  const std::string shown = support::printable(directory.native());
  directory_ = UniqueFd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int error = directory_ ? 0 : errno;
  if (error == ENOENT || error == ENOTDIR) throw BindFailure{cause_of(error), "make the directory " + shown + " first"};
  if (error == 0) error = lock(directory_, launcher);
  if (error == EWOULDBLOCK) {
    throw BindFailure{
        "another process has kept the directory " + shown + " locked for " + std::to_string(k_lock_patience.count()) + " s",
        "end that process, or choose an ip prefix in another directory"};
  }
  if (error == EOWNERDEAD) {
    throw BindFailure{"the process that started this kernel has ended meanwhile, and the directory " + shown +
                          " was locked by another one all the time",
                      "start it again"};
  }
  if (error != 0) {
    support::log::warning("cannot lock the directory " + shown + " (" + cause_of(error) +
                          "); another kernel that starts with the same ip prefix just now could be overlooked");
  }
  struct stat status {};
  if (directory_ && ::fstat(directory_.get(), &status) == 0 && (status.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH) {
    support::log::warning(
        "every user may replace the sockets in " + shown +
        ": it is writable for all and not sticky; chmod o-w it, or choose an ip prefix in a directory of your own");
  }
}

IpcListener listen_ipc(const std::string& path) {
  const sockaddr_un address = address_of(path);
  IpcListener listener{.fd = new_socket(), .file = {}};
  // Linux gives the socket file the mode that its descriptor has when it is bound: no moment in which others may connect.
  if (::fchmod(listener.fd.get(), 0600) != 0) throw BindFailure{cause_of(errno), k_choose_another};

  int error = try_bind(listener.fd, address);
  if (error == EADDRINUSE) {
    require_stale(path, address);
    ::unlink(path.c_str());
    error = try_bind(listener.fd, address);
  }
  if (error != 0) throw BindFailure{cause_of(error), k_choose_another};
  listener.file = support::ExitFile(path, support::ExitFile::Only::this_inode);
  if (::listen(listener.fd.get(), SOMAXCONN) != 0) throw BindFailure{cause_of(errno), k_choose_another};
  return listener;
}

}  // namespace adrastea::transport
