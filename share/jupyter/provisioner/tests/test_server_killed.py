# SPDX-License-Identifier: BSD-3-Clause
"""A launcher that is killed while it starts a kernel: whatever it had begun, no kernel stays."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from support import HERE, await_end, descendants

# A kernel that looks at its parent once in a second has this long, and a busy machine's share.
GONE_S = 2.0
LAUNCHER = """
import sys
from support import make_manager, settings
settings["transport"] = sys.argv[1]
manager = make_manager("lua")
print("ready", flush=True)
manager.start_kernel()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("after_ms", [0, 4, 16, 64, None])
@pytest.mark.parametrize("way", ["ipc", "port0", "handshake", "tcp"])
def test_no_kernel_stays(way, after_ms, runtime):
    """The kernels become children of the next subreaper, which this process is made."""
    _adopt_orphans()
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, way],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert launcher.stdout.readline() == b"ready\n"
    if after_ms is None:
        assert launcher.stdout.readline() == b"started\n"
    else:
        time.sleep(after_ms / 1000)  # polled: nothing, the point of the start at which it is killed
    launcher.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    launcher.wait()  # not its stdout, which the kernel has too
    while left := descendants(os.getpid()):
        with suppress(ProcessLookupError):
            assert await_end(next(iter(left)), max(0, killed + GONE_S - time.monotonic())), left
    launcher.stdin.close()
    launcher.stdout.close()
    for path in runtime.glob("*"):  # the launcher's files, which only it could remove
        _remove(path)


def _adopt_orphans():
    pr_set_child_subreaper = 36
    assert ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
