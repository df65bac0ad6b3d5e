# SPDX-License-Identifier: BSD-3-Clause
"""Kernels that do not start, do not end, or leave something behind."""

import asyncio
import ctypes
import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from jupyter_client import AsyncKernelManager, AsyncMultiKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning import KernelProvisionerFactory
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from support import HERE, WAIT_S, await_end, connect, false_kernel, installed, is_running, make_manager, printed, running, specify
from traitlets import TraitError
from traitlets.config import Config

from adrastea_provisioner import AdrasteaProvisioner, KernelNotStarted, notify, private
from adrastea_provisioner import guard as guard_module
from adrastea_provisioner.connection import Connection
from adrastea_provisioner.private import PrivateDirectory
from adrastea_provisioner.provisioner import _wait
from adrastea_provisioner.starts import Answer, Handshake, Ipc, PortZero, Tcp


def failure(manager, **options):
    """The text that the user sees of a start that fails."""
    with pytest.raises(KernelNotStarted) as error:
        manager.start_kernel(**options)
    assert not manager.has_kernel
    assert manager.transport == "tcp" and manager.ports == [0] * 5, "as before the start"
    return str(error.value)


@pytest.fixture
def warnings(caplog):
    """The provisioner's lines in the log so far."""
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records if "is started" in record.getMessage()]


@pytest.mark.parametrize("way", ["auto", "ipc", "port0", "handshake", "tcp"])
def test_a_kernel_that_dies_says_why(tmp_path, configure, way, capfd):
    configure(transport=way)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "die")))
    assert "Kernel 'false'" in text and "exit status 3" in text
    assert text.endswith("\n    first line\n    ModuleNotFoundError: 100% of the language is missing")
    assert "ModuleNotFoundError" in capfd.readouterr().err, "the server's log has it too"


def test_the_text_is_the_same_wherever_a_server_shows_it():
    """jupyter_server takes it for a format in its pages, and for a text in its API's answers."""
    text = "100% of the language is missing: %s %d %%"
    error = KernelNotStarted(text)
    assert error.log_message == text, "APIHandler"
    assert error.log_message % error.args == text, "JupyterHandler"
    assert ("%d: " + error.log_message) % (500, *error.args) == f"500: {text}", "tornado before 6.5"
    assert str(error) == text


def test_a_kernel_that_lacks_a_part_is_not_started_again(tmp_path, warnings):
    """Its address has nothing to do with it."""
    specs = false_kernel(tmp_path, "die", kernel_protocol_version="5.6")
    text = failure(make_manager("false", kernel_spec_manager=specs))
    assert "ModuleNotFoundError" in text and warnings() == []


def test_a_kernel_that_ends_in_the_same_way_twice_is_not_started_again(tmp_path, warnings):
    script = 'echo "kernel $$: the licence has expired" >&2; exit 4'
    spec = {"argv": ["/bin/sh", "-c", script], "display_name": "f", "language": "f", "kernel_protocol_version": "5.6"}
    text = failure(make_manager("false", kernel_spec_manager=specify(tmp_path, "false", spec)))
    assert "the licence has expired" in text
    if hasattr(KernelSpec, "kernel_protocol_version"):
        assert len(warnings()) == 1 and "over ipc" in text


def test_a_kernel_that_detaches_itself_is_ended_and_not_started_again(tmp_path, warnings):
    argv = ["setsid", "-f", sys.executable, str(HERE / "false_kernel.py"), "silent", "{connection_file}"]
    specs = specify(tmp_path, "false", {"argv": argv, "display_name": "f", "language": "f"})
    manager = make_manager("false", kernel_spec_manager=specs)
    text = failure(manager)
    assert "with exit status 0" in text and "has detached itself" in text and warnings() == []
    assert guard_module._started_with(manager.connection_file, os.getpid()) == []


def test_a_command_that_may_have_detached_its_kernel_says_what_it_has_to_do(tmp_path, warnings):
    """Like a kernel that knows no word for a transport that it does not know: it is started every way."""
    spec = {"argv": ["/bin/sh", "-c", "exit 0"], "display_name": "f", "language": "f"}
    text = failure(make_manager("false", kernel_spec_manager=specify(tmp_path, "false", spec)))
    assert "over tcp, with exit status 0" in text and "docker run -d" in text and len(warnings()) == 1
    assert "docker" not in warnings()[0]


def test_what_a_shell_lacks_says_nothing_of_the_kernel(tmp_path, warnings):
    """A login script may complain, and the kernel behind it knows only the next transport."""
    script = 'echo "sh: module: command not found" >&2; echo "only the transport tcp is supported" >&2; exit 4'
    spec = {"argv": ["/bin/sh", "-c", script], "display_name": "f", "language": "f"}
    failure(make_manager("false", kernel_spec_manager=specify(tmp_path, "false", spec)))
    assert warnings() != [], "it is started over another"


def test_a_kernel_that_is_killed_names_the_signal(tmp_path):
    assert "signal SIGABRT" in failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "killed")))


def test_a_program_that_is_not_there(tmp_path):
    specs = specify(tmp_path, "none", {"argv": ["/no/such/kernel"], "display_name": "none", "language": "none"})
    assert "No such file" in failure(make_manager("none", kernel_spec_manager=specs))


