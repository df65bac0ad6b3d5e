// SPDX-License-Identifier: BSD-3-Clause
// Faults of the sockets' options. The linker's --wrap puts these two in the place of libzmq's.
#include "fault.hpp"

#include <zmq.h>

extern "C" {
int __real_zmq_bind(void* socket, const char* endpoint);
int __real_zmq_setsockopt(void* socket, int option, const void* value, std::size_t size);
int __wrap_zmq_bind(void* socket, const char* endpoint);
int __wrap_zmq_setsockopt(void* socket, int option, const void* value, std::size_t size);
}

namespace {

bool is_router(void* socket) {
  int type = 0;
  std::size_t size = sizeof type;
  return zmq_getsockopt(socket, ZMQ_TYPE, &type, &size) == 0 && type == ZMQ_ROUTER;
}

void set(void* socket, int option, int value) { __real_zmq_setsockopt(socket, option, &value, sizeof value); }

}  // namespace

int __wrap_zmq_bind(void* socket, const char* endpoint) {
  if (faulty::is_chosen("silent-peers-dropped") && is_router(socket)) {
    set(socket, ZMQ_HEARTBEAT_IVL, 100);
    set(socket, ZMQ_HEARTBEAT_TIMEOUT, 400);
  }
  return __real_zmq_bind(socket, endpoint);
}

int __wrap_zmq_setsockopt(void* socket, int option, const void* value, std::size_t size) {
  if (option == ZMQ_ROUTER_HANDOVER && faulty::is_chosen("handover-none")) return 0;
  return __real_zmq_setsockopt(socket, option, value, size);
}
