// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <utility>
#include <variant>

namespace adrastea::support {

/// A value or an error, for what fails as a matter of course (C++20 has no std::expected).
/// Errors: value() and error() on the wrong one throw std::bad_variant_access.
template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] explicit operator bool() const noexcept { return state_.index() == 0; }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] const E& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, E> state_;
};

}  // namespace adrastea::support
