# SPDX-License-Identifier: BSD-3-Clause
"""The registration handshake (JEP 66), against registrars of both dialects that are written here from the documents."""

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
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

    def start(self, *arguments, **options):
        self.process = subprocess.Popen([PROGRAM, "-f", self.file, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True, **options)

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


@contextmanager
def connected(made, ports, **keys):
    """A client of a kernel that answers, and so has written its own connection file."""
    client = BlockingKernelClient()
    client.load_connection_info({"transport": "tcp" if made.ip == "127.0.0.1" else "ipc", "ip": made.ip, "key": made.key,
                                 "signature_scheme": "hmac-sha256", **ports, **keys})
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT_S)
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


def use(made, ports, **keys):
    """Runs a cell and ends the kernel, as a launcher that knows the ports does."""
    with connected(made, ports, **keys) as client:
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
    reply["metadata"] = None  # as Positron's own supervisor has it
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


def runtime_files():
    return sorted(path.name for path in Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("kernel-*"))


def register(made, *arguments):
    made.start(*arguments)
    identity, ports = take_ports(made)
    acknowledge(made, identity)
    return ports


def wait_until_written(made, ports):
    """The kernel's own file says these ports."""
    with connected(made, ports):
        assert str(ports["hb_port"]) in own_file(made).read_text()


def test_the_file_of_a_kernel_that_was_killed_is_replaced(registrar):
    before = runtime_files()
    made = documented(registrar)
    wait_until_written(made, register(made))
    made.process.kill()
    made.process.communicate()
    assert len(runtime_files()) == len(before) + 1
    ports = register(made)
    wait_until_written(made, ports)
    assert len(runtime_files()) == len(before) + 1, "no second one beside it"
    use(made, ports)
    assert runtime_files() == before


def test_a_kernel_that_ends_leaves_the_file_of_its_successor(registrar):
    made = documented(registrar)
    wait_until_written(made, register(made))
    earlier = made.process
    ports = register(made)
    wait_until_written(made, ports)
    earlier.terminate()
    earlier.communicate(timeout=WAIT_S)
    use(made, ports)


@pytest.mark.parametrize("kind", ["key", "link", "text", "registration", "launcher", "empty"])
def test_a_file_that_no_kernel_of_this_registration_has_made_stays(registrar, kind):
    made = documented(registrar)
    file = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"kernel-{made.kernel_id}.json"
    second = file.with_name(f"kernel-{made.kernel_id}-2.json")
    try:
        if kind == "link":
            (made.folder / "linked.json").write_text(json.dumps({"key": made.key}))
            file.symlink_to(made.folder / "linked.json")
        elif kind == "registration":
            file.write_text(made.file.read_text())
        elif kind == "launcher":
            file.write_text(json.dumps({"transport": "tcp", "ip": made.ip, "key": made.key, **dict.fromkeys(PORTS, 0)}))
        elif kind == "empty":
            file.touch()
        else:
            file.write_text(json.dumps({"key": uuid.uuid4().hex}) if kind == "key" else "precious")
        content = file.read_text()
        with connected(made, register(made)):
            assert second.read_text()
        made.process.terminate()
        made.process.communicate(timeout=WAIT_S)
        assert file.read_text() == content
        assert not second.exists()
    finally:
        file.unlink()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_its_launcher_makes_meanwhile_stays(registrar, replaced):
    """It knows the ports before it acknowledges them, and may tell its own clients."""
    before = runtime_files()
    made = documented(registrar)
    made.start()
    identity, ports = take_ports(made)
    file = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"kernel-{made.kernel_id}.json"
    written = made.folder / "written.json" if replaced else file
    content = json.dumps({"transport": "tcp", "ip": made.ip, "key": made.key, "signature_scheme": "hmac-sha256", **ports})
    try:
        written.write_text(content)
        written.rename(file)
        acknowledge(made, identity)
        with connected(made, ports):
            assert str(ports["hb_port"]) in file.with_name(f"kernel-{made.kernel_id}-2.json").read_text()
        made.process.terminate()
        made.process.communicate(timeout=WAIT_S)
        assert file.read_text() == content
        assert runtime_files() == sorted([*before, file.name])
    finally:
        file.unlink()


