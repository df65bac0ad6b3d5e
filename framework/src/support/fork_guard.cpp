// SPDX-License-Identifier: BSD-3-Clause
#include "support/fork_guard.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <system_error>

namespace adrastea::support::fork_guard {
namespace {

std::atomic<std::uint64_t> current{0};
std::atomic<std::uint64_t> original{0};
std::atomic<pid_t> original_process{0};  // 0 before install()

}  // namespace

void install() {
  // A static's initialisation is the lock: one handler, however many kernels start at once.
  static const int failure = pthread_atfork(nullptr, nullptr, [] { current.fetch_add(1, std::memory_order_relaxed); });
  if (failure != 0) throw std::system_error(failure, std::generic_category(), "cannot register a fork handler");
  original.store(current.load(std::memory_order_relaxed), std::memory_order_relaxed);
  original_process.store(::getpid(), std::memory_order_relaxed);
}

bool in_forked_child() noexcept {
  return current.load(std::memory_order_relaxed) != original.load(std::memory_order_relaxed);
}

bool in_newborn_child() noexcept {
  const pid_t known = original_process.load(std::memory_order_relaxed);
  return in_forked_child() || (known != 0 && known != ::getpid());
}

std::uint64_t generation() noexcept { return current.load(std::memory_order_relaxed); }

}  // namespace adrastea::support::fork_guard
