// SPDX-License-Identifier: BSD-3-Clause
// The floor: what moving a kernel's signed frames through bare ZeroMQ sockets costs when nothing else is done. No JSON is
// parsed, no signature checked, no life managed. What it can be asked for is in languages.cpp; nothing ends it but a
// signal.
//
// Threads: the main one owns shell, the second one control; IOPub is used by both, behind a lock.
#include "bench/frames.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace adrastea::bench;

/// As large as the pieces in which text travels fastest here: they stay in the processor's cache on their way.
constexpr std::size_t k_piece_bytes = std::size_t{64} << 10;

class Sockets {
 public:
  explicit Sockets(const nlohmann::json& file) {
    constexpr std::array<const char*, 5> names{"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      sockets_.at(i) = zmq_socket(context_, i == 1 ? ZMQ_PUB : ZMQ_ROUTER);
      set_option(sockets_.at(i), ZMQ_SNDHWM, 0);
      set_option(sockets_.at(i), ZMQ_RCVHWM, 0);
      const std::string separator = file.at("transport") == "ipc" ? "-" : ":";
      const std::string endpoint = file.at("transport").get<std::string>() + "://" + file.at("ip").get<std::string>() +
                                   separator + std::to_string(file.at(names.at(i)).get<int>());
      if (zmq_bind(sockets_.at(i), endpoint.c_str()) != 0)
        throw std::runtime_error(endpoint + ": " + zmq_strerror(zmq_errno()));
    }
  }
  [[nodiscard]] void* shell() const { return sockets_[0]; }
  [[nodiscard]] void* iopub() const { return sockets_[1]; }
  [[nodiscard]] void* control() const { return sockets_[3]; }

 private:
  void* context_ = zmq_ctx_new();
  std::array<void*, 5> sockets_{};
};

/// One thread's answers.
class Server {
 public:
  Server(const Sockets& sockets, void* requests, const std::string& key, std::mutex& iopub_mutex,
         std::atomic<int>& interrupts)
      : sockets_(sockets), requests_(requests), sealer_(key), iopub_mutex_(iopub_mutex), interrupts_(interrupts) {}

  void serve() {
    while (true) {
      request_.from(requests_);
      if (!request_.whole()) continue;
      parent_ = request_.header();
      publish("status", R"({"execution_state":"busy"})");
      answer();
      publish("status", R"({"execution_state":"idle"})");
    }
  }

 private:
  void answer() {
    if (request_.is("\"execute_request\"")) {
      execute();
    } else if (request_.is("\"kernel_info_request\"")) {
      reply(
          "kernel_info_reply",
          R"({"status":"ok","protocol_version":"5.5","implementation":"floor","implementation_version":"1.0","banner":"",)"
          R"("language_info":{"name":"floor","version":"1.0","mimetype":"text/plain","file_extension":".txt"},"help_links":[]})");
    } else if (request_.is("\"interrupt_request\"")) {
      interrupts_.fetch_add(1);
      reply("interrupt_reply", R"({"status":"ok"})");
    } else if (request_.is("\"comm_msg\"")) {
      return_comm_message();
    }
  }

  void execute() {
    const std::string_view code = code_of(request_.content());
    input_.assign(R"({"code":")").append(code).append(R"(","execution_count":1})");
    publish("execute_input", input_);
    run(code);
    reply("execute_reply", R"({"status":"ok","execution_count":1,"payload":[],"user_expressions":{}})");
  }

  void run(std::string_view code) {
    if (code.starts_with("quiet")) return;
    if (code.starts_with("text ")) return text(number(code.substr(5)));
    if (code.starts_with("pieces ")) return text(k_piece_bytes * number(code.substr(7)));
    if (code.starts_with("prints ")) return prints(number(code.substr(7)));
    if (code.starts_with("stamps ")) return stamps(number(code.substr(7)));
    if (code == "spin") return spin();
    print(code);
  }

