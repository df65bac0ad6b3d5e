// SPDX-License-Identifier: BSD-3-Clause
#include "target.hpp"

#include <charconv>

namespace adrastea::conformance {

using testing::KernelProcess;

std::unique_ptr<KernelProcess> Target::launch(testing::Transport transport, testing::LaunchOptions options) const {
  options.transport = transport;
  options.argv.insert(options.argv.end(), argv.begin(), argv.end());
  options.environment.insert(options.environment.begin(), environment.begin(), environment.end());
  return std::make_unique<KernelProcess>(std::move(options));
}

bool Abilities::protocol_at_least(int major, int minor) const {
  const std::string text = testing::text_of(kernel_info, "protocol_version");
  const char* const end = text.data() + text.size();
  int its_major = 0;
  int its_minor = 0;
  const auto first = std::from_chars(text.data(), end, its_major);
  if (first.ptr != end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, its_minor);
  return its_major > major || (its_major == major && its_minor >= minor);
}

}  // namespace adrastea::conformance
