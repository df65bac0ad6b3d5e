// SPDX-License-Identifier: BSD-3-Clause
#include "jupyter_module.hpp"

#include "attempt.hpp"
#include "comms.hpp"
#include "json_values.hpp"
#include "mime_bundles.hpp"
#include "options.hpp"
#include "raw_access.hpp"
#include "session.hpp"
#include "stack_guard.hpp"
#include "text.hpp"

#include <adrastea/errors.hpp>
#include <adrastea/mime.hpp>

#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace lua_kernel {
namespace {

using adrastea::Json;

constexpr const char* handle_name = "jupyter.Display";
constexpr std::uintmax_t max_image_bytes = std::uintmax_t{256} << 20;

// --- showing -------------------------------------------------------------------------------------

/// Pushes what the functions that show return: {id =}, with the method update.
int push_handle(lua_State* L, const char* id) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, id);
  lua_setfield(L, -2, "id");
  luaL_setmetatable(L, handle_name);
  return 1;
}

/// The metadata of an options table at `index`, for an empty value nil. Throws.
Json metadata_at(lua_State* L, int index) {
  try {
    return json_object_of(L, index);
  } catch (const std::invalid_argument& wrong) {
    throw std::invalid_argument(std::string("metadata: ") + wrong.what());
  }
}

void merge_metadata(Json& into, Json more) {
  for (auto& [name, value] : more.items()) into[name] = std::move(value);
}

/// Shows the Display that `make` returns: the end of every function that shows.
/// Its arguments are a value and options; `names` are the options of this function besides id and metadata.
template <class Make>
int show(lua_State* L, Make&& make) {
  lua_settop(L, 2);
  Session& session = Session::of(L);
  JupyterModule::DisplayId id = session.jupyter().new_display_id();
  const char* id_text = id.data();
  if (push_option(L, 2, "id")) {
    const std::string_view chosen = check_text(L, 3, 2, "id");
    luaL_argcheck(L, !chosen.empty() && chosen.find('\0') == std::string_view::npos, 2, "id: no text, or one with a NUL");
    id_text = chosen.data();
  }
  push_option(L, 2, "metadata");
  luaL_checkstack(L, LUA_MINSTACK, nullptr);
  int argument = 1;
  const Failure failure = attempt(L, [&] {
    Display display = make();
    if (session.interrupts().stopping()) throw adrastea::Interrupted();
    argument = 2;
    merge_metadata(display.metadata, metadata_at(L, 4));
    argument = 0;
    if (display.data.empty()) return;
    session.streams().flush();
    session.frontend().display(std::move(display.data), std::move(display.metadata), id_text);
  });
  if (failure) return failure.raise(L, argument);
  return push_handle(L, id_text);
}

/// A value, or a table that is a mime bundle. Throws.
Display display_of_argument(lua_State* L, int index) {
  if (is_mime_bundle(L, index)) return {.data = mime_bundle_of(L, index)};
  return presentation_of(L, index, index);
}

int display(lua_State* L) {
  luaL_checkany(L, 1);
  check_options(L, 2, {"id", "metadata"});
  return show(L, [L] { return display_of_argument(L, 1); });
}

/// Replaces what was shown; the value is at `value`, options behind it.
int update_display(lua_State* L, std::string_view id, int value) {
  luaL_checkany(L, value);
  const int options = value + 1;
  lua_settop(L, options);
  check_options(L, options, {"metadata"});
  push_option(L, options, "metadata");
  luaL_checkstack(L, LUA_MINSTACK, nullptr);
  Session& session = Session::of(L);
  int argument = value;
  const Failure failure = attempt(L, [&] {
    Display display = display_of_argument(L, value);
    if (session.interrupts().stopping()) throw adrastea::Interrupted();
    argument = options;
    merge_metadata(display.metadata, metadata_at(L, options + 1));
    argument = 0;
    session.streams().flush();
    session.frontend().update_display(id, std::move(display.data), std::move(display.metadata));
  });
  return failure ? failure.raise(L, argument) : 0;
}

int update(lua_State* L) {
  const std::string_view id = check_text(L, 1, 1);
  luaL_argcheck(L, !id.empty(), 1, "the text is empty");
  return update_display(L, id, 2);
}

int handle_update(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "id");
  lua_rawget(L, 1);
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "a display's handle expected");
  lua_replace(L, 1);
  return update_display(L, check_text(L, 1, 1), 2);
}

/// What it stands for is shown already: as the value of a cell it is nothing more.
int handle_mimebundle(lua_State*) { return 0; }

