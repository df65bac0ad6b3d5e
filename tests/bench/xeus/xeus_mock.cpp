// SPDX-License-Identifier: BSD-3-Clause
// xeus with as little of a language as the benchmark needs: what the floor understands, but for "spin", which the usual
// server of xeus, with shell and control in one thread, could not be interrupted in.
#include <nlohmann/json.hpp>
#include <xeus/xcomm.hpp>
#include <xeus/xhelper.hpp>
#include <xeus/xinterpreter.hpp>
#include <xeus/xkernel.hpp>
#include <xeus/xkernel_configuration.hpp>
#include <xeus/xserver_zmq.hpp>
#include <zmq.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

class Mock : public xeus::xinterpreter {
 private:
  void configure_impl() override {
    comm_manager().register_comm_target("bench", [this](xeus::xcomm&& comm, xeus::xmessage) {
      comm_ = std::make_unique<xeus::xcomm>(std::move(comm));
      comm_->on_message([this](xeus::xmessage message) {
        nl::json data = message.content()["data"];
        comm_->send(nl::json::object(), std::move(data), std::move(message).buffers());
      });
    });
  }

  nl::json execute_request_impl(int, const std::string& code, bool, bool, nl::json, bool) override {
    run(code);
    return xeus::create_successful_reply();
  }

  void run(const std::string& code) {
    if (code == "comm" || code.starts_with("quiet")) return;
    if (code.starts_with("text ")) return publish_stream("stdout", std::string(std::stoul(code.substr(5)), 'x'));
    if (code.starts_with("pieces ")) return pieces(std::stoul(code.substr(7)));
    if (code.starts_with("prints ")) return prints(std::stoul(code.substr(7)));
    if (code.starts_with("stamps ")) return stamps(std::stol(code.substr(7)));
    publish_stream("stdout", code);
  }

  /// As an interpreter's print does: a message each.
  void prints(unsigned long count) {
    for (unsigned long i = 1; i <= count; ++i) publish_stream("stdout", std::to_string(i) + "\n");
  }

  void pieces(unsigned long count) {
    for (; count > 0; --count) publish_stream("stdout", std::string(65536, 'x'));
  }

  void stamps(long gap_ms) {
    const std::timespec gap{.tv_sec = 0, .tv_nsec = gap_ms * 1'000'000};
    for (int i = 0; i < 20; ++i) {
      nanosleep(&gap, nullptr);
      std::timespec now{};
      clock_gettime(CLOCK_REALTIME, &now);
      std::array<char, 40> line{};
      std::snprintf(line.data(), line.size(), "%ld.%06ld\n", static_cast<long>(now.tv_sec), now.tv_nsec / 1000);
      publish_stream("stdout", line.data());
    }
  }

  nl::json complete_request_impl(const std::string&, int position) override {
    return xeus::create_complete_reply(nl::json::array(), position, position);
  }
  nl::json inspect_request_impl(const std::string&, int, int) override { return xeus::create_inspect_reply(); }
  nl::json is_complete_request_impl(const std::string&) override { return xeus::create_is_complete_reply("complete"); }
  nl::json kernel_info_request_impl() override {
    return xeus::create_info_reply("5.3", "xeus-mock", "1.0", "mock", "1.0", "text/plain", ".txt");
  }
  void shutdown_request_impl() override {}

  std::unique_ptr<xeus::xcomm> comm_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string file = xeus::extract_filename(argc, argv);
  if (file.empty()) {
    std::fprintf(stderr, "usage: adrastea-bench-xeus -f CONNECTION_FILE\n");
    return 2;
  }
  xeus::xkernel kernel(xeus::load_configuration(file), xeus::get_user_name(), xeus::make_context<zmq::context_t>(),
                       std::make_unique<Mock>(), xeus::make_xserver_zmq);
  kernel.start();
}
