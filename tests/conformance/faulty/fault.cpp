// SPDX-License-Identifier: BSD-3-Clause
#include "fault.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <stdexcept>

namespace faulty {
namespace {

const Fault* the_chosen = nullptr;

}  // namespace

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> faults = [] {
    std::vector<Fault> all;
    for (auto& theme :
         {wire_faults(), order_faults(), schema_faults(), execution_faults(), abort_faults(), output_faults(),
          knowledge_faults(), dialogue_faults(), security_faults(), life_faults(), launch_faults(), subshell_faults()})
      all.insert(all.end(), theme.begin(), theme.end());
    return all;
  }();
  return faults;
}

void choose(std::string_view name) {
  const auto found =
      std::find_if(all_faults().begin(), all_faults().end(), [&](const Fault& fault) { return fault.name == name; });
  if (found == all_faults().end()) throw std::invalid_argument("there is no fault " + std::string(name));
  the_chosen = &*found;
}

const Fault* chosen() { return the_chosen; }
bool is_chosen(std::string_view name) { return the_chosen != nullptr && the_chosen->name == name; }

}  // namespace faulty