@pytest.mark.parametrize("way", ["ipc", "port0", "handshake", "tcp"])
def test_the_end_of_a_kernel_wakes_who_waits_for_it(tmp_path, configure, monkeypatch, way):
    """Nobody waits for a time to be over: the time that a wait may take is all there is, and it ends long before."""
    waits, poll = [], zmq.Poller.poll

    def poll_long(self, _=None):
        begin = time.monotonic()
        ready = poll(self, 1000 * 2 * WAIT_S)
        waits.append((bool(ready), time.monotonic() - begin))
        return ready

    configure(transport=way, patience=4 * WAIT_S)
    monkeypatch.setattr(zmq.Poller, "poll", poll_long)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "die")))
    assert "exit status 3" in text
    assert waits and all(woken and seconds < WAIT_S for woken, seconds in waits)


@pytest.mark.parametrize("way", ["ipc", "port0", "handshake", "tcp"])
def test_a_kernel_that_binds_nothing_is_ended(tmp_path, configure, way):
    configure(transport=way, patience=0.5)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "silent")))
    assert f"did not bind its sockets over {way} within its patience of 0.5 s" in text


@pytest.mark.parametrize(("way", "last"), [("ipc", "ipc"), ("tcp", "tcp"), ("auto", "tcp")])
def test_a_kernel_that_ends_before_it_answers_says_why(tmp_path, configure, way, last, warnings):
    configure(transport=way)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "late")))
    assert f"ended after it had bound its sockets over {last}, with exit status 3" in text
    assert text.endswith("\n    first line\n    the language cannot be loaded")
    assert len(warnings()) == (1 if way == "auto" else 0), "of each way but the last"


def test_a_kernel_that_ends_after_its_bind_starts_the_next_way(tmp_path, warnings):
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "brittle"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    (line,) = warnings()
    assert "over ipc, with signal SIGABRT" in line and line.endswith("it is started over tcp now")
    manager.shutdown_kernel(now=True)


@pytest.mark.skipif("xpython" not in KernelSpecManager().find_kernel_specs(), reason="xeus-python is not installed")
def test_a_kernel_of_xeus_starts():
    """xeus 2.4 aborts after its bind where a socket's address has more than 31 bytes."""
    with running("xpython") as (_, client):
        assert printed(client, "print(6 * 7)").strip() == "42"


def test_a_kernel_that_has_bound_may_take_its_time(tmp_path, configure, caplog):
    configure(patience=1.0)
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "mute"))
    manager.start_kernel()
    assert "has not answered after 1 s" in caplog.text
    assert manager.is_alive()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("way", ["auto", "ipc", "tcp", "unwatched"])
@pytest.mark.parametrize("missing", ["hb_port", "hb_port stdin_port control_port"])
def test_a_kernel_without_a_heartbeat_starts(tmp_path, configure, no_more_watches, warnings, way, missing):
    """As it does without the provisioner: clients of its manager do not ask for one. One that serves is alive."""
    if way == "unwatched":
        no_more_watches()
    configure(transport="ipc" if way == "unwatched" else way, patience=WAIT_S)
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "without", missing))
    manager.start_kernel()
    assert manager.transport == ("tcp" if way == "tcp" else "ipc") and warnings() == []
    manager.restart_kernel(now=True)
    assert manager.is_alive()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("way", ["tcp", "unwatched"])
def test_a_kernel_without_a_heartbeat_that_binds_twice_starts(tmp_path, configure, no_more_watches, way):
    if way == "unwatched":
        no_more_watches()
    configure(transport="ipc" if way == "unwatched" else way, patience=WAIT_S)
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "rebound", "hb_port"))
    manager.start_kernel()
    assert manager.is_alive()
    manager.shutdown_kernel(now=True)


def test_a_kernel_without_a_heartbeat_starts_beside_other_files(tmp_path_factory, configure):
    """At a path of the user's own, where files come and go."""
    configure(patience=WAIT_S)
    directory, stop = tmp_path_factory.mktemp("p"), threading.Event()

    def make_files():
        while not stop.wait(0.05):
            (directory / "other").touch()
            (directory / "other").unlink()

    others = threading.Thread(target=make_files)
    others.start()
    specs = false_kernel(directory, "without", "hb_port")
    manager = make_manager("false", kernel_spec_manager=specs, transport="ipc", ip=str(directory / "k"))
    try:
        manager.start_kernel()
    finally:
        stop.set()
        others.join()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("way", ["ipc", "tcp"])
def test_a_kernel_that_only_answers_has_not_bound(tmp_path, configure, way):
    """Half a kernel, as one is whose port of iopub was stolen."""
    configure(transport=way, patience=3.0)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "without", "hb_port iopub_port")))
    assert "did not bind its sockets" in text


