// SPDX-License-Identifier: BSD-3-Clause
#include "mime_bundles.hpp"

#include "json_values.hpp"
#include "raw_access.hpp"
#include "session.hpp"
#include "text.hpp"
#include "utf8.hpp"

#include <adrastea/errors.hpp>
#include <adrastea/mime.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lua_kernel {
namespace {

using adrastea::Json;
using adrastea::MimeBundle;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;  // RFC 6838, 4.2
  });
}

/// type/subtype, and parameters behind a semicolon where there are some.
bool is_mime_type(std::string_view text) {
  constexpr std::array<std::string_view, 9> types = {"application", "audio",     "font", "image", "message",
                                                     "model",       "multipart", "text", "video"};
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view subtype = text.substr(slash + 1, text.find(';') - slash - 1);
  return std::find(types.begin(), types.end(), text.substr(0, slash)) != types.end() && is_token(subtype);
}

bool is_json_type(std::string_view type) {
  const std::string_view name = type.substr(0, type.find(';'));
  // Vega-Lite's and Plotly's older spelling has the suffix in the middle: application/vnd.plotly.v1+json.
  return name == "application/json" || name.ends_with("+json");
}

bool is_binary_type(std::string_view type) {
  if (type.starts_with("image/")) return !type.starts_with("image/svg+xml");
  constexpr std::array<std::string_view, 5> binary = {"audio/", "video/", "font/", "application/pdf",
                                                      "application/octet-stream"};
  return std::any_of(binary.begin(), binary.end(), [&](std::string_view start) { return type.starts_with(start); });
}

/// One entry; the value is on top.
Json entry_of(lua_State* L, const std::string& type) {
  try {
    if (is_json_type(type)) return json_of(L, -1);
  } catch (const std::invalid_argument& wrong) {
    throw std::invalid_argument(type + ": " + wrong.what());
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    throw std::invalid_argument(type + ": string expected, got " + lua_typename(L, lua_type(L, -1)));
  }
  const std::string_view text = text_at(L, -1);
  if (is_binary_type(type)) return adrastea::base64(text);
  if (const std::size_t at = utf8::find_invalid(text); at != std::string_view::npos) {
    throw std::invalid_argument(type + ": the text is not UTF-8 (byte " + std::to_string(at + 1) + ")");
  }
  return std::string(text);
}

std::string error_text(lua_State* L) {
  if (lua_type(L, -1) == LUA_TSTRING) return std::string(text_at(L, -1));
  return std::string("(error object is a ") + lua_typename(L, lua_type(L, -1)) + " value)";
}

/// Called protected with the value: its __mimebundle's bundle and metadata, and true; or nothing, when it has none.
int call_mimebundle(lua_State* L) {
  if (luaL_getmetafield(L, 1, "__mimebundle") == LUA_TNIL) return 0;
  lua_insert(L, 1);
  lua_call(L, 1, 2);
  lua_pushboolean(L, 1);
  return 3;
}

/// Reads the two results on top.
Display display_of_results(lua_State* L) {
  if (lua_isnil(L, -2)) return {};
  if (!lua_istable(L, -2)) {
    throw std::invalid_argument(std::string("it returned a ") + lua_typename(L, lua_type(L, -2)) + " instead of a table");
  }
  const int bundle = lua_gettop(L) - 1;
  return {.data = mime_bundle_of(L, bundle), .metadata = json_object_of(L, bundle + 1)};
}

Display ordinary_with_note(lua_State* L, int index, const std::string& why) {
  Display ordinary = display_of(L, index, index);
  std::string text = ordinary.data.value("text/plain", "");
  text += "\n(error in __mimebundle: " + why + ")";
  ordinary.data = {{"text/plain", std::move(text)}};
  return ordinary;
}

