# SPDX-License-Identifier: BSD-3-Clause
"""Every way to start, with every kernel: it runs, can be interrupted and restarted, and ends."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
from support import WAIT_S, connect, installed, make_manager, printed, running, specify

from adrastea_provisioner import KernelNotStarted
from adrastea_provisioner.connection import PORTS
from adrastea_provisioner.ports import HeldPorts

LOOPS = {"lua": "print('running') while true do end", "python3": "print('running', flush=True)\nwhile True: pass"}
WAYS = {"auto": "ipc", "ipc": "ipc", "port0": "tcp", "handshake": "ipc", "tcp": "tcp"}


STARTS = [(name, way) for name in ("lua", "echo", "python3") for way in WAYS if (name, way) != ("python3", "handshake")]


@pytest.fixture
def way(request, configure):
    """A way to start, which the configuration asks for."""
    configure(transport=request.param)
    return request.param


every_start = pytest.mark.parametrize(("name", "way"), STARTS, indirect=["way"])


@every_start
def test_runs_and_restarts(name, way):
    """A client that was connected before finds the restarted kernel where it was."""
    with running(name) as (manager, client):
        assert manager.transport == WAYS[way]
        assert "hello" in printed(client, "print('hello')")
        before, file = manager.get_connection_info(), Path(manager.connection_file).read_text(encoding="utf-8")
        pid = manager.provisioner.process.pid
        for now in (False, True):
            manager.restart_kernel(now=now)
            client.wait_for_ready(timeout=WAIT_S)
            assert "again" in printed(client, "print('again')")
        assert manager.provisioner.process.pid != pid
        assert manager.get_connection_info() == before
        assert Path(manager.connection_file).read_text(encoding="utf-8") == file


@every_start
def test_the_file_serves_another_client(name, way):
    with running(name) as (manager, _):
        file = Path(manager.connection_file)
        assert file.stat().st_mode & 0o777 == 0o600
        content = json.loads(file.read_text(encoding="utf-8"))
        assert {key: content[key] for key in (*PORTS, "transport", "ip")} == {
            key: manager.get_connection_info()[key] for key in (*PORTS, "transport", "ip")
        }
        other = manager.client_factory(connection_file=str(file))
        other.load_connection_file()
        other.start_channels()
        other.wait_for_ready(timeout=WAIT_S)
        other.stop_channels()


@pytest.mark.parametrize(("name", "way"), [start for start in STARTS if start[0] in LOOPS], indirect=["way"])
def test_interrupts(name, way):
    with running(name) as (manager, client):
        busy = client.execute(LOOPS[name], stop_on_error=False)
        while (message := client.get_iopub_msg(timeout=WAIT_S))["msg_type"] != "stream":
            assert message["msg_type"] in ("status", "execute_input")
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=WAIT_S))["parent_header"]["msg_id"] != busy:
            pass
        assert reply["content"]["status"] == "error"
        assert "hello" in printed(client, "print('hello')")


@pytest.mark.skipif(not hasattr(KernelManager, "transport_encryption"), reason="jupyter_client before 8.9 does not encrypt")
@every_start
def test_encrypts(name, way):
    manager = make_manager(name, transport_encryption="required")
    manager.start_kernel()
    client = connect(manager)
    keys = ("curve_publickey", "curve_secretkey")
    before = {key: manager.get_connection_info()[key] for key in keys}
    assert json.loads(Path(manager.connection_file).read_text(encoding="utf-8")).items() >= before.items()
    manager.restart_kernel()
    client.wait_for_ready(timeout=WAIT_S)
    assert {key: manager.get_connection_info()[key] for key in keys} == before
    client.stop_channels()
    manager.shutdown_kernel()


@pytest.mark.parametrize("way", list(WAYS), indirect=True)
def test_new_ports_are_asked_for(way):
    """The restarter does so when a kernel dies soon after its start."""
    manager = make_manager("lua")
    manager.start_kernel()
    before = manager.get_connection_info()
    manager.restart_kernel(now=True, newports=True)
    if WAYS[way] == "tcp":
        assert {port: manager.get_connection_info()[port] for port in PORTS} != {port: before[port] for port in PORTS}
    client = connect(manager)
    assert "hello" in printed(client, "print('hello')")
    client.stop_channels()
    manager.shutdown_kernel()


def test_sockets_are_private(configure):
    configure(transport="ipc")
    with running("lua") as (manager, _):
        directory = Path(manager.ip).parent
        assert directory.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in directory.iterdir() if path.is_socket()) == [f"k-{n}" for n in range(1, 6)]
    assert not directory.exists()


def test_handshake_over_tcp(configure, tmp_path):
    """Where no directory is short enough for sockets."""
    configure(transport="handshake", directory=str(tmp_path / ("x" * 100)))
    with running("lua") as (manager, client):
        assert manager.transport == "tcp"
        before = manager.get_connection_info()
        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.get_connection_info() == before


def test_a_killed_kernel_leaves_no_file_of_its_own(configure, runtime):
    configure(transport="handshake")
    manager = make_manager("lua")
    manager.start_kernel()
    assert len(list(runtime.glob("kernel-*.json"))) == 2
    manager.shutdown_kernel(now=True)
    assert list(runtime.glob("kernel-*.json")) == []


@pytest.mark.skipif(not hasattr(KernelSpec, "kernel_protocol_version"), reason="jupyter_client before 8.8 does not tell")
@pytest.mark.parametrize(("declared", "registers"), [("5.6", True), ("5.6.0", True), ("6.0", True), ("5.5.9", False), ("5", False)])
def test_the_version_of_the_protocol_decides(tmp_path, runtime, declared, registers):
    """With three numbers, as JEP 105 has it, or with two, as Positron reads it."""
    specs = specify(tmp_path, "lua", {**installed("lua"), "kernel_protocol_version": declared})
    with running("lua", kernel_spec_manager=specs):
        assert len(list(runtime.glob("kernel-*.json"))) == (2 if registers else 1), "its own file, for other clients"


def test_the_kernelspec_decides(tmp_path, configure):
    configure(transport="ipc")
    chosen = {"kernel_provisioner": {"provisioner_name": "adrastea-provisioner", "config": {"transport": "port0"}}}
    specs = specify(tmp_path, "lua", {**installed("lua"), "metadata": chosen})
    with running("lua", kernel_spec_manager=specs) as (manager, _):
        assert manager.transport == "tcp"
        assert manager.provisioner.transport == "port0"


@pytest.mark.xdist_group("ports")
def test_ports_of_the_managers_configuration_stay():
    free = HeldPorts("127.0.0.1", dict.fromkeys(PORTS, 0))
    free.close()
    with running("lua", **free.ports) as (manager, client):
        assert {port: manager.get_connection_info()[port] for port in PORTS} == free.ports
        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)
        assert {port: manager.get_connection_info()[port] for port in PORTS} == free.ports


def test_a_path_of_the_managers_configuration_stays(tmp_path_factory):
    """Over ipc the ip is a path: sockets that nobody listens on are replaced, others are left alone."""
    prefix = str(tmp_path_factory.mktemp("p") / "mine")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{prefix}-7")
    with running("lua", transport="ipc", ip=prefix, shell_port=7) as (manager, client):
        assert (manager.transport, manager.ip, manager.shell_port) == ("ipc", prefix, 7)
        assert sorted(manager.ports) == [1, 2, 3, 4, 7]
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.ip == prefix
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(f"{prefix}-7")
        live.listen()
        manager = make_manager("lua", transport="ipc", ip=prefix, shell_port=7)
        with pytest.raises(KernelNotStarted, match=f"Address already in use: '{prefix}-7'"):
            manager.start_kernel()
        assert (manager.transport, manager.ip) == ("ipc", prefix), "as before the start"


@pytest.mark.parametrize("name", ["python3", "lua"])
@pytest.mark.parametrize("reason", ["address", "directory"])
def test_without_ipc_the_kernel_chooses_its_ports(configure, tmp_path, caplog, reason, name):
    """Where it is known to say which, as ipykernel does, it has all the time that it needs."""
    options = {"ip": "0.0.0.0"} if reason == "address" else {}
    if reason == "directory":
        configure(directory=str(tmp_path / ("x" * 100)))
    specs = specify(tmp_path, name, {**installed(name), "kernel_protocol_version": "5.5"})
    with running(name, kernel_spec_manager=specs, **options) as (manager, client):
        assert (manager.transport, manager.ip) == ("tcp", options.get("ip", "127.0.0.1"))
        assert manager.provisioner._held is None, "no ports were chosen for it"
        assert "it is started over" not in caplog.text
        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)


def test_another_address_is_not_replaced_by_ipc():
    with running("lua", ip="0.0.0.0") as (manager, _):
        assert (manager.transport, manager.ip) == ("tcp", "0.0.0.0")


def test_a_kernel_may_outlive_its_launcher():
    manager = make_manager("lua")
    manager.start_kernel(independent=True)
    assert Path(manager.ip).parent.name.startswith("new-adr-")
    assert manager.provisioner._stderr is None
    connect(manager).stop_channels()
    manager.shutdown_kernel()


def test_a_kernel_outlives_a_launcher_that_was_started_by_another(tmp_path, monkeypatch):
    """That one's number is none of the kernel's business."""
    other = subprocess.Popen(["true"])
    other.wait()
    monkeypatch.setenv("JPY_PARENT_PID", str(other.pid))
    manager = make_manager("lua", connection_file=str(tmp_path / "kernel.json"))
    manager.start_kernel(independent=True)
    environment = Path(f"/proc/{manager.provisioner.pid}/environ").read_bytes()
    assert b"JPY_PARENT_PID=" not in environment
    manager.shutdown_kernel()


@pytest.mark.parametrize("way", WAYS, indirect=True)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_manager_starts_again_after_a_shutdown(way, restarted):
    with zmq.Context() as context:
        manager = make_manager("lua", context=context)
        for _ in range(2):
            manager.start_kernel()
            if restarted:
                manager.restart_kernel(now=True)
            client = connect(manager)
            assert printed(client, "print(6 * 7)") == "42\n"
            client.stop_channels()
            manager.shutdown_kernel(now=True)


FORKING = """
import os, sys
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
from traitlets.config import Config
manager = KernelManager(kernel_name="lua", config=Config({"AdrasteaProvisioner": {"transport": "ipc"}}))
manager.start_kernel()
if os.fork() == 0:
    sys.exit(0)
os.wait()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.stop_channels()
manager.shutdown_kernel()
"""


def test_a_fork_of_the_launcher_takes_nothing_with_it():
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=3 * WAIT_S)
