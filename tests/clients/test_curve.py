# SPDX-License-Identifier: BSD-3-Clause
"""Encrypted sockets (CurveZMQ, JEP 145), as jupyter_client asks for them and as others try to get around them."""

import json
import subprocess
import uuid

import pytest
import zmq
from jupyter_client.session import Session
from support import BUILD, PORTS, WAIT_S, connect, end, make_manager, run

PROGRAM = BUILD / "bin" / "adrastea-lua"


def text(key):
    return key.decode() if isinstance(key, bytes) else key


def encrypted_manager(policy, transport, name="lua"):
    manager = make_manager(name, transport=transport)
    manager.transport_encryption = policy
    return manager


@pytest.mark.parametrize("policy", ["auto", "required"])
def test_jupyter_client_encrypts(policy, transport, kernel_name):
    manager = encrypted_manager(policy, transport, kernel_name)
    manager.start_kernel()
    client = connect(manager)
    try:
        info = manager.get_connection_info()
        assert info["curve_publickey"] and info["curve_secretkey"], "jupyter_client did not ask for encryption"
        with open(manager.connection_file, encoding="utf-8") as file:
            written = json.load(file)
        assert text(written["curve_secretkey"]) == text(info["curve_secretkey"])
        assert run(client, "print('hello')").status == "ok"
        manager.interrupt_kernel()
        assert client.is_alive()
        client.stop_channels()
        manager.restart_kernel(now=False)
        client = connect(manager)
        assert "again" in run(client, "print('again')").text()
    finally:
        client.stop_channels()
        end(manager)


def start(tmp_path, transport="tcp", **fields):
    """A kernel started by hand; its file and its process."""
    file = tmp_path / "kernel.json"
    ip = "127.0.0.1" if transport == "tcp" else str(tmp_path / "k")
    content = {"transport": transport, "ip": ip, "key": uuid.uuid4().hex, "signature_scheme": "hmac-sha256",
               **dict.fromkeys(PORTS, 0), **fields}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    file.chmod(0o600)
    process = subprocess.Popen([PROGRAM, "-f", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return file, process


def keypair():
    public, secret = zmq.curve_keypair()
    return {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}


def refused(tmp_path, **fields):
    """The line that a kernel ends with; nothing in it gives a key away."""
    _, process = start(tmp_path, **fields)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1, err
    lines = err.strip().splitlines()
    assert len(lines) == 1 and f"connection file {tmp_path / 'kernel.json'}: " in lines[0], err
    for name in ("curve_publickey", "curve_secretkey"):
        assert not isinstance(fields.get(name), str) or fields[name] not in err
    return lines[0]


def test_one_key_without_the_other_ends_the_kernel(tmp_path):
    keys = keypair()
    assert "curve_secretkey is missing" in refused(tmp_path, curve_publickey=keys["curve_publickey"])
    assert "curve_publickey is missing" in refused(tmp_path, curve_secretkey=keys["curve_secretkey"])


def test_bad_keys_end_the_kernel(tmp_path):
    keys = keypair()
    assert "40 characters of Z85" in refused(tmp_path, **{**keys, "curve_secretkey": "short"})
    assert "40 characters of Z85" in refused(tmp_path, **{**keys, "curve_publickey": "~" * 40})
    assert "does not belong" in refused(tmp_path, **{**keys, "curve_publickey": keypair()["curve_publickey"]})


NO_CURVE = BUILD / "lib" / "libno-curve.so"


def test_a_libzmq_without_curve_ends_the_kernel(tmp_path, monkeypatch):
    """Never in plain text what was to be encrypted."""
    monkeypatch.setenv("LD_PRELOAD", str(NO_CURVE))
    for transport in ("tcp", "ipc"):
        line = refused(tmp_path, transport=transport, **keypair())
        assert "this libzmq was built without" in line and "install a libzmq with curve" in line


def test_a_libzmq_without_curve_is_not_declared(tmp_path, monkeypatch):
    """jupyter_client then does not ask for encryption, or refuses where it is required."""
    for preloaded, declared in (("", {"supported_encryption": ["curve"]}), (str(NO_CURVE), {})):
        monkeypatch.setenv("LD_PRELOAD", preloaded)
        prefix = tmp_path / ("without" if preloaded else "with")
        subprocess.run([PROGRAM, "install", "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        spec = json.loads((prefix / "share" / "jupyter" / "kernels" / "lua" / "kernel.json").read_text())
        assert {name: spec["metadata"].get(name) for name in declared} == declared
        assert ("supported_encryption" in spec["metadata"]) == bool(declared)


def started(tmp_path, **keys):
    """A kernel that chose its ports but one, and the file that it has rewritten: it answers there only after that."""
    file, process = start(tmp_path, "ipc", control_port=4, **keys)
    asked = json.loads(file.read_text())
    with zmq.Context() as context, context.socket(zmq.DEALER) as control:
        control.linger = 0
        control.curve_serverkey = keys["curve_publickey"].encode()
        control.curve_publickey, control.curve_secretkey = zmq.curve_keypair()
        control.connect(f"ipc://{asked['ip']}-{asked['control_port']}")
        session = Session(key=asked["key"].encode())
        session.send(control, "kernel_info_request")
        assert control.poll(WAIT_S * 1000), "the kernel does not answer"
    return json.loads(file.read_text()), process


def test_a_client_in_plain_text_gets_nothing(tmp_path):
    info, process = started(tmp_path, **keypair())
    try:
        context = zmq.Context()
        kinds = {"shell_port": zmq.DEALER, "control_port": zmq.DEALER, "stdin_port": zmq.DEALER, "hb_port": zmq.REQ, "iopub_port": zmq.SUB}
        for name, kind in kinds.items():
            socket = context.socket(kind)
            socket.linger = 0
            monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                                                | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
            if kind == zmq.SUB:
                socket.subscribe(b"")
            socket.connect(f"ipc://{info['ip']}-{info[name]}")
            assert monitor.poll(WAIT_S * 1000), f"nothing happened on {name}"
            event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
            assert event != zmq.EVENT_HANDSHAKE_SUCCEEDED, f"{name} talks to anybody"
            socket.disable_monitor()
        context.destroy(linger=0)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=WAIT_S)
    assert info["curve_secretkey"] not in err


def test_the_rewritten_file_keeps_the_keys(tmp_path):
    keys = keypair()
    info, process = started(tmp_path, **keys)
    try:
        assert all(info[name] for name in PORTS)
        assert {name: info[name] for name in keys} == keys
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)
