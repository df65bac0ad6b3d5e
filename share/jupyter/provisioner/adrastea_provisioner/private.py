# SPDX-License-Identifier: BSD-3-Clause
"""Directories for the sockets of one kernel, which go with their owner however it ends.

Their owner holds a lock on a file in the directory; it goes with the process. A later start removes those that nobody holds.
The lock is not on the directory itself: kernels may use that one to take turns.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

PREFIX = "adr-"
# Not yet locked, or, without a file to lock, of a kernel that shall outlive its launcher.
UNSWEPT = "new-adr-"
# A launcher that has not locked its directory after so long is not about to do so.
_LOCKED_AFTER_S = 60

# The longest path that a socket may have in Linux (sun_path without its end), and the longest name in here.
LONGEST_PATH = 107
_NAME_BYTES = len(f"/{UNSWEPT}12345678/k-9")

_LOCK = "owner"

_swept: set[Path] = set()


class PrivateDirectory:
    """A new directory that only its user enters. Errors: OSError. Lifetime: remove() it; the process's end does so too."""

    def __init__(self, base: Path, outlives: bool = False) -> None:
        _check_length(base)
        if base not in _swept:
            _swept.add(base)
            sweep(base)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=UNSWEPT, dir=base))
        except OSError as error:  # it names the new one, of a name that nobody has chosen
            raise OSError(error.errno, error.strerror, str(base)) from None
        if outlives:
            self._remove: Callable[[], object] = partial(shutil.rmtree, self.path, ignore_errors=True)
            return
        lock = -1
        try:
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = self.path.rename(base / f"{PREFIX}{uuid.uuid4().hex[:8]}")
        except OSError:  # a full file system, or one without locks
            shutil.rmtree(self.path, ignore_errors=True)
            if lock >= 0:
                os.close(lock)
            raise
        self._remove = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def renew(self) -> None:
        """Makes it again where somebody removed it, as cleaners of temporary directories do. Errors: OSError.

        Without the lock: who finds no file to lock leaves the directory alone.
        """
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise OSError(errno.EEXIST, "somebody else's is where the private directory was", str(self.path))

    def remove(self) -> None:
        self._remove()


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of it, which ends while the kernel lives
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _check_length(base: Path) -> None:
    if len(os.fsencode(base)) + _NAME_BYTES > LONGEST_PATH:
        text = f"{os.strerror(errno.ENAMETOOLONG)} for sockets in it, at most {LONGEST_PATH - _NAME_BYTES} bytes"
        raise OSError(errno.ENAMETOOLONG, text, str(base))


def sweep(base: Path) -> None:
    """Removes what launchers left that were killed."""
    for path in [*base.glob(f"{PREFIX}????????"), *base.glob(f"{UNSWEPT}????????")]:
        try:
            if path.name.startswith(UNSWEPT) and time.time() - path.stat().st_mtime < _LOCKED_AFTER_S:
                continue
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)
