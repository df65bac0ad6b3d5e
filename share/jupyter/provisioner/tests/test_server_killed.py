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
from support import HERE, WAIT_S, await_end, descendants

# From the kill on, for kernels that look at their parent once in a second or not at all.
GONE_S = 2.0
LAUNCHER = """
import os
import signal
import sys
from pathlib import Path
from adrastea_provisioner import AdrasteaProvisioner
from support import false_kernel, make_manager, settings
settings["transport"], name = sys.argv[1:3]
false = {"kernel_spec_manager": false_kernel(Path(sys.argv[3]), name, name=name)} if name in ("deaf", "family") else {}
if sys.argv[4:] == ["unborn"]:
    false["connection_file"] = ""
    AdrasteaProvisioner._spawn = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
manager = make_manager(name, **false)
if sys.argv[4:] == ["untold"]:
    AdrasteaProvisioner._tell_guard = lambda self, pid: os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
manager.start_kernel()
print("started", flush=True)
if sys.argv[4:] == ["between"]:
    AdrasteaProvisioner.pre_launch = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    manager.restart_kernel(now=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("after_ms", [0, 4, 16, 64, None])
@pytest.mark.parametrize(
    ("way", "name"), [("ipc", "lua"), ("port0", "lua"), ("handshake", "lua"), ("tcp", "lua"), ("ipc", "deaf"), ("tcp", "deaf")]
)
def test_no_kernel_stays(way, name, after_ms, runtime, tmp_path):
    launcher = launch(way, name, tmp_path)
    assert launcher.stdout.readline() == b"ready\n"
    if after_ms is None:
        assert launcher.stdout.readline() == b"started\n"
    else:
        time.sleep(after_ms / 1000)  # polled: nothing, the point of the start at which it is killed
    kill(launcher)
    assert left_in(runtime) == []
    for path in runtime.glob("*"):  # written or locked by half; later launchers remove the directory
        _remove(path)


@pytest.mark.parametrize("way", ["ipc", "tcp"])
def test_no_kernel_stays_whose_number_nobody_knows(way, runtime, tmp_path):
    """The launcher is killed when it has started a kernel that does not watch it, and has not yet told its guard so."""
    launcher = launch(way, "deaf", tmp_path, "untold")
    assert launcher.stdout.readline() == b"ready\n"
    assert launcher.wait(WAIT_S) == -signal.SIGKILL
    kill(launcher)
    assert left_in(runtime) == []


@pytest.mark.parametrize("way", ["ipc", "tcp"])
def test_no_file_stays_of_a_kernel_that_was_never_started(way, runtime, tmp_path, monkeypatch):
    """The launcher is killed when all the files are there; that with the key has a name that nobody chose."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    launcher = launch(way, "deaf", tmp_path, "unborn")
    assert launcher.stdout.readline() == b"ready\n"
    assert launcher.wait(WAIT_S) == -signal.SIGKILL
    kill(launcher)
    assert left_in(runtime) == []
    assert list(tmp_path.glob("*.json")) == []


@pytest.mark.parametrize("way", ["ipc", "tcp"])
def test_no_file_stays_of_a_kernel_that_was_not_restarted(way, runtime, tmp_path):
    """The launcher is killed when the old process is gone, and the new one not there."""
    launcher = launch(way, "lua", tmp_path, "between")
    assert launcher.stdout.readline() + launcher.stdout.readline() == b"ready\nstarted\n"
    assert launcher.wait(WAIT_S) == -signal.SIGKILL
    kill(launcher)
    assert left_in(runtime) == []


@pytest.mark.parametrize("name", ["lua", "python3", "deaf", "family"])
@pytest.mark.parametrize("way", ["ipc", "tcp"])
def test_nothing_stays_of_a_kernel_that_ran(name, way, runtime, tmp_path):
    """One false one does not watch its launcher and is deaf to everything but SIGKILL; the other leaves a child in its group."""
    launcher = launch(way, name, tmp_path)
    assert launcher.stdout.readline() + launcher.stdout.readline() == b"ready\nstarted\n"
    assert list(runtime.glob("kernel-*.json")) != []
    kill(launcher)
    assert left_in(runtime) == []


def launch(*arguments):
    """The kernels become children of the next subreaper, which this process is made."""
    _adopt_orphans()
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *arguments],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def left_in(runtime):
    """What has the name of a connection file, or of a private directory."""
    return [path.name for path in runtime.iterdir() if path.name.startswith(("kernel-", "adr-")) and path.suffix != ".tmp"]


def kill(launcher):
    launcher.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    launcher.wait()  # not its stdout, which the kernel has too
    while left := descendants(os.getpid()):
        with suppress(ProcessLookupError):
            assert await_end(next(iter(left)), max(0, killed + GONE_S - time.monotonic())), left
    print(f"all gone {1000 * (time.monotonic() - killed):.0f} ms after the kill")
    launcher.stdin.close()
    launcher.stdout.close()


def _adopt_orphans():
    pr_set_child_subreaper = 36
    assert ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
