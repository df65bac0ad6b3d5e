// SPDX-License-Identifier: BSD-3-Clause
#include "signature.hpp"

#include "raw_access.hpp"
#include "stack_guard.hpp"

#include <algorithm>

namespace lua_kernel {
namespace {

bool is_vararg(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 502
  lua_Debug function;
  lua_pushvalue(L, index);
  return lua_getinfo(L, ">u", &function) != 0 && function.isvararg != 0;
#else
  static_cast<void>(L), static_cast<void>(index);
  return false;  // not told by this version
#endif
}

}  // namespace

std::string signature_of(lua_State* L, int index, const StandardValues& standard) {
  if (lua_type(L, index) != LUA_TFUNCTION) return {};
  if (lua_iscfunction(L, index) != 0) {
    const StandardEntry* entry = standard.find(L, index);
    return entry != nullptr ? std::string(entry->signature) : std::string();
  }
  const StackGuard guard(L);
  std::string signature;
  lua_pushvalue(L, index);
  constexpr int most_parameters = 255;
  for (int number = 1; number <= most_parameters; ++number) {
    const char* name = lua_getlocal(L, nullptr, number);
    if (name == nullptr) break;
    if (number > 1) signature += ", ";
    signature += name;
  }
  if (is_vararg(L, -1)) signature += signature.empty() ? "..." : ", ...";
  return "(" + signature + ")";
}

std::string signature_of(std::string_view code, const std::vector<Token>& tokens, TokenRange function) {
  std::size_t at = function.begin;
  std::string signature;
  for (; at < function.end && text_of(tokens[at], code) != "("; ++at) {
    if (text_of(tokens[at], code) == ":") signature = "self";
  }
  for (++at; at < function.end && text_of(tokens[at], code) != ")"; ++at) {
    if (text_of(tokens[at], code) == ",") continue;
    if (!signature.empty()) signature += ", ";
    signature += text_of(tokens[at], code);
  }
  return "(" + signature + ")";
}

std::string without_first_parameter(std::string_view signature) {
  if (!signature.starts_with('(')) return std::string(signature);
  const std::size_t end = signature.find_first_of(",[)");
  if (end == std::string_view::npos || signature == "(...)") return std::string(signature);
  std::string_view rest = signature.substr(end);
  const bool optional = rest.starts_with('[');  // "(file [, whence])"
  rest.remove_prefix(std::min(rest.find_first_not_of("[, "), rest.size()));
  return (optional ? "([" : "(") + std::string(rest);
}

}  // namespace lua_kernel
