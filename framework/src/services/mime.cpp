// SPDX-License-Identifier: BSD-3-Clause
#include <adrastea/mime.hpp>

#include <xtl/xbase64.hpp>

namespace adrastea {

std::string base64(std::string_view bytes) { return xtl::base64encode(std::string{bytes}); }

}  // namespace adrastea
