# SPDX-License-Identifier: BSD-3-Clause
"""Start, restart and end, as jupyter_client's managers do them."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jupyter_client import AsyncKernelManager, BlockingKernelClient
from support import PORTS, ROOT, SHUTDOWN_S, WAIT_S, connect, end, ipc_files, kernel, make_manager, run, wait_for_output

sys.path.append(str(ROOT / "tests" / "storm"))
from kernels import RenamedFiles  # noqa: E402

KERNELS_AT_ONCE = 50

LOOP = "print('running') while true do end"
STUBBORN = "print('running') while true do pcall(function() while true do end end) end"
WAITING = "print('running') io.read()"


def test_execute_over_each_transport(kernel_name, transport):
    with kernel(kernel_name, transport=transport) as (manager, client):
        cell = run(client, "print('hello')")
        assert cell.status == "ok"
        assert "hello" in cell.text()
        if transport == "ipc":
            assert all(path.is_socket() for path in ipc_files(manager.get_connection_info()))


def test_kernel_info_on_both_channels(kernel_name):
    with kernel(kernel_name) as (_, client):
        info = client.kernel_info(reply=True, timeout=WAIT_S)["content"]
        assert info["status"] == "ok"
        assert info["language_info"]["name"] == kernel_name
        assert info["protocol_version"].split(".")[0] == "5"
        request = client.session.msg("kernel_info_request")
        client.control_channel.send(request)
        reply = client.get_control_msg(timeout=WAIT_S)
        assert reply["parent_header"]["msg_id"] == request["header"]["msg_id"]
        assert reply["content"] == info


def test_control_answers_while_a_cell_runs():
    with kernel("lua") as (manager, client):
        busy = client.execute(LOOP)
        wait_for_output(client, busy, "running")
        request = client.session.msg("kernel_info_request")
        client.control_channel.send(request)
        reply = client.get_control_msg(timeout=WAIT_S)
        assert reply["content"]["language_info"]["name"] == "lua"
        assert client.is_alive()
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=WAIT_S)["content"]["status"] == "error"


def test_heartbeat_beats_while_a_cell_runs():
    with kernel("lua") as (manager, client):
        client.hb_channel.unpause()
        busy = client.execute(LOOP)
        wait_for_output(client, busy, "running")
        # The channel calls this when a beat stays out. Three of its own beats of a second each.
        missed = threading.Event()
        client.hb_channel.call_handlers = lambda since_last_heartbeat: missed.set()
        assert not missed.wait(3 * client.hb_channel.time_to_dead)
        assert client.hb_channel.is_beating()
        manager.interrupt_kernel()


def test_restart_gives_a_fresh_process_on_the_same_connection(transport):
    with kernel("lua", transport=transport) as (manager, client):
        run(client, "kept = 5")
        assert run(client, "kept").value == "5"
        first = client.kernel_info(reply=True, timeout=WAIT_S)["header"]["session"]
        connection = manager.get_connection_info(session=False)
        first_pid = manager.provisioner.process.pid
        file = Path(manager.connection_file)
        content = file.read_text(encoding="utf-8")

        manager.restart_kernel()
        client.wait_for_ready(timeout=WAIT_S)
        assert manager.provisioner.process.pid != first_pid
        assert manager.get_connection_info(session=False) == connection
        assert file.read_text(encoding="utf-8") == content
        cell = run(client, "kept")
        assert cell.value in (None, "nil")
        assert cell.reply["content"]["execution_count"] == 1
        assert cell.reply["header"]["session"] != first, "a new process is a new session"


def test_restart_while_a_cell_runs():
    with kernel("lua") as (manager, client):
        busy = client.execute(LOOP)
        wait_for_output(client, busy, "running")
        process = manager.provisioner.process
        start = time.monotonic()
        manager.restart_kernel()
        assert process.returncode == 0
        assert time.monotonic() - start < SHUTDOWN_S
        client.wait_for_ready(timeout=WAIT_S)
        assert run(client, "1 + 1").value == "2"


@pytest.mark.parametrize("code", [LOOP, STUBBORN, WAITING], ids=["loop", "stubborn", "input"])
def test_shutdown_while_a_cell_runs(code):
    manager = make_manager("lua")
    manager.start_kernel()
    client = connect(manager)
    busy = client.execute(code, allow_stdin=True)
    wait_for_output(client, busy, "running")
    end(manager)
    client.stop_channels()


def test_shutdown_reply_comes_before_the_end(kernel_name):
    manager = make_manager(kernel_name)
    manager.start_kernel()
    client = connect(manager)
    process = manager.provisioner.process
    reply = client.shutdown(reply=True, timeout=WAIT_S)
    assert reply["content"] == {"status": "ok", "restart": False}
    assert process.wait(timeout=SHUTDOWN_S) == 0
    announced = client.get_iopub_msg(timeout=WAIT_S)
    while announced["msg_type"] != "shutdown_reply":
        announced = client.get_iopub_msg(timeout=WAIT_S)
    assert announced["content"]["restart"] is False
    client.stop_channels()
    manager.cleanup_resources()


def test_sockets_are_gone_when_the_process_is(kernel_name):
    """Looked at between the process's end and the manager's own sweep."""
    manager = make_manager(kernel_name, transport="ipc")
    manager.start_kernel()
    client = connect(manager)
    files = ipc_files(manager.get_connection_info())
    assert all(path.is_socket() for path in files)
    manager.request_shutdown()
    manager.finish_shutdown()
    assert [str(path) for path in files if path.exists()] == []
    client.stop_channels()
    manager.cleanup_resources()


def test_sigterm_is_a_polite_end():
    manager = make_manager("lua", transport="ipc")
    manager.start_kernel()
    client = connect(manager)
    files = ipc_files(manager.get_connection_info())
    process = manager.provisioner.process
    os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=SHUTDOWN_S)
    assert [str(path) for path in files if path.exists()] == []
    client.stop_channels()
    manager.cleanup_resources()


def test_starts_again_after_being_killed(transport):
    with kernel("lua", transport=transport) as (manager, client):
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=WAIT_S)
        assert run(client, "1 + 1").value == "2"


def test_async_manager(kernel_name):
    async def session():
        manager = AsyncKernelManager(kernel_name=kernel_name)
        await manager.start_kernel()
        process = manager.provisioner.process
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=WAIT_S)
        seen = []
        reply = await client.execute_interactive("print('hello')", timeout=WAIT_S, output_hook=seen.append)
        assert reply["content"]["status"] == "ok"
        assert any(m["msg_type"] == "stream" and "hello" in m["content"]["text"] for m in seen)
        client.stop_channels()
        await manager.shutdown_kernel()
        assert process.returncode == 0

    asyncio.run(session())


def test_ports_are_the_kernels_choice(kernel_name, tmp_path):
    """Port 0 in the file: the kernel binds first and then writes what it got into the same file."""
    file = tmp_path / "connection.json"
    asked = {"transport": "tcp", "ip": "127.0.0.1", "key": "a key", "signature_scheme": "hmac-sha256", "x_unknown": [1]}
    file.write_text(json.dumps(asked | dict.fromkeys(PORTS, 0)), encoding="utf-8")
    argv = make_manager(kernel_name).kernel_spec.argv
    renamed = RenamedFiles(tmp_path)
    process = subprocess.Popen([argument.replace("{connection_file}", str(file)) for argument in argv])
    ended = os.pidfd_open(process.pid)
    try:
        while 0 in (ports := [json.loads(file.read_text(encoding="utf-8"))[name] for name in PORTS]):
            assert select.select([renamed.fd, ended], [], [], WAIT_S)[0] == [renamed.fd]
            renamed.read()
        assert len(set(ports)) == len(PORTS)
        got = json.loads(file.read_text(encoding="utf-8"))
        assert {name: got[name] for name in asked} == asked
        assert file.stat().st_mode & 0o777 == 0o600
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=WAIT_S)
        assert "hello" in run(client, "print('hello')").text()
        client.shutdown(reply=True, timeout=WAIT_S)
        assert process.wait(timeout=SHUTDOWN_S) == 0
        client.stop_channels()
    finally:
        renamed.close()
        os.close(ended)
        if process.poll() is None:
            process.kill()
            process.wait()


def start_one(number):
    manager = make_manager("lua", transport="ipc")
    manager.start_kernel()
    return number, manager


def test_many_kernels_at_once():
    """All start before the first is asked; each answers for itself, ends with status 0 and leaves nothing."""
    with ThreadPoolExecutor(max_workers=KERNELS_AT_ONCE) as pool:
        started = list(pool.map(start_one, range(KERNELS_AT_ONCE)))
    files = [path for _, manager in started for path in ipc_files(manager.get_connection_info())]
    clients = []
    try:
        for number, manager in started:
            client = connect(manager)
            clients.append(client)
            assert run(client, f"{number} * 2").value == str(number * 2)
    finally:
        for client in clients:
            client.stop_channels()
        processes = [manager.provisioner.process for _, manager in started]
        for _, manager in started:
            manager.request_shutdown()
        for _, manager in started:
            manager.finish_shutdown()
        left = [str(path) for path in files if path.exists()]
        for _, manager in started:
            manager.cleanup_resources()
    assert [process.returncode for process in processes] == [0] * KERNELS_AT_ONCE
    assert left == []