INTERRUPTED = """
import asyncio
import signal
import sys
from pathlib import Path
from jupyter_client import AsyncKernelManager, AsyncMultiKernelManager
from support import false_kernel, make_manager

# As at a terminal, also where these tests run in the background and SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

caller, directory, number = sys.argv[1:]
specs = false_kernel(Path(directory), "silent", number)
manager = make_manager("false", kernel_spec_manager=specs)
if caller != "blocking":
    manager = AsyncKernelManager(kernel_name="false", kernel_spec_manager=specs, connection_file=manager.connection_file)

async def both():
    other = AsyncKernelManager(kernel_name="lua", connection_file=f"{directory}/lua.json")
    slow = asyncio.ensure_future(manager.start_kernel())
    await other.start_kernel()
    await other.shutdown_kernel(now=True)
    print("ready", flush=True)
    await slow

try:
    if caller == "blocking":
        manager.start_kernel()
    elif caller == "loop":
        asyncio.run(manager.start_kernel())
    else:
        asyncio.new_event_loop().run_until_complete(both())
except KeyboardInterrupt:
    print("interrupted", manager.has_kernel, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("caller", ["blocking", "loop", "two"])
def test_an_interrupt_from_the_keyboard_leaves_nothing(tmp_path, caller):
    """Its program goes on. Of two starts at once, the other one has come to its end."""
    number = tmp_path / "number"
    os.mkfifo(number)
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, caller, tmp_path, number],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    kernel = int(number.read_text())
    assert is_running(kernel)
    if caller == "two":
        assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "interrupted False\n"
    assert not is_running(kernel)
    program.communicate(timeout=WAIT_S)


def test_an_interrupt_reaches_every_start(tmp_path):
    """The event loop ends with the interrupt: no start may be left in it."""
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_TWICE, tmp_path], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    numbers = [int(program.stdout.readline()) for _ in range(2)]
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "interrupted False False\n"
    assert [number for number in numbers if is_running(number)] == []
    program.communicate(timeout=WAIT_S)


INTERRUPTED_TWICE = """
import asyncio
import signal
import sys
from pathlib import Path
from jupyter_client import AsyncKernelManager, AsyncMultiKernelManager
from support import false_kernel

# As at a terminal, also where these tests run in the background and SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

specs = false_kernel(Path(sys.argv[1]), "silent")
managers = [
    AsyncKernelManager(kernel_name="false", kernel_spec_manager=specs, connection_file=f"{sys.argv[1]}/{n}.json") for n in range(2)
]

async def both():
    starts = [asyncio.ensure_future(manager.start_kernel()) for manager in managers]
    while any(manager.provisioner is None or manager.provisioner.process is None for manager in managers):
        await asyncio.sleep(0)
    for manager in managers:
        print(manager.provisioner.process.pid, flush=True)
    await asyncio.gather(*starts)

try:
    asyncio.new_event_loop().run_until_complete(both())
except KeyboardInterrupt:
    print("interrupted", *[manager.has_kernel for manager in managers], flush=True)
