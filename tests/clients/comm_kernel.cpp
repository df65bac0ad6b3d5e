// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/kernel.hpp>

#include <memory>
#include <stdexcept>

namespace {

/// For test_comm.py: sends back what comes over a comm of the target "echo"; any cell opens, uses and closes one of its
/// own.
class CommKernel : public adrastea::Interpreter {
 public:
  adrastea::LanguageInfo language() const override { return {.name = "comms", .version = "1"}; }

  void start() override {
    host().comms().register_target("echo", [](const std::shared_ptr<adrastea::Comm>& comm, const adrastea::CommMessage&) {
      comm->on_message([](adrastea::Comm& self, const adrastea::CommMessage& message) {
        if (message.data.contains("throw")) throw std::runtime_error("on purpose");
        self.send(message);
      });
    });
    host().comms().register_target("throws", [](const std::shared_ptr<adrastea::Comm>&, const adrastea::CommMessage&) {
      throw std::runtime_error("on purpose");
    });
  }

  adrastea::ExecuteResult execute(const adrastea::ExecuteRequest&, adrastea::Output&) override {
    const auto comm = host().comms().open("from-kernel", {.data = {{"opened", true}}});
    comm->send({.data = {{"sent", true}}});
    comm->close();
    return adrastea::ok();
  }
};

}  // namespace

int main(int argc, char** argv) { return adrastea::run<CommKernel>(argc, argv); }
