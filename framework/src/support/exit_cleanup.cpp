// SPDX-License-Identifier: BSD-3-Clause
#include "support/exit_cleanup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace adrastea::support {
namespace {

enum class State : int { unused, busy, armed };

/// What a crash handler needs, in memory that never moves. Whoever turns `state` to busy has the rest for himself.
struct Slot {
  std::atomic<State> state{State::unused};
  pid_t owner = 0;
  dev_t device = 0;
  ino_t inode = 0;
  std::array<char, PATH_MAX> path{};
};
static_assert(std::atomic<State>::is_always_lock_free);

// Six files a kernel. Pages that are never used cost no memory.
constinit std::array<Slot, 96> slots{};

void unlink_if_same(const char* path, dev_t device, ino_t inode) noexcept {
  struct stat now {};
  if (inode != 0 && (::lstat(path, &now) != 0 || now.st_dev != device || now.st_ino != inode)) return;
  ::unlink(path);
}

int arm(const std::string& path, pid_t owner, dev_t device, ino_t inode) noexcept {
  if (path.size() >= PATH_MAX) return -1;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    State expected = State::unused;
    if (!slots[i].state.compare_exchange_strong(expected, State::busy)) continue;
    slots[i].owner = owner;
    slots[i].device = device;
    slots[i].inode = inode;
    std::memcpy(slots[i].path.data(), path.c_str(), path.size() + 1);
    slots[i].state.store(State::armed);
    return static_cast<int>(i);
  }
  return -1;
}

void remove_at_exit_once() {
  static const int failure = std::atexit([] { ExitFile::unlink_all(); });
  static_cast<void>(failure);  // out of memory: what is left then is the destructors
}

}  // namespace

ExitFile::ExitFile(const std::filesystem::path& path, Only only)
    : path_(std::filesystem::absolute(path).native()), owner_(::getpid()) {
  if (only == Only::this_inode) {
    struct stat now {};
    if (::lstat(path_.c_str(), &now) != 0) throw std::system_error(errno, std::generic_category(), "cannot find " + path_);
    device_ = now.st_dev;
    inode_ = now.st_ino;
  }
  remove_at_exit_once();
  slot_ = arm(path_, owner_, device_, inode_);
}

ExitFile::ExitFile(ExitFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      owner_(other.owner_),
      device_(other.device_),
      inode_(other.inode_),
      slot_(std::exchange(other.slot_, -1)) {}

ExitFile& ExitFile::operator=(ExitFile&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
    owner_ = other.owner_;
    device_ = other.device_;
    inode_ = other.inode_;
    slot_ = std::exchange(other.slot_, -1);
  }
  return *this;
}

void ExitFile::remove() noexcept {
  if (path_.empty()) return;
  if (owner_ == ::getpid()) unlink_if_same(path_.c_str(), device_, inode_);
  path_.clear();
  // After the file: a crash in between finds either the entry or no file.
  if (slot_ >= 0) slots.at(static_cast<std::size_t>(std::exchange(slot_, -1))).state.store(State::unused);
}

void ExitFile::unlink_all() noexcept {
  const pid_t self = ::getpid();
  for (Slot& slot : slots) {
    State expected = State::armed;
    if (slot.state.load() != State::armed || slot.owner != self) continue;
    // The slot stays busy until its object lets go of it.
    if (slot.state.compare_exchange_strong(expected, State::busy))
      unlink_if_same(slot.path.data(), slot.device, slot.inode);
  }
}

}  // namespace adrastea::support
