// SPDX-License-Identifier: BSD-3-Clause
// A whole kernel: its language answers each cell with the cell's own text.
#include <adrastea/kernel.hpp>

class Echo : public adrastea::Interpreter {
 public:
  adrastea::LanguageInfo language() const override { return {.name = "echo", .version = "1.0", .file_extension = ".txt"}; }

  adrastea::ExecuteResult execute(const adrastea::ExecuteRequest& request, adrastea::Output& out) override {
    out.write_stdout(request.code);
    return adrastea::ok();
  }
};

int main(int argc, char** argv) { return adrastea::run<Echo>(argc, argv); }
