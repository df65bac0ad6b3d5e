// SPDX-License-Identifier: BSD-3-Clause
// Faults of the connection file. The linker's --wrap puts store() of this file in the place of ConnectionFile's.
#include "fault.hpp"

#include "transport/connection_info.hpp"
#include "transport/connection_json.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace faulty {

using adrastea::transport::ConnectionFile;

void real_store(ConnectionFile* file) asm("__real__ZN8adrastea9transport14ConnectionFile5storeEv");
void faulty_store(ConnectionFile* file) asm("__wrap__ZN8adrastea9transport14ConnectionFile5storeEv");

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

}  // namespace faulty