sys.stdin.read()
"""


def test_a_kernel_without_ipc_starts_over_tcp(tmp_path, warnings):
    specs = false_kernel(tmp_path, "tcp")
    for said in (1, 2, 2):
        manager = make_manager("false", kernel_spec_manager=specs)
        manager.start_kernel()
        assert manager.transport == "tcp"
        assert len(warnings()) == said, "the third start knows"
        manager.shutdown_kernel(now=True)
    assert "ended at its start over ipc, with exit status 1" in warnings()[0]
    assert warnings()[0].endswith("it is started over tcp now")


def test_a_kernel_that_takes_other_names_over_ipc_starts_over_tcp(tmp_path, configure, warnings):
    """Nobody waits for the right ones as long as its patience is."""
    configure(patience=5.0)
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "colon"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    (line,) = warnings()
    assert "cannot be started over ipc: it has bound" in line and "/k:" in line
    manager.shutdown_kernel(now=True)


def test_a_way_that_failed_by_chance_is_tried_again(tmp_path):
    """However often that happens, as long as it works in between."""
    memory = tmp_path / "memory"
    specs = false_kernel(tmp_path, "once", str(memory))
    for transport in ("tcp", "ipc", "tcp", "ipc"):
        if transport == "tcp":
            memory.unlink(missing_ok=True)
        manager = make_manager("false", kernel_spec_manager=specs)
        manager.start_kernel()
        assert manager.transport == transport
        manager.shutdown_kernel(now=True)


def test_a_kernel_that_declares_a_handshake_and_has_none(tmp_path, configure):
    configure(patience=5.0)
    specs = specify(tmp_path, "python3", {**installed("python3"), "kernel_protocol_version": "5.6"})
    with running("python3", kernel_spec_manager=specs) as (_, client):
        assert "hello" in printed(client, "print('hello')")


@pytest.mark.skipif(not hasattr(KernelSpec, "kernel_protocol_version"), reason="jupyter_client before 8.8 does not tell")
def test_a_kernel_that_declares_a_handshake_and_ends(tmp_path, warnings):
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "tcp", kernel_protocol_version="5.6"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    assert len(warnings()) == 2
    manager.shutdown_kernel(now=True)


@pytest.mark.skipif(not hasattr(KernelSpec, "kernel_protocol_version"), reason="jupyter_client before 8.8 does not tell")
def test_a_runtime_directory_that_is_none_is_no_reason_to_give_up(tmp_path, monkeypatch):
    """The kernel's own file is not there, and its removal fails as it does on a read-only file system."""
    (tmp_path / "run").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "run"))
    specs = false_kernel(tmp_path, "tcp", kernel_protocol_version="5.6")
    manager = make_manager("false", kernel_spec_manager=specs, connection_file=str(tmp_path / "kernel.json"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    manager.shutdown_kernel(now=True)


def test_no_directory_is_short_enough(tmp_path, configure, caplog, warnings):
    """Then a kernel of which nobody knows that it says which ports it has chosen is not asked to choose: it is told."""
    configure(directory=str(tmp_path / ("x" * 100)))
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "tcp"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    assert "File name too long for sockets in it, at most 86 bytes" in caplog.text
    assert manager.provisioner._held is not None and warnings() == [], "at the first start of it"
    manager.shutdown_kernel(now=True)


def test_a_directory_that_is_not_there_is_named(tmp_path, configure, caplog):
    configure(directory=str(tmp_path / "no"))
    with running("lua") as (manager, _):
        assert manager.transport == "tcp"
    assert f"No such file or directory: '{tmp_path / 'no'}'" in caplog.text
    configure(transport="ipc")
    assert f"No such file or directory: '{tmp_path / 'no'}'" in failure(make_manager("lua"))


@pytest.mark.parametrize("directory", ["~/mine", "mine"])
def test_a_directory_is_that_of_the_home_or_of_the_launcher(configure, monkeypatch, directory):
    """The kernel's working directory is another."""
    base = Path(tempfile.mkdtemp(prefix="prv-", dir="/tmp"))
    (base / "mine").mkdir()
    monkeypatch.setenv("HOME", str(base))
    monkeypatch.chdir(base)
    configure(directory=directory, transport="ipc")
    manager = make_manager("lua")
    manager.start_kernel(cwd="/")
    assert Path(manager.ip).parent.parent == base / "mine"
    manager.shutdown_kernel(now=True)
    monkeypatch.undo()
    shutil.rmtree(base)


def test_a_port_in_use_is_named(configure):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        manager = make_manager("lua", iopub_port=other.getsockname()[1])
        with pytest.raises(KernelNotStarted) as error:
            manager.start_kernel()
        text = str(error.value)
        assert f"iopub_port {other.getsockname()[1]} cannot be had on 127.0.0.1: Address already in use" in text
        assert "choose another one, or 0 for any" in text


@pytest.mark.parametrize("patience", [0, -1, float("nan")])
def test_a_patience_that_is_none_is_told_at_once(tmp_path, configure, patience):
    configure(patience=patience)
    specs = false_kernel(tmp_path, "silent", str(tmp_path / "number"))
    text = failure(make_manager("false", kernel_spec_manager=specs))
    assert f"AdrasteaProvisioner.patience is {patience}; set it to more than 0 seconds" in text
    assert not (tmp_path / "number").exists()


@pytest.mark.parametrize("place", ["configuration", "kernelspec"])
@pytest.mark.parametrize(
    ("setting", "value", "legal"), [("transport", "icp", "'handshake'"), ("patience", "long", "float"), ("guard", 7, "boolean")]
)
def test_a_setting_that_is_none_says_what_is(tmp_path, configure, place, setting, value, legal):
    """Programs that show bad configuration as such know it by its type."""
    chosen = {"provisioner_name": "adrastea-provisioner", "config": {setting: value} if place == "kernelspec" else {}}
    if place == "configuration":
        configure(**{setting: value})
    specs = false_kernel(tmp_path, "silent", str(tmp_path / "number"), metadata={"kernel_provisioner": chosen})
    with pytest.raises(TraitError):
        make_manager("false", kernel_spec_manager=specs).start_kernel()
    text = failure(make_manager("false", kernel_spec_manager=specs))
    assert text.startswith("Kernel 'false'") and f"'{setting}'" in text and repr(value) in text and legal in text
    assert "c.AdrasteaProvisioner" in text and str(tmp_path / "kernels" / "false" / "kernel.json") in text
    assert not (tmp_path / "number").exists()


@pytest.mark.parametrize(
    ("setting", "meant"), [("transprot", "'transport'"), ("Directory", "'directory'"), ("pid", None), ("colour", None)]
)
def test_a_setting_that_is_not_there_is_named(tmp_path, setting, meant):
    """In a kernelspec; those of a configuration are traitlets' to tell of."""
    chosen = {"provisioner_name": "adrastea-provisioner", "config": {setting: "tcp"}}
    specs = false_kernel(tmp_path, "silent", str(tmp_path / "number"), metadata={"kernel_provisioner": chosen})
    text = failure(make_manager("false", kernel_spec_manager=specs))
    assert f"'{setting}' is no setting" in text and str(tmp_path / "kernels" / "false" / "kernel.json") in text
    assert (f"did you mean {meant}?" in text) if meant else ("there are answer, directory" in text)
    assert not (tmp_path / "number").exists()


def test_a_path_in_a_directory_that_is_not_there_says_what_to_do(tmp_path):
    manager = make_manager("lua", transport="ipc", ip=str(tmp_path / "no" / "k"))
    with pytest.raises(KernelNotStarted, match="make the directory of KernelManager.ip first: .*/no'"):
        manager.start_kernel()


@pytest.mark.parametrize("way", ["auto", "ipc", "port0", "handshake", "tcp"])
def test_an_address_that_is_empty_is_told_at_once(tmp_path, configure, way):
    """No process is started with it."""
    configure(transport=way)
    specs = false_kernel(tmp_path, "silent", str(tmp_path / "number"), kernel_protocol_version="5.6")
    text = failure(make_manager("false", kernel_spec_manager=specs, ip=""))
    assert "KernelManager.ip is empty" in text and "127.0.0.1" in text
    assert not (tmp_path / "number").exists()


@pytest.mark.parametrize("way", [Ipc, PortZero, Handshake, Tcp])
def test_a_start_that_cannot_be_prepared_lets_go_of_what_it_has(configure, monkeypatch, way):
    """Of sockets, and of inotify's instances, of which a user has only so many."""
    closed = []
    prepare, close = way.prepare, way.close

    def prepare_and_fail(self):
        prepare(self)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    configure(transport={Ipc: "ipc", PortZero: "port0", Handshake: "handshake", Tcp: "tcp"}[way])
    monkeypatch.setattr(way, "prepare", prepare_and_fail)
    monkeypatch.setattr(way, "close", lambda self: (closed.append(self), close(self)))
    assert "No space left on device" in failure(make_manager("lua"))
    assert len(closed) == 1


@pytest.fixture
def no_more_watches(monkeypatch):
    """Who asks for one gets the system's answer to a user who has all that he may have."""

    class Libc:
        def __init__(self, *_, **__):
            pass

        def inotify_init1(self, _):
            ctypes.set_errno(errno.EMFILE)
            return -1

    return lambda: monkeypatch.setattr(notify.ctypes, "CDLL", Libc)


@pytest.mark.parametrize("name", ["lua", "python3"])
def test_a_kernel_restarts_without_a_watch(configure, no_more_watches, name):
    """Over ipc its clients know no other address."""
    configure(transport="ipc")
    with running(name) as (manager, client):
        before = manager.get_connection_info()
        no_more_watches()
        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.get_connection_info() == before


def test_a_start_that_needs_a_watch_says_what_to_do(configure, no_more_watches):
    configure(transport="port0")
    no_more_watches()
    text = failure(make_manager("lua"))
    assert "Too many open files" in text and "raise fs.inotify.max_user_instances" in text


def test_it_starts_after_it_was_repaired(tmp_path):
    specs = specify(tmp_path, "lua", {**installed("lua"), "argv": ["/bin/false"]})
    manager = make_manager("lua", kernel_spec_manager=specs)
    failure(manager)
    manager.kernel_spec.argv = installed("lua")["argv"]
    manager.start_kernel()
    connect(manager).stop_channels()
    manager.shutdown_kernel()


@contextmanager
def server_of(specs, directory, options):
    """jupyter_server leaves a socket of a kernel that died; collected with it, the server's context waits for that for ever."""
    server = AsyncMappingKernelManager(kernel_spec_manager=specs, connection_dir=str(directory), config=Config(options))
    try:
        yield server
    finally:
        server.context.destroy(linger=0)


@pytest.mark.parametrize("options", [{}, {"AdrasteaProvisioner": {"transport": "icp"}}], ids=["dead", "misspelt"])
def test_a_server_ends_after_a_start_that_failed(tmp_path, options):
    async def fail_and_end():
        with server_of(false_kernel(tmp_path, "die"), tmp_path, options) as server:
            with pytest.raises(KernelNotStarted):
                await server.start_kernel(kernel_name="false")
            await server.shutdown_all()

    asyncio.run(fail_and_end())


@pytest.mark.parametrize("setting", [{}, {"transport": "icp"}, {"patience": 0}], ids=["dead", "misspelt", "refused"])
def test_a_server_ends_after_a_pending_kernel_that_failed(tmp_path, setting):
    """And was deleted by its user, who has seen that it did not start."""

    async def fail_and_end(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        with pytest.raises(KernelNotStarted):
            await server.get_kernel(kernel_id).ready
        await server.shutdown_kernel(kernel_id)
        assert server.list_kernel_ids() == []
        await server.shutdown_all()

    options = {"AsyncMappingKernelManager": {"use_pending_kernels": True}, "AdrasteaProvisioner": setting}
    with server_of(false_kernel(tmp_path, "die"), tmp_path, options) as server:
        asyncio.run(fail_and_end(server))


async def told(number):
    """The number that a false kernel has written."""
    deadline = time.monotonic() + WAIT_S
    while not number.exists() or not (text := number.read_text()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)  # polled: the kernel's file
    return int(text)


def test_a_server_ends_while_a_kernel_starts(tmp_path):
    """jupyter_server does not list it yet, and ends no kernel that it does not list."""
    number = tmp_path / "number"

    async def start_and_end():
        with server_of(false_kernel(tmp_path, "silent", str(number)), tmp_path, {}) as server:
            starting = asyncio.ensure_future(server.start_kernel(kernel_name="false"))
            await told(number)
            await server.shutdown_all()
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting

    asyncio.run(start_and_end())


@pytest.mark.parametrize("all_of_them", [False, True], ids=["delete", "end"])
def test_a_pending_kernel_is_ended_while_it_starts(tmp_path, all_of_them):
    """A server with use_pending_kernels lists it already, and waits for its start before it ends it."""
    number = tmp_path / "number"

    async def start_and_end(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        kernel = await told(number)
        ending = server.shutdown_all() if all_of_them else server.shutdown_kernel(kernel_id)
        await asyncio.wait_for(ending, WAIT_S)
        assert not is_running(kernel)
        await asyncio.wait_for(server.shutdown_all(), WAIT_S)
        assert number.read_text() == str(kernel), "it was not started another way"
        assert server.list_kernel_ids() == [] and list(tmp_path.glob("kernel-*")) == []

    options = {"AsyncMappingKernelManager": {"use_pending_kernels": True}, "AdrasteaProvisioner": {"patience": 3 * WAIT_S}}
    with server_of(false_kernel(tmp_path, "silent", str(number)), tmp_path, options) as server:
        asyncio.run(start_and_end(server))


def test_a_server_of_jupyter_client_waits_for_a_start(tmp_path):
    """Before it ends the kernel, as it does with kernels of any provisioner."""

    async def start_and_end():
        server = AsyncMultiKernelManager(connection_dir=str(tmp_path))
        starting = asyncio.ensure_future(server.start_kernel(kernel_name="lua", kernel_id="mine"))
        while not (files := list(tmp_path.glob("kernel-*.json"))):
            await asyncio.sleep(0)
        await server.shutdown_all()
        assert await starting == "mine" and server.list_kernel_ids() == []
        assert not any(file.exists() for file in files)
        server.context.destroy(linger=0)

    asyncio.run(start_and_end())


def test_a_server_ends_while_a_kernel_restarts(tmp_path):
    number = tmp_path / "number"

    async def restart_and_end(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        other = await server.start_kernel(kernel_name="false")
        pid = server.get_kernel(other).provisioner.pid
        number.touch()
        restarting = asyncio.ensure_future(server.restart_kernel(kernel_id))
        kernel = await told(number)
        ending = asyncio.ensure_future(server.shutdown_all(now=True))
        with suppress(ProcessLookupError):
            assert await asyncio.to_thread(await_end, pid, WAIT_S), "the other one does not wait"
        os.kill(kernel, signal.SIGINT)
        await asyncio.wait_for(ending, WAIT_S)
        with pytest.raises(KernelNotStarted):
            await restarting
        assert server.list_kernel_ids() == []

    options = {"AdrasteaProvisioner": {"transport": "tcp"}}
    with server_of(false_kernel(tmp_path, "hesitant", str(number)), tmp_path, options) as server:
        asyncio.run(restart_and_end(server))


def test_a_server_ends_while_a_kernel_ends_for_a_restart(tmp_path):
    """Which may take longer than its start. A restart that is cancelled then leaves nothing to wait for."""

    async def restart_and_end(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        manager = server.get_kernel(kernel_id)
        manager.shutdown_wait_time = 1.0
        restarting = asyncio.ensure_future(manager.restart_kernel())
        while kernel_id not in server._pending_kernels:
            await asyncio.sleep(0)
        restarting.cancel()
        with suppress(asyncio.CancelledError):
            await restarting
        assert kernel_id not in server._pending_kernels
        restarting = asyncio.ensure_future(manager.restart_kernel())
        while kernel_id not in server._pending_kernels:
            await asyncio.sleep(0)
        await asyncio.wait_for(server.shutdown_all(), WAIT_S)
        await restarting
        assert server.list_kernel_ids() == [] and not manager.has_kernel

    options = {"AdrasteaProvisioner": {"transport": "tcp"}}
    with server_of(false_kernel(tmp_path, "deaf"), tmp_path, options) as server:
        asyncio.run(restart_and_end(server))


def test_a_restart_that_fails_keeps_the_addresses():
    with running("lua") as (manager, client):
        before = manager.get_connection_info()
        argv = manager.kernel_spec.argv
        manager.kernel_spec.argv = ["/bin/false"]
        with pytest.raises(KernelNotStarted):
            manager.restart_kernel()
        assert not manager.has_kernel
        manager.kernel_spec.argv = argv
        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.get_connection_info() == before


async def restarts(specs, doom, provisioner):
    """What a server says of a kernel that is killed and does not start any more."""
    options = {"AsyncIOLoopKernelRestarter": {"time_to_dead": 0.1, "restart_limit": 3}}
    options["KernelProvisionerFactory"] = {"default_provisioner_name": provisioner}
    KernelProvisionerFactory.clear_instance()
    events, dead = [], asyncio.Event()
    with server_of(specs, doom.parent, options) as server:
        kernel_id = await server.start_kernel(kernel_name="false")
        server.add_restart_callback(kernel_id, lambda: events.append("restart"))
        server.add_restart_callback(kernel_id, dead.set, "dead")
        doom.touch()
        os.kill(server.get_kernel(kernel_id).provisioner.pid, signal.SIGKILL)
        await asyncio.wait_for(dead.wait(), WAIT_S)
        left = server.list_kernel_ids()
        await server.shutdown_all(now=True)
    doom.unlink()
    return events, left


@pytest.mark.xdist_group("ports")
def test_a_kernel_whose_restarts_fail_is_said_to_be_dead(tmp_path, configure):
    """Automatic ones, as jupyter_client's own provisioner has them."""
    doom = tmp_path / "doom"
    specs = false_kernel(tmp_path, "doomed", str(doom))
    try:
        stock = asyncio.run(restarts(specs, doom, "local-provisioner"))
        assert stock == (["restart"] * 3, [])
        assert asyncio.run(restarts(specs, doom, "adrastea-provisioner")) == stock
    finally:
        KernelProvisionerFactory.clear_instance()


def test_a_shutdown_during_a_restart_is_the_end(tmp_path, configure):
    """Of a kernel that ends at the first polite request, too: no restart follows that the user does not want any more."""
    number = tmp_path / "number"
    options = {"AsyncIOLoopKernelRestarter": {"time_to_dead": 0.1}}

    async def shut_down_during_a_restart(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        manager = server.get_kernel(kernel_id)
        number.touch()
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        first = await told(number)
        with suppress(asyncio.InvalidStateError):  # jupyter_client's own: the start that failed has its future
            await manager.shutdown_kernel()
        assert number.read_text() == str(first), "it was not started another way"
        assert not is_running(first)
        assert manager._restarter._pcallback is None, "nobody looks whether it lives"
        assert not manager.has_kernel

    with server_of(false_kernel(tmp_path, "hesitant", str(number)), tmp_path, options) as server:
        asyncio.run(shut_down_during_a_restart(server))


def test_a_shutdown_after_a_restart_that_failed_is_the_end(tmp_path, configure, monkeypatch):
    """jupyter_client forgets the kernel then, with its restarter at work."""
    doom, specs = tmp_path / "doom", false_kernel(tmp_path, "doomed", str(tmp_path / "doom"))
    pre_launch, outcomes = AdrasteaProvisioner.pre_launch, asyncio.Queue()

    async def note(self, **kwargs):
        try:
            prepared = await pre_launch(self, **kwargs)
        except KernelNotStarted as error:
            outcomes.put_nowait(str(error))
            raise
        outcomes.put_nowait("started")
        return prepared

    async def shut_down_after_a_restart(server):
        kernel_id = await server.start_kernel(kernel_name="false")
        manager = server.get_kernel(kernel_id)
        doom.touch()
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        monkeypatch.setattr(AdrasteaProvisioner, "pre_launch", note)
        assert await asyncio.wait_for(outcomes.get(), WAIT_S) == "started"
        with pytest.raises(KernelNotStarted):
            await manager.ready
        doom.unlink()
        await server.shutdown_kernel(kernel_id)
        assert "was shut down meanwhile" in await asyncio.wait_for(outcomes.get(), WAIT_S)
        assert not manager.has_kernel and list(tmp_path.glob("kernel-*")) == []

    with server_of(specs, tmp_path, {"AsyncIOLoopKernelRestarter": {"time_to_dead": 0.2}}) as server:
        asyncio.run(shut_down_after_a_restart(server))


def test_a_deaf_kernel_ends(tmp_path, configure):
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "deaf"), shutdown_wait_time=1)
    manager.start_kernel()
    pid = manager.provisioner.pid
    manager.shutdown_kernel()
    assert not is_running(pid)


@pytest.mark.parametrize("polite", [True, False], ids=["ends", "killed"])
def test_children_end_with_the_kernel(tmp_path, polite):
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "parent", str(tmp_path / "pid")))
    manager.start_kernel()
    child = int((tmp_path / "pid").read_text())
    assert is_running(child)
    kernel = manager.provisioner.process
    os.kill(kernel.pid, signal.SIGTERM if polite else signal.SIGKILL)
    os.waitid(os.P_PID, kernel.pid, os.WEXITED | os.WNOWAIT)
    assert not manager.is_alive()
    with suppress(ProcessLookupError):
        assert await_end(child, WAIT_S)
    assert not is_running(child)
    manager.shutdown_kernel(now=True)


@pytest.fixture
def behind_a_wrapper(tmp_path):
    """A kernel in a session of its own, for whose end its command waits."""

    def make(behaviour):
        kernel = [sys.executable, str(HERE / "false_kernel.py"), behaviour, "{connection_file}"]
        argv = ["/bin/sh", "-c", 'setsid "$@"; true', "sh", *kernel]
        specs = specify(tmp_path, "false", {"argv": argv, "display_name": "f", "language": "f"})
        return make_manager("false", kernel_spec_manager=specs)

    return make


def kernels_of(manager):
    return [pid for pid in guard_module._started_with(manager.connection_file, os.getpid()) if is_running(pid)]


def test_a_kernel_behind_a_wrapper_ends(behind_a_wrapper):
    manager = behind_a_wrapper("deaf")
    manager.start_kernel()
    before = kernels_of(manager)
    manager.restart_kernel(now=True)
    assert before and not any(is_running(pid) for pid in before)
    manager.shutdown_kernel(now=True)
    assert kernels_of(manager) == []


def test_a_kernel_behind_a_wrapper_that_binds_nothing_is_ended(behind_a_wrapper, configure):
    configure(patience=0.5, transport="tcp")
    manager = behind_a_wrapper("silent")
    assert "did not bind" in failure(manager)
    assert kernels_of(manager) == []


def test_a_client_that_a_kernel_has_started_stays(tmp_path):
    """As ipykernel's %qtconsole does: it finds the restarted kernel where it was."""
    manager = make_manager("lua")
    manager.start_kernel()
    while guard_module.ticks() < manager.provisioner._served_at + 1:
        time.sleep(0.001)  # polled: the clock that processes are stamped with
    environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
    client = subprocess.Popen(["sh", "-c", "sleep 1000; true", manager.connection_file], env=environment, start_new_session=True)
    manager.restart_kernel(now=True)
    manager.shutdown_kernel(now=True)
    assert client.poll() is None
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()


def test_a_start_that_is_cancelled_leaves_nothing(tmp_path):
    async def cancelled():
        manager = AsyncKernelManager(
            kernel_name="false",
            connection_file=str(tmp_path / "kernel.json"),
            kernel_spec_manager=false_kernel(tmp_path, "silent"),
        )
        starting = asyncio.ensure_future(manager.start_kernel())
        while manager.provisioner is None or manager.provisioner.process is None:
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not manager.has_kernel

    asyncio.run(cancelled())


def test_a_registered_kernel_that_is_cancelled_leaves_no_file_of_its_own(configure, runtime, monkeypatch):
    """It has written one for other clients by then, or is just about it, and is killed."""

    async def cancel(self, *_):
        while not self._own_file or not self._own_file.exists():
            await asyncio.sleep(0.01)  # polled: the kernel's file
        Path(f"{self._own_file}.0123456789abcdef.tmp").touch()
        raise asyncio.CancelledError

    configure(transport="handshake")
    monkeypatch.setattr(AdrasteaProvisioner, "_await_answer", cancel)
    with pytest.raises(asyncio.CancelledError):
        make_manager("lua").start_kernel()
    assert list(runtime.glob("kernel-*")) == []


@pytest.mark.parametrize("way", [Ipc, PortZero, Handshake, Tcp])
def test_an_error_of_the_system_during_the_wait_is_told(configure, monkeypatch, way):
    """When the registration is written into the connection file, for one."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(_):
        raise full

    configure(transport={Ipc: "ipc", PortZero: "port0", Handshake: "handshake", Tcp: "tcp"}[way])
    monkeypatch.setattr(way, "bound", fail)
    assert "No space left on device" in failure(make_manager("lua"))


def test_a_connection_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    text = failure(make_manager("lua", connection_file=str(tmp_path / "file" / "kernel.json")))
    assert "its connection file cannot be written" in text and str(tmp_path / "file") in text


def test_a_kernel_that_was_reaped_has_ended():
    """By somebody who asked whether it lives, before its start waits for it."""
    process = subprocess.Popen(["true"])
    process.wait()
    assert _wait(Answer(Connection("tcp", "127.0.0.1", {}), {}), process.pid, WAIT_S) is None


def test_a_private_directory_that_cannot_be_locked_is_removed(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(private.fcntl, "flock", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No locks"):
        PrivateDirectory(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_guard_is_told_of_its_end_at_once(tmp_path, monkeypatch):
    """Its launcher may end before a thread runs; then it would remove files that the next launcher has made by that name."""
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    mine = guard_module.Guard()
    mine.expect(tmp_path / "kernel.json", [tmp_path])
    process = mine._process
    mine.expect_no_more(tmp_path / "kernel.json")
    assert process.wait(WAIT_S) == 0
    process.stdin.close()


def test_what_a_killed_launcher_left_is_removed(tmp_path):
    base = tmp_path / "run"
    base.mkdir()
    child = os.fork()
    if child == 0:
        left = PrivateDirectory(base)
        assert left.path.is_dir()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = base.iterdir()
    private._swept.discard(base)
    kept = PrivateDirectory(base)
    assert list(base.iterdir()) == [kept.path]
    private.sweep(base)
    assert kept.path.is_dir() and kept.path != left, "that of a launcher that runs stays"
    kept.remove()
    assert list(base.iterdir()) == []


def test_what_was_left_before_it_was_locked_is_removed(tmp_path):
    """Only when its launcher is not just about to do so; one without a file to lock is of a kernel that outlives its launcher."""
    left, locked, new, independent = (tmp_path / f"new-adr-{n:08}" for n in range(4))
    for path in (left, locked, new, independent):
        path.mkdir()
        if path != independent:
            (path / "owner").touch()
        if path != new:
            os.utime(path, (1, 1))
    with (locked / "owner").open() as owner:
        private.fcntl.flock(owner, private.fcntl.LOCK_EX)
        private.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [locked, new, independent]


@pytest.mark.parametrize("way", ["ipc", "handshake"])
def test_a_kernel_restarts_whose_directory_was_removed(configure, way):
    """As cleaners of temporary directories do; its clients know no other address."""
    configure(transport=way)
    with running("lua") as (manager, client):
        before, directory = manager.get_connection_info(), Path(manager.ip).parent
        shutil.rmtree(directory)
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.get_connection_info() == before
        assert directory.stat().st_mode & 0o777 == 0o700
        private.sweep(directory.parent)
        assert directory.is_dir(), "a later launcher leaves it alone"
    assert not directory.exists()


def test_a_directory_that_is_another_users_by_now_is_not_taken(tmp_path, monkeypatch):
    mine = PrivateDirectory(tmp_path)
    mine.renew()
    shutil.rmtree(mine.path)
    mine.path.symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        mine.renew()
    mine.path.unlink()
    mine.path.mkdir(mode=0o700)
    monkeypatch.setattr(private.os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(FileExistsError):
        mine.renew()
    mine.remove()
