// SPDX-License-Identifier: BSD-3-Clause
// Faults of the connection file and of the registration. The linker's --wrap puts store() of this file in the place of
// ConnectionFile's, and register_kernel() in that of the transport layer's.
#include "fault.hpp"

#include "transport/connection_info.hpp"
#include "transport/connection_json.hpp"
#include "transport/handshake.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace faulty {

using adrastea::Limits;
using adrastea::transport::ConnectionFile;
using adrastea::transport::ConnectionInfo;
using adrastea::transport::Registration;

void real_store(ConnectionFile* file) asm("__real__ZN8adrastea9transport14ConnectionFile5storeEv");
void faulty_store(ConnectionFile* file) asm("__wrap__ZN8adrastea9transport14ConnectionFile5storeEv");

void real_register(const Registration& registration, const ConnectionInfo& info, const Limits& limits, int launcher) asm(
    "__real__ZN8adrastea9transport15register_kernelERKNS0_12RegistrationERKNS0_14ConnectionInfoERKNS_6LimitsEi");
void faulty_register(const Registration& registration, const ConnectionInfo& info, const Limits& limits, int launcher) asm(
    "__wrap__ZN8adrastea9transport15register_kernelERKNS0_12RegistrationERKNS0_14ConnectionInfoERKNS_6LimitsEi");

namespace {

namespace fs = std::filesystem;

Json read(const fs::path& path) {
  std::ifstream stream(path);
  return Json::parse(stream);
}

void write(const fs::path& path, const Json& content) { std::ofstream(path) << content.dump(1) << "\n"; }

}  // namespace

void faulty_store(ConnectionFile* file) {
  const fs::path path = file->path();
  if (is_chosen("connection-file-keys-dropped")) {
    Json known = Json::object();
    adrastea::transport::write_connection_json(file->info(), known);
    write(path, known);
    return;
  }
  real_store(file);
  if (is_chosen("connection-file-rewritten")) write(path, read(path));
  if (is_chosen("connection-file-readable")) fs::permissions(path, fs::perms(0644));
}

/// Waits for less long than the framework would: every case has to fit into the matrix's patience.
void faulty_register(const Registration& registration, const ConnectionInfo& info, const Limits& limits, int launcher) {
  Limits impatient = limits;
  impatient.handshake = std::chrono::seconds(1);
  try {
    real_register(registration, info, impatient, launcher);
  } catch (const std::exception& error) {
    const std::string_view why = error.what();
    const bool missing = why.find("no acknowledgement within") != std::string_view::npos;
    if (missing && is_chosen("acknowledgement-missing-silent")) std::_Exit(1);
    if (missing && is_chosen("acknowledgement-not-needed")) return;
    if (!missing && is_chosen("acknowledgement-forged")) return;
    throw;
  }
}

}  // namespace faulty
