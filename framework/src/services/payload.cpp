// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/messages.hpp>

#include <utility>

namespace adrastea {

Json page(MimeBundle data, int start) { return {{"source", "page"}, {"data", std::move(data)}, {"start", start}}; }

Json set_next_input(std::string text, bool replace) {
  return {{"source", "set_next_input"}, {"text", std::move(text)}, {"replace", replace}};
}

}  // namespace adrastea
