// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>

#include <string>
#include <string_view>

namespace adrastea {

/// Base64 without newlines, as binary mime types (image/png …) want it in a MimeBundle. Threads: any.
ADRASTEA_EXPORT std::string base64(std::string_view bytes);

}  // namespace adrastea
