// SPDX-License-Identifier: BSD-3-Clause
// A kernel that is right, and wrong in one way when it is told to: faulty [--fault NAME] -f FILE, faulty --list.
// What jupyter-conformance says about it is compared with what it must say, by matrix.py.
#include "fault.hpp"
#include "language.hpp"
#include "launch_faults.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using faulty::Json;

int list() {
  Json all = Json::array();
  for (const auto& fault : faulty::all_faults()) {
    all.push_back({{"name", fault.name},
                   {"description", fault.description},
                   {"breaks", fault.breaks},
                   {"launch", fault.launch},
                   {"interrupts", fault.interrupts}});
  }
  std::cout << all.dump(1) << "\n";
  return 0;
}

/// Cuts our own words out of the command line.
std::vector<char*> without_fault(int argc, char** argv) {
  std::vector<char*> words;
  for (int i = 0; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--fault" && i + 1 < argc) {
      faulty::choose(argv[++i]);
    } else {
      words.push_back(argv[i]);
    }
  }
  return words;
}

bool is_former(std::string_view parent) { return ::kill(static_cast<pid_t>(std::stoi(std::string(parent))), 0) != 0; }

/// Two faults wait for ever instead.
bool dislikes_parent(std::string_view parent) {
  const bool is_number = parent.find_first_not_of("0123456789") == std::string_view::npos;
  while (faulty::is_chosen("parent-word-hangs") && !is_number) ::pause();
  while (faulty::is_chosen("parent-former-hangs") && is_number && is_former(parent)) ::pause();
  return (faulty::is_chosen("parent-zero-ends") && parent == "0") ||
         (faulty::is_chosen("parent-first-ends") && parent == "1");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2 && std::string_view(argv[1]) == "--list") return list();
    std::vector<char*> words = without_fault(argc, argv);
    const char* parent = std::getenv("JPY_PARENT_PID");  // NOLINT(concurrency-mt-unsafe): the same
    if (parent != nullptr ? dislikes_parent(parent) : faulty::is_chosen("parent-untold-ends")) return 1;
    if (faulty::is_chosen("parent-init-ends") && ::getppid() == 1) return 1;
    if (faulty::is_chosen("launcher-thread-ends")) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    // A kernel that is started hundreds of times, and several at once, must not share a file with itself.
    ::setenv("ADRASTEA_HISTORY", "memory", 0);  // NOLINT(concurrency-mt-unsafe): there are no other threads yet
    const int count = static_cast<int>(words.size());
    if (const auto status = faulty::start_wrongly(words.back())) return *status;
    words.push_back(nullptr);
    const int status = adrastea::run<faulty::Language>(count, words.data(), {.name = "faulty", .display_name = "Faulty"});
    if (faulty::is_chosen("connection-file-removed")) std::filesystem::remove(words.at(words.size() - 2));
    return status == 0 && faulty::is_chosen("shutdown-status-1") ? 1 : status;
  } catch (const std::exception& error) {
    std::cerr << "faulty: " << error.what() << "\n";
    return 2;
  }
}
