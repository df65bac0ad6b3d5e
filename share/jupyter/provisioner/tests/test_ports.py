# SPDX-License-Identifier: BSD-3-Clause
"""Starts while others take every port that the system gives away."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import zmq
from support import WAIT_S, connect, false_kernel, make_manager, printed, running

from adrastea_provisioner import AdrasteaProvisioner, KernelNotStarted
from adrastea_provisioner.connection import PORTS
from adrastea_provisioner.ports import HeldPorts
from adrastea_provisioner.starts import Tcp

pytestmark = pytest.mark.xdist_group("ports")

KERNELS_AT_ONCE = 20
HELD_BY_GRABBER = 500


@contextmanager
def grabber():
    """A thread that binds ephemeral ports all the time and lets go of the oldest."""
    ended = threading.Event()
    taken = 0

    def grab():
        nonlocal taken
        held = []
        while not ended.is_set():
            held.append(socket.create_server(("127.0.0.1", 0)))
            taken += 1
            if len(held) > HELD_BY_GRABBER:
                held.pop(0).close()
        for one in held:
            one.close()

    thread = threading.Thread(target=grab)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert taken > HELD_BY_GRABBER


@pytest.mark.parametrize("way", ["auto", "port0", "handshake", "tcp"])
def test_many_kernels_while_ports_are_taken(configure, way):
    configure(transport=way)
    managers = [make_manager("lua") for _ in range(KERNELS_AT_ONCE)]
    with grabber(), ThreadPoolExecutor(KERNELS_AT_ONCE) as pool:
        list(pool.map(lambda manager: manager.start_kernel(), managers))
        for number, manager in enumerate(managers):
            client = connect(manager)
            assert str(number * 7) in printed(client, f"print({number} * 7)")
            client.stop_channels()
        list(pool.map(lambda manager: manager.shutdown_kernel(), managers))


@pytest.mark.parametrize("way", ["port0", "tcp"])
def test_restarts_while_ports_are_taken(configure, way):
    configure(transport=way)
    with running("lua") as (manager, client), grabber():
        before = manager.get_connection_info()
        for _ in range(5):
            manager.restart_kernel(now=True)
            client.wait_for_ready(timeout=WAIT_S)
        assert manager.get_connection_info() == before


@pytest.fixture
def thief(monkeypatch):
    """Takes a port that the launcher has chosen and written down, before the kernel binds it, and keeps it for a while."""
    stolen = []
    prepare, spawn = Tcp.prepare, AdrasteaProvisioner._spawn

    def take(port):
        stolen.append(socket.create_server(("127.0.0.1", port)))

    def steal(name, times, late=False):
        def prepare_and_steal(self):
            prepare(self)
            if len(stolen) < times:
                take(self._connection.ports[name])

        async def steal_and_spawn(self, *arguments):
            if len(stolen) < times:
                take(self._held.ports[name])
            return await spawn(self, *arguments)

        if late:
            monkeypatch.setattr(AdrasteaProvisioner, "_spawn", steal_and_spawn)
        else:
            monkeypatch.setattr(Tcp, "prepare", prepare_and_steal)
        return stolen

    yield steal
    for taken in stolen:
        taken.close()


@pytest.mark.parametrize(("name", "late"), [("lua", True), ("lua", False), ("python3", False), ("python3", True)])
@pytest.mark.parametrize("port", PORTS)
def test_a_stolen_port(configure, thief, caplog, name, late, port):
    """Kernels that can do nothing but tcp are started again, on ports that nobody has; late: their first process has ended, or,
    where it lives on without the socket as ipykernel does without that of iopub, has said why and is ended soon."""
    configure(transport="tcp")
    stolen = thief(port, 1, late)
    with running(name) as (manager, client):
        assert "42" in printed(client, "print(6 * 7)")
        taken = stolen[0].getsockname()[1]
        assert taken not in manager.ports
        lines = [line for line in caplog.messages if "new ports" in line]
        began = "ended at its start" in lines[0] or "found one of its ports in use" in lines[0]
        assert len(lines) == 1 and (f"{name!r}" in lines[0]) and began == late
        assert f"another program took {port} {taken}; it is started on new ports now" in lines[0]


def test_ports_that_are_always_stolen(configure, thief, caplog):
    configure(transport="tcp")
    stolen = thief("iopub_port", 100, late=True)
    with pytest.raises(KernelNotStarted, match="ended at its start over tcp"):
        make_manager("lua").start_kernel()
    assert len(stolen) == 6
    assert len([line for line in caplog.messages if "new ports" in line]) == 5


def test_a_port_that_was_stolen_for_a_moment(tmp_path, configure, caplog):
    """The kernel's own words tell of it."""
    configure(transport="tcp")
    manager = make_manager("false", kernel_spec_manager=false_kernel(tmp_path, "unlucky", str(tmp_path / "been")))
    manager.start_kernel()
    assert "another program took one of its ports" in caplog.text
    manager.shutdown_kernel(now=True)


def test_held_ports_are_given_to_nobody_but_the_kernel():
    """A kernel's socket binds what is held, and others do not; after it has gone, too."""
    held = HeldPorts("127.0.0.1", dict.fromkeys(PORTS, 0))
    port = held.ports["shell_port"]
    assert len(set(held.ports.values())) == len(PORTS)
    for _ in range(2):
        # A context of its own: only when that has ended is the port certainly free again.
        with zmq.Context() as context, context.socket(zmq.ROUTER) as kernel:
            kernel.bind(f"tcp://127.0.0.1:{port}")
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    held.close()
    with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", port)):
        HeldPorts("127.0.0.1", {"shell_port": port})
