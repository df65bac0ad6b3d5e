// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/kernelspec.hpp"
#include "wire/message.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;
using namespace adrastea::kernel;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

/// A program in <home>/own/bin, which need not exist, and a place to install to.
class KernelspecTest : public testing::Test {
 protected:
  KernelspecTest() {
    std::string pattern = (fs::temp_directory_path() / "kernelspec-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
    order_.program = home_ / "own/bin/moon";
    order_.kernels_directory = home_ / "there/share/jupyter/kernels";
    order_.name = "moon";
    order_.template_name = "moon";
    order_.language = "lunar";
    order_.default_display_name = "Lunar";
  }
  KernelspecTest(const KernelspecTest&) = delete;
  KernelspecTest& operator=(const KernelspecTest&) = delete;
  ~KernelspecTest() override { fs::remove_all(home_); }

  [[nodiscard]] fs::path folder() const { return order_.kernels_directory / order_.name; }
  [[nodiscard]] json kernel_json() const { return json::parse(read(folder() / "kernel.json")); }
  [[nodiscard]] fs::path template_folder() const { return home_ / "own/share/jupyter/kernels/moon"; }

  void write_template() const {
    write(template_folder() / "kernel.json", R"({"argv": ["moon", "-f", "{connection_file}", "--old"], "language": "old",
        "display_name": "From the template", "interrupt_mode": "message", "env": {"A": "b"}, "kernel_protocol_version": "1.0.0",
        "metadata": {"debugger": true, "mine": {"x": 1}}})");
    write(template_folder() / "logo-svg.svg", "<svg/>");
    write(template_folder() / "logo-64x64.png", "png");
    write(template_folder() / "unrelated.txt", "not copied");
  }

  Uninstalled uninstall() const { return uninstall_kernelspec(order_.program, order_.kernels_directory, order_.name); }

  fs::path home_;
  InstallOrder order_;
};

TEST_F(KernelspecTest, WritesAWholeKernelJsonWithoutATemplate) {
  EXPECT_EQ(install_kernelspec(order_).folder, folder());
  EXPECT_EQ(kernel_json(), json::parse(R"({"argv": [")" + order_.program.string() + R"(", "-f", "{connection_file}"],
      "display_name": "Lunar", "language": "lunar", "interrupt_mode": "signal", "kernel_protocol_version": "5.6.0",
      "metadata": {"debugger": false, "supported_encryption": ["curve"], "adrastea": {"files": ["kernel.json"]}}})"));
}

TEST_F(KernelspecTest, SaysThatTheKernelCanRegister) {
  const std::string_view version = adrastea::wire::k_kernelspec_protocol_version;
  EXPECT_EQ(std::count(version.begin(), version.end(), '.'), 2);
  EXPECT_TRUE(version.starts_with(adrastea::wire::k_protocol_version));
  EXPECT_GE(version, "5.6");
}

TEST_F(KernelspecTest, IsReadableForEverybodyWhateverTheUmask) {
  const mode_t before = ::umask(077);
  static_cast<void>(install_kernelspec(order_));
  ::umask(before);
  EXPECT_EQ(fs::status(folder() / "kernel.json").permissions(), fs::perms{0644});
}

TEST_F(KernelspecTest, KeepsWhatTheTemplateSaysAndCopiesItsLogos) {
  write_template();
  static_cast<void>(install_kernelspec(order_));
  EXPECT_EQ(kernel_json(), json::parse(R"({"argv": [")" + order_.program.string() + R"(", "-f", "{connection_file}"],
      "display_name": "From the template", "language": "lunar", "interrupt_mode": "message", "env": {"A": "b"},
      "kernel_protocol_version": "5.6.0", "metadata": {"debugger": true, "mine": {"x": 1},
      "supported_encryption": ["curve"],
      "adrastea": {"files": ["kernel.json", "logo-64x64.png", "logo-svg.svg"]}}})"));
  EXPECT_THAT(files_in(folder()), ElementsAre("kernel.json", "logo-64x64.png", "logo-svg.svg"));
  EXPECT_EQ(read(folder() / "logo-svg.svg"), "<svg/>");
}

TEST_F(KernelspecTest, TakesNoTemplateOfAnotherProgram) {
  write_template();
  order_.program = home_ / "own/bin/sun";
  static_cast<void>(install_kernelspec(order_));
  EXPECT_EQ(kernel_json()["display_name"], "Lunar");
  EXPECT_THAT(files_in(folder()), ElementsAre("kernel.json"));
}

TEST_F(KernelspecTest, TakesTheNameThatTheUserGave) {
  write_template();
  order_.name = "Other.name_2-x";
  order_.display_name = "Mine";
  static_cast<void>(install_kernelspec(order_));
  EXPECT_EQ(kernel_json()["display_name"], "Mine");
  EXPECT_EQ(kernel_json()["env"]["A"], "b");
}

TEST_F(KernelspecTest, RefusesNamesThatAreNoFolderName) {
  for (const char* name : {"", ".", "..", "a/b", "../up", "a b", "ä", "C++"}) {
    order_.name = name;
    EXPECT_THAT(error_of([&] { static_cast<void>(install_kernelspec(order_)); }), HasSubstr("'" + order_.name + "'"));
    EXPECT_THAT(error_of([&] { static_cast<void>(uninstall()); }), HasSubstr("'" + order_.name + "'"));
  }
  EXPECT_FALSE(fs::exists(order_.kernels_directory));
}

