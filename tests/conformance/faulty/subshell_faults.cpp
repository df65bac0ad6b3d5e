// SPDX-License-Identifier: BSD-3-Clause
// Faults of subshells. The kernel has none: it pretends, and what is for a subshell runs in its turn.
#include "hooks.hpp"
#include "language.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace faulty {
namespace {

/// Those that were created. Control and shell ask, each in its thread.
class Subshells {
 public:
  std::string create() {
    const std::lock_guard lock(mutex_);
    return *ids_.insert("subshell-" + std::to_string(++count_)).first;
  }
  bool remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return ids_.erase(id) > 0;
  }
  [[nodiscard]] bool has(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return ids_.contains(id);
  }
  [[nodiscard]] Json list() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  mutable std::mutex mutex_;
  int count_ = 0;  // guarded by mutex_, as what follows
  std::set<std::string> ids_{};
};

Json refusal() {
  return {{"status", "error"}, {"ename", "KeyError"}, {"evalue", "no such subshell"}, {"traceback", Json::array()}};
}

/// The content of the reply to a request about subshells, as it has to be.
Json answer_to(const Message& reply, Subshells& all) {
  if (reply.type() == "create_subshell_reply") return {{"status", "ok"}, {"subshell_id", all.create()}};
  if (reply.type() == "list_subshell_reply") return {{"status", "ok"}, {"subshell_id", all.list()}};
  return all.remove(string_at(request_of(reply), "subshell_id")) ? Json{{"status", "ok"}} : refusal();
}

bool is_about_subshells(const Message& message) {
  return message.type() == "create_subshell_reply" || message.type() == "list_subshell_reply" ||
         message.type() == "delete_subshell_reply";
}

using Shared = std::shared_ptr<Subshells>;

HookMaker pretend(const Shared& all, const Change& flaw) {
  return alter([](const Message&) { return true; },
               [all, flaw](Message& message) {
                 if (message.type() == "kernel_info_reply") {
                   Json features = message.json(Part::content).value("supported_features", Json::array());
                   features.push_back("kernel subshells");
                   message.set(Part::content, "supported_features", features);
                 }
                 if (!is_about_subshells(message)) return;
                 message.set(Part::content, answer_to(message, *all));
                 flaw(message);
               });
}

/// Cells for subshells that there are not fail.
void refuse_strangers(Message& message, const Subshells& all) {
  const Json id = message.json(Part::header).value("subshell_id", Json());
  if (message.type() == "execute_request" && id.is_string() && !all.has(id.get<std::string>()))
    message.set(Part::content, "code", "error no such subshell");
}

Change on(const char* type, Change change) {
  return [type, change = std::move(change)](Message& message) {
    if (message.type() == type) change(message);
  };
}

/// What it does wrongly besides running everything in one thread.
Fault wrong(std::string_view name, std::string_view description, std::vector<std::string_view> breaks, const Change& flaw,
            const Change& in_flaw = {}) {
  const auto all = std::make_shared<Subshells>();
  return {name, description, std::move(breaks), pretend(all, flaw),
          alter([](const Message&) { return true; },
                in_flaw ? in_flaw : [all](Message& message) { refuse_strangers(message, *all); })};
}

bool is_for_subshell(const Message& message) {
  return message.type() == "execute_request" && message.json(Part::header).contains("subshell_id");
}

/// The list has all that were ever created. Of control's thread.
Change remember_all() {
  const auto ever = std::make_shared<Json>(Json::array());
  return [ever](Message& message) {
    const Json content = message.json(Part::content);
    if (message.type() == "create_subshell_reply") ever->push_back(content.at("subshell_id"));
    if (message.type() == "list_subshell_reply") message.set(Part::content, "subshell_id", *ever);
  };
}

