# SPDX-License-Identifier: BSD-3-Clause
"""Starts that must fail say why, on one line, and leave nothing; and nobody who was left behind stays.

Taken ports and live or stale sockets are in tests/system/life_test.cpp, many starts at once in tests/storm.
"""

import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import zmq
from jupyter_client import BlockingKernelClient
from support import BUILD, PORTS, ROOT, WAIT_S
from test_handshake import Registrar, acknowledge, take_ports

sys.path.append(str(ROOT / "tests" / "storm"))
from kernels import RenamedFiles, steady_ports  # noqa: E402

PROGRAM = BUILD / "bin" / "adrastea-lua"
CHANNELS = [name.removesuffix("_port") for name in PORTS]


@pytest.fixture
def place(tmp_path_factory, monkeypatch):
    """A directory whose name is short enough for ipc; the runtime directory is in it."""
    directory = Path(tmp_path_factory.mktemp("s"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory / "run"))
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    return directory


@pytest.fixture
def start():
    """Starts kernels by hand; none outlives the test."""
    made = []

    def make(*arguments, **options):
        made.append(subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True, start_new_session=True, **options))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        process.communicate()


def write_file(directory, **fields):
    """A connection file, over ipc with numbers unless told otherwise."""
    file = directory / "kernel.json"
    content = {"transport": "ipc", "ip": str(directory / "k"), "key": uuid.uuid4().hex, "signature_scheme": "hmac-sha256"}
    content |= {name: number for number, name in enumerate(PORTS, 1)} | fields
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return file


PORT_0 = {"transport": "tcp", "ip": "127.0.0.1", **dict.fromkeys(PORTS, 0)}


def refusal(process):
    """The one line that a kernel ends with."""
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1, err
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    return lines[0]


def connected(file, **changes):
    client = BlockingKernelClient()
    client.load_connection_info(json.loads(file.read_text()) | changes)
    client.start_channels()
    return client


def answers(client):
    try:
        assert client.kernel_info(reply=True, timeout=WAIT_S)["content"]["status"] == "ok"
        assert client.execute("x = 6 * 7", reply=True, timeout=WAIT_S)["content"]["execution_count"] == 1
        client.shutdown(reply=True, timeout=WAIT_S)
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_what_is_in_the_way_stays(place, start, channel, kind):
    file = write_file(place)
    number = CHANNELS.index(channel) + 1
    path = place / f"k-{number}"
    {"file": path.touch, "directory": path.mkdir, "link": lambda: path.symlink_to("nowhere")}[kind]()
    line = refusal(start("-f", file))
    assert f"the {channel} channel to ipc://{path}" in line and "in use" in line and "left alone" in line
    assert sorted(entry.name for entry in place.iterdir() if entry.name != "run") == [path.name, file.name]
    assert not path.is_socket()


TWO = {"tcp": lambda: PORT_0 | steady_ports(), "ipc": dict, "tcp, port 0": lambda: PORT_0, "ipc, number 0": lambda: dict.fromkeys(PORTS, 0)}


@pytest.mark.parametrize("fields", TWO.values(), ids=TWO.keys())
def test_of_two_on_one_file_one_lives(place, start, fields):
    for _ in range(10):
        content = fields()
        file = write_file(place, **content)
        renamed = RenamedFiles(place)
        two = {process.stderr.fileno(): process for process in (start("-f", file), start("-f", file))}
        while 0 in content.values() and file.name not in renamed.read():
            pass
        renamed.close()
        told, _, _ = select.select(list(two), [], [], WAIT_S)
        line = refusal(two.pop(told[0]))
        assert "another kernel starts with it" in line or "cannot bind the" in line
        (winner,) = two.values()
        answers(connected(file))
        assert winner.wait(timeout=WAIT_S) == 0
        assert [entry.name for entry in place.iterdir() if entry.is_socket()] == []


def test_a_directory_that_somebody_keeps_locked(place, start):
    file = write_file(place)
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    line = refusal(start("-f", file))
    os.close(directory)
    assert "another process has kept the directory" in line and str(place) in line
    start("-f", file)
    answers(connected(file))


@pytest.fixture
def small_disk(place):
    """A file system of its own, of a few pages."""
    disk = place / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_keeps_the_old_file(small_disk, start):
    file = write_file(small_disk, **PORT_0)
    before = file.read_text()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    line = refusal(start("-f", file))
    assert str(file) in line and "No space left on device" in line
    assert file.read_text() == before
    assert sorted(entry.name for entry in small_disk.iterdir()) == ["filler", file.name]


def test_a_read_only_disk(small_disk, start):
    file = write_file(small_disk, **PORT_0)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    line = refusal(start("-f", file))
    assert str(file) in line and "Read-only file system" in line


def test_a_limit_for_the_size_of_files(place, start):
    file = write_file(place, **PORT_0)
    before = file.read_text()
    line = refusal(start("-f", file, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))))
    assert str(file) in line and "File too large" in line
    assert file.read_text() == before
    assert [entry.name for entry in place.iterdir()] == [file.name]


