// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frontend.hpp"
#include "help_query.hpp"
#include "session.hpp"

#include <adrastea/interpreter.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lua_kernel {

/// Lua 5.4 as an Adrastea interpreter: translates between the protocol's requests and a Session.
class LuaInterpreter : public adrastea::Interpreter {
 public:
  LuaInterpreter();

  [[nodiscard]] adrastea::LanguageInfo language() const override;
  [[nodiscard]] adrastea::KernelInfo info() const override;
  void start() override;
  void shutdown(bool restart) override;
  adrastea::ExecuteResult execute(const adrastea::ExecuteRequest& request, adrastea::Output& out) override;
  adrastea::MimeBundle evaluate(const std::string& expression) override;
  adrastea::CompleteResult complete(const adrastea::CompleteRequest& request) override;
  adrastea::InspectResult inspect(const adrastea::InspectRequest& request) override;
  adrastea::IsCompleteResult is_complete(const std::string& code) override;
  void interrupt() noexcept override;

 private:
  /// Session's frontend: the host, and the output of the request that runs.
  class HostFrontend : public Frontend {
   public:
    explicit HostFrontend(const LuaInterpreter& owner) : owner_(owner) {}
    void set_output(adrastea::Output output) { output_ = std::move(output); }
    void write_stdout(std::string_view text) noexcept override;
    void write_stderr(std::string_view text) noexcept override;
    void display(adrastea::MimeBundle data, adrastea::Json metadata, std::string_view display_id) override;
    void update_display(std::string_view display_id, adrastea::MimeBundle data, adrastea::Json metadata) override;
    void clear_output(bool wait) override;
    std::optional<std::string> input(std::string_view prompt, bool password) override;
    adrastea::Comms& comms() override;
    void enter_request() override;
    [[nodiscard]] bool interrupted() const noexcept override;
    void exit(int status) noexcept override;

   private:
    const LuaInterpreter& owner_;
    std::optional<adrastea::Output> output_;
  };

  std::string name_of(const adrastea::ExecuteRequest& request);
  adrastea::ExecuteResult show_help(const HelpQuery& query, bool silent, adrastea::Output& out);

  HostFrontend frontend_;
  std::unique_ptr<Session> session_;  // from start() to shutdown()
  std::uint64_t expressions_ = 0;     // the number of the latest of user_expressions
  std::uint64_t unstored_ = 0;        // the number of the latest request that was not stored
};

}  // namespace lua_kernel
