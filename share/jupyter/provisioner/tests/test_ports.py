# SPDX-License-Identifier: BSD-3-Clause
"""Starts while others take every port that the system gives away."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import zmq
from support import WAIT_S, connect, make_manager, printed, running

from adrastea_provisioner.connection import PORTS
from adrastea_provisioner.ports import HeldPorts

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