def test_the_runtime_directory_vanishes_while_it_registers(place):
    made = Registrar(place, zmq.ROUTER)
    try:
        content = json.loads(made.file.read_text())
        made.file.write_text(json.dumps({**content, "registration_ip": made.ip, "kernel_id": made.kernel_id}))
        made.start()
        identity, _ = take_ports(made)
        (place / "run" / f"kernel-{made.kernel_id}.json").unlink()
        (place / "run").rmdir()
        acknowledge(made, identity)
        status, line = made.failed()
        assert status == 1 and str(place / "run") in line and "No such file or directory" in line
    finally:
        made.close()


# Started like this a kernel has a launcher that is not its test: the launcher says the kernel's number, then waits to be killed.
LAUNCHER = """
import os, subprocess, sys
environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
kernel = subprocess.Popen(sys.argv[1:], env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
print(kernel.pid, flush=True)
sys.stdin.read()
"""

# The kernel's program is loaded when its launcher has gone already.
LATE_KERNEL = """
import os, select, sys
launcher = os.getpid()
watched = os.pidfd_open(launcher)
if os.fork():
    os._exit(0)
os.setsid()
select.select([watched], [], [])
while os.getppid() == launcher:
    os.sched_yield()
os.environ["JPY_PARENT_PID"] = str(launcher)
print(os.getpid(), flush=True)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Launched:
    """A kernel under a launcher of its own, and what it says on stderr, where each step of its start is a line."""

    def __init__(self, file):
        self.launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, PROGRAM, "-f", file, "--log-level", "debug"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.kernel = os.pidfd_open(int(self.launcher.stdout.readline()))

    def kill_launcher_after(self, lines):
        for _ in range(lines):
            self.launcher.stderr.readline()
        self.launcher.kill()

    def ended(self):
        """What it said to its end, which is that of its stderr; a kernel that stays is killed."""
        try:
            assert select.select([self.kernel], [], [], WAIT_S)[0], "the kernel outlives its launcher"
            return self.launcher.communicate(timeout=WAIT_S)[1]
        finally:
            if not select.select([self.kernel], [], [], 0)[0]:
                signal.pidfd_send_signal(self.kernel, signal.SIGKILL)
            os.close(self.kernel)
            self.launcher.kill()
            self.launcher.communicate()


def curve():
    public, secret = zmq.curve_keypair()
    return {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}


def left_in(place, file):
    return sorted(entry.name for entry in place.rglob("*") if entry != file and entry.name != "run")


@pytest.mark.parametrize("fields", [{}, PORT_0, PORT_0 | curve()], ids=["ipc", "port0", "curve"])
def test_nobody_stays_when_the_launcher_is_killed(place, fields):
    file = write_file(place, **fields)
    for lines in (0, 0, 0, 0, 1, 2, 3, 4, 5, 6):
        launched = Launched(file)
        launched.kill_launcher_after(lines)
        launched.ended()
        assert left_in(place, file) == [], f"after {lines} steps"
        if fields:
            write_file(place, **fields)


def test_nobody_waits_for_a_registrar_whose_process_is_gone(place):
    """Its socket is still there: it is this test's."""
    made = Registrar(place, zmq.ROUTER)
    try:
        content = json.loads(made.file.read_text())
        made.file.write_text(json.dumps({**content, "registration_ip": made.ip, "kernel_id": made.kernel_id}))
        launched = Launched(made.file)
        take_ports(made)
        launched.kill_launcher_after(0)
        assert "the launcher ended before it acknowledged" in launched.ended()
        assert left_in(place, made.file) == []
    finally:
        made.close()


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_launcher_that_died_before_the_kernel_was_loaded(place, transport):
    file = write_file(place, **(PORT_0 if transport == "tcp" else {}))
    launcher = subprocess.Popen([sys.executable, "-c", LATE_KERNEL, PROGRAM, "-f", file], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    launcher.wait(timeout=WAIT_S)
    orphan = int(launcher.stdout.readline())
    try:
        _, err = launcher.communicate(timeout=WAIT_S)  # until the kernel has closed them
    except subprocess.TimeoutExpired:
        os.kill(orphan, signal.SIGKILL)
        raise
    assert len(err.strip().splitlines()) == 1 and "has ended meanwhile" in err
    assert left_in(place, file) == []


def own_file(process):
    """Of a kernel that was started without one."""
    process.stdout.readline()
    name = process.stdout.readline().split()[-1]
    return Path(os.environ["JUPYTER_RUNTIME_DIR"]) / name


@pytest.mark.parametrize(("ip", "reached_at"), [("0.0.0.0", "127.0.0.2"), ("127.0.0.3", "127.0.0.3")])
def test_an_address_of_ones_own(place, start, ip, reached_at):
    process = start("--ip", ip)
    file = own_file(process)
    assert json.loads(file.read_text())["ip"] == ip
    assert file.stat().st_mode & 0o777 == 0o600
    answers(connected(file, ip=reached_at))
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    assert ("can be reached from other machines" in err) == (ip == "0.0.0.0")
    assert not file.exists()


def test_an_address_of_another_machine(place, start):
    line = refusal(start("--ip", "192.0.2.1"))
    assert "the shell channel to tcp://192.0.2.1:" in line and "must be an address of this machine" in line
    assert list((place / "run").iterdir()) == []