/// Does not hear shutdown_request once it has a subshell.
Fault keeps_the_kernel() {
  const auto all = std::make_shared<Subshells>();
  const auto in = [all]() -> Hook {
    return [all](Message message, const Way& way) {
      if (message.type() == "shutdown_request" && !all->list().empty()) return;
      refuse_strangers(message, *all);
      way.on(std::move(message));
    };
  };
  return {"subshells-keep-kernel",
          "Does not hear shutdown_request once it has a subshell.",
          {"control.subshell.shutdown", "control.subshell.beside"},
          pretend(all, [](Message&) {}),
          in};
}

}  // namespace

std::vector<Fault> subshell_faults() {
  constexpr const char* create = "create_subshell_reply";
  constexpr const char* list = "list_subshell_reply";
  constexpr const char* remove = "delete_subshell_reply";
  const Change nothing = [](Message&) {};
  const auto never_deleted = on(remove, [](Message& message) { message.set(Part::content, {{"status", "ok"}}); });
  return {
      wrong("subshells-in-turn", "Runs a subshell's cell when the main shell's has ended.", {"control.subshell.beside"},
            nothing),
      wrong("subshells-refused", "Announces subshells, and creates none.", {"control.subshell.create"},
            on(create, [](Message& message) { message.set(Part::content, refusal()); })),
      wrong("subshells-nameless", "Creates subshells without a name.",
            {"control.subshell.create", "schema.create_subshell_reply"}, on(create, erase(Part::content, "subshell_id"))),
      wrong("subshells-hidden", "Lists no subshells.", {"control.subshell.list", "control.subshell.beside"},
            on(list, set(Part::content, "subshell_id", Json::array()))),
      wrong("subshells-with-main", "Lists the main shell, too.",
            {"control.subshell.list", "control.subshell.list.none", "control.subshell.many", "control.subshell.beside"},
            on(list,
               [](Message& message) {
                 Json all = message.json(Part::content).value("subshell_id", Json::array());
                 all.push_back("main");
                 message.set(Part::content, "subshell_id", all);
               })),
      wrong("subshells-listed-as-text", "Lists subshells as a text.",
            {"control.subshell.list", "control.subshell.list.none", "control.subshell.many", "schema.list_subshell_reply",
             "control.subshell.beside"},
            on(list,
               [](Message& message) {
                 message.set(Part::content, "subshell_id", message.json(Part::content).value("subshell_id", Json()).dump());
               })),
      wrong("subshells-unknown-deleted", "Deletes subshells that there are not.",
            {"control.subshell.delete.unknown", "control.subshell.beside"}, never_deleted),
      wrong("subshells-delete-denied", "Deletes a subshell and says that it does not.",
            {"control.subshell.delete", "control.subshell.beside"},
            on(remove, [](Message& message) { message.set(Part::content, refusal()); })),
      wrong("subshells-listed-for-ever", "Lists deleted subshells, too.",
            {"control.subshell.delete", "control.subshell.many", "control.subshell.beside"}, remember_all()),
      keeps_the_kernel(),
      wrong("subshells-error-bare", "Refuses to delete a subshell without saying why.",
            {"schema.delete_subshell_reply", "control.subshell.beside"},
            on(remove,
               [](Message& message) {
                 if (has_status("error")(message)) message.set(Part::content, {{"status", "error"}});
               })),
      wrong("subshells-anybody", "Runs cells for subshells that there are not.",
            {"control.subshell.unknown", "control.subshell.deleted", "control.subshell.beside"}, nothing, nothing),
      wrong("subshells-cells-fail", "Fails every cell of a subshell.",
            {"control.subshell.execute", "control.subshell.beside"}, nothing,
            [](Message& message) {
              if (is_for_subshell(message)) message.set(Part::content, "code", "error no subshells");
            }),
      wrong("subshells-wait", "Creates subshells when no cell runs.",
            {"control.subshell.create.busy", "control.subshell.unknown", "control.subshell.deleted",
             "control.subshell.beside"},
            nothing,
            [](Message& message) {
              if (message.type() == "create_subshell_request") wait_for_cell();
            }),
  };
}

}  // namespace faulty
