// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/kernel.hpp>

#include <atomic>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace faulty {

/// Returns once no cell runs.
void wait_for_cell();

/// A language that can do all that samples.json asks for, one command a line, and some of it wrongly when it is told to.
class Language final : public adrastea::Interpreter {
 public:
  [[nodiscard]] adrastea::LanguageInfo language() const override;
  void start() override;
  void shutdown(bool restart) override;
  adrastea::ExecuteResult execute(const adrastea::ExecuteRequest& request, adrastea::Output& out) override;
  adrastea::CompleteResult complete(const adrastea::CompleteRequest& request) override;
  adrastea::InspectResult inspect(const adrastea::InspectRequest& request) override;
  adrastea::IsCompleteResult is_complete(const std::string& code) override;
  adrastea::MimeBundle evaluate(const std::string& expression) override;
  void interrupt() noexcept override;

 private:
  using Command = void (Language::*)(std::string_view);
  static const std::map<std::string_view, Command>& commands();
  void run_lines(std::vector<std::string_view> lines);
  void run_line(std::string_view line);
  static void keep_sigint();
  [[nodiscard]] bool stopped() const;
  void end_interrupted();
  void sleep(double seconds);
  std::string ask(std::string_view prompt);

  void do_print(std::string_view text);
  void do_part(std::string_view text);
  void do_err(std::string_view text);
  void do_value(std::string_view text);
  void do_nothing(std::string_view text);
  void do_set(std::string_view text);
  void do_show(std::string_view text);
  void do_error(std::string_view text);
  void do_sleep(std::string_view text);
  void do_loop(std::string_view text);
  void do_again(std::string_view text);
  void do_input(std::string_view text);
  void do_password(std::string_view text);
  void do_display(std::string_view text);
  void do_display_as(std::string_view text);
  void do_update(std::string_view text);
  void do_clear(std::string_view text);
  void do_thread(std::string_view text);
  void do_child(std::string_view text);
  void do_native(std::string_view text);
  void do_flood(std::string_view text);
  void do_big(std::string_view text);
  void do_bytes(std::string_view text);
  void do_exit(std::string_view text);
  void do_crash(std::string_view text);
  void do_comm_target(std::string_view text);
  void do_comm_open(std::string_view text);
  void do_comm_send(std::string_view text);
  void do_comm_close(std::string_view text);
  void do_page(std::string_view text);
  void do_next(std::string_view text);
  void do_spawn(std::string_view text);
  void do_take_sigint(std::string_view text);
  void do_block_signals(std::string_view text);
  void do_thread_input(std::string_view text);
  void do_comm_target_input(std::string_view text);

  std::atomic<bool> interrupted_{false};
  bool spoil_next_ = false;
  bool deaf_ = false;  ///< to interrupts, because of what code did to signals
  const adrastea::ExecuteRequest* request_ = nullptr;
  adrastea::Output* out_ = nullptr;
  adrastea::ExecuteResult outcome_;
  std::map<std::string, std::string, std::less<>> variables_;
  std::shared_ptr<adrastea::Comm> comm_;
  std::vector<std::jthread> threads_;  // the last, so that they end before what they use
};

}  // namespace faulty
