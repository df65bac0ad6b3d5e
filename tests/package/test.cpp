// SPDX-License-Identifier: BSD-3-Clause
// outside-test KERNEL: what a kernel author's own test looks like, without a test framework.
#include <adrastea/testing/client.hpp>
#include <adrastea/testing/failure.hpp>
#include <adrastea/testing/kernel_process.hpp>

#include <exception>
#include <iostream>

namespace {

void test(const char* program) {
  adrastea::testing::KernelProcess kernel(program);
  adrastea::testing::KernelClient client(kernel.connection());
  const std::string id = client.execute("hello");
  client.expect_busy(id);
  client.expect_execute_input(id, "hello");
  client.expect_stream(id, "stdout", "hello");
  client.expect_result(id, "outside");
  client.expect_idle(id);
  client.expect_reply(id);
  client.finish();
  client.request(adrastea::testing::Channel::control, "shutdown_request", {{"restart", false}});
  if (kernel.wait() != adrastea::testing::Ending{0, 0}) throw adrastea::testing::Failure("the kernel ended badly");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw adrastea::testing::Failure("usage: outside-test KERNEL");
    adrastea::testing::set_reporter([](const std::string& finding) { throw adrastea::testing::Failure(finding); });
    test(argv[1]);
    std::cout << "passed\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
