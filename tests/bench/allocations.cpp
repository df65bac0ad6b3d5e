// SPDX-License-Identifier: BSD-3-Clause
// Preloaded into a kernel, counts what it allocates: calls and bytes, in a file that the benchmark has mapped.
#include "bench/allocations.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

// glibc's own: dlsym() would allocate.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

using adrastea::bench::AllocationCounts;

AllocationCounts before_the_file{};  // what allocates before the file is there is of no interest
std::atomic<AllocationCounts*> counts{&before_the_file};

void count(std::size_t bytes) {
  AllocationCounts& here = *counts.load(std::memory_order_relaxed);
  here.calls.fetch_add(1, std::memory_order_relaxed);
  here.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

__attribute__((constructor)) void map_file() {
  const char* const path = std::getenv(adrastea::bench::k_allocations_variable);
  const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const memory = ::mmap(nullptr, sizeof(AllocationCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory != MAP_FAILED) counts = static_cast<AllocationCounts*>(memory);
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}

EXPORTED void* calloc(std::size_t number, std::size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}

EXPORTED void* realloc(void* old, std::size_t size) {
  count(size);
  return __libc_realloc(old, size);
}

EXPORTED void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

EXPORTED int posix_memalign(void** place, std::size_t alignment, std::size_t size) {
  count(size);
  *place = __libc_memalign(alignment, size);
  return *place == nullptr ? ENOMEM : 0;
}
