# SPDX-License-Identifier: BSD-3-Clause
"""What the user sees of a start that failed."""

import signal

from tornado.web import HTTPError


class KernelNotStarted(HTTPError):
    """A kernel that ended at its start or was never ready.

    An HTTPError, because jupyter_server shows the text of no other exception to the notebook's user.
    """

    def __init__(self, text: str) -> None:
        super().__init__(500, text, reason="The kernel did not start")
        self.text = text

    def __str__(self) -> str:
        return self.text


def ending(status: int) -> str:
    """A process's end in words, from its status as subprocess.Popen has it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
