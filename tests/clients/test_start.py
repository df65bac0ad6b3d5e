# SPDX-License-Identifier: BSD-3-Clause
"""Starts that must fail say why, on one line, and leave nothing; and nobody who was left behind stays.

Taken ports and live or stale sockets are in tests/system/life_test.cpp, many starts at once in tests/storm.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.ioloop import AsyncIOLoopKernelManager
from jupyter_client.provisioning import LocalProvisioner
from support import BUILD, PORTS, ROOT, WAIT_S
from test_handshake import Registrar, acknowledge, handshake_request, take_ports
from test_handshake import connected as registered_client
from traitlets.config import Config

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


@pytest.mark.parametrize("channel", ["shell", "iopub"])
def test_a_directory_that_vanishes(place, start, channel):
    """Between the file and the sockets: the kernel has opened it and waits for its turn. With a chosen number iopub is first."""
    directory = place / "d"
    directory.mkdir()
    file = write_file(place, ip=str(directory / "k"), **({"shell_port": 0} if channel == "iopub" else {}))
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = start("-f", file)
    give_up = time.monotonic() + WAIT_S
    while str(directory) not in opened_by(process):
        assert time.monotonic() < give_up and process.poll() is None
    directory.rmdir()
    os.close(lock)
    line = refusal(process)
    assert f"the {channel} channel to ipc://{directory}/k-" in line and "No such file or directory" in line
    assert left_in(place, file) == []


def opened_by(process):
    names = []
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            names.append(os.readlink(fd))
    return names


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
    assert str(file) in line and "No space left on device" in line and "needs a directory with room" in line
    assert file.read_text() == before
    assert sorted(entry.name for entry in small_disk.iterdir()) == ["filler", file.name]


def test_a_digest_that_nobody_has(place, start):
    file = write_file(place, signature_scheme="hmac-nothing")
    line = refusal(start("-f", file))
    assert f"connection file {file}: " in line and '"hmac-nothing"' in line and line.endswith("Jupyter's is hmac-sha256")


def test_a_runtime_directory_that_cannot_be_made(place, start):
    (place / "run").touch()
    line = refusal(start())
    assert str(place / "run") in line and line.endswith("set JUPYTER_RUNTIME_DIR to a directory that can be written")


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


@pytest.fixture(params=["documented", "positron"])
def registered(place, request):
    """A launcher where a kernel registers; it knows the kernel without a file."""
    made = Registrar(place, zmq.ROUTER if request.param == "documented" else zmq.REP)
    content = json.loads(made.file.read_text())
    fields = {"registration_ip": made.ip, "kernel_id": made.kernel_id} if request.param == "documented" else {"ip": made.ip}
    made.file.write_text(json.dumps(content | fields))
    made.file.chmod(0o600)
    yield made
    made.close()


def goes_on(made, meanwhile=lambda: None, **options):
    """The only line that a kernel says which registers, serves and ends as it is asked to."""
    made.start("--no-history", **options)
    if made.socket.type == zmq.ROUTER:
        identity, ports = take_ports(made)
        meanwhile()
        acknowledge(made, identity)
        name = f"kernel-{made.kernel_id}.json"
    else:
        session, request = handshake_request(made)
        meanwhile()
        ports = request["content"]
        made.socket.send_multipart(session.serialize(session.msg("handshake_reply", {"status": "ok"}, parent=request)))
        name = f"kernel-{made.process.pid}.json"
    with registered_client(made, ports) as client:
        client.shutdown(reply=True, timeout=WAIT_S)
    _, err = made.process.communicate(timeout=WAIT_S)
    assert made.process.returncode == 0, err
    (line,) = err.splitlines()
    assert f"only clients of its launcher find this kernel, for there can be no {name}: " in line
    return line


def test_a_registered_kernel_needs_no_runtime_directory(place, registered):
    (place / "run").touch()
    line = goes_on(registered)
    assert f"runtime directory {place / 'run'}: " in line and "set JUPYTER_RUNTIME_DIR" in line


def test_a_registered_kernel_needs_no_room(small_disk, registered, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(small_disk))
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    assert "No space left on device" in goes_on(registered)
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


def test_a_registered_kernel_needs_no_disk_that_can_be_written(small_disk, registered, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(small_disk))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "Read-only file system" in goes_on(registered)


def test_a_registered_kernel_may_have_a_limit_for_the_size_of_files(place, registered):
    line = goes_on(registered, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert "File too large" in line
    assert list((place / "run").iterdir()) == []


@pytest.mark.parametrize("registered", ["documented"], indirect=True)
def test_the_file_of_a_kernel_that_was_killed_does_not_stay_for_its_successor(place, registered):
    """Where that one cannot write its own: clients would look for it where it is not."""
    registered.start()
    identity, ports = take_ports(registered)
    acknowledge(registered, identity)
    with registered_client(registered, ports):
        registered.process.kill()
        registered.process.communicate()
    assert (place / "run" / f"kernel-{registered.kernel_id}.json").exists()
    goes_on(registered, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert list((place / "run").iterdir()) == []


def test_the_runtime_directory_may_vanish_while_a_kernel_registers(place, registered):
    line = goes_on(registered, meanwhile=lambda: shutil.rmtree(place / "run"))
    assert str(place / "run") in line and "No such file or directory" in line


# Started like this a kernel has a launcher that is not its test: the launcher says the kernel's number, then waits to be killed.
LAUNCHER = """
import os, subprocess, sys
environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
kernel = subprocess.Popen(sys.argv[1:], env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
os.close(2)  # its end is the kernel's
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


# From the launcher's end on a kernel has so long to be gone.
GONE_S = 2.0


class Launched:
    """A kernel under a launcher of its own, and what it says on stderr, where each step of its start is a line."""

    def __init__(self, file):
        self.launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, PROGRAM, "-f", file, "--log-level", "debug"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.kernel = os.pidfd_open(int(self.launcher.stdout.readline()))
        self.said = ""

    def kill_launcher_after(self, step):
        """At once, or when a line of the log has this text."""
        while step not in self.said:
            line = self.launcher.stderr.readline()
            assert line, f"no step {step!r} in:\n{self.said}"
            self.said += line
        self.launcher.kill()
        self.killed = time.monotonic()

    def ended(self):
        """What it said to its end, and how long after its launcher that came; a kernel that stays is killed."""
        try:
            assert select.select([self.kernel], [], [], max(0, self.killed + GONE_S - time.monotonic()))[0], (
                f"the kernel outlives its launcher by more than {GONE_S} s")
            took = time.monotonic() - self.killed
            return self.said + self.launcher.communicate(timeout=WAIT_S)[1], took
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


# The lines of a start, in their order.
STEPS = ["", "process", "connection file", *(f" {channel} is bound" for channel in CHANNELS), "clients connect", "the interpreter",
         "requests are served"]


@pytest.mark.parametrize("step", STEPS, ids=[step.strip() or "at once" for step in STEPS])
@pytest.mark.parametrize("fields", [{}, PORT_0, PORT_0 | curve()], ids=["ipc", "port0", "curve"])
def test_nobody_stays_when_the_launcher_is_killed(place, fields, step):
    file = write_file(place, **fields)
    launched = Launched(file)
    launched.kill_launcher_after(step)
    _, took = launched.ended()
    print(f"gone {1000 * took:.0f} ms after its launcher")
    assert left_in(place, file) == []


def test_nobody_waits_for_a_directory_when_the_launcher_is_killed(place):
    file = write_file(place)
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    launched = Launched(file)
    launched.kill_launcher_after("connection file")
    said, took = launched.ended()
    os.close(directory)
    print(f"gone {1000 * took:.0f} ms after its launcher")
    assert "has ended meanwhile" in said
    assert left_in(place, file) == []


@pytest.fixture
def unanswered(place):
    """A registrar that nobody has answered for yet; its socket is this test's and stays."""
    made = Registrar(place, zmq.ROUTER)
    content = json.loads(made.file.read_text())
    made.file.write_text(json.dumps({**content, "registration_ip": made.ip, "kernel_id": made.kernel_id}))
    yield made
    made.close()


def test_nobody_waits_for_a_registrar_whose_process_is_gone(place, unanswered):
    launched = Launched(unanswered.file)
    take_ports(unanswered)
    launched.kill_launcher_after("registers at")
    said, took = launched.ended()
    print(f"gone {1000 * took:.0f} ms after its launcher")
    assert "the launcher ended before it acknowledged" in said
    assert left_in(place, unanswered.file) == []


@pytest.mark.parametrize("step", ["the launcher has acknowledged", *STEPS[-3:]])
def test_nobody_stays_after_its_registration(place, unanswered, step):
    launched = Launched(unanswered.file)
    identity, _ = take_ports(unanswered)
    acknowledge(unanswered, identity)
    launched.kill_launcher_after(step)
    _, took = launched.ended()
    print(f"gone {1000 * took:.0f} ms after its launcher")
    assert left_in(place, unanswered.file) == []


@pytest.fixture(params=["init", "subreaper"])
def reaper(request):
    """Who gets the children of processes that have ended: process 1, or this one, as a desktop's systemd does."""
    if request.param == "init":
        yield
        return
    if os.stat("/proc/self/ns/pid").st_ino != 0xEFFFFFFC:
        pytest.skip("in a container, a kernel cannot know of a launcher outside")
    pr_set_child_subreaper = 36
    prctl = ctypes.CDLL(None).prctl
    assert prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0
    yield
    prctl(pr_set_child_subreaper, 0, 0, 0, 0)


@contextmanager
def late(*command, stdin=subprocess.DEVNULL):
    """The command's process, which has a session of its own and a launcher that is no more, and that launcher's pipes."""
    launcher = subprocess.Popen([sys.executable, "-c", LATE_KERNEL, *command], stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    launcher.wait(timeout=WAIT_S)
    orphan = int(launcher.stdout.readline())
    try:
        yield launcher
    finally:
        with suppress(ProcessLookupError):
            os.killpg(orphan, signal.SIGKILL)
        launcher.communicate()
        with suppress(ChildProcessError):
            os.waitpid(orphan, 0)


WRAPPER = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]


@pytest.mark.usefixtures("reaper")
@pytest.mark.parametrize("wrapper", [[], WRAPPER, WRAPPER + WRAPPER], ids=["bare", "wrapper", "two wrappers"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_launcher_that_died_before_the_kernel_was_loaded(place, transport, wrapper):
    file = write_file(place, **(PORT_0 if transport == "tcp" else {}))
    with late(*wrapper, PROGRAM, "-f", file) as launcher:
        _, err = launcher.communicate(timeout=WAIT_S)  # until the kernel has closed them
    assert len(err.strip().splitlines()) == 1 and "has ended meanwhile" in err
    assert "or a number left in the environment" in err
    assert left_in(place, file) == []


@pytest.mark.usefixtures("reaper")
@pytest.mark.parametrize("sign", ["no file", "terminal"])
def test_a_number_left_in_the_environment_does_not_end_what_is_started_by_hand(place, sign):
    """With `setsid -f`, for one, in a program that a kernel has started."""
    if sign == "no file":
        with late(PROGRAM) as launcher:
            assert launcher.stdout.readline().startswith("To connect")
            answers(connected(place / "run" / launcher.stdout.readline().split()[1]))
        return
    file = write_file(place)
    ours, theirs = os.openpty()
    try:
        with late(PROGRAM, "-f", file, stdin=theirs):
            answers(connected(file))
    finally:
        os.close(ours)
        os.close(theirs)


# A script that goes on when the program that led its session has ended, as in a notebook's cell; it starts a kernel that it talks to.
LEFT_OVER = """
import os, select, subprocess, sys
try:
    select.select([os.pidfd_open(os.getsid(0))], [], [])
except ProcessLookupError:
    pass
sys.exit(subprocess.call(sys.argv[1:]))
"""


@pytest.mark.usefixtures("reaper")
def test_a_program_that_was_itself_left_behind_may_start_kernels(place):
    """It knows nothing of JPY_PARENT_PID, and hands it on."""
    file = write_file(place)
    with late("/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-c", LEFT_OVER, PROGRAM, "-f", file):
        answers(connected(file))


# It hands on the number that it was started with, as a program in between does in a container, where that is nobody's. Told so,
# it has written over its environment, as programs do that change their title.
IN_BETWEEN = """
import ctypes, os, subprocess, sys
if os.environ.pop("HIDDEN", None):
    inherited = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")[0]
    ctypes.memset(inherited, 0, len(open("/proc/self/environ", "rb").read()))
    assert not open("/proc/self/environ", "rb").read().strip(b"\\0")
kernel = subprocess.Popen(sys.argv[1:], env=dict(os.environ), stdin=subprocess.DEVNULL, start_new_session=True)
print(kernel.pid, flush=True)
sys.stdin.read()
"""


# Process 1 of a container, whose environment the user of the kernel may not read.
CONTAINER = """
import os, sys
if os.fork() == 0:
    os.setsid()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    os.environ["JPY_PARENT_PID"] = "4000000"
    os.execv(sys.argv[1], sys.argv[1:])
os.wait()
"""
OWN_PROCESSES = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.mark.skipif(os.geteuid() != 0 or subprocess.run([*OWN_PROCESSES, "true"], check=False, capture_output=True).returncode != 0,
                    reason="needs a root that may make containers")
def test_a_number_from_outside_a_container_where_nobody_may_look_at_process_1(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", directory)
        file = write_file(Path(directory))
        for path in (directory, file):
            os.chown(path, 65534, 65534)
        container = subprocess.Popen([*OWN_PROCESSES, sys.executable, "-c", CONTAINER, PROGRAM, "-f", file], stdin=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True)
        try:
            answers(connected(file))
            assert "none is watched" in container.communicate(timeout=WAIT_S)[1]
        finally:
            container.kill()
            container.communicate()


@pytest.mark.parametrize("hidden", ["", "yes"], ids=["plain", "title"])
def test_a_number_that_is_nobodys_is_no_launcher_that_has_ended(place, hidden):
    nobody = subprocess.Popen(["true"])
    nobody.wait()
    file = write_file(place)
    between = subprocess.Popen([sys.executable, "-c", IN_BETWEEN, PROGRAM, "-f", file], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "JPY_PARENT_PID": str(nobody.pid), "HIDDEN": hidden})
    kernel = os.pidfd_open(int(between.stdout.readline()))
    try:
        client = connected(file)
        assert client.kernel_info(reply=True, timeout=WAIT_S)["content"]["status"] == "ok"
        client.stop_channels()
        between.kill()
        assert select.select([kernel], [], [], GONE_S)[0], "it has not noticed the end of the program in between"
        assert "is watched instead" in between.communicate(timeout=WAIT_S)[1]
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(kernel, signal.SIGKILL)
        os.close(kernel)
        between.kill()
        between.communicate()


def test_debug_tells_the_whole_start(place, start):
    keys = curve()
    file = write_file(place, **keys)
    process = start("-f", file, "--log-level", "debug")
    said = ""
    while STEPS[-1] not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    places = [said.index(step) for step in STEPS]
    assert places == sorted(places), said
    assert re.search(r"process \d+ has been there for \d+ ms", said) and re.search(r"the start took \d+ ms", said)
    assert "ipc" in said and "5 of 5 ports given, signed, encrypted" in said
    assert json.loads(file.read_text())["key"] not in said and not any(key in said for key in keys.values())


@pytest.mark.parametrize("ip", ["localhost", "*"])
def test_an_address_by_name(place, start, ip):
    file = write_file(place, **PORT_0 | {"ip": ip})
    renamed = RenamedFiles(place)
    start("-f", file)
    while file.name not in renamed.read():
        pass
    renamed.close()
    assert json.loads(file.read_text())["ip"] == ("127.0.0.1" if ip == "localhost" else "0.0.0.0")
    answers(connected(file, ip="127.0.0.1"))


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


@pytest.mark.parametrize("told", ["option", "file"])
def test_the_name_of_an_interface(place, start, told):
    """ZeroMQ listens there; what clients connect to is its address."""
    if told == "option":
        file = own_file(start("--ip", "lo"))
    else:
        file = write_file(place, **PORT_0 | {"ip": "lo"})
        renamed = RenamedFiles(place)
        start("-f", file)
        while file.name not in renamed.read():
            pass
        renamed.close()
    assert json.loads(file.read_text())["ip"] == "127.0.0.1"
    answers(connected(file))


@pytest.mark.parametrize(("fields", "cause", "remedy"), [
    ({"shell_port": 7, "hb_port": 7}, "hb_port and shell_port are both 7", "each needs one of its own"),
    ({"key": 5}, "key must be a string, not number", "write it in quotation marks"),
], ids=["equal ports", "a number for a key"])
def test_a_file_that_is_wrong_says_what_to_do(place, start, fields, cause, remedy):
    line = refusal(start("-f", write_file(place, **fields)))
    assert cause in line and remedy in line


def test_a_directory_where_all_may_write(place, start):
    place.chmod(0o777)
    file = write_file(place)
    process = start("-f", file)
    warning = process.stderr.readline()
    assert f"every user may replace the sockets in {place}" in warning and "chmod o-w" in warning
    answers(connected(file))


def test_an_unknown_option_is_one_line(start):
    process = start("--no-such-option")
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert len(err.splitlines()) == 1 and "--no-such-option" in err and "--help" in err


def test_an_address_of_another_machine(place, start):
    line = refusal(start("--ip", "192.0.2.1"))
    assert "the shell channel to tcp://192.0.2.1:" in line and "must be an address of this machine" in line
    assert list((place / "run").iterdir()) == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_stock_launcher_tries_again_on_new_ports(monkeypatch, channel):
    """jupyter_client's own restarter, as a server has it. With the ports that it caches by default it would ask for the same."""
    spawn = LocalProvisioner.launch_kernel
    stolen, started = [], []
    started_again = asyncio.Event()

    async def steal_and_spawn(self, *arguments, **options):
        if not stolen:
            stolen.append(socket.create_server(("127.0.0.1", getattr(self.parent, f"{channel}_port"))))
        started.append(time.monotonic())
        connection = await spawn(self, *arguments, **options)
        if len(started) == 2:
            started_again.set()
        return connection

    async def start_and_use():
        monkeypatch.setattr(LocalProvisioner, "launch_kernel", steal_and_spawn)
        config = Config({"KernelRestarter": {"time_to_dead": 0.2}})
        file = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"kernel-{uuid.uuid4()}.json"
        manager = AsyncIOLoopKernelManager(kernel_name="lua", cache_ports=False, config=config, connection_file=str(file))
        await manager.start_kernel()
        first = manager.provisioner.process
        restarted = asyncio.get_running_loop().create_future()
        manager.add_restart_callback(lambda: restarted.done() or restarted.set_result(None))
        await asyncio.wait_for(restarted, WAIT_S)
        assert first.poll() == 1
        await asyncio.wait_for(started_again.wait(), WAIT_S)
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=WAIT_S)
        assert stolen[0].getsockname()[1] not in manager.ports
        client.stop_channels()
        await manager.shutdown_kernel()

    try:
        asyncio.run(start_and_use())
    finally:
        for taken in stolen:
            taken.close()
    assert len(started) == 2