/// No value where the metatable has no such function.
std::optional<Display> display_by_metatable(lua_State* L, int index) {
  const int value = lua_absindex(L, index);
  const int type = lua_type(L, value);
  if (type != LUA_TTABLE && type != LUA_TUSERDATA) return {};
  if (lua_getmetatable(L, value) == 0) return {};
  lua_pop(L, 1);
  const int top = lua_gettop(L);
  if (lua_checkstack(L, 6) == 0) throw std::bad_alloc();
  std::optional<Display> made;
  std::optional<std::string> wrong;
  try {
    lua_pushcfunction(L, call_mimebundle);
    lua_pushvalue(L, value);
    const MemoryLimit::Kept kept(Session::of(L).memory());
    if (lua_pcall(L, 1, 3, 0) != LUA_OK) {
      wrong = error_text(L);
    } else if (lua_toboolean(L, -1) != 0) {
      lua_pop(L, 1);
      made = display_of_results(L);
    }
  } catch (const std::invalid_argument& failure) {
    wrong = failure.what();
  } catch (const adrastea::Interrupted&) {
    Session::of(L).interrupts().request(Interrupts::Reason::interrupted);
  }
  lua_settop(L, top);
  if (Session::of(L).interrupts().stopping()) return Display{};
  if (wrong) return ordinary_with_note(L, value, *wrong);
  return made;
}

/// HTML for one of several values.
std::string html_of(const MimeBundle& data) {
  if (data.contains("text/html")) return data["text/html"].get<std::string>();
  if (data.contains("image/svg+xml")) return data["image/svg+xml"].get<std::string>();
  for (const char* type : {"image/png", "image/jpeg", "image/gif"}) {
    if (data.contains(type))
      return "<img src=\"data:" + std::string(type) + ";base64," + data[type].get<std::string>() + "\">";
  }
  return "<pre>" + html_escaped(data.value("text/plain", "")) + "</pre>";
}

/// All in one bundle, one under the other.
Display stacked(const std::vector<MimeBundle>& values) {
  std::string text;
  std::string html;
  for (const MimeBundle& data : values) {
    if (data.empty()) continue;
    if (!html.empty()) text += '\n';
    text += data.value("text/plain", "");
    html += "<div>" + html_of(data) + "</div>";
  }
  return html.empty() ? Display{} : Display{.data = {{"text/plain", text}, {"text/html", html}}};
}

/// No value where none of the values draws itself.
std::optional<Display> displays_together(lua_State* L, int first, int last) {
  constexpr int most_values = 100;
  const int end = std::min(last, first + most_values - 1);
  std::vector<std::optional<Display>> own;
  for (int index = first; index <= end; ++index) own.push_back(display_by_metatable(L, index));
  if (std::none_of(own.begin(), own.end(), [](const auto& one) { return one.has_value(); })) return {};
  std::vector<MimeBundle> values;
  for (int index = first; index <= end; ++index) {
    auto& one = own[static_cast<std::size_t>(index - first)];
    values.push_back(one ? std::move(one->data) : display_of(L, index, index).data);
  }
  if (end < last) values.push_back({{"text/plain", more(static_cast<std::size_t>(last - end))}});
  return stacked(values);
}

}  // namespace

bool is_mime_bundle(lua_State* L, int index) {
  if (!lua_istable(L, index) || lua_checkstack(L, 3) == 0) return false;
  const int table = lua_absindex(L, index);
  if (lua_getmetatable(L, table) != 0) {
    lua_pop(L, 1);
    return false;
  }
  const int top = lua_gettop(L);
  bool any = false;
  bool all = true;
  for (lua_pushnil(L); all && lua_next(L, table) != 0; lua_pop(L, 1)) {
    any = true;
    all = lua_type(L, -2) == LUA_TSTRING && is_mime_type(text_at(L, -2));
  }
  lua_settop(L, top);
  return any && all;
}

MimeBundle mime_bundle_of(lua_State* L, int index) {
  const int table = lua_absindex(L, index);
  const int top = lua_gettop(L);
  if (lua_checkstack(L, 4) == 0) throw std::bad_alloc();
  MimeBundle bundle = Json::object();
  try {
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
      if (lua_type(L, -2) != LUA_TSTRING || !is_mime_type(text_at(L, -2))) {
        throw std::invalid_argument("a mime bundle has a key that is no mime type");
      }
      const std::string type(text_at(L, -2));
      bundle[type] = entry_of(L, type);
    }
  } catch (...) {
    lua_settop(L, top);
    throw;
  }
  return bundle;
}

Display presentation_of(lua_State* L, int first, int last) {
  std::optional<Display> own = first == last ? display_by_metatable(L, first) : displays_together(L, first, last);
  return own ? std::move(*own) : display_of(L, first, last);
}

std::string_view image_type(std::string_view bytes) noexcept {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<std::size_t>(bytes.size(), 8)).starts_with("WEBP"))
    return "image/webp";
  return {};
}

}  // namespace lua_kernel
