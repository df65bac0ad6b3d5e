# SPDX-License-Identifier: BSD-3-Clause
"""The registration handshake (JEP 66), against registrars of both dialects that are written here from the documents."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest
import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.session import Session
from support import BUILD, PORTS, WAIT_S

PROGRAM = BUILD / "bin" / "adrastea-lua"
PATIENCE_S = 5  # Limits::handshake


class Registrar:
    """A launcher's side: writes the registration file, starts the kernel and has a socket where it registers."""

    def __init__(self, folder, kind, transport="tcp", **fields):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.key = uuid.uuid4().hex
        self.kernel_id = str(uuid.uuid4())
        self.folder = folder
        if transport == "tcp":
            self.ip = "127.0.0.1"
            self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        else:
            self.ip, self.port = str(folder / "k"), 9
            self.socket.bind(f"ipc://{self.ip}-{self.port}")
        self.file = folder / "registration.json"
        content = {"transport": transport, "signature_scheme": "hmac-sha256", "key": self.key,
                   "registration_port": self.port, **fields}
        self.file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
        self.process = None

    def start(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "-f", self.file, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True)

    def sign(self, *frames):
        return hmac.new(self.key.encode(), b"".join(frames), hashlib.sha256).hexdigest().encode()

    def receive(self):
        assert self.socket.poll(WAIT_S * 1000), self.failed()[1]
        return self.socket.recv_multipart()

    def failed(self):
        """Status and the last line on stderr of a kernel that ends by itself."""
        _, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, err.strip().splitlines()[-1] if err.strip() else ""

    def close(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process:
            self.process.stdout.close()
            self.process.stderr.close()
        self.context.destroy(linger=0)


@pytest.fixture
def registrar(tmp_path_factory):
    made = []

    def make(*arguments, **fields):
        made.append(Registrar(Path(tmp_path_factory.mktemp("r")), *arguments, **fields))
        return made[-1]

    yield make
    for one in made:
        one.close()


def documented(registrar, transport="tcp", **fields):
    made = registrar(zmq.ROUTER, transport, **fields)
    content = json.loads(made.file.read_text())
    content.setdefault("registration_ip", made.ip)
    content.setdefault("kernel_id", made.kernel_id)
    made.file.write_text(json.dumps(content))
    return made


def positron(registrar, transport="tcp"):
    made = registrar(zmq.REP, transport)
    made.file.write_text(json.dumps({**json.loads(made.file.read_text()), "ip": made.ip}))
    return made


def take_ports(made):
    """The documented registration: [identity, delimiter, signature, content]."""
    identity, delimiter, signature, content = made.receive()
    assert delimiter == b"<IDS|MSG>"
    assert signature == made.sign(content)
    ports = json.loads(content)
    assert ports.pop("kernel_id") == made.kernel_id
    assert sorted(ports) == sorted(PORTS)
    assert all(isinstance(port, str) for port in ports.values())
    return identity, {name: int(port) for name, port in ports.items()}


def acknowledge(made, identity, content=b"ACK", signature=None):
    made.socket.send_multipart([identity, b"<IDS|MSG>", signature or made.sign(content), content])


def use(made, ports):
    """Runs a cell and ends the kernel, as a launcher that knows the ports does."""
    client = BlockingKernelClient()
    client.load_connection_info({"transport": "tcp" if made.ip == "127.0.0.1" else "ipc", "ip": made.ip, "key": made.key,
                                 "signature_scheme": "hmac-sha256", **ports})
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT_S)
        assert client.execute_interactive("x = 6 * 7", timeout=WAIT_S, output_hook=lambda _: None)["content"]["status"] == "ok"
        own = own_file(made)
        written = json.loads(own.read_text())
        assert {name: written[name] for name in PORTS} == ports
        assert written["key"] == made.key
        assert own.stat().st_mode & 0o777 == 0o600
        client.shutdown()
        made.process.wait(timeout=WAIT_S)
        assert made.process.returncode == 0, made.failed()
        assert not own.exists(), "the kernel's own connection file outlived it"
        assert made.file.exists(), "the registration file is the launcher's"
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


