// SPDX-License-Identifier: BSD-3-Clause
// Kernels inside a program that has a life of its own: this one.
#include <adrastea/testing/client.hpp>

#include <adrastea/embed.hpp>
#include <adrastea/host.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

namespace adrastea::testing {
namespace {

/// Echoes, and lets the test have the output of its latest cell.
class Parrot : public Interpreter {
 public:
  explicit Parrot(std::optional<Output>* taken) : taken_(taken) {}
  [[nodiscard]] LanguageInfo language() const override {
    return {.name = "parrot", .version = "1.0", .file_extension = ".txt"};
  }
  ExecuteResult execute(const ExecuteRequest& request, Output& out) override {
    out.write_stdout(request.code);
    if (taken_ != nullptr) *taken_ = out;
    if (request.code == "leave") host().exit(7);
    if (request.code == "wait") {
      while (!interrupted_) ::pause();
      out.write_stdout("interrupted");
    }
    return ok();
  }
  void interrupt() noexcept override { interrupted_ = true; }

 private:
  std::optional<Output>* taken_;
  std::atomic<bool> interrupted_{false};
};

class Embed : public ::testing::Test {
 protected:
  Embed() { ::setenv("JUPYTER_RUNTIME_DIR", directory_.c_str(), 1); }
  Embed(const Embed&) = delete;
  Embed& operator=(const Embed&) = delete;
  ~Embed() override {
    EXPECT_TRUE(std::filesystem::is_empty(directory_)) << "a connection file was left";
    std::filesystem::remove_all(directory_);
  }
  static InterpreterFactory parrot(std::optional<Output>* taken = nullptr) {
    return [taken] { return std::make_unique<Parrot>(taken); };
  }
  static void expect_echo(KernelClient& client, const std::string& text) {
    EXPECT_EQ(client.run(text).shown(), (std::vector<Shown>{{"stdout", text}}));
  }

  const std::filesystem::path directory_ = [] {
    std::string path = "/tmp/adrastea-embed.XXXXXX";
    return std::filesystem::path(::mkdtemp(path.data()));
  }();
};

TEST_F(Embed, AThreadEachRunsTwoKernels) {
  std::vector<std::promise<Kernel*>> started(2);
  std::vector<std::future<int>> statuses;
  for (auto& promise : started)
    statuses.push_back(std::async(std::launch::async, [&promise] {
      Kernel kernel(parrot(), {});
      promise.set_value(&kernel);
      return kernel.run();
    }));
  for (auto& promise : started) {
    Kernel* const kernel = promise.get_future().get();
    KernelClient client(Connection::read(kernel->connection_file()));
    expect_echo(client, "hello");
    client.finish();
    kernel->stop();
  }
  for (auto& status : statuses) EXPECT_EQ(status.get(), 0);
}

TEST_F(Embed, OneEventLoopServesTwoKernels) {
  std::promise<std::vector<std::filesystem::path>> files;
  auto host = std::async(std::launch::async, [&] {
    Kernel first(parrot(), {});
    Kernel second(parrot(), {});
    files.set_value({first.connection_file(), second.connection_file()});
    bool first_lives = true;
    bool second_lives = true;
    while (first_lives || second_lives) {
      pollfd fds[] = {{first_lives ? first.fd() : -1, POLLIN, 0}, {second_lives ? second.fd() : -1, POLLIN, 0}};
      ::poll(fds, 2, -1);
      if (fds[0].revents != 0) first_lives = first.step();
      if (fds[1].revents != 0) second_lives = second.step();
    }
  });
  const auto paths = files.get_future().get();
  KernelClient first(Connection::read(paths.at(0)));
  KernelClient second(Connection::read(paths.at(1)));
  expect_echo(first, "to the first");
  expect_echo(second, "to the second");
  for (KernelClient* client : {&second, &first}) {
    expect_echo(*client, "again");
    client->finish();
    client->request(Channel::control, "shutdown_request", {{"restart", false}}, {.reply_due = false});
    client->forget_unasserted();
    client->finish(KernelClient::Kernel::ended);
  }
  host.get();
}

TEST_F(Embed, EachOfTwoKernelsOnOneThreadCanBeInterrupted) {
  std::promise<std::vector<std::filesystem::path>> files;
  auto host = std::async(std::launch::async, [&] {
    Kernel first(parrot(), {});
    Kernel second(parrot(), {});
    files.set_value({first.connection_file(), second.connection_file()});
    for (Kernel* kernel : {&first, &second}) EXPECT_EQ(kernel->run(), 0);
  });
  for (const auto& path : files.get_future().get()) {
    KernelClient client(Connection::read(path));
    const std::string id = client.execute("wait");
    client.expect_busy(id);
    client.expect_execute_input(id, "wait");
    EXPECT_EQ(client.exchange(Channel::control, "interrupt_request").status(), "ok");
    client.expect_stream(id, "stdout", "waitinterrupted");
    client.expect_idle(id);
    client.expect_reply(id);
    client.finish();
    client.request(Channel::control, "shutdown_request", {{"restart", false}}, {.reply_due = false});
    client.forget_unasserted();
    client.finish(KernelClient::Kernel::ended);
  }
  host.get();
}

TEST_F(Embed, RunReturnsTheStatusThatWasAskedFor) {
  std::promise<std::filesystem::path> file;
  auto status = std::async(std::launch::async, [&] {
    Kernel kernel(parrot(), {});
    file.set_value(kernel.connection_file());
    return kernel.run();
  });
  KernelClient client(Connection::read(file.get_future().get()));
  expect_echo(client, "leave");
  EXPECT_EQ(status.get(), 7);
  client.finish(KernelClient::Kernel::ended);
}

TEST_F(Embed, ThreadsMayPublishWhileAndAfterTheKernelEnds) {
  for (int round = 0; round < 20; ++round) {
    std::optional<Output> output;
    std::atomic<bool> stop{false};
    std::promise<Kernel*> started;
    auto host = std::async(std::launch::async, [&] {
      Kernel kernel(parrot(&output), {});
      started.set_value(&kernel);
      return kernel.run();
    });
    Kernel* const kernel = started.get_future().get();
    KernelClient client(Connection::read(kernel->connection_file()));
    const std::string id = client.execute("taken");
    client.allow_late_output(id);
    EXPECT_EQ(client.collect(id).text("stdout"), "taken");
    std::vector<std::thread> publishers;
    for (int i = 0; i < 3; ++i)
      publishers.emplace_back([&stop, out = *output]() mutable {
        while (!stop) {
          out.write_stdout("late\n");
          out.display({{"text/plain", "late"}});
        }
      });
    kernel->stop();
    EXPECT_EQ(host.get(), 0);
    stop = true;
    for (auto& publisher : publishers) publisher.join();
    client.forget_unasserted();
    client.finish(KernelClient::Kernel::ended);
  }
}

TEST_F(Embed, AFailedStartThrowsAndLeavesNothing) {
  EXPECT_THROW(Kernel(parrot(), {.connection_file = "/nowhere/at/all.json"}), StartupError);
  EXPECT_THROW(Kernel([]() -> std::unique_ptr<Interpreter> { throw std::runtime_error("no language"); }, {}),
               std::runtime_error);
}

}  // namespace
}  // namespace adrastea::testing