int show_text(lua_State* L, const char* type, bool is_readable, const char* what) {
  const std::string_view text = check_text(L, 1, 1);
  check_options(L, 2, {"id", "metadata"});
  return show(L, [&] {
    const std::string plain =
        is_readable ? std::string(text) : "<" + std::string(what) + ", " + std::to_string(text.size()) + " bytes>";
    return Display{.data = {{type, std::string(text)}, {"text/plain", plain}}};
  });
}

int html(lua_State* L) { return show_text(L, "text/html", false, "HTML"); }
int markdown(lua_State* L) { return show_text(L, "text/markdown", true, ""); }
int latex(lua_State* L) { return show_text(L, "text/latex", true, ""); }
int svg(lua_State* L) { return show_text(L, "image/svg+xml", false, "SVG image"); }

// --- images --------------------------------------------------------------------------------------

std::string read_file(const std::string& name) {
  std::error_code error;
  const std::filesystem::path path(name);
  if (!std::filesystem::exists(path, error)) throw std::invalid_argument("no such file: " + name);
  if (!std::filesystem::is_regular_file(path, error)) throw std::invalid_argument("not a regular file: " + name);
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw std::invalid_argument(name + ": " + error.message());
  if (size > max_image_bytes) throw std::invalid_argument(name + " is larger than an image should be");
  std::ifstream file(path, std::ios::binary);
  std::string bytes(size, '\0');
  if (!file || !file.read(bytes.data(), static_cast<std::streamsize>(size)))
    throw std::invalid_argument("cannot read " + name);
  return bytes;
}

/// The bytes, or those of the file that they name. Throws.
Display image_display(std::string_view bytes_or_file) {
  std::string_view bytes = bytes_or_file;
  std::string_view type = image_type(bytes);
  std::string read;
  if (type.empty()) {
    constexpr std::size_t longest_name = 4096;
    if (bytes.empty() || bytes.size() > longest_name || bytes.find('\0') != std::string_view::npos) {
      throw std::invalid_argument("neither the bytes of a PNG, JPEG, GIF or WebP image nor the name of a file");
    }
    read = read_file(std::string(bytes_or_file));
    bytes = read;
    type = image_type(bytes);
    if (type.empty()) {
      throw std::invalid_argument(std::string(bytes_or_file) +
                                  " is no PNG, JPEG, GIF or WebP image; for SVG use jupyter.svg");
    }
  }
  const std::string plain = "<" + std::string(type) + ", " + std::to_string(bytes.size()) + " bytes>";
  return {.data = {{std::string(type), adrastea::base64(bytes)}, {"text/plain", plain}}};
}

/// Pushes the size in pixels that an option asks for, or nil.
void push_pixels(lua_State* L, int options, const char* name) {
  if (!push_option(L, options, name)) return;
  const bool fits = lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 1 && lua_tonumber(L, -1) <= 1e6;
  if (!fits) luaL_argerror(L, options, lua_pushfstring(L, "%s: a number of pixels expected", name));
}

int image(lua_State* L) {
  std::size_t size = 0;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char* data = lua_tolstring(L, 1, &size);
  lua_settop(L, 2);
  check_options(L, 2, {"id", "metadata", "width", "height"});
  push_pixels(L, 2, "width");
  push_pixels(L, 2, "height");
  const double width = lua_tonumber(L, 3);
  const double height = lua_tonumber(L, 4);
  return show(L, [&] {
    Display display = image_display({data, size});
    const std::string& type = display.data.begin().key();
    if (width > 0) display.metadata[type]["width"] = static_cast<int>(width);
    if (height > 0) display.metadata[type]["height"] = static_cast<int>(height);
    return display;
  });
}

// --- JSON ----------------------------------------------------------------------------------------

int json(lua_State* L) {
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  check_options(L, 2, {"id", "metadata", "expanded"});
  const bool says_expanded = push_option(L, 2, "expanded");
  const bool expanded = lua_toboolean(L, 3) != 0;
  return show(L, [&] {
    constexpr std::size_t plain_bytes = 20'000;
    const Json value = json_of(L, 1);
    Display display{.data = {{"application/json", value}, {"text/plain", shortened(value.dump(2), plain_bytes)}}};
    if (says_expanded) display.metadata["application/json"]["expanded"] = expanded;
    return display;
  });
}