def own_file(made):
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    named = runtime / f"kernel-{made.kernel_id}.json"
    return named if named.exists() else runtime / f"kernel-{made.process.pid}.json"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_documented(registrar, transport):
    made = documented(registrar, transport)
    made.start()
    identity, ports = take_ports(made)
    acknowledge(made, identity)
    use(made, ports)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_positron(registrar, transport):
    made = positron(registrar, transport)
    made.start()
    session = Session(key=made.key.encode())
    _, frames = session.feed_identities(made.receive())
    request = session.deserialize(frames)
    assert request["msg_type"] == "handshake_request"
    ports = request["content"]
    assert sorted(ports) == sorted(PORTS)
    assert all(isinstance(port, int) for port in ports.values())
    reply = session.msg("handshake_reply", {"status": "ok"}, parent=request)
    made.socket.send_multipart(session.serialize(reply))
    use(made, ports)


def test_port_as_text(registrar):
    """xeus's launchers write it so."""
    made = documented(registrar)
    content = json.loads(made.file.read_text())
    made.file.write_text(json.dumps({**content, "registration_port": str(content["registration_port"])}))
    made.start()
    identity, ports = take_ports(made)
    acknowledge(made, identity, b"{}")
    use(made, ports)


def test_any_acknowledgement_counts_that_is_signed(registrar):
    made = documented(registrar)
    made.start()
    identity, ports = take_ports(made)
    acknowledge(made, identity, b'{"anything": ["goes"]}')
    use(made, ports)


def test_restart_with_the_same_registration_file(registrar):
    made = documented(registrar)
    for _ in range(3):
        made.start()
        identity, ports = take_ports(made)
        acknowledge(made, identity)
        use(made, ports)
        made.process.stdout.close()
        made.process.stderr.close()


@pytest.mark.parametrize("frames", [
    lambda made: [b"<IDS|MSG>", b"0" * 64, b"ACK"],
    lambda made: [b"<IDS|MSG>", b"", b"ACK"],
    lambda made: [b"<IDS|MSG>", made.sign(b"ACK")],
    lambda made: [b"ACK"],
    lambda made: [b"", b"", b"", b""],
], ids=["forged", "unsigned", "short", "bare", "empty"])
def test_a_lying_registrar_ends_the_kernel(registrar, frames):
    made = documented(registrar)
    made.start()
    identity, _ = take_ports(made)
    made.socket.send_multipart([identity, *frames(made)])
    status, line = made.failed()
    assert status == 1
    assert "cannot register at tcp://127.0.0.1:" in line and "acknowledgement" in line and made.key not in line


def test_a_refusal_ends_the_kernel(registrar):
    made = positron(registrar)
    made.start()
    session = Session(key=made.key.encode())
    _, frames = session.feed_identities(made.receive())
    request = session.deserialize(frames)
    made.socket.send_multipart(session.serialize(session.msg("handshake_reply", {"status": "error"}, parent=request)))
    status, line = made.failed()
    assert status == 1 and "refused" in line


def test_a_silent_registrar_ends_the_kernel(registrar):
    made = documented(registrar)
    made.start()
    take_ports(made)
    status, line = made.failed()
    assert status == 1 and f"no acknowledgement within {PATIENCE_S * 1000} ms" in line


def test_an_absent_registrar_ends_the_kernel(registrar):
    made = documented(registrar)
    made.socket.close(linger=0)
    made.start()
    status, line = made.failed()
    assert status == 1 and "no acknowledgement" in line


def test_a_failed_registration_leaves_nothing(registrar):
    made = documented(registrar, "ipc")
    made.start()
    take_ports(made)
    assert made.failed()[0] == 1
    assert [path.name for path in made.folder.iterdir() if path.is_socket()] == [f"k-{made.port}"]
    assert not own_file(made).exists()
