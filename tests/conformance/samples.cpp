// SPDX-License-Identifier: BSD-3-Clause
#include "samples.hpp"

#include <adrastea/testing/failure.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>

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

}  // namespace

Samples::Samples() : languages_(testing::Json::parse(testing::k_samples.at("samples")).at("languages")) {}

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
      if (!code.is_string() && !code.is_null())
        throw testing::Failure(file.string() + ": languages." + language + "." + name + " is no string");
      languages_[lower(language)][name] = code;
    }
  }
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
