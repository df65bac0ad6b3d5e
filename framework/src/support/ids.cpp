// SPDX-License-Identifier: BSD-3-Clause
#include "support/ids.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace adrastea::support {

void fill_random(std::span<std::byte> bytes) {
  constexpr std::size_t most = 256;  // getentropy's
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(most, bytes.size())))
    if (::getentropy(bytes.data(), std::min(most, bytes.size())) != 0)
      throw std::runtime_error("the system has no random bytes");
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::byte> random(bytes);
  fill_random(random);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  for (const std::byte byte : random) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4U];
    text += digits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

std::string iso_time(std::chrono::system_clock::time_point when) {
  using std::chrono::duration_cast, std::chrono::floor, std::chrono::microseconds;
  const auto day = floor<std::chrono::days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{floor<microseconds>(when - day)};
  // Each message has one: hence no printf.
  std::string text = "yyyy-mm-ddThh:mm:ss.uuuuuuZ";
  const auto put = [&text](std::size_t at, std::size_t digits, auto number) {
    for (auto left = static_cast<std::uint64_t>(number); digits-- > 0; left /= 10)
      text[at + digits] = static_cast<char>('0' + left % 10);
  };
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, time.hours().count());
  put(14, 2, time.minutes().count());
  put(17, 2, time.seconds().count());
  put(20, 6, time.subseconds().count());
  return text;
}

}  // namespace adrastea::support
