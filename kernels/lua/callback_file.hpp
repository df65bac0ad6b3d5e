// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>
#include <cstdio>
#include <memory>

/// C streams over callbacks: what makes io.stdout a real Lua file. The one place that knows how a C library offers them
/// (glibc and musl: fopencookie; the BSDs and macOS would use funopen).
namespace lua_kernel {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
using CallbackFile = std::unique_ptr<std::FILE, CloseFile>;

/// As write(2) and read(2), but for the first argument; must neither throw nor jump.
using WriteCallback = ssize_t (*)(void* context, const char* data, std::size_t size);
using ReadCallback = ssize_t (*)(void* context, char* data, std::size_t size);

/// Unbuffered: each write reaches the callback at once. Throws std::system_error.
CallbackFile open_writer(void* context, WriteCallback write);
CallbackFile open_reader(void* context, ReadCallback read);

/// Forgets what a reader holds that was not read, a pushed back character too.
void discard_input(std::FILE* reader) noexcept;

}  // namespace lua_kernel
