// SPDX-License-Identifier: BSD-3-Clause
#include "hooks.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

namespace faulty {

Test of_type(std::string type) {
  return [type = std::move(type)](const Message& message) { return message.type() == type; };
}

Test about(std::string request_type) {
  return [type = std::move(request_type)](const Message& message) { return message.parent_type() == type; };
}

Test on_channel(Channel channel) {
  return [channel](const Message& message) { return message.channel == channel; };
}

Test is_state(std::string state) {
  return [state = std::move(state)](const Message& message) {
    return message.type() == "status" && string_at(message.json(Part::content), "execution_state") == state;
  };
}

Test is_output() {
  return [](const Message& message) {
    const std::string type = message.type();
    return type == "stream" || type == "display_data" || type == "execute_result" || type == "error";
  };
}

Test has_status(std::string status) {
  return [status = std::move(status)](const Message& message) {
    return string_at(message.json(Part::content), "status") == status;
  };
}

bool has_comms(const Message& message) { return !message.json(Part::content).value("comms", Json()).empty(); }

Test all_of(std::initializer_list<Test> tests) {
  return [tests = std::vector<Test>(tests)](const Message& message) {
    return std::all_of(tests.begin(), tests.end(), [&](const Test& test) { return test(message); });
  };
}

Test of_cell(std::function<bool(const Json&)> fits) {
  return [fits = std::move(fits)](const Message& message) {
    return message.parent_type() == "execute_request" && fits(request_of(message));
  };
}

Test silent() {
  return of_cell([](const Json& request) { return request.value("silent", Json()) == true; });
}

Test with_command(std::string word) {
  return of_cell([word = "\n" + std::move(word) + " "](const Json& request) {
    return ("\n" + string_at(request, "code") + " ").find(word) != std::string::npos;
  });
}

namespace {

constexpr std::size_t k_most_requests = 1000;
std::mutex requests_mutex;
std::deque<std::pair<std::string, std::string>> requests;  // by msg_id, the newest last; guarded by requests_mutex

}  // namespace

void remember_request(const Message& message) {
  const std::lock_guard lock(requests_mutex);
  // As text: most are never looked at, and some are of a depth or a size that is meant to do harm.
  constexpr std::size_t most_bytes = std::size_t{64} << 10;
  const std::string& content = message.texts.at(std::size_t(Part::content));
  requests.emplace_back(string_at(message.json(Part::header), "msg_id"), content.size() > most_bytes ? "{}" : content);
  if (requests.size() > k_most_requests) requests.pop_front();
}

Json request_of(const Message& message) {
  const std::string id = message.parent_id();
  const std::lock_guard lock(requests_mutex);
  const auto found = std::find_if(requests.rbegin(), requests.rend(), [&](const auto& one) { return one.first == id; });
  return found == requests.rend() ? Json::object() : parsed_object(found->second);
}

Test without(Test test) {
  return [test = std::move(test)](const Message& message) { return !test(message); };
}

namespace {

/// A hook that does something with what passes the test, and passes the rest on.
HookMaker upon(Test test, Hook act) {
  return [test = std::move(test), act = std::move(act)]() -> Hook {
    return [test, act](Message message, const Way& way) {
      if (test(message)) {
        act(std::move(message), way);
      } else {
        way.on(std::move(message));
      }
    };
  };
}

}  // namespace

HookMaker drop(Test test) {
  return upon(std::move(test), [](const Message&, const Way&) {});
}

HookMaker alter(Test test, Change change) {
  return upon(std::move(test), [change = std::move(change)](Message message, const Way& way) {
    change(message);
    way.on(std::move(message));
  });
}

HookMaker repeat(Test test) {
  return follow(std::move(test), [](Message&) {});
}

HookMaker follow(Test test, Change change) {
  return upon(std::move(test), [change = std::move(change)](Message message, const Way& way) {
    way.on(message);
    message.renew();
    change(message);
    way.on(std::move(message));
  });
}

HookMaker precede(Test test, Change change) {
  return upon(std::move(test), [change = std::move(change)](const Message& message, const Way& way) {
    Message made = message;
    made.renew();
    change(made);
    way.on(std::move(made));
    way.on(message);
  });
}

HookMaker hold(Test test, Test until) {
  return [test = std::move(test), until = std::move(until)]() -> Hook {
    const auto held = std::make_shared<std::deque<Message>>();
    return [test, until, held](Message message, const Way& way) {
      if (test(message)) {
        held->push_back(std::move(message));
        return;
      }
      const bool release = until(message);
      way.on(std::move(message));
      if (!release) return;
      for (Message& kept : *held) way.on(std::move(kept));
      held->clear();
    };
  };
}

HookMaker drop_later(Test test) {
  return [test = std::move(test)]() -> Hook {
    return [test, seen = std::make_shared<bool>(false)](Message message, const Way& way) {
      if (test(message) && std::exchange(*seen, true)) return;
      way.on(std::move(message));
    };
  };
}

Change set(Part part, const char* field, Json value) {
  return [part, field, value = std::move(value)](Message& message) { message.set(part, field, value); };
}

Change erase(Part part, const char* field) {
  return [part, field](Message& message) { message.erase(part, field); };
}

void become(Message& message, const char* type, const Json& content) {
  message.set(Part::header, "msg_type", type);
  message.set(Part::content, content);
}

}  // namespace faulty
