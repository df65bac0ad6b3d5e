// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/kernel.hpp>

class OutsideEcho : public adrastea::Interpreter {
 public:
  adrastea::LanguageInfo language() const override { return {.name = "outside", .version = "2.5"}; }

  adrastea::KernelInfo info() const override { return {.implementation_version = "7.1"}; }

  adrastea::ExecuteResult execute(const adrastea::ExecuteRequest& request, adrastea::Output& out) override {
    out.write_stdout(request.code);
    return adrastea::result_text("outside");
  }
};

int main(int argc, char** argv) { return adrastea::run<OutsideEcho>(argc, argv); }
