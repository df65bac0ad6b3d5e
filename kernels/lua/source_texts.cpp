// SPDX-License-Identifier: BSD-3-Clause
#include "source_texts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace lua_kernel {
namespace {

constexpr std::size_t kept_bytes = std::size_t{8} << 20;
constexpr std::uintmax_t largest_file = std::uintmax_t{16} << 20;

std::string_view lines_of(std::string_view text, int first, int last) {
  for (int line = 1; line < first; ++line) {
    const std::size_t newline = text.find('\n');
    if (newline == std::string_view::npos) return {};
    text.remove_prefix(newline + 1);
  }
  std::size_t end = 0;
  for (int line = first; line <= last && end != std::string_view::npos; ++line) {
    end = text.find('\n', line == first ? 0 : end + 1);
  }
  return text.substr(0, end);
}

/// Only of a regular file: reading a device or a pipe might never end.
std::string read_lines(const std::string& path, int first, int last) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) > largest_file) return {};
  std::ifstream file(path, std::ios::binary);
  std::string all;
  std::string line;
  for (int number = 1; number <= last && std::getline(file, line); ++number) {
    if (number < first) continue;
    if (number > first) all += '\n';
    all += line;
  }
  return all;
}

}  // namespace

void SourceTexts::keep(std::string_view chunk_name, std::string_view code) {
  if (!cells_.empty() && cells_.back().code.find("function") == std::string::npos) {
    bytes_ -= footprint(cells_.back());
    cells_.pop_back();
  }
  cells_.push_back({std::string(chunk_name), std::string(code)});
  bytes_ += footprint(cells_.back());
  while (bytes_ > kept_bytes && cells_.size() > 1) {
    bytes_ -= footprint(cells_.front());
    cells_.pop_front();
  }
}

std::size_t SourceTexts::footprint(const Cell& cell) noexcept {
  return sizeof cell + cell.chunk_name.size() + cell.code.size();
}

std::string SourceTexts::lines(std::string_view source, int first, int last) const {
  if (first < 1 || last < first || source.empty()) return {};
  if (source.front() == '@') return read_lines(std::string(source.substr(1)), first, last);
  if (source.front() != '=') return std::string(lines_of(source, first, last));
  const auto cell =
      std::find_if(cells_.rbegin(), cells_.rend(), [source](const Cell& kept) { return kept.chunk_name == source; });
  return cell != cells_.rend() ? std::string(lines_of(cell->code, first, last)) : std::string();
}

}  // namespace lua_kernel
