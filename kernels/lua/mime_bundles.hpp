// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "values.hpp"

#include <lua.hpp>

#include <string_view>

namespace lua_kernel {

/// Mime bundles made by Lua code: tables from mime type to value, and metatables' __mimebundle.
///
/// Text types take strings of UTF-8, binary ones (image/png …) strings of bytes, which become base64, JSON types any value
/// that json_of takes.
///
/// Threads: interpreter. Lua errors never leave these functions.

/// Whether a table is meant as a bundle: it has no metatable, and its keys are all mime types.
[[nodiscard]] bool is_mime_bundle(lua_State* L, int index);

/// The table at `index` as a bundle. Errors: std::invalid_argument that names the type at fault; what json_of throws.
adrastea::MimeBundle mime_bundle_of(lua_State* L, int index);

/// What to show for the values at the stack indices from `first` to `last`: display_of, unless there is one whose
/// metatable has a function __mimebundle(self). That returns a bundle and, if it wants, metadata; nil shows nothing. Of
/// several values the texts and the HTML or pictures stand one under the other in one bundle.
/// Errors: one in that function or in what it returns becomes a note beside the value's ordinary text. Stops and
///   std::bad_alloc as display_of.
Display presentation_of(lua_State* L, int first, int last);

/// The mime type of an image, seen from its first bytes; empty when it is none that notebooks show.
[[nodiscard]] std::string_view image_type(std::string_view bytes) noexcept;

}  // namespace lua_kernel
