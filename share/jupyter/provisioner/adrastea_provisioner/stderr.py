# SPDX-License-Identifier: BSD-3-Clause
"""A kernel's stderr: passed on to the server's, with its end kept for the error that the user sees."""

import os
import threading
from collections.abc import Callable

_KEPT_BYTES = 8192
_SERVER_STDERR = 2


class Stderr:
    """A pipe and the thread that empties it.

    Usage: (1) start the kernel with `writer` as its stderr, (2) close_writer(), (3) last_lines() after its end.
    Lifetime: the thread ends when nobody has the pipe open any more; children of the kernel may be the last.
    """

    def __init__(self, alarming: Callable[[list[str]], bool] | None = None) -> None:
        """`alarming` is asked about the lines so far, until stop_watching(); `alarm` is readable when it has said yes."""
        self._alarming = alarming
        self._lock = threading.Lock()
        self.alarmed = False
        self.alarm: int | None = None if alarming is None else os.eventfd(0)
        self._reader, self.writer = os.pipe()
        self._kept = b""
        self._thread = threading.Thread(target=self._pass_on, name="kernel-stderr", daemon=True)
        self._thread.start()

    def close_writer(self) -> None:
        os.close(self.writer)

    def stop_watching(self) -> None:
        with self._lock:
            if self.alarm is not None:
                os.close(self.alarm)
                self.alarm = None

    def last_lines(self, count: int, patience: float) -> list[str]:
        """After the kernel's end. Waits at most `patience` seconds for a child that still holds the pipe."""
        self._thread.join(patience)
        return self._kept.decode(errors="replace").splitlines()[-count:]

    def _pass_on(self) -> None:
        with os.fdopen(self._reader, "rb", buffering=0) as reader:
            while data := reader.read(65536):
                self._kept = (self._kept + data)[-_KEPT_BYTES:]
                self._look()
                try:
                    _write_all(data)
                except OSError:
                    # The server has closed its stderr: the kernel's is still emptied, or it would block.
                    continue

    def _look(self) -> None:
        with self._lock:
            if self.alarm is None or self.alarmed or self._alarming is None:
                return
            if self._alarming(self._kept.decode(errors="replace").splitlines()):
                self.alarmed = True
                os.eventfd_write(self.alarm, 1)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(_SERVER_STDERR, data) :]
