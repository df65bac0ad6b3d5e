# SPDX-License-Identifier: BSD-3-Clause
"""jupyter console under a pseudo-terminal: what a person at a terminal sees and types."""

import json
import os
import re
import sys
from pathlib import Path

import pexpect
import pytest
from support import SHUTDOWN_S, WAIT_S

TAP = Path(__file__).with_name("tap.py")
PAINT = r"(?:\x1b\[[0-9;?]*[A-Za-z])*"


class Console:
    """A jupyter console on a kernel. The tap in it reports every message that it received."""

    def __init__(self, kernel, report):
        environment = dict(os.environ, TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1", NO_COLOR="1")
        self._report = report
        self._child = pexpect.spawn(sys.executable, [str(TAP), str(report), "jupyter_console", "--kernel", kernel],
                                    env=environment, encoding="utf-8", timeout=WAIT_S, dimensions=(60, 200))

    def prompt(self, number):
        self._child.expect(rf"In \[{PAINT}{number}{PAINT}\]: ")

    def result(self, number):
        self._child.expect(rf"Out\[{PAINT}{number}{PAINT}\]: ")

    def see(self, text):
        """Text that was never typed as it stands: the line editor shows what is typed many times."""
        self._child.expect_exact(text)

    def released(self):
        """The line editor has taken a cell and let the terminal go: what is typed now is input for the cell."""
        self._child.expect_exact("\x1b[?2004l")

    def see_printed(self, text):
        """Text right after the line editor has let the terminal go."""
        self._child.expect(r"\x1b\[\?2004l\s*" + re.escape(text))

    def type(self, text):
        self._child.send(text + "\r")

    def press(self, key):
        self._child.sendcontrol(key)

    def end(self, tap):
        """Waits for the console's own end and hands its tap's report on."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        tap.add(json.loads(self._report.read_text(encoding="utf-8")))
        assert self._child.exitstatus == 0

    def kill(self):
        self._child.close(force=True)


@pytest.fixture
def console(tmp_path, tap):
    opened = []

    def open_on(kernel):
        opened.append(Console(kernel, tmp_path / "tap.json"))
        return opened[-1]

    yield open_on
    for one in opened:
        one.kill()


def leave(console, tap):
    console.press("d")
    console.see("Do you really want to exit")
    console.type("y")
    console.end(tap)


def test_echo(console, tap):
    screen = console("echo")
    screen.prompt(1)
    screen.type("good morning")
    screen.see_printed("good morning")
    screen.prompt(2)
    leave(screen, tap)


def test_a_session_with_lua(console, tap):
    screen = console("lua")
    screen.see("Lua")  # the banner
    screen.prompt(1)
    screen.type("print(('ab'):rep(3))")
    screen.see("ababab")
    screen.prompt(2)
    screen.type("6 * 7")
    screen.result(2)
    screen.see("42")
    screen.prompt(3)
    screen.type("error('on ' .. 'purpose')")
    screen.see("on purpose")
    screen.prompt(4)
    screen.type("return 'read ' .. io.read():upper()")
    screen.released()
    screen.type("some text")
    screen.see("read SOME TEXT")
    screen.prompt(5)
    screen.type("print('run' .. 'ning') while true do end")
    screen.see("running")
    screen.press("c")
    screen.see("nterrupt")
    screen.prompt(6)
    screen.type("print('still ' .. 'here')")
    screen.see("still here")
    screen.prompt(7)
    leave(screen, tap)
