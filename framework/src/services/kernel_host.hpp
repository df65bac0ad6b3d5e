// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "server/shell_loop.hpp"
#include "server/stdin_channel.hpp"
#include "services/comm_manager.hpp"
#include "services/life.hpp"

#include <adrastea/host.hpp>

#include <memory>
#include <thread>

namespace adrastea::services {

/// The Host of one kernel. Threads, errors: as Host.
class KernelHost : public Host {
 public:
  KernelHost(std::shared_ptr<server::Iopub> iopub, server::StdinChannel& stdin_channel, const server::ShellLoop& loop,
             CommManager& comms, Life& life, std::size_t max_json_depth)
      : iopub_(std::move(iopub)),
        stdin_(stdin_channel),
        loop_(loop),
        comms_(comms),
        life_(life),
        max_json_depth_(max_json_depth) {}

  std::optional<std::string> input(std::string_view prompt, bool password) override;
  Output output() override;
  Comms& comms() override { return comms_; }
  [[nodiscard]] bool interrupted() const noexcept override { return life_.interrupted(); }
  void exit(int status) override;
  void log(std::string_view line) override;

 private:
  const std::shared_ptr<server::Iopub> iopub_;
  server::StdinChannel& stdin_;
  const server::ShellLoop& loop_;
  CommManager& comms_;
  Life& life_;
  const std::size_t max_json_depth_;
  const std::thread::id interpreter_thread_ = std::this_thread::get_id();
};

}  // namespace adrastea::services
