# SPDX-License-Identifier: BSD-3-Clause
"""What a launcher that is killed cannot do any more: ending its kernels and removing their files.

A process beside the launcher, which watches it. PR_SET_PDEATHSIG would be the system's own means, but it follows the thread that
started a kernel, which may end long before its process, and it removes no file. This file is both sides: the launcher imports
it, and runs it as the program.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Kernels that watch the launcher themselves have so long to end and to clean up.
_GRACE_S = 1.0
_KILLED_S = 0.5
_END = "end"


# --- The launcher's side ---------------------------------------------------------------------------------------------------------


class Guard:
    """Tells the process, which is there as long as there is a kernel to guard.

    Threads: any. Errors: none; without the process, kernels are on their own, as they are without this.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._guarded: dict[int | str, str] = {}

    def expect(self, file: Path, paths: Iterable[Path]) -> None:
        """A child that is to be started with this connection file: as add(), for the moment before its number is known."""
        self._say(str(file), json.dumps({"file": str(file), "paths": [str(path) for path in paths]}))

    def expect_no_more(self, file: Path) -> None:
        self._drop(str(file), {"file": str(file)})

    def add(self, pid: int, paths: Iterable[Path], end_group: bool = True) -> None:
        """A child of this process that has not been reaped; `paths` are removed after its end. Replaces what was said before.

        `end_group`: what it leaves in its process group is ended, too.
        """
        told = {"pid": pid, "started": _started(pid), "paths": [str(path) for path in paths], "end_group": end_group}
        self._say(pid, json.dumps(told))

    def remove(self, pid: int) -> None:
        self._drop(pid, {"pid": pid})

    def _say(self, name: int | str, line: str) -> None:
        with self._lock:
            if self._owner != os.getpid():  # the first one, or that of the process that this one is a fork of
                self._owner, self._process, self._guarded = os.getpid(), None, {}
            self._guarded[name] = line
            if self._process is None or not self._tell(line):
                self._start()

    def _drop(self, name: int | str, line: dict[str, Any]) -> None:
        with self._lock:
            if self._owner != os.getpid() or self._guarded.pop(name, None) is None or self._process is None:
                return
            if not self._guarded:
                self._end(self._process)
            else:
                self._tell(json.dumps(line))

    def _start(self) -> None:
        self._process = None
        with suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            for line in self._guarded.values():
                self._tell(line)

    def _tell(self, line: str) -> bool:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """It may still be loading Python: nobody waits for that but a thread.

        It is told before: this process may end before the thread runs, or may end already and start no more threads.
        """
        self._tell(_END)
        self._process = None
        with suppress(RuntimeError):
            threading.Thread(target=process.communicate, name="kernel-guard-end", daemon=True).start()


def _started(pid: int) -> int:
    """When a process was started: with its number that is nobody else's. 0 where it cannot be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def _group(number: int) -> list[int]:
    """The processes of a group but its leader."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            stat = path.read_text(encoding="utf-8", errors="replace")
            if int(stat.rpartition(")")[2].split()[2]) == number and int(path.parent.name) != number:
                found.append(int(path.parent.name))
    return found


def _started_with(file: str, launcher: int) -> list[int]:
    """The processes with this connection file in their command line that come from this launcher."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ours = f"JPY_PARENT_PID={launcher}".encode() in (path / "environ").read_bytes().split(b"\0")
            if ours and path.stat().st_uid == os.getuid() and os.fsencode(file) in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def ticks() -> float:
    """The time by the clock of _started()."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")


def end_detached(file: Path, begin: float, end: float) -> bool:
    """Kills what is left of a kernel's command, started between these ticks. Whether there was any.

    What is older or younger may be a client, which a kernel has started (%qtconsole) and which goes on with the next one.
    """
    processes = []
    for pid in _started_with(str(file), os.getpid()):
        with suppress(OSError):
            process = os.pidfd_open(pid)
            processes.append(process)
            if begin <= _started(pid) <= end:
                signal.pidfd_send_signal(process, signal.SIGKILL)
            else:
                os.close(processes.pop())
    _await_ends(_KILLED_S, lambda: [process for process in processes if not _any_ended([process], 0)])
    for process in processes:
        os.close(process)
    return bool(processes)


guard = Guard()


# --- The process -----------------------------------------------------------------------------------------------------------------


