// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <lua.hpp>

namespace lua_kernel {

/// Puts jupyter.comm into the module on top of the stack: open, register, unregister, and the methods of a comm.
///
/// A comm is a table with its `id` and `target`. Its handlers are kept in the registry until it is closed. They are called
/// between cells, as a cell of their own: what they show belongs to the message that they handle, an error goes to its
/// stderr and, as an exception, to the framework.
///
/// Threads: interpreter. Errors: may raise, call it protected. Lifetime: what it gives to the frontend's Comms does nothing
/// once the session has ended.
void install_comms(lua_State* L);

}  // namespace lua_kernel
