# SPDX-License-Identifier: BSD-3-Clause
"""What the user sees of a start that failed."""

import signal

from tornado.web import HTTPError
from traitlets import TraitError


class _AsItIs(str):
    """Text that is no format, for tornado and for jupyter_server, which take HTTPError.log_message for one now and then."""

    def __mod__(self, _: object) -> str:
        return str(self)

    def __radd__(self, front: str) -> str:
        return front + self.replace("%", "%%")


class KernelNotStarted(HTTPError):
    """A kernel that ended at its start or was never ready.

    An HTTPError, because jupyter_server shows the text of no other exception to the notebook's user.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(500, text, reason="The kernel did not start")

    @property
    def log_message(self) -> str:
        """jupyter_server shows it as it is, and tornado's own has each % twice."""
        return _AsItIs(self.text)

    @log_message.setter
    def log_message(self, _: str | None) -> None:
        """tornado before 6.5 has an attribute."""

    def __str__(self) -> str:
        return self.text


class WrongSetting(KernelNotStarted, TraitError):
    """A TraitError, too: programs of Jupyter's, as the console, show it as what it is, on one line."""


def ending(status: int) -> str:
    """A process's end in words, from its status as subprocess.Popen has it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