@pytest.mark.parametrize("name", ["registrar.example", "registrar:example", "[::1", "fe80::registrar"])
def test_a_registrar_whose_name_would_have_to_be_looked_up(registrar, name):
    """That may take as long as a name server does not answer."""
    made = documented(registrar, registration_ip=name)
    made.start()
    status, line = made.failed()
    assert status == 1 and f"registration_ip must be an address in numbers, or localhost, not {name}" in line
    assert "the launcher must look the name up" in line


@contextmanager
def disposition(number, action):
    """What the processes inherit that are started meanwhile."""
    before = signal.signal(number, action)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_polite_end_is_not_held_up_by_a_registrar(registrar, number):
    made = documented(registrar)
    with disposition(number, signal.SIG_DFL):
        made.start()
    take_ports(made)
    begin = time.monotonic()
    made.process.send_signal(number)
    status, line = made.failed()
    took = time.monotonic() - begin
    assert status == 1 and f"{number.name} came before the acknowledgement" in line
    assert took < PATIENCE_S / 2, f"it took {took:.1f} s"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_at_the_start_does_not_end_a_registration(registrar, number):
    """As nohup has it, and a shell in the background."""
    made = documented(registrar)
    with disposition(number, signal.SIG_IGN):
        made.start()
    identity, ports = take_ports(made)
    made.process.send_signal(number)
    acknowledge(made, identity)
    use(made, ports)


@pytest.mark.parametrize("frames", [
    lambda made: [b"<IDS|MSG>", b"0" * 64, b"ACK"],
    lambda made: [b"<IDS|MSG>", b"", b"ACK"],
    lambda made: [b"<IDS|MSG>", made.sign(b"ACK")],
    lambda made: [b"ACK"],
    lambda made: [b"", b"", b"", b""],
    lambda made: [b"<IDS|MSG>", made.sign(b"ACK"), b"ACK"] + [b""] * 100,
], ids=["forged", "unsigned", "short", "bare", "empty", "many"])
def test_a_lying_registrar_ends_the_kernel(registrar, frames):
    made = documented(registrar)
    made.start()
    identity, _ = take_ports(made)
    made.socket.send_multipart([identity, *frames(made)])
    status, line = made.failed()
    assert status == 1
    assert "cannot register at tcp://127.0.0.1:" in line and "acknowledgement" in line and made.key not in line
    assert "another program may be at" in line and "must be waiting" not in line


def test_a_refusal_ends_the_kernel(registrar):
    made = positron(registrar)
    made.start()
    session = Session(key=made.key.encode())
    _, frames = session.feed_identities(made.receive())
    request = session.deserialize(frames)
    made.socket.send_multipart(session.serialize(session.msg("handshake_reply", {"status": "error"}, parent=request)))
    status, line = made.failed()
    assert status == 1 and "the launcher refused" in line and "log says why" in line


def handshake_request(made, **options):
    """What a kernel of Positron's dialect asks, and the session that answers it."""
    session = Session(key=made.key.encode(), **options)
    _, frames = session.feed_identities(made.receive())
    return session, session.deserialize(frames)


@pytest.mark.parametrize(("reply", "told"), [
    (lambda made, session, request: session.serialize(session.msg("kernel_info_reply", {"status": "ok"}, parent=request)),
     "the answer is no handshake_reply"),
    (lambda made, session, request: session.serialize(session.msg("handshake_reply", {}, parent=request)), "the launcher refused"),
    (lambda made, session, request: Session(key=b"another").serialize(session.msg("handshake_reply", {"status": "ok"}, parent=request)),
     "the handshake_reply is refused"),
    (lambda made, session, request: [b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"{}"], "the handshake_reply is refused"),
    (lambda made, session, request: [b"ok"], "the handshake_reply is refused"),
    (lambda made, session, request: session.serialize(request), "the answer is no handshake_reply"),
], ids=["another type", "no status", "forged", "unsigned", "no message", "echoed"])
def test_a_lying_supervisor_ends_the_kernel(registrar, reply, told):
    made = positron(registrar)
    made.start()
    session, request = handshake_request(made)
    made.socket.send_multipart(reply(made, session, request))
    status, line = made.failed()
    assert status == 1 and told in line and made.key not in line
    assert "must be waiting" not in line


