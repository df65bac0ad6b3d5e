// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// The requests of the Jupyter messaging protocol, and their results, as a kernel author sees them.
///
/// Plain values: copy them, keep them, use them on any thread. Every member has an initializer, so that naming only some
/// ({.name = "lua"}) compiles without a warning. Names are those of the protocol. JSON appears only where
/// the protocol is free-form (mime bundles, metadata, comm data). All text is UTF-8; every cursor is an offset in bytes
/// into `code`: the framework converts from and to the code points that the protocol counts in.
namespace adrastea {

using Json = nlohmann::json;

/// Mime type → representation, e.g. {"text/plain": "1", "text/html": "<b>1</b>"}. Binary types are base64 text
/// (see mime.hpp), JSON types (application/json, application/*+json) are real JSON.
using MimeBundle = nlohmann::json;

/// Binary buffers that travel beside the JSON of a message; never copied into it.
using Buffers = std::vector<std::string>;

/// kernel_info_reply.language_info. `name` is the only must.
struct LanguageInfo {
  std::string name{};                   ///< lower case, as kernelspecs have it: "lua"
  std::string version = "0";            ///< of the language: "5.4.4"
  std::string mimetype = "text/plain";  ///< of source code
  std::string file_extension = ".txt";  ///< with the dot
  std::string pygments_lexer{};         ///< left out when empty
  std::string codemirror_mode{};        ///< left out when empty
  std::string nbconvert_exporter{};     ///< left out when empty
};

/// The rest of kernel_info_reply.
struct HelpLink {
  std::string text{};
  std::string url{};
};
struct KernelInfo {
  std::string implementation{};          ///< empty: the kernelspec's name
  std::string implementation_version{};  ///< empty: the framework's version
  std::string banner{};                  ///< what a console prints first; empty: made from the language
  std::vector<HelpLink> help_links{};
};

/// execute_request (Messaging, "Execute").
struct ExecuteRequest {
  std::string code{};
  bool silent = false;        ///< no execute_input, no result, no stream output, no history
  bool store_history = true;  ///< false whenever silent
  bool allow_stdin = false;   ///< whether Host::input may ask this client
  bool stop_on_error = true;
  int execution_count = 0;  ///< this cell's number; for silent or unstored code the current one
  std::string cell_id{};    ///< metadata.cellId, empty where the client sends none
  std::string msg_id{};
  Json metadata = Json::object();
};

/// What execute() returns. Make one with ok(), result() or error(), or throw.
struct [[nodiscard]] ExecuteResult {
  enum class Status { ok, error };
  Status status = Status::ok;

  /// The cell's value: published as execute_result when it is not empty.
  MimeBundle data = Json::object();
  Json metadata = Json::object();

  /// With Status::error. The framework publishes `error` and puts the same into the reply.
  std::string ename{};
  std::string evalue{};
  std::vector<std::string> traceback{};  ///< coloured lines; some clients show only this, so name the error in it

  /// Messaging, "Payloads (DEPRECATED)", still what opens a pager: see page() and set_next_input().
  std::vector<Json> payload{};
};

/// The cell ran and has no value.
inline ExecuteResult ok() { return {}; }

/// The cell has a value. `data` must hold text/plain.
inline ExecuteResult result(MimeBundle data, Json metadata = Json::object()) {
  ExecuteResult made;
  made.data = std::move(data);
  made.metadata = std::move(metadata);
  return made;
}

/// The cell has a value that is shown as this text.
inline ExecuteResult result_text(std::string text) { return result({{"text/plain", std::move(text)}}); }

/// The cell failed.
inline ExecuteResult error(std::string ename, std::string evalue, std::vector<std::string> traceback = {}) {
  ExecuteResult made;
  made.status = ExecuteResult::Status::error;
  made.ename = std::move(ename);
  made.evalue = std::move(evalue);
  made.traceback = std::move(traceback);
  return made;
}

/// Payloads for ExecuteResult::payload: text for the pager, and text for the next cell.
ADRASTEA_EXPORT Json page(MimeBundle data, int start = 0);
ADRASTEA_EXPORT Json set_next_input(std::string text, bool replace = false);

/// complete_request (Messaging, "Completion").
struct CompleteRequest {
  std::string code{};
  std::size_t cursor = 0;  ///< byte offset into code
};

struct Completion {
  std::string text{};       ///< replaces code[start, end)
  std::string type{};       ///< "function", "module", "keyword", "instance", "path", …; shown by JupyterLab; may be empty
  std::string signature{};  ///< may be empty
};

struct CompleteResult {
  std::vector<Completion> matches{};
  std::size_t start = 0;  ///< byte offsets into code; the framework sets both to the cursor when there are no matches
  std::size_t end = 0;
  Json metadata = Json::object();
};

/// inspect_request (Messaging, "Introspection").
struct InspectRequest {
  std::string code{};
  std::size_t cursor = 0;  ///< byte offset into code
  int detail_level = 0;    ///< 0: short, 1: with source
};

struct InspectResult {
  bool found = false;
  MimeBundle data = Json::object();
  Json metadata = Json::object();
};

/// is_complete_request (Messaging, "Code completeness").
struct IsCompleteResult {
  enum class Status { complete, incomplete, invalid, unknown };
  Status status = Status::unknown;
  std::string indent{};  ///< sent with incomplete only
};

}  // namespace adrastea
