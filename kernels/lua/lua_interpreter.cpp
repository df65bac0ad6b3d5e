// SPDX-License-Identifier: BSD-3-Clause
#include "lua_interpreter.hpp"

#include "compat.hpp"
#include "completeness.hpp"
#include "completion.hpp"
#include "help_query.hpp"
#include "inspection.hpp"
#include "lua_program.hpp"

#include <cstdio>
#include <exception>

namespace lua_kernel {
namespace {

std::vector<adrastea::HelpLink> help_links() {
  std::vector<adrastea::HelpLink> links = {
      {LUA_VERSION " Reference Manual", "https://www.lua.org/manual/" + std::string(language_version) + "/"}};
#ifdef LUAJIT_VERSION
  links.push_back({"LuaJIT Extensions", "https://luajit.org/extensions.html"});
#endif
  return links;
}

}  // namespace

LuaInterpreter::LuaInterpreter() : frontend_(*this) {}

adrastea::LanguageInfo LuaInterpreter::language() const {
  return {.name = "lua",
          .version = std::string(language_release),
          .mimetype = "text/x-lua",
          .file_extension = ".lua",
          .pygments_lexer = "lua",
          .codemirror_mode = "lua",
          .nbconvert_exporter = {}};
}

adrastea::KernelInfo LuaInterpreter::info() const {
  return {.implementation = "adrastea-lua", .implementation_version = {}, .banner = banner, .help_links = help_links()};
}

void LuaInterpreter::start() {
  session_ = std::make_unique<Session>(frontend_, MemoryLimit::from_environment());
  frontend_.write_stderr(run_lua_init(*session_));
}

void LuaInterpreter::shutdown(bool) { session_.reset(); }

adrastea::ExecuteResult LuaInterpreter::execute(const adrastea::ExecuteRequest& request, adrastea::Output& out) {
  if (const auto query = parse_help_query(request.code)) return show_help(*query, request.silent, out);
  frontend_.set_output(out);
  Outcome outcome = session_->run(request.code, name_of(request));
  if (outcome.failed) {
    return adrastea::error(std::move(outcome.ename), std::move(outcome.evalue), std::move(outcome.traceback));
  }
  return adrastea::result(std::move(outcome.display.data), std::move(outcome.display.metadata));
}

/// Code that is not stored has no number of its own: under the current one it would take the place of that cell's source.
std::string LuaInterpreter::name_of(const adrastea::ExecuteRequest& request) {
  if (request.store_history) return "[" + std::to_string(request.execution_count) + "]";
  return "[*" + std::to_string(++unstored_) + "]";
}

/// In the pager, where IPython shows it too. A name of which nothing is known is no error of the cell.
adrastea::ExecuteResult LuaInterpreter::show_help(const HelpQuery& query, bool silent, adrastea::Output& out) {
  const std::string name(query.name);
  auto help = lua_kernel::inspect(*session_, {.code = name, .cursor = name.size(), .detail_level = query.detail_level});
  adrastea::ExecuteResult result;
  if (!help.found) {
    out.write_stderr("Nothing is known about '" + name + "'.\n");
  } else if (!silent) {
    result.payload.push_back(adrastea::page(std::move(help.data)));
  }
  return result;
}

adrastea::MimeBundle LuaInterpreter::evaluate(const std::string& expression) {
  frontend_.set_output(host().output());
  Outcome outcome = session_->run(expression, "[expression " + std::to_string(++expressions_) + "]");
  if (outcome.failed) {
    throw adrastea::ExecutionError(std::move(outcome.ename), std::move(outcome.evalue), std::move(outcome.traceback));
  }
  if (outcome.display.data.empty()) return {{"text/plain", "nil"}};
  return std::move(outcome.display.data);
}

adrastea::CompleteResult LuaInterpreter::complete(const adrastea::CompleteRequest& request) {
  return lua_kernel::complete(session_->state(), request);
}

adrastea::InspectResult LuaInterpreter::inspect(const adrastea::InspectRequest& request) {
  return lua_kernel::inspect(*session_, request);
}

adrastea::IsCompleteResult LuaInterpreter::is_complete(const std::string& code) {
  return lua_kernel::is_complete(session_->state(), code);
}

void LuaInterpreter::interrupt() noexcept {
  if (session_) session_->interrupt();
}

void LuaInterpreter::HostFrontend::write_stdout(std::string_view text) noexcept {
  if (output_) return output_->write_stdout(text);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stdout));  // before the first request
}

void LuaInterpreter::HostFrontend::write_stderr(std::string_view text) noexcept {
  if (output_) return output_->write_stderr(text);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

void LuaInterpreter::HostFrontend::display(adrastea::MimeBundle data, adrastea::Json metadata,
                                           std::string_view display_id) {
  if (output_) output_->display(std::move(data), std::move(metadata), display_id);
}

void LuaInterpreter::HostFrontend::update_display(std::string_view display_id, adrastea::MimeBundle data,
                                                  adrastea::Json metadata) {
  if (output_) output_->update_display(display_id, std::move(data), std::move(metadata));
}

void LuaInterpreter::HostFrontend::clear_output(bool wait) {
  if (output_) output_->clear(wait);
}

std::optional<std::string> LuaInterpreter::HostFrontend::input(std::string_view prompt, bool password) {
  return owner_.host().input(prompt, password);
}

adrastea::Comms& LuaInterpreter::HostFrontend::comms() { return owner_.host().comms(); }

void LuaInterpreter::HostFrontend::enter_request() { set_output(owner_.host().output()); }

bool LuaInterpreter::HostFrontend::interrupted() const noexcept { return owner_.host().interrupted(); }

void LuaInterpreter::HostFrontend::exit(int status) noexcept {
  try {
    owner_.host().exit(status);
  } catch (const std::exception& failure) {
    write_stderr(failure.what());
  }
}

}  // namespace lua_kernel
