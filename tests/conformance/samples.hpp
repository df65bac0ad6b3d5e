// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/testing/message.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace adrastea::conformance {

/// Code in the kernel's language, by what it does. samples.json says what each must do; its {placeholders} are filled in.
class Samples {
 public:
  using Values = std::map<std::string, std::string>;

  /// Those of the tool.
  Samples();
  /// Adds or replaces languages from a file of the same shape. Errors: Failure that names the file and what is wrong there.
  void load(const std::filesystem::path& file);
  /// Errors: Failure that names the languages that there are.
  void require_language(const std::string& language) const;
  /// The samples that count from now on. A language without any has none.
  void choose(const std::string& language);

  /// Nothing when the language has none of this name.
  [[nodiscard]] std::optional<std::string> code(const std::string& name, const Values& values = {}) const;
  [[nodiscard]] const std::string& language() const { return language_; }

 private:
  /// What is wrong with a sample of this name, after its name.
  [[nodiscard]] std::optional<std::string> complaint(const std::string& name, const testing::Json& code) const;

  testing::Json languages_;
  std::map<std::string, std::set<std::string>> placeholders_;  ///< of all samples that any case uses, by name
  std::string language_;
};

}  // namespace adrastea::conformance