  void print(std::string_view escaped) {
    auto content = std::make_unique<std::string>();
    content->reserve(escaped.size() + 32);
    content->append(R"({"name":"stdout","text":")").append(escaped).append("\"}");
    publish_large("stream", std::move(content));
  }

  void text(std::size_t count) {
    const std::string piece(k_piece_bytes, 'x');
    for (; count > 0; count -= std::min(count, piece.size())) print(std::string_view(piece).substr(0, count));
  }

  void prints(std::size_t count) {
    std::string lines;
    std::array<char, 24> digits{};
    for (std::size_t i = 1; i <= count; ++i) {
      const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), i);
      lines.append(digits.data(), end).append("\\n");
      if (lines.size() < k_piece_bytes && i < count) continue;
      print(lines);
      lines.clear();
    }
  }

  void stamps(std::size_t gap_ms) {
    const std::timespec gap{.tv_sec = 0, .tv_nsec = static_cast<long>(gap_ms) * 1'000'000};
    for (int i = 0; i < 20; ++i) {
      nanosleep(&gap, nullptr);
      std::timespec now{};
      clock_gettime(CLOCK_REALTIME, &now);
      std::array<char, 40> line{};
      std::snprintf(line.data(), line.size(), "%ld.%06ld\\n", static_cast<long>(now.tv_sec), now.tv_nsec / 1000);
      print(line.data());
    }
  }

  void spin() {
    const int before = interrupts_;
    print("spinning");
    while (interrupts_ == before) {
    }
  }

  void return_comm_message() {
    const std::size_t buffers = request_.header_index() + 4;
    const std::string parent(parent_);
    const std::lock_guard lock(iopub_mutex_);
    send_frame(sockets_.iopub(), "comm_msg", true);
    send_body(sockets_.iopub(), sealer_, {sealer_.header("comm_msg"), parent, "{}", request_.content()},
              buffers < request_.size());
    for (std::size_t i = buffers; i < request_.size(); ++i)
      request_.forward(i, sockets_.iopub(), i + 1 < request_.size() ? ZMQ_SNDMORE : 0);
  }

  void publish(std::string_view msg_type, std::string_view content) {
    const std::lock_guard lock(iopub_mutex_);
    send_frame(sockets_.iopub(), msg_type, true);
    send_body(sockets_.iopub(), sealer_, {sealer_.header(msg_type), parent_, "{}", content});
  }

  void publish_large(std::string_view msg_type, std::unique_ptr<std::string> content) {
    if (content->size() < k_piece_bytes) return publish(msg_type, *content);
    const std::lock_guard lock(iopub_mutex_);
    const std::array<std::string_view, 4> frames{sealer_.header(msg_type), parent_, "{}", *content};
    send_frame(sockets_.iopub(), msg_type, true);
    send_frame(sockets_.iopub(), "<IDS|MSG>", true);
    send_frame(sockets_.iopub(), sealer_.sign(frames), true);
    for (std::size_t i = 0; i < 3; ++i) send_frame(sockets_.iopub(), frames.at(i), true);
    send_frame(sockets_.iopub(), std::move(content), false);
  }

  void reply(std::string_view msg_type, std::string_view content) {
    send_frame(requests_, request_.frame(0), true);
    send_body(requests_, sealer_, {sealer_.header(msg_type), parent_, "{}", content});
  }

  /// Still escaped. BenchClient writes the code first, and "silent" after it.
  static std::string_view code_of(std::string_view content) {
    constexpr std::string_view before = R"({"code":")";
    const std::size_t end = content.rfind(R"(","silent")");
    return content.substr(before.size(), end - before.size());
  }

  static std::size_t number(std::string_view digits) { return std::stoul(std::string(digits)); }

  const Sockets& sockets_;
  void* const requests_;
  Sealer sealer_;
  std::mutex& iopub_mutex_;
  std::atomic<int>& interrupts_;
  Received request_;
  std::string_view parent_;  // into request_
  std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: adrastea-bench-floor -f CONNECTION_FILE\n");
    return 2;
  }
  std::ifstream text(argv[2]);
  const nlohmann::json file = nlohmann::json::parse(text);
  const std::string key = file.at("key");
  const Sockets sockets(file);
  std::mutex iopub_mutex;
  std::atomic<int> interrupts{0};
  const std::jthread control([&] { Server(sockets, sockets.control(), key, iopub_mutex, interrupts).serve(); });
  Server(sockets, sockets.shell(), key, iopub_mutex, interrupts).serve();
}
