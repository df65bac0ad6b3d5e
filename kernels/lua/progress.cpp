// SPDX-License-Identifier: BSD-3-Clause
#include "progress.hpp"

#include "attempt.hpp"
#include "options.hpp"
#include "session.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <string_view>

namespace lua_kernel {

/// Lives in the memory of a userdata, which Lua does not move.
struct ProgressBar {
  using Clock = std::chrono::steady_clock;

  std::string label;
  double total = 0;  // infinite when nobody knows
  double done = 0;
  bool finished = false;
  bool pending = false;
  Clock::time_point begun = Clock::now();
  Clock::time_point shown{};
  JupyterModule::DisplayId id{};
};

namespace {

using Clock = ProgressBar::Clock;

constexpr std::chrono::milliseconds shortest_pause{50};

std::string number_text(double number) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.14g", number);
  return {text.data(), static_cast<std::size_t>(size)};
}

/// As people say it: 3.2 s, 4 min 20 s, 3 h 5 min.
std::string duration_text(double seconds) {
  constexpr double minute = 60;
  constexpr double hour = 3600;
  std::array<char, 64> text{};
  if (seconds < minute) {
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.1f s", seconds));
  } else if (seconds < hour) {
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.0f min %.0f s", std::floor(seconds / minute),
                                    std::floor(std::fmod(seconds, minute))));
  } else {
    static_cast<void>(std::snprintf(text.data(), text.size(), "%.0f h %.0f min", std::floor(seconds / hour),
                                    std::floor(std::fmod(seconds, hour) / minute)));
  }
  return text.data();
}

bool is_bounded(const ProgressBar& bar) { return std::isfinite(bar.total); }

double part(const ProgressBar& bar) {
  if (bar.finished || bar.total == 0) return 1;
  return std::clamp(bar.done / bar.total, 0.0, 1.0);  // of an infinite total nothing is done
}

std::string count_text(const ProgressBar& bar) {
  if (!is_bounded(bar)) return number_text(bar.done);
  constexpr double whole = 100;
  return number_text(bar.done) + "/" + number_text(bar.total) + " (" + number_text(std::floor(part(bar) * whole)) + " %)";
}

/// Without times, so that a notebook that runs again shows the same.
std::string plain_text(const ProgressBar& bar) {
  std::string text = bar.label.empty() ? "" : bar.label + " ";
  if (is_bounded(bar) || bar.finished) {
    constexpr int width = 30;
    const int full = static_cast<int>(part(bar) * width);
    for (int i = 0; i < width; ++i) text += i < full ? "█" : "░";
    text += " ";
  }
  return text + count_text(bar);
}

std::string times_text(const ProgressBar& bar) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - bar.begun).count();
  std::string text = duration_text(elapsed);
  const double done = part(bar);
  if (done > 0 && done < 1) text += ", " + duration_text(elapsed * (1 - done) / done) + " left";
  return text;
}

std::string html(const ProgressBar& bar) {
  std::string text = R"(<div style="display: flex; align-items: center; gap: 0.8em">)";
  if (!bar.label.empty()) text += "<span>" + html_escaped(bar.label) + "</span>";
  text += R"(<progress style="width: 20em" max="1")";
  if (is_bounded(bar) || bar.finished) text += " value=\"" + number_text(part(bar)) + "\"";
  return text + "></progress><span>" + count_text(bar) + " · " + times_text(bar) + "</span></div>";
}

/// Throws what Frontend::display does.
void show(Frontend& frontend, ProgressBar& bar) {
  const bool first = bar.shown == Clock::time_point{};
  bar.shown = Clock::now();
  adrastea::MimeBundle data = {{"text/plain", plain_text(bar)}, {"text/html", html(bar)}};
  if (first) {
    frontend.display(std::move(data), adrastea::Json::object(), bar.id.data());
  } else {
    frontend.update_display(bar.id.data(), std::move(data), adrastea::Json::object());
  }
}

ProgressBar& check_bar(lua_State* L, int index) {
  return *static_cast<ProgressBar*>(luaL_checkudata(L, index, ProgressBars::type_name));
}

