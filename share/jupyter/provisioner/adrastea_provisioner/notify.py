# SPDX-License-Identifier: BSD-3-Clause
"""What happens to files of a directory, told by Linux's inotify, which Python's library does not have."""

import ctypes
import errno
import os
import struct
import sys
from functools import cache
from pathlib import Path

CREATED = 0x100
WRITTEN = 0x8  # closed after it was open for writing
MOVED_TO = 0x80

_EVENT = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name that follows
_ANY_EVENTS = 65536


@cache
def supported() -> bool:
    """Whether the system tells of files and of processes' ends."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


class Watch:
    """Names of one directory to which something happened since the last look.

    Usage: poll fileno(), then take(). Lifetime: close() it.
    """

    def __init__(self, directory: Path, mask: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise _failure(ctypes.get_errno(), directory)
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), ctypes.c_uint32(mask)) < 0:
            error = ctypes.get_errno()
            self.close()
            raise _failure(error, directory)

    def fileno(self) -> int:
        return self._fd

    def take(self) -> dict[str, int]:
        """The names and what happened; an empty one stands for "anything", after more events than the system keeps."""
        try:
            data = os.read(self._fd, _ANY_EVENTS)
        except BlockingIOError:
            return {}
        names: dict[str, int] = {}
        at = 0
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
            names[name] = names.get(name, 0) | mask
            at += length
        return names

    def close(self) -> None:
        os.close(self._fd)


_REMEDIES = {
    errno.EMFILE: "raise fs.inotify.max_user_instances (sysctl), or the limit for open files (ulimit -n)",
    errno.ENOSPC: "raise fs.inotify.max_user_watches (sysctl)",
}


def _failure(error: int, directory: Path) -> OSError:
    remedy = _REMEDIES.get(error)
    return OSError(error, f"cannot watch for files: {os.strerror(error)}{f'; {remedy}' if remedy else ''}", str(directory))
