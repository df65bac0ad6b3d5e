// SPDX-License-Identifier: BSD-3-Clause
#include "support/ids.hpp"

#include <openssl/rand.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace adrastea::support {

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> random(bytes);
  if (RAND_bytes_ex(nullptr, random.data(), random.size(), 0) != 1)
    throw std::runtime_error("the system has no random bytes");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  for (const unsigned char byte : random) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

std::string iso_time(std::chrono::system_clock::time_point when) {
  using std::chrono::duration_cast, std::chrono::floor, std::chrono::microseconds;
  const auto day = floor<std::chrono::days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{floor<microseconds>(when - day)};
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text) {
  const std::string copy(text);  // sscanf wants an end
  int year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0, used = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hours, &minutes, &seconds, &used) != 6)
    return std::nullopt;
  std::string_view rest = std::string_view(copy).substr(static_cast<std::size_t>(used));
  std::chrono::microseconds fraction{0};
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    for (int unit = 100'000; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; unit /= 10, rest.remove_prefix(1))
      fraction += std::chrono::microseconds((rest[0] - '0') * unit);
  }
  std::chrono::minutes offset{0};
  if (rest != "Z") {
    int offset_hours = 0, offset_minutes = 0;
    const bool ahead = rest.starts_with('+');
    if ((!ahead && !rest.starts_with('-')) || std::sscanf(rest.data() + 1, "%2d:%2d", &offset_hours, &offset_minutes) != 2)
      return std::nullopt;
    offset = std::chrono::hours(offset_hours) + std::chrono::minutes(offset_minutes);
    if (!ahead) offset = -offset;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(seconds) + fraction - offset;
}

}  // namespace adrastea::support
