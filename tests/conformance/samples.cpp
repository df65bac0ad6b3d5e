// SPDX-License-Identifier: BSD-3-Clause
#include "samples.hpp"

#include <adrastea/testing/failure.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <regex>

namespace adrastea::testing {
/// Made by CMake of samples.json.
extern const std::map<std::string, std::string_view> k_samples;
}  // namespace adrastea::testing

namespace adrastea::conformance {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char letter) { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); });
  return text;
}

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// The {words} of a text. ${word} is code in many a language, and nothing to fill in unless the sample must have it.
std::set<std::string> placeholders_of(const std::string& text) {
  static const std::regex form(R"(\{([a-z]+)\})");
  std::set<std::string> found;
  for (std::sregex_iterator each(text.begin(), text.end(), form); each != std::sregex_iterator(); ++each) {
    const std::size_t at = static_cast<std::size_t>(each->position());
    found.insert((at > 0 && text[at - 1] == '$' ? "$" : "") + (*each)[1].str());
  }
  return found;
}

/// What is wrong with a sample's placeholders, if anything.
std::optional<std::string> misfilled(const std::string& code, const std::set<std::string>& due) {
  const std::set<std::string> found = placeholders_of(code);
  for (const auto& word : due) {
    if (!found.contains(word) && !found.contains("$" + word)) return "lacks {" + word + "}";
  }
  for (const auto& word : found) {
    if (!word.starts_with('$') && !due.contains(word))
      return "has {" + word + "}, which nothing fills in (write { " + word + " } where it is code)";
  }
  return std::nullopt;
}

}  // namespace

Samples::Samples() {
  testing::Json shipped = testing::Json::parse(testing::k_samples.at("samples"));
  languages_ = std::move(shipped.at("languages"));
  for (const auto& [name, what] : shipped.at("what each does").items())
    placeholders_[name] = placeholders_of(what.get<std::string>());
}

std::optional<std::string> Samples::complaint(const std::string& name, const testing::Json& code) const {
  if (!code.is_string() && !code.is_null()) return " is no string";
  const auto due = placeholders_.find(name);
  if (due == placeholders_.end()) {
    std::set<std::string> names;
    for (const auto& [known, words] : placeholders_) names.insert(known);
    return ": there is no such sample; there are: " + listed(names);
  }
  const auto wrong = code.is_string() ? misfilled(code.get<std::string>(), due->second) : std::nullopt;
  return wrong ? std::optional(" " + *wrong) : std::nullopt;
}

void Samples::load(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw testing::Failure("cannot read the samples in " + file.string());
  const testing::Json read = testing::Json::parse(stream, nullptr, false);
  const auto found = read.is_object() ? read.find("languages") : read.end();
  if (!read.is_object() || found == read.end() || !found->is_object())
    throw testing::Failure(file.string() + ": not {\"languages\": {\"NAME\": {\"SAMPLE\": \"CODE\"}}}");
  for (const auto& [language, samples] : found->items()) {
    if (!samples.is_object()) throw testing::Failure(file.string() + ": languages." + language + " is no object");
    for (const auto& [name, code] : samples.items()) {
      if (const auto wrong = complaint(name, code))
        throw testing::Failure(file.string() + ": languages." + language + "." + name + *wrong);
      languages_[lower(language)][name] = code;
    }
  }
}

void Samples::require_language(const std::string& language) const {
  std::set<std::string> known;
  for (const auto& [name, samples] : languages_.items()) known.insert(name);
  if (!known.contains(lower(language)))
    throw testing::Failure("--language " + language + ": there are no samples for it; there are for: " + listed(known) +
                           " (--samples FILE adds others)");
}

void Samples::choose(const std::string& language) { language_ = lower(language); }

std::optional<std::string> Samples::code(const std::string& name, const Values& values) const {
  const auto language = languages_.find(language_);
  if (language == languages_.end()) return std::nullopt;
  const auto sample = language->find(name);
  if (sample == language->end() || !sample->is_string()) return std::nullopt;
  std::string code = sample->get<std::string>();
  for (const auto& [placeholder, value] : values) {
    const std::string braced = "{" + placeholder + "}";
    for (std::size_t at = code.find(braced); at != std::string::npos; at = code.find(braced, at + value.size())) {
      code.replace(at, braced.size(), value);
    }
  }
  return code;
}

}  // namespace adrastea::conformance
