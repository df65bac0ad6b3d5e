// SPDX-License-Identifier: BSD-3-Clause
#include "services/kernel_host.hpp"

#include "server/output_target.hpp"
#include "support/fork_guard.hpp"
#include "support/log.hpp"

#include <unistd.h>

#include <cstdio>

namespace adrastea::services {

std::optional<std::string> KernelHost::input(std::string_view prompt, bool password) {
  if (support::fork_guard::in_forked_child()) throw InputUnavailable("a forked child cannot ask for input");
  if (std::this_thread::get_id() != interpreter_thread_ || !loop_.running())
    throw InputUnavailable("input can be asked for only while a request runs, on the interpreter's thread");
  return stdin_.ask(loop_.current(), prompt, password);
}

Output KernelHost::output() {
  return Output(std::make_shared<server::OutputTarget>(server::OutputTarget{iopub_, loop_.current(), max_json_depth_}));
}

void KernelHost::exit(int status) {
  // A forked child has no request to finish and no kernel to end.
  if (support::fork_guard::in_forked_child()) {
    std::fflush(nullptr);
    ::_exit(status);
  }
  life_.exit(status);
}

void KernelHost::log(std::string_view line) { support::log::info(line); }

}  // namespace adrastea::services
