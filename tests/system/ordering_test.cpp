// SPDX-License-Identifier: BSD-3-Clause
#include "system/fixture.hpp"

#include <array>
#include <cstdlib>
#include <iostream>
#include <random>

namespace adrastea::testing {
namespace {

/// A random cell, and what it must show in which order.
struct Cell {
  std::string code;
  ShownList shown;
  std::string late;  ///< what its threads print, whenever they get to it; in order among itself
  bool fails = false;
  void expect(const std::string& kind, const std::string& text) {
    const bool stream = kind == "stdout" || kind == "stderr";
    if (stream && !shown.empty() && shown.back().kind == kind) {
      shown.back().text += text;
    } else {
      shown.push_back({kind, text});
    }
  }
};

/// Writes cells in the probe's language. Bytes that wait in the pipes of fd 1 and fd 2 at the same time have no known
/// order, so a switch between the two is always parted by something published.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  Cell cell(const std::string& name) {
    Cell made;
    unpublished_fd_ = 0;
    split_ = false;
    const std::size_t steps = pick(12);
    for (std::size_t i = 0; i < steps; ++i) step(made, name + "." + std::to_string(i) + ";");
    if (pick(8) == 0) {
      made.code += "error E " + name;
      made.expect("error", "E");
      made.fails = true;
    } else if (pick(3) == 0) {
      made.code += "result " + name;
      made.expect("execute_result", name);
    }
    return made;
  }

  std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_()) % below; }

 private:
  void published(Cell& cell, const std::string& line, const std::string& kind, const std::string& text) {
    cell.code += line + "\n";
    cell.expect(kind, text);
    unpublished_fd_ = 0;
  }

  void written(Cell& cell, int fd, const std::string& line, const std::string& text) {
    if (unpublished_fd_ != 0 && unpublished_fd_ != fd) published(cell, "display parting", "display_data", "parting");
    cell.code += line + "\n";
    cell.expect(fd == 1 ? "stdout" : "stderr", text);
    unpublished_fd_ = fd;
  }

  void step(Cell& cell, const std::string& text) {
    switch (pick(11)) {
      case 0:
      case 1:
        published(cell, "out " + text, "stdout", text);
        break;
      case 2:
        published(cell, "err " + text, "stderr", text);
        break;
      case 3:
        published(cell, "display " + text, "display_data", text);
        break;
      case 4:
        published(cell, "joined 2 " + text, "stdout", text + "0\n" + text + "1\n");
        break;
      case 5:
        written(cell, 1, "fd1 " + text, text);
        break;
      case 6:
        written(cell, 2, "fd2 " + text, text);
        break;
      case 7:
        split_character(cell, text);
        break;
      case 8:
        published(cell, "host " + text, "stdout", text);
        break;
      case 9:
        if (pick(12) == 0) child(cell, text);
        break;
      default:
        if (pick(3) == 0) thread(cell, text);
    }
  }

  /// Not beside a thread: what it prints to the same stream may come between the two halves.
  void split_character(Cell& cell, const std::string& text) {
    if (!cell.late.empty()) return;
    split_ = true;
    written(cell, 1, "fd1 " + text + "\\xf0\\x9f", text + "\xf0\x9f");
    written(cell, 1, "fd1 \\x90\\x90", "\x90\x90");
  }

  void child(Cell& cell, const std::string& text) {
    const int fd = pick(2) == 0 ? 1 : 2;
    written(cell, fd, "child echo '" + text + "' >&" + std::to_string(fd), text + "\n");
  }

  void thread(Cell& cell, const std::string& text) {
    if (!cell.late.empty() || split_) return;
    cell.code += "thread 3 thread-" + text + "\n";
    for (int i = 0; i < 3; ++i) cell.late += "thread-" + text + std::to_string(i) + "\n";
  }

  std::mt19937 random_;
  bool split_ = false;      ///< this cell writes half characters
  int unpublished_fd_ = 0;  ///< whose pipe may hold bytes that nothing published has followed yet
};

/// Takes the thread's lines out of what a cell showed: they may stand anywhere, whole and in order.
std::string take_thread_lines(ShownList& shown) {
  std::string lines;
  ShownList rest;
  for (auto& thing : shown) {
    std::size_t at = 0;
    while (thing.kind == "stdout" && (at = thing.text.find("thread-")) != std::string::npos) {
      const std::size_t end = thing.text.find('\n', at) + 1;
      lines += thing.text.substr(at, end - at);
      thing.text.erase(at, end - at);
    }
    if (thing.text.empty()) continue;
    if (!rest.empty() && rest.back().kind == thing.kind && (thing.kind == "stdout" || thing.kind == "stderr")) {
      rest.back().text += thing.text;
    } else {
      rest.push_back(thing);
    }
  }
  shown = rest;
  return lines;
}

class Ordering : public TransportTest {
 protected:
  struct Sent {
    KernelClient* client;
    std::string id;
    Cell cell;
  };

  static std::uint32_t seed() {
    const char* given = std::getenv("ADRASTEA_SEED");
    return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  }

  Sent send(KernelClient& sender, Cell cell) {
    const std::string id = sender.execute(cell.code, {.stop_on_error = false});
    if (!cell.late.empty()) {
      for (KernelClient* client : clients_) client->allow_late_output(id);
    }
    return {&sender, id, std::move(cell)};
  }

  /// Checks all but what may come after idle, and returns that part of the thread's lines that came already.
  static std::string check(const Sent& sent) {
    const Exchange exchange = sent.client->collect(sent.id);
    EXPECT_EQ(exchange.status(), sent.cell.fails ? "error" : "ok");
    EXPECT_EQ(exchange.published.front().content.at("code"), sent.cell.code);
    ShownList shown = exchange.shown();
    std::string lines = take_thread_lines(shown);
    EXPECT_EQ(shown, sent.cell.shown) << sent.cell.code << "\n" << sent.client->transcript();
    return lines;
  }

  std::array<KernelClient*, 2> clients_{};
};
INSTANTIATE_TEST_SUITE_P(Over, Ordering, ::testing::Values(Transport::tcp, Transport::ipc), transport_name);

TEST_P(Ordering, HoldsForRandomCellsOfTwoClients) {
  constexpr int rounds = 300;
  constexpr std::size_t most_in_flight = 10;
  const std::uint32_t chosen = seed();
  std::cout << "ADRASTEA_SEED=" << chosen << "\n";
  Generator generator(chosen);
  start_here();
  clients_ = {&client(), &connect()};

  int number = 0;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    std::vector<Sent> sent;
    const std::size_t count = 1 + generator.pick(most_in_flight);
    for (std::size_t i = 0; i < count; ++i) {
      KernelClient& sender = *clients_.at(generator.pick(2));
      sent.push_back(send(sender, generator.cell("c" + std::to_string(++number))));
    }
    for (const auto& one : sent) {
      const std::string early = check(one);
      ASSERT_EQ(early, one.cell.late.substr(0, early.size()));
      one.client->expect_stream(one.id, "stdout", std::string_view(one.cell.late).substr(early.size()));
    }
  }
}

}  // namespace
}  // namespace adrastea::testing
