// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/exit_cleanup.hpp"
#include "support/unique_fd.hpp"

#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace adrastea::transport {

struct Registration;

enum class Channel { shell, iopub, stdin_channel, control, heartbeat };
/// In the order in which ipc numbers are chosen (jupyter_client, connect.py).
inline constexpr std::array<Channel, 5> k_channels{Channel::shell, Channel::iopub, Channel::stdin_channel, Channel::control,
                                                   Channel::heartbeat};
[[nodiscard]] const char* to_string(Channel channel) noexcept;  ///< "shell", "iopub", "stdin", "control", "hb"

/// A connection file's content (jupyter_client, "Making kernels for Jupyter"; JEP 106).
struct ConnectionInfo {
  std::string transport = "tcp";            ///< "tcp" or "ipc"
  std::string ip = "127.0.0.1";             ///< tcp: address; ipc: path prefix
  std::array<int, 5> ports{0, 0, 0, 0, 0};  ///< by Channel; 0: the kernel chooses. ipc: the path's suffix
  std::string key;                          ///< empty: no authentication
  std::string signature_scheme = "hmac-sha256";
  std::string kernel_name;
  /// CurveZMQ (JEP 145), Z85 of 40 characters; both or neither. With them all five sockets are encrypted.
  std::string curve_publickey;
  std::string curve_secretkey;

  [[nodiscard]] int port(Channel channel) const { return ports.at(static_cast<std::size_t>(channel)); }
  [[nodiscard]] int& port(Channel channel) { return ports.at(static_cast<std::size_t>(channel)); }
  [[nodiscard]] bool encrypted() const noexcept { return !curve_secretkey.empty(); }
  bool operator==(const ConnectionInfo&) const = default;
  /// tcp://ip:port (IPv6 in brackets), or ipc://ip-port.
  [[nodiscard]] std::string endpoint(Channel channel) const;
};

/// The file that tells clients where a kernel is.
///
/// Usage: load() what a launcher wrote, or create() an own one; bind; register where a registration file says so (JEP 66);
///   then store() what the sockets got. A registration file stays as it is, and an own connection file is made beside the
///   others of this user, for other clients: kernel-<kernel_id>.json, in place of the one that a kernel with the same id
///   and key left when it was killed; one that its launcher has made there stays, and ours has another name. Where it
///   cannot be made there is none, and warn() says so.
/// Threads: one. Errors: StartupError that names path, key and cause.
/// Lifetime: a file that create() made is removed with the object (by the process that made it); a loaded one never.
class ConnectionFile {
 public:
  /// A relative name is looked for in the working directory, then in Jupyter's runtime directory. Never hangs on a FIFO.
  static ConnectionFile load(const std::filesystem::path& name);
  /// kernel-<pid>.json in the runtime directory (made 0700 when missing), random key, every port 0. The file is
  /// empty until store(). `ip`: as in a file, and empty for this machine only.
  static ConnectionFile create(const std::string& kernel_name, const std::string& ip = {});
  ConnectionFile(ConnectionFile&&) noexcept;
  ConnectionFile& operator=(ConnectionFile&&) noexcept;
  ~ConnectionFile();

  /// Empty for a registered kernel whose own file cannot be made.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Which file the settings come from, as messages about them begin.
  [[nodiscard]] const std::string& described() const noexcept { return described_; }
  /// Where to register; nothing for a connection file.
  [[nodiscard]] const Registration* registration() const noexcept { return registration_.get(); }
  [[nodiscard]] ConnectionInfo& info() noexcept { return info_; }
  [[nodiscard]] const ConnectionInfo& info() const noexcept { return info_; }

  /// Writes info() into the file, atomically and with mode 0600, keeping every key it does not know; when that would change
  /// nothing, the file is not touched.
  void store();
  /// Logs what of the file and its settings lets others listen or meddle. Once the kernel has started: one that fails says
  /// why, and nothing else.
  void warn() const;

 private:
  ConnectionFile() = default;
  void read_registration(const std::string& where);
  /// What an own file is named after; nothing: it is the launcher's. That of an id is there from store() on, takes the
  /// place of an earlier kernel's of the same registration, and goes unless a later one has taken its place.
  enum class Own { nothing, by_process, by_id };
  void prepare_own(const std::string& stem, Own own);
  void reserve_own();
  void do_without_own(const std::string& why);
  void write();

  std::shared_ptr<const Registration> registration_;
  std::filesystem::path path_;
  std::string described_;
  ConnectionInfo info_;
  nlohmann::json loaded_ = nlohmann::json::object();
  std::optional<ConnectionInfo> stored_;  // what the file says now; nothing: it does not exist yet
  support::ExitFile removal_;             // set for an own file
  Own own_ = Own::nothing;
  support::UniqueFd lock_;   // of a loaded file, until store()
  std::string without_own_;  // why a registered kernel has no own file
  std::string readers_;      // whom the loaded file lets read the key, if anybody
};

/// $JUPYTER_RUNTIME_DIR, else runtime/ in Jupyter's data directory.
[[nodiscard]] std::filesystem::path runtime_directory();
/// $JUPYTER_DATA_DIR, else $XDG_DATA_HOME/jupyter, else ~/.local/share/jupyter.
[[nodiscard]] std::filesystem::path data_directory();

}  // namespace adrastea::transport