class _Guarded:
    """One kernel. Its descriptor is the process and nobody else, even when its number is given away again."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.pid: int = line["pid"]
        self.paths = [Path(path) for path in line["paths"]]
        self.started: int = line["started"]
        self.end_group: bool = line["end_group"]
        self.members: list[tuple[int, int]] = []
        """Its children in its process group, as numbers and descriptors: what is left of the group when it ends by itself."""
        self.process: int | None = None
        with suppress(OSError):
            process = os.pidfd_open(self.pid)
            if _started(self.pid) == self.started:
                self.process = process
            else:
                os.close(process)

    def lives(self) -> bool:
        return self.process is not None and not _any_ended([self.process], 0)

    def take_members(self) -> None:
        """While the kernel, or what it left, has the number of its group. A process with that number may be another's by now."""
        if not self.end_group or _started(self.pid) not in (0, self.started):
            return
        for pid in _group(self.pid):
            with suppress(OSError):
                self.members.append((pid, os.pidfd_open(pid)))

    def kill(self) -> None:
        """The kernel and its group; only what has stayed in the group where the kernel has ended."""
        if self.lives():
            self._kill_living()
            return
        for pid, member in self.members:
            with suppress(OSError):
                if not _any_ended([member], 0) and os.getpgid(pid) == self.pid:
                    os.killpg(self.pid, signal.SIGKILL)  # its number is the group's as long as this member is there
                    return

    def _kill_living(self) -> None:
        with suppress(OSError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
            elif self.process is not None:
                signal.pidfd_send_signal(self.process, signal.SIGKILL)

    def descriptors(self) -> list[int]:
        """Of all that has not ended."""
        all_of_it = [member for _, member in self.members] + ([] if self.process is None else [self.process])
        return [one for one in all_of_it if not _any_ended([one], 0)]

    def close(self) -> None:
        if self.process is not None:
            os.close(self.process)


class _Expected:
    """A kernel whose number the launcher may not have lived to tell."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.file: str = line["file"]
        self.paths = [Path(path) for path in line["paths"]]


def _take(line: bytes, guarded: dict[int, _Guarded], expected: dict[str, _Expected]) -> None:
    told = json.loads(line)
    if "file" in told:
        expected.pop(told["file"], None)
        if "paths" in told:
            expected[told["file"]] = _Expected(told)
        return
    if (old := guarded.pop(told["pid"], None)) is not None:
        old.close()
    if "paths" in told:
        guarded[told["pid"]] = _Guarded(told)


def _follow(launcher: int | None, guarded: dict[int, _Guarded], expected: dict[str, _Expected]) -> bool:
    """Whether the launcher has ended; False when it needs its guard no more. Its forks may hold stdin longer than it lives."""
    os.set_blocking(0, False)
    poller = select.poll()
    poller.register(0, select.POLLIN)
    if launcher is not None:
        poller.register(launcher, select.POLLIN)
    rest = b""
    while True:
        ready = {fd for fd, _ in poller.poll(0 if launcher is None else None)}
        if 0 in ready:
            data = os.read(0, 65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line == _END.encode():
                    return False
                _take(line, guarded, expected)
            if not data:
                poller.unregister(0)
        elif launcher is None or launcher in ready:
            return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _guard_unknown(launcher: int, expected: Iterable[_Expected], known: Iterable[int]) -> list[_Guarded]:
    """Those that were started and not told of, with the file in their command line: nothing else of theirs is known.

    After the grace, when they have long got their own one.
    """
    unknown = {pid for one in expected for pid in _started_with(one.file, launcher)} - set(known)
    return [_Guarded({"pid": pid, "started": _started(pid), "paths": [], "end_group": True}) for pid in unknown]


def _await_ends(seconds: float, living: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and (waiting := living()):
        _any_ended(waiting, left)


def _any_ended(processes: Iterable[int], seconds: float) -> bool:
    poller = select.poll()  # select() knows no descriptor above 1023
    for process in processes:
        poller.register(process, select.POLLIN)
    return bool(poller.poll(1000 * seconds))


def _main(launcher: int) -> None:
    process: int | None = None
    with suppress(OSError):
        process = os.pidfd_open(launcher)
    if os.getppid() != launcher:  # it ended before
        process = None
    guarded: dict[int, _Guarded] = {}
    expected: dict[str, _Expected] = {}
    if not _follow(process, guarded, expected):
        os._exit(0)
    kernels = list(guarded.values())
    for one in kernels:
        one.take_members()
    # One that is expected may come, with any number, until the grace is over: this process stands for it.
    coming = os.pidfd_open(os.getpid()) if expected else None
    _await_ends(
        _GRACE_S,
        lambda: [one.process for one in kernels if one.process is not None and one.lives()]
        + ([] if coming is None else [coming]),
    )
    kernels += _guard_unknown(launcher, expected.values(), guarded)
    for one in kernels:
        one.kill()
    _await_ends(_KILLED_S, lambda: [process for one in kernels for process in one.descriptors()])
    for path in [path for told in kernels for path in told.paths] + [path for each in expected.values() for path in each.paths]:
        _remove(path)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
