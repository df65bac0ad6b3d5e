// SPDX-License-Identifier: BSD-3-Clause
#include "support/log.hpp"

#include "support/line_budget.hpp"
#include "support/printable.hpp"
#include "support/shared_writer.hpp"
#include "support/utf8.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <climits>
#include <memory>
#include <mutex>

namespace adrastea::support::log {
namespace {

using spdlog::string_view_t;

spdlog::level::level_enum native(Level level) noexcept {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

/// Writes a line at once or not at all; no line is longer than what a pipe takes whole.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  DescriptorSink() { set_pattern_("[adrastea] %H:%M:%S.%e %l: %v"); }

  void write_to(int fd) {
    const std::lock_guard lock(mutex_);
    writer_ = SharedWriter(fd);
    budget_ = {};
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const auto left_out = budget_.admit(std::chrono::steady_clock::now());
    if (!left_out) return;
    if (*left_out > 0 && !put_count(*left_out)) budget_.lost(*left_out);
    if (!put(message)) budget_.lost(1);
  }

  void flush_() override {}

  bool put_count(std::size_t lines) {
    const std::string text = std::to_string(lines) + (lines == 1 ? " line was" : " lines were") + " left out here";
    return put(spdlog::details::log_msg(string_view_t{}, spdlog::level::warn, string_view_t(text)));
  }

  bool put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (line.size() > PIPE_BUF) {
      static constexpr std::string_view k_cut = "…\n";
      line.resize(utf8::cut_before({line.data(), line.size()}, PIPE_BUF - k_cut.size()));
      line.append(k_cut.data(), k_cut.data() + k_cut.size());
    }
    return writer_.write({line.data(), line.size()}) == line.size();
  }

  SharedWriter writer_;
  LineBudget budget_;
};

struct Log {
  Log() {
    logger.set_error_handler([](const std::string&) {});
  }
  std::shared_ptr<DescriptorSink> sink = std::make_shared<DescriptorSink>();
  spdlog::logger logger{"adrastea", sink};
};

/// Never destroyed: threads may log until the process is gone.
Log& instance() {
  static Log& log = *new Log;
  return log;
}

}  // namespace

void set_fd(int fd) { instance().sink->write_to(fd); }

void open(int fd, Level least) {
  set_fd(fd);
  set_level(least);
}

void set_level(Level least) { instance().logger.set_level(native(least)); }

void write(Level level, std::string_view line) {
  spdlog::logger& logger = instance().logger;
  if (!logger.should_log(native(level))) return;
  const std::string text = printable(line);
  logger.log(native(level), string_view_t(text));
}

}  // namespace adrastea::support::log
