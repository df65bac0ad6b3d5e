// SPDX-License-Identifier: BSD-3-Clause
#include "attempt.hpp"

#include "session.hpp"

#include <adrastea/errors.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

namespace lua_kernel {

void Failure::keep_current_exception(lua_State* L) noexcept {
  kind_ = Kind::error;
  try {
    throw;
  } catch (const adrastea::Interrupted&) {
    kind_ = Kind::stop;
    Interrupts& interrupts = Session::of(L).interrupts();
    if (!interrupts.stopping()) interrupts.request(Interrupts::Reason::interrupted);
  } catch (const std::bad_alloc&) {
    kind_ = Kind::out_of_memory;
  } catch (const std::exception& exception) {
    keep(exception.what());
  } catch (...) {
    keep("unknown error");
  }
}

void Failure::keep(const char* text) noexcept {
  const std::size_t size = std::min(std::strlen(text), text_.size() - 1);
  *std::copy_n(text, size, text_.begin()) = '\0';
}

int Failure::raise(lua_State* L, int argument) const {
  if (kind_ == Kind::stop) return Session::of(L).interrupts().raise(L);
  if (kind_ == Kind::out_of_memory) return luaL_error(L, "not enough memory");
  if (argument != 0) return luaL_argerror(L, argument, text());
  return luaL_error(L, "%s", text());
}

}  // namespace lua_kernel