/// Shows a bar that changed, now or later.
void changed(lua_State* L, ProgressBar& bar, bool at_once = false) {
  ProgressBars& bars = Session::of(L).jupyter().progress();
  const bool too_early = !at_once && Clock::now() - bar.shown < shortest_pause;
  if (too_early && bar.pending) return;
  const Failure failure = attempt(L, [&] {
    if (too_early) {
      bars.add_pending(&bar);
      bar.pending = true;
      return;
    }
    bars.remove_pending(&bar);
    Session::of(L).streams().flush();
    show(Session::of(L).frontend(), bar);
  });
  if (failure) failure.raise(L);
}

void set_done(lua_State* L, ProgressBar& bar, double done) {
  const bool was_finished = bar.finished;
  bar.done = done;
  bar.finished = is_bounded(bar) && done >= bar.total;
  changed(L, bar, bar.finished && !was_finished);
}

void finish(lua_State* L, ProgressBar& bar) {
  if (bar.finished) return;
  bar.finished = true;
  if (is_bounded(bar)) bar.done = bar.total;
  changed(L, bar, true);
}

double check_finite(lua_State* L, int argument) {
  const lua_Number number = luaL_checknumber(L, argument);
  luaL_argcheck(L, std::isfinite(number), argument, "a finite number expected");
  return number;
}

/// Replaces the label by the text at `index`; `argument` is whom an error is about.
void set_label(lua_State* L, ProgressBar& bar, int index, int argument) {
  const std::string_view label = check_text(L, index, argument, "label");
  const Failure failure = attempt(L, [&] { bar.label = label; });
  if (failure) failure.raise(L, argument);
}

/// Pushes a bar that is not shown yet.
ProgressBar& push_bar(lua_State* L, double total) {
  void* memory = lua_newuserdata(L, sizeof(ProgressBar));
  luaL_setmetatable(L, ProgressBars::type_name);  // may raise; from here on nothing does
  ProgressBar& bar = *new (memory) ProgressBar;
  bar.total = total;
  bar.finished = total == 0;
  bar.id = Session::of(L).jupyter().new_display_id();
  return bar;
}

int progress(lua_State* L) {
  lua_settop(L, 2);
  double total = std::numeric_limits<double>::infinity();
  if (!lua_isnil(L, 1)) {
    total = check_finite(L, 1);
    luaL_argcheck(L, total >= 0, 1, "a number that is not negative expected");
  }
  check_options(L, 2, {"label"});
  ProgressBar& bar = push_bar(L, total);
  if (push_option(L, 2, "label")) set_label(L, bar, -1, 2);
  lua_settop(L, 3);
  changed(L, bar);
  return 1;
}

int bar_update(lua_State* L) {
  ProgressBar& bar = check_bar(L, 1);
  const double step = lua_isnoneornil(L, 2) ? 1 : check_finite(L, 2);
  set_done(L, bar, bar.done + step);
  lua_settop(L, 1);
  return 1;
}

int bar_set(lua_State* L) {
  ProgressBar& bar = check_bar(L, 1);
  set_done(L, bar, check_finite(L, 2));
  lua_settop(L, 1);
  return 1;
}

int bar_label(lua_State* L) {
  ProgressBar& bar = check_bar(L, 1);
  set_label(L, bar, 2, 2);
  changed(L, bar);
  lua_settop(L, 1);
  return 1;
}

int bar_finish(lua_State* L) {
  finish(L, check_bar(L, 1));
  lua_settop(L, 1);
  return 1;
}

