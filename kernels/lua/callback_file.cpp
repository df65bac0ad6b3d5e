// SPDX-License-Identifier: BSD-3-Clause
#include "callback_file.hpp"

#include <stdio_ext.h>
#include <cerrno>
#include <system_error>

namespace lua_kernel {
namespace {

/// As a pipe or terminal. Without it the C library would refuse to seek but give no errno.
int cannot_seek(void*, off64_t*, int) {
  errno = ESPIPE;
  return -1;
}

CallbackFile open(void* context, const char* mode, cookie_io_functions_t functions) {
  CallbackFile file(fopencookie(context, mode, functions));
  if (!file) throw std::system_error(errno, std::generic_category(), "cannot make a standard stream");
  return file;
}

}  // namespace

CallbackFile open_writer(void* context, WriteCallback write) {
  CallbackFile file = open(context, "w", {.read = nullptr, .write = write, .seek = cannot_seek, .close = nullptr});
  static_cast<void>(std::setvbuf(file.get(), nullptr, _IONBF, 0));
  return file;
}

CallbackFile open_reader(void* context, ReadCallback read) {
  return open(context, "r", {.read = read, .write = nullptr, .seek = cannot_seek, .close = nullptr});
}

void discard_input(std::FILE* reader) noexcept {
  __fpurge(reader);
  std::clearerr(reader);
}

}  // namespace lua_kernel
