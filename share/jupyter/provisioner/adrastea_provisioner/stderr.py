# SPDX-License-Identifier: BSD-3-Clause
"""A kernel's stderr: passed on to the server's, with its end kept for the error that the user sees."""

import os
import threading

_KEPT_BYTES = 8192
_SERVER_STDERR = 2


class Stderr:
    """A pipe and the thread that empties it.

    Usage: (1) start the kernel with `writer` as its stderr, (2) close_writer(), (3) last_lines() after its end.
    Lifetime: the thread ends when nobody has the pipe open any more; children of the kernel may be the last.
    """

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self._kept = b""
        self._thread = threading.Thread(target=self._pass_on, name="kernel-stderr", daemon=True)
        self._thread.start()

    def close_writer(self) -> None:
        os.close(self.writer)

    def last_lines(self, count: int, patience: float) -> list[str]:
        """After the kernel's end. Waits at most `patience` seconds for a child that still holds the pipe."""
        self._thread.join(patience)
        return self._kept.decode(errors="replace").splitlines()[-count:]

    def _pass_on(self) -> None:
        with os.fdopen(self._reader, "rb", buffering=0) as reader:
            while data := reader.read(65536):
                self._kept = (self._kept + data)[-_KEPT_BYTES:]
                try:
                    _write_all(data)
                except OSError:
                    # The server has closed its stderr: the kernel's is still emptied, or it would block.
                    continue


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(_SERVER_STDERR, data) :]
