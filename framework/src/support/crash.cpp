// SPDX-License-Identifier: BSD-3-Clause
#include "support/crash.hpp"

#include "support/exit_cleanup.hpp"
#include "support/fork_guard.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>

namespace adrastea::support::crash {

namespace {

/// Text that a handler can read at any moment: fixed size, no allocation. A torn read only garbles a word of the banner.
class Words {
 public:
  void set(std::string_view text) noexcept {
    const std::size_t size = std::min(text.size(), bytes_.size());
    std::memcpy(bytes_.data(), text.data(), size);
    size_.store(size, std::memory_order_release);
  }
  [[nodiscard]] std::string_view get() const noexcept { return {bytes_.data(), size_.load(std::memory_order_acquire)}; }

 private:
  std::array<char, 128> bytes_{};
  std::atomic<std::size_t> size_{0};
};

// Signal handlers are the process's, so what they read is too.
Words kernel_name_words;
Words msg_type_words;
Words msg_id_words;
std::atomic<int> banner_fd{-1};
alignas(16) std::array<std::byte, std::size_t{64} << 10> handler_stack;

/// All whose default ends the process, but for those that a kernel handles otherwise (SIGINT, SIGTERM, SIGHUP, SIGPIPE) and
/// those that nobody can (SIGKILL).
constexpr std::array k_fatal{SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP, SIGSYS,    SIGQUIT, SIGUSR1,
                             SIGUSR2, SIGALRM, SIGPOLL, SIGPROF, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPWR,  SIGSTKFLT};

std::string_view name_of(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name != nullptr ? name : "an unknown signal";
}

void say(std::string_view words) { [[maybe_unused]] const auto written = ::write(banner_fd, words.data(), words.size()); }

void handle(int signal) {
  if (!fork_guard::in_forked_child()) {
    for (const std::string_view words :
         {std::string_view("\n[adrastea] the kernel "), kernel_name_words.get(), std::string_view(" died of SIG"),
          name_of(signal), std::string_view(" while it served "), msg_type_words.get(), std::string_view(" "),
          msg_id_words.get(), std::string_view("\n")})
      say(words);
    ExitFile::unlink_all();
  }
  // SA_RESETHAND has put the default back; a fault repeats by itself, abort() and kill() want it said.
  ::raise(signal);
}

}  // namespace

void install(int fd, std::string_view kernel_name) noexcept {
  banner_fd = fd;
  kernel_name_words.set(kernel_name);
  msg_type_words.set("no request");
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = &handle;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : k_fatal) {
    struct sigaction now {};
    const bool is_default = ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
    if (is_default) ::sigaction(signal, &action, nullptr);
  }
}

void set_fd(int fd) noexcept { banner_fd = fd; }

void set_activity(std::string_view msg_type, std::string_view msg_id) noexcept {
  msg_type_words.set(msg_type);
  msg_id_words.set(msg_id);
}

}  // namespace adrastea::support::crash