TEST_F(KernelspecTest, InstallsOverItself) {
  write_template();
  static_cast<void>(install_kernelspec(order_));
  const json first = kernel_json();
  order_.program = home_ / "elsewhere/bin/moon";  // moved, and without its template
  static_cast<void>(install_kernelspec(order_));
  EXPECT_EQ(kernel_json()["argv"][0], order_.program.string());
  EXPECT_EQ(kernel_json()["metadata"]["adrastea"], first["metadata"]["adrastea"]);
  EXPECT_THAT(uninstall().kept, IsEmpty());
  EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(KernelspecTest, LeavesAForeignKernelspecAlone) {
  for (const char* text : {R"({"argv": ["/bin/sun", "-f"]})", R"({"argv": []})", R"({"argv": [7]})", "[]", "no json", ""}) {
    write(folder() / "kernel.json", text);
    const std::string path = (folder() / "kernel.json").string();
    EXPECT_THAT(error_of([&] { static_cast<void>(install_kernelspec(order_)); }),
                AllOf(HasSubstr(path), HasSubstr("--name")));
    EXPECT_THAT(error_of([&] { static_cast<void>(uninstall()); }),
                AllOf(HasSubstr(path), HasSubstr("nothing was removed")));
    EXPECT_EQ(read(folder() / "kernel.json"), text);
  }
}

TEST_F(KernelspecTest, NamesPathAndCauseOfWhatFails) {
  write(home_ / "there", "a file");
  EXPECT_THAT(error_of([&] { static_cast<void>(install_kernelspec(order_)); }),
              AllOf(HasSubstr("cannot"), HasSubstr(folder().string()), HasSubstr("Not a directory")));
  fs::remove(home_ / "there");
  EXPECT_THAT(error_of([&] { static_cast<void>(uninstall()); }), HasSubstr("no kernelspec 'moon' in"));
  fs::create_directories(folder() / "kernel.json");
  EXPECT_THAT(error_of([&] { static_cast<void>(install_kernelspec(order_)); }), HasSubstr("is not a file"));
}

TEST_F(KernelspecTest, UninstallLeavesAndNamesWhatTheUserAdded) {
  write_template();
  static_cast<void>(install_kernelspec(order_));
  write(folder() / "notes.txt", "mine");
  write(folder() / "kernel.js", "mine");
  EXPECT_THAT(uninstall().kept, ElementsAre("kernel.js", "notes.txt"));
  EXPECT_THAT(files_in(folder()), ElementsAre("kernel.js", "notes.txt"));
}

TEST_F(KernelspecTest, KeepsALogoThatTheUserPutThere) {
  write_template();
  write(folder() / "logo-svg.svg", "my own");
  EXPECT_THAT(install_kernelspec(order_).kept, ElementsAre("logo-svg.svg"));
  EXPECT_EQ(read(folder() / "logo-svg.svg"), "my own");
  EXPECT_THAT(uninstall().kept, ElementsAre("logo-svg.svg"));
}

TEST_F(KernelspecTest, UninstallRemovesNothingOutsideTheFolder) {
  static_cast<void>(install_kernelspec(order_));
  write(order_.kernels_directory / "victim", "x");
  fs::create_directories(folder() / "sub");
  json changed = kernel_json();
  changed["metadata"]["adrastea"]["files"] = {"kernel.json", "../victim", "..", ".", "", 7, "sub", "gone"};
  write(folder() / "kernel.json", changed.dump());
  EXPECT_THAT(uninstall().kept, ElementsAre("sub"));
  EXPECT_TRUE(fs::exists(order_.kernels_directory / "victim"));
}

TEST_F(KernelspecTest, ATemplateStaysWhenItsOwnFolderIsInstalledTo) {
  write_template();
  order_.kernels_directory = home_ / "own/share/jupyter/kernels";
  static_cast<void>(install_kernelspec(order_));
  EXPECT_EQ(kernel_json()["argv"][0], order_.program.string());
  EXPECT_THAT(error_of([&] { static_cast<void>(uninstall()); }), HasSubstr("was not written by `install`"));
  EXPECT_THAT(files_in(folder()), ElementsAre("kernel.json", "logo-64x64.png", "logo-svg.svg", "unrelated.txt"));
}

TEST_F(KernelspecTest, WithoutATemplateItsOwnPrefixIsAPlaceLikeOthers) {
  order_.kernels_directory = home_ / "own/share/jupyter/kernels";
  static_cast<void>(install_kernelspec(order_));
  static_cast<void>(install_kernelspec(order_));  // what the first wrote looks like a template now
  EXPECT_THAT(uninstall().kept, IsEmpty());
  EXPECT_FALSE(fs::exists(folder()));
}

TEST(KernelsDirectory, IsWhereJupyterLooks) {
  const fs::path program = "/opt/own/bin/moon";
  ::unsetenv("VIRTUAL_ENV");
  ::unsetenv("CONDA_PREFIX");
  ::setenv("JUPYTER_DATA_DIR", "/home/me/data", 1);
  EXPECT_EQ(kernels_directory(Location::system, {}, program), "/usr/local/share/jupyter/kernels");
  EXPECT_EQ(kernels_directory(Location::user, {}, program), "/home/me/data/kernels");
  EXPECT_EQ(kernels_directory(Location::prefix, "/x/../y", program), "/y/share/jupyter/kernels");
  EXPECT_EQ(kernels_directory(Location::prefix, "rel", program), fs::current_path() / "rel/share/jupyter/kernels");
  EXPECT_EQ(kernels_directory(Location::sys_prefix, {}, program), "/opt/own/share/jupyter/kernels");
  ::setenv("CONDA_PREFIX", "/conda", 1);
  EXPECT_EQ(kernels_directory(Location::sys_prefix, {}, program), "/conda/share/jupyter/kernels");
  ::setenv("VIRTUAL_ENV", "/venv", 1);
  EXPECT_EQ(kernels_directory(Location::sys_prefix, {}, program), "/venv/share/jupyter/kernels");
}

}  // namespace
