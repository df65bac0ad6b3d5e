// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

/// Knowing that we are a fork()ed copy of the kernel: there its threads are gone, and its sockets and files are the
/// parent's. Cheap enough to ask on every publish, where getpid() is a system call.
namespace adrastea::support::fork_guard {

/// From now on this process is the original. Threads: any. Errors: std::system_error when the C library has no memory.
void install();

/// True in a child that fork() made after install(), until it calls install() itself.
[[nodiscard]] bool in_forked_child() noexcept;

/// The same for signal handlers, at the price of a system call: a child can be hit by a signal before fork() has come back
/// in it, when in_forked_child() does not know of it yet.
[[nodiscard]] bool in_newborn_child() noexcept;

/// How many forks lie between the first process and this one, as far as install() has seen them.
[[nodiscard]] std::uint64_t generation() noexcept;

/// Remembers the process that made an object, so that a child's copy of it can keep its hands off.
class Owner {
 public:
  [[nodiscard]] bool is_this_process() const noexcept { return generation_ == generation(); }

 private:
  std::uint64_t generation_ = fork_guard::generation();
};

}  // namespace adrastea::support::fork_guard