def test_an_echoed_registration_ends_the_kernel(registrar):
    """It is rightly signed, and whoever sends it back need not know the key."""
    made = documented(registrar)
    made.start()
    made.socket.send_multipart(made.receive())
    status, line = made.failed()
    assert status == 1 and "the registration itself came back" in line


def half_open(made):
    """Where the registrar was: a listener that takes connections and says nothing, not even ZMTP's greeting."""
    made.socket.close(linger=0)
    made.context.term()
    if made.ip == "127.0.0.1":
        return socket.create_server((made.ip, made.port))
    listener = socket.socket(socket.AF_UNIX)
    path = Path(f"{made.ip}-{made.port}")
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    listener.listen()
    return listener


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("dialect", [documented, positron])
def test_a_half_open_registrar_ends_the_kernel(registrar, dialect, transport):
    made = dialect(registrar, transport)
    with half_open(made) as listener:
        made.start()
        listener.settimeout(WAIT_S)
        with listener.accept()[0]:
            status, line = made.failed()
    assert status == 1 and f"no acknowledgement within {PATIENCE_S * 1000} ms" in line and "must be waiting there" in line


def test_a_registrar_with_a_name(registrar):
    made = documented(registrar, registration_ip="localhost")
    made.start()
    identity, ports = take_ports(made)
    acknowledge(made, identity)
    use(made, ports)


def test_a_kernel_id_that_names_no_file(registrar):
    made = documented(registrar)
    made.kernel_id = "../a/b"
    made.file.write_text(json.dumps({**json.loads(made.file.read_text()), "kernel_id": made.kernel_id}))
    made.start()
    identity, ports = take_ports(made)
    acknowledge(made, identity)
    warning = made.process.stderr.readline()
    assert f"kernel_id names no file, so clients find this kernel by kernel-{made.process.pid}.json" in warning
    assert "letters, digits" in warning, "what to do"
    use(made, ports)


def test_what_is_wrong_with_a_registration_file_is_said_of_that(registrar):
    """Not of the file that the kernel makes for other clients."""
    made = documented(registrar, signature_scheme="hmac-nothing")
    made.start()
    status, line = made.failed()
    assert status == 1 and f"connection file {made.file}: " in line
    made = documented(registrar)
    made.file.chmod(0o644)
    ports = register(made)
    assert f"connection file {made.file}: other users may open it" in made.process.stderr.readline()
    use(made, ports)


def test_a_registrar_on_another_machine(registrar):
    """As far as the kernel knows; ZeroMQ takes 0.0.0.0 for this one."""
    made = documented(registrar, registration_ip="0.0.0.0")
    ports = register(made)
    warning = made.process.stderr.readline()
    assert "listening on 127.0.0.1 only" in warning and "must write this machine's address into ip" in warning
    use(made, ports)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("dialect", [documented, positron])
def test_encrypted_sockets_after_a_handshake(registrar, dialect, transport):
    """The registration itself is signed, not encrypted."""
    made = dialect(registrar, transport)
    public, secret = zmq.curve_keypair()
    keys = {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    made.file.write_text(json.dumps({**json.loads(made.file.read_text()), **keys}))
    made.start()
    if dialect is documented:
        identity, ports = take_ports(made)
        acknowledge(made, identity)
    else:
        session, request = handshake_request(made)
        ports = request["content"]
        made.socket.send_multipart(session.serialize(session.msg("handshake_reply", {"status": "ok"}, parent=request)))
    assert_not_in_plain_text(made, ports)
    use(made, ports, curve_publickey=public, curve_secretkey=secret)


def assert_not_in_plain_text(made, ports):
    with zmq.Context() as context, context.socket(zmq.DEALER) as shell:
        shell.linger = 0
        monitor = shell.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                                           | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        separator = ":" if made.ip == "127.0.0.1" else "-"
        shell.connect(f"{'tcp' if separator == ':' else 'ipc'}://{made.ip}{separator}{ports['shell_port']}")
        assert monitor.poll(WAIT_S * 1000)
        assert int.from_bytes(monitor.recv_multipart()[0][:2], "little") != zmq.EVENT_HANDSHAKE_SUCCEEDED
        shell.disable_monitor()


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
