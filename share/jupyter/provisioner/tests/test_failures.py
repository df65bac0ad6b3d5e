# SPDX-License-Identifier: BSD-3-Clause
"""Kernels that do not start, do not end, or leave something behind."""

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress

import pytest
from jupyter_client import AsyncKernelManager
from support import WAIT_S, await_end, connect, false_kernel, installed, is_running, make_manager, printed, running, specify

from adrastea_provisioner import KernelNotStarted, private
from adrastea_provisioner.private import PrivateDirectory


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


def test_a_kernel_that_is_killed_names_the_signal(tmp_path):
    assert "signal SIGABRT" in failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "killed")))


def test_a_program_that_is_not_there(tmp_path):
    specs = specify(tmp_path, "none", {"argv": ["/no/such/kernel"], "display_name": "none", "language": "none"})
    assert "No such file" in failure(make_manager("none", kernel_spec_manager=specs))


def test_a_dead_kernel_is_noticed_at_once(tmp_path, configure, record_property):
    """From the process's end to the error; the middle one of several, for the machine may be busy."""
    configure(transport="ipc")
    specs = specify(tmp_path, "false", {"argv": ["/bin/sh", "-c", "date +%s.%N >&2"], "display_name": "f", "language": "f"})
    took = []
    for _ in range(9):
        text = failure(make_manager("false", kernel_spec_manager=specs))
        took.append(time.time() - float(text.rpartition("\n")[2]))
    record_property("noticed_ms", round(1000 * sorted(took)[4], 1))
    print(f"noticed after {1000 * sorted(took)[4]:.1f} ms")


@pytest.mark.parametrize("way", ["ipc", "port0", "handshake"])
def test_a_kernel_that_binds_nothing_is_ended(tmp_path, configure, way):
    configure(transport=way, patience=1.0)
    text = failure(make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "silent")))
    assert f"did not bind its sockets over {way} within 1 s" in text


def test_a_kernel_that_takes_its_time_over_tcp_is_left_alone(tmp_path, configure, caplog):
    configure(transport="tcp", patience=1.0)
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "silent"))
    manager.start_kernel()
    assert "has not bound its sockets after 1 s" in caplog.text
    assert manager.is_alive()
    manager.shutdown_kernel(now=True)


def test_a_kernel_without_ipc_starts_over_tcp(tmp_path, warnings):
    specs = false_kernel(tmp_path, "tcp")
    for _ in range(2):
        manager = make_manager("false", kernel_spec_manager=specs)
        manager.start_kernel()
        assert manager.transport == "tcp"
        assert len(warnings()) == 1, "the second start knows"
        manager.shutdown_kernel(now=True)
    assert "ended at its start over ipc, with exit status 1" in warnings()[0]
    assert warnings()[0].endswith("it is started over tcp now")


def test_a_kernel_that_declares_a_handshake_and_has_none(tmp_path, configure):
    configure(patience=5.0)
    specs = specify(tmp_path, "python3", {**installed("python3"), "kernel_protocol_version": "5.6"})
    with running("python3", kernel_spec_manager=specs) as (_, client):
        assert "hello" in printed(client, "print('hello')")


def test_a_kernel_that_declares_a_handshake_and_ends(tmp_path, warnings):
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "tcp", kernel_protocol_version="5.6"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    assert len(warnings()) == 2
    manager.shutdown_kernel(now=True)


def test_no_directory_is_short_enough(tmp_path, configure, caplog):
    configure(directory=str(tmp_path / ("x" * 100)))
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "tcp"))
    manager.start_kernel()
    assert manager.transport == "tcp"
    assert [r.getMessage() for r in caplog.records if "no directory is short enough" in r.getMessage()]
    manager.shutdown_kernel(now=True)


def test_it_starts_after_it_was_repaired(tmp_path):
    specs = specify(tmp_path, "lua", {**installed("lua"), "argv": ["/bin/false"]})
    manager = make_manager("lua", kernel_spec_manager=specs)
    failure(manager)
    manager.kernel_spec.argv = installed("lua")["argv"]
    manager.start_kernel()
    connect(manager).stop_channels()
    manager.shutdown_kernel()


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