int bar_tostring(lua_State* L) {
  const ProgressBar& bar = check_bar(L, 1);
  std::string& text = Session::of(L).jupyter().text_to_push();
  const Failure failure = attempt(L, [&] { text = plain_text(bar); });
  if (failure) return failure.raise(L);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// It shows itself already: as the value of a cell it is nothing more.
int bar_mimebundle(lua_State*) { return 0; }

int bar_gc(lua_State* L) {
  ProgressBar& bar = check_bar(L, 1);
  Session& session = Session::of(L);
  if (bar.pending) {
    session.jupyter().progress().remove_pending(&bar);
    static_cast<void>(attempt(L, [&] { show(session.frontend(), bar); }));
  }
  bar.~ProgressBar();
  lua_pushnil(L);  // user code may call this too: nobody may take what is left for a bar
  lua_setmetatable(L, 1);
  return 0;
}

/// Upvalues of next_item; state and control are those of the generic for that the function comes from.
enum Upvalue { source = 1, shown_bar, count_given, state, control, number_of_upvalues = control };

/// The iterator of progress_of.
int next_item(lua_State* L) {
  ProgressBar& bar = check_bar(L, lua_upvalueindex(shown_bar));
  const lua_Integer given = lua_tointeger(L, lua_upvalueindex(count_given));
  if (given > 0) set_done(L, bar, bar.done + 1);
  lua_settop(L, 0);
  if (lua_isfunction(L, lua_upvalueindex(source))) {
    lua_pushvalue(L, lua_upvalueindex(source));
    lua_pushvalue(L, lua_upvalueindex(state));
    lua_pushvalue(L, lua_upvalueindex(control));
    lua_call(L, 2, LUA_MULTRET);
    if (lua_gettop(L) > 0) {
      lua_pushvalue(L, 1);
      lua_replace(L, lua_upvalueindex(control));
    }
  } else {
    lua_rawgeti(L, lua_upvalueindex(source), given + 1);
  }
  if (lua_isnoneornil(L, 1)) finish(L, bar);
  lua_pushinteger(L, given + 1);
  lua_replace(L, lua_upvalueindex(count_given));
  return lua_gettop(L);
}

/// Of a list or a function and options, or of the values of a generic for, such as pairs(t) returns: a function, a state, a
/// control, and in 5.4 what is to be closed.
int progress_of(lua_State* L) {
  const bool is_for = lua_isfunction(L, 1) && lua_gettop(L) >= 3;
  lua_settop(L, 4);
  const bool is_list = lua_istable(L, 1);
  if (!is_list && !lua_isfunction(L, 1)) return type_error(L, 1, "table or function");
  double total = is_list ? static_cast<double>(lua_rawlen(L, 1)) : std::numeric_limits<double>::infinity();
  if (!is_for) check_options(L, 2, {"label", "total"});
  if (!is_for && push_option(L, 2, "total")) {
    const bool fits = lua_type(L, -1) == LUA_TNUMBER && std::isfinite(lua_tonumber(L, -1)) && lua_tonumber(L, -1) >= 0;
    luaL_argcheck(L, fits, 2, "total: a number that is not negative expected");
    total = lua_tonumber(L, -1);
  }
  lua_settop(L, 4);
  ProgressBar& bar = push_bar(L, total);
  const int bar_index = lua_gettop(L);
  if (!is_for && push_option(L, 2, "label")) set_label(L, bar, -1, 2);
  changed(L, bar);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, bar_index);
  lua_pushinteger(L, 0);
  for (int index = 2; index <= 3; ++index) {
    if (is_for) {
      lua_pushvalue(L, index);
    } else {
      lua_pushnil(L);
    }
  }
  lua_pushcclosure(L, next_item, number_of_upvalues);
  if (!is_for) return 1;
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 4);
  return 4;
}

}  // namespace

void ProgressBars::install(lua_State* L) {
  constexpr luaL_Reg methods[] = {
      {"update", bar_update}, {"set", bar_set}, {"label", bar_label}, {"finish", bar_finish}, {nullptr, nullptr}};
  constexpr luaL_Reg metamethods[] = {
      {"__tostring", bar_tostring}, {"__mimebundle", bar_mimebundle}, {"__gc", bar_gc}, {nullptr, nullptr}};
  constexpr luaL_Reg functions[] = {{"progress", progress}, {"progress_of", progress_of}, {nullptr, nullptr}};
  luaL_newmetatable(L, ProgressBars::type_name);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushliteral(L, "protected");  // without its __gc a bar that waits would leave a dangling pointer
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

void ProgressBars::show_pending(Frontend& frontend) noexcept {
  for (ProgressBar* bar : pending_) {
    bar->pending = false;
    try {
      show(frontend, *bar);
    } catch (const std::exception& failure) {
      frontend.write_stderr(failure.what());
    }
  }
  pending_.clear();
}

void ProgressBars::remove_pending(ProgressBar* bar) noexcept {
  if (!bar->pending) return;
  bar->pending = false;
  pending_.erase(std::remove(pending_.begin(), pending_.end(), bar), pending_.end());
}

}  // namespace lua_kernel
