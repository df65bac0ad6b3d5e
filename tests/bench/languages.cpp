// SPDX-License-Identifier: BSD-3-Clause
#include "bench/languages.hpp"

#include <array>
#include <stdexcept>

namespace adrastea::bench {

namespace {

/// What floor.cpp understands.
constexpr Language k_floor{.name = "floor",
                           .one = "1+1",
                           .comment = "quiet",
                           .echoes = true,
                           .prints = "prints {n}",
                           .text = "text {n}",
                           .pieces = "pieces {n}",
                           .stamps = "stamps {n}",
                           .spin = "spin",
                           .comm = "comm"};

/// What xeus/xeus_mock.cpp understands. Each print is a message.
constexpr Language k_xeus_mock{.name = "xeus-mock",
                               .one = k_floor.one,
                               .comment = k_floor.comment,
                               .echoes = true,
                               .prints = k_floor.prints,
                               .most_prints = 1'000,
                               .text = k_floor.text,
                               .pieces = k_floor.pieces,
                               .stamps = k_floor.stamps,
                               .comm = k_floor.comm};

constexpr Language k_echo{.name = "echo", .one = "1+1", .echoes = true};

constexpr Language k_lua{
    .name = "lua",
    .one = "1+1",
    .comment = "--",
    .prints = "for i = 1, {n} do print(i) end",
    .make_text = "text = string.rep(string.rep('x', 10), {n} // 10)",
    .text = "io.write(text)",
    .pieces = "local piece = string.rep('x', 65536) for i = 1, {n} do io.write(piece) end",
    .stamps =
        "local socket = require 'socket' for i = 1, 20 do socket.sleep({n} / 1000) "
        "print(string.format('%.6f', socket.gettime())) end",
    .spin =
        "local begun = os.clock() repeat until os.clock() - begun > 0.05 "
        "print('spinning') while true do end",
    .comm =
        "require('jupyter').comm.register('bench', function(comm) comm:on_message(function(comm, message) "
        "comm:send(message.data, nil, message.buffers) end) end)"};

constexpr std::string_view k_python_prints = "for i in range(1, {n} + 1): print(i)";
constexpr std::string_view k_python_make_text = "text = 'x' * {n}";
constexpr std::string_view k_python_text = "print(text, end='')";
constexpr std::string_view k_python_pieces = "piece = 'x' * 65536\nfor i in range({n}): print(piece, end='')";
constexpr std::string_view k_python_stamps =
    "from time import sleep, time\nfor i in range(20):\n    sleep({n} / 1000)\n    print('%.6f' % time(), flush=True)";
constexpr std::string_view k_python_spin =
    "from time import monotonic\nbegun = monotonic()\nwhile monotonic() - begun < 0.05: pass\n"
    "print('spinning', flush=True)\nwhile True: pass";

constexpr Language k_ipython{.name = "ipython",
                             .one = "1+1",
                             .comment = "#",
                             .prints = k_python_prints,
                             .make_text = k_python_make_text,
                             .text = k_python_text,
                             .pieces = k_python_pieces,
                             .stamps = k_python_stamps,
                             .spin = k_python_spin,
                             .signalled = true,
                             .comm =
                                 "def opened(comm, message):\n"
                                 "    @comm.on_msg\n"
                                 "    def told(message):\n"
                                 "        comm.send(message['content']['data'], buffers=message['buffers'])\n"
                                 "get_ipython().kernel.comm_manager.register_target('bench', opened)",
                             .slowness = 20};

/// Its control channel answers only between cells, and it cannot be interrupted: no spinning. Each print is two messages,
/// and where they come faster than its queues empty the idle is lost.
constexpr Language k_xpython{.name = "xpython",
                             .one = "1+1",
                             .comment = "#",
                             .prints = k_python_prints,
                             .most_prints = 100,
                             .make_text = k_python_make_text,
                             .text = k_python_text,
                             .pieces = k_python_pieces,
                             .stamps = k_python_stamps,
                             .slowness = 10};

/// The plain interpreter, which is no kernel.
constexpr Language k_plain_lua{.name = "lua-program", .one = "", .prints = k_lua.prints};

constexpr std::array<const Language*, 7> k_languages{&k_floor,   &k_xeus_mock, &k_echo,     &k_lua,
                                                     &k_ipython, &k_xpython,   &k_plain_lua};

}  // namespace

const Language& language(std::string_view name) {
  for (const Language* const candidate : k_languages)
    if (candidate->name == name) return *candidate;
  throw std::runtime_error("no such language: " + std::string(name));
}

std::string with_number(std::string_view code, std::size_t n) {
  std::string text(code);
  const std::string number = std::to_string(n);
  constexpr std::string_view placeholder = "{n}";
  for (std::size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder))
    text.replace(at, placeholder.size(), number);
  return text;
}

}  // namespace adrastea::bench