/// A chart's description: a table, or the text of a JSON object.
int show_chart(lua_State* L, const char* type, const char* what) {
  const int given = lua_type(L, 1);
  if (given != LUA_TTABLE && given != LUA_TSTRING) return type_error(L, 1, "table or JSON text");
  const std::string_view text = given == LUA_TSTRING ? check_text(L, 1, 1) : std::string_view();
  check_options(L, 2, {"id", "metadata"});
  return show(L, [&] {
    Json chart;
    if (given == LUA_TSTRING) {
      chart = Json::parse(text, nullptr, false);
      if (!chart.is_object()) throw std::invalid_argument("the text is no JSON object");
    } else {
      chart = json_object_of(L, 1);
    }
    return Display{.data = {{type, std::move(chart)}, {"text/plain", "<" + std::string(what) + ">"}}};
  });
}

int vegalite(lua_State* L) { return show_chart(L, "application/vnd.vegalite.v5+json", "Vega-Lite chart"); }
int plotly(lua_State* L) { return show_chart(L, "application/vnd.plotly.v1+json", "Plotly chart"); }

// --- the rest ------------------------------------------------------------------------------------

int clear_output(lua_State* L) {
  const bool wait = lua_toboolean(L, 1) != 0;
  Session& session = Session::of(L);
  session.streams().flush();
  const Failure failure = attempt(L, [&] { session.frontend().clear_output(wait); });
  return failure ? failure.raise(L) : 0;
}

int ask(lua_State* L, bool is_password) {
  const std::string_view prompt = lua_isnoneornil(L, 1) ? std::string_view() : check_text(L, 1, 1);
  Session& session = Session::of(L);
  std::string& answer = session.jupyter().text_to_push();
  bool at_end = false;
  const Failure failure = attempt(L, [&] {
    session.streams().flush();
    auto line = session.frontend().input(prompt, is_password);
    at_end = !line.has_value();
    answer = std::move(line).value_or("");
  });
  if (failure) return failure.raise(L);
  if (at_end) {
    lua_pushnil(L);
  } else {
    lua_pushlstring(L, answer.data(), answer.size());
  }
  return 1;
}

int input(lua_State* L) { return ask(L, false); }
int password(lua_State* L) { return ask(L, true); }

/// Pushes the module.
void push_new_module(lua_State* L) {
  constexpr luaL_Reg functions[] = {{"display", display},
                                    {"update", update},
                                    {"html", html},
                                    {"markdown", markdown},
                                    {"latex", latex},
                                    {"svg", svg},
                                    {"image", image},
                                    {"json", json},
                                    {"vegalite", vegalite},
                                    {"plotly", plotly},
                                    {"clear_output", clear_output},
                                    {"input", input},
                                    {"password", password},
                                    {"array", json_array},
                                    {nullptr, nullptr}};
  prepare_json(L);
  luaL_newmetatable(L, handle_name);
  lua_pushcfunction(L, handle_mimebundle);
  lua_setfield(L, -2, "__mimebundle");
  lua_newtable(L);
  lua_pushcfunction(L, handle_update);
  lua_setfield(L, -2, "update");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  push_json_null(L);
  lua_setfield(L, -2, "null");
  ProgressBars::install(L);
  install_comms(L);
}

int open_module(lua_State* L) {
  lua_getfield(L, LUA_REGISTRYINDEX, JupyterModule::registry_name);
  return 1;
}

}  // namespace

JupyterModule::JupyterModule() {
  std::random_device device;
  run_ = (std::uint64_t{device()} << 32U) | device();
}

void JupyterModule::install(lua_State* L) {
  push_new_module(L);
  lua_setfield(L, LUA_REGISTRYINDEX, registry_name);
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open_module);
  lua_setfield(L, -2, "jupyter");
  lua_pop(L, 2);
}

bool JupyterModule::is_shown(lua_State* L, int index) {
  constexpr int stack_for_types = 4;
  if (lua_checkstack(L, stack_for_types) == 0) return false;
  const StackGuard guard(L);
  if (lua_getmetatable(L, index) == 0) return false;
  for (const char* type : {handle_name, ProgressBars::type_name}) {
    push_string(L, type);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_rawequal(L, -1, -2) != 0) return true;
    lua_pop(L, 1);
  }
  return false;
}

JupyterModule::DisplayId JupyterModule::new_display_id() noexcept {
  DisplayId id{};
  static_cast<void>(std::snprintf(id.data(), id.size(), "%016" PRIx64 "-%" PRIu64, run_, ++displays_));
  return id;
}

}  // namespace lua_kernel
