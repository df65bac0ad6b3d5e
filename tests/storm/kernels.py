# SPDX-License-Identifier: BSD-3-Clause
"""Kernels as processes, and the ways in which a launcher and a kernel agree on addresses."""

import ctypes
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from jupyter_client.connect import LocalPortCache
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.session import Session

# In the order in which jupyter_client numbers the sockets of ipc.
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
MODES = ("tcp", "ipc", "port0", "handshake", "curve")
ADDRESS = "127.0.0.1"


@dataclass(eq=False)
class Kernel:
    """One kernel: what its launcher wrote into the file, its process, and what came of it."""

    file: Path
    log: Path
    fields: dict
    process: subprocess.Popen | None = None
    spawned: float = 0.0
    answered_s: float | None = None
    ended_s: float | None = None
    sockets: list[zmq.Socket] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return Session(key=self.fields["key"].encode(), check_pid=False)

    @property
    def last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def write_file(self) -> None:
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.fields, file)

    def start(self, argv: list[str]) -> None:
        command = [word.replace("{connection_file}", str(self.file)) for word in argv]
        environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
        with open(self.log, "wb") as log:
            self.answered_s = self.ended_s = None
            self.spawned = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                            start_new_session=True)

    def take_chosen_ports(self) -> bool:
        """From the file, if the kernel has rewritten it: the launcher's own writing is announced too."""
        try:
            fields = json.loads(self.file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:  # of a kernel that rewrites its file in place and has not finished
            return False
        if not all(fields[name] for name in PORTS):
            return False
        self.fields = fields
        return True

    def endpoint(self, port: str) -> str:
        separator = ":" if self.fields["transport"] == "tcp" else "-"
        return f"{self.fields['transport']}://{self.fields['ip']}{separator}{self.fields[port]}"

    def connect(self, context: zmq.Context, kind: int, port: str, identity: bytes = b"") -> zmq.Socket:
        socket = context.socket(kind)
        self.sockets.append(socket)
        socket.linger = 0
        if identity:
            socket.identity = identity
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if "curve_publickey" in self.fields:
            socket.curve_serverkey = self.fields["curve_publickey"].encode()
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.connect(self.endpoint(port))
        return socket

    def disconnect(self) -> None:
        while self.sockets:
            self.sockets.pop().close()

    def kill(self) -> None:
        """Its process group with it. One that has been waited for is left alone: its number may be another's by now."""
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def group_lives(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def kernel_argv(name: str) -> list[str]:
    """As jupyter_client has it: a kernelspec's python is the launcher's own."""
    program, *words = KernelSpecManager().get_kernel_spec(name).argv
    return [sys.executable if program in ("python", "python3") else program, *words]


def curve_keys() -> dict:
    public, secret = zmq.curve_keypair()
    return {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}


def reserved_ports() -> dict:
    """As jupyter_client's local provisioner does it: five ports that were free a moment ago."""
    cache = LocalPortCache.instance()
    return {name: cache.find_available_port(ADDRESS) for name in PORTS}


def steady_ports() -> dict:
    """Free ports below those that the system gives away: while the kernel is down nobody gets them by chance."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
    free: list[int] = []
    while len(free) < len(PORTS):
        port = random.randrange(lowest - 12000, lowest)
        with socket.socket() as probe:
            if port not in free and probe.connect_ex((ADDRESS, port)) != 0:
                free.append(port)
    return dict(zip(PORTS, free, strict=True))


def make_kernel(mode: str, directory: Path, registrar: "Registrar | None" = None) -> Kernel:
    """A kernel that is not started yet. In the mode tcp its file has to be written just before the start."""
    identity = str(uuid.uuid4())
    file = directory / f"kernel-{identity}.json"
    fields = {"transport": "tcp", "ip": ADDRESS, "key": uuid.uuid4().hex, "signature_scheme": "hmac-sha256"}
    match mode:
        case "tcp":
            fields |= reserved_ports()
        case "ipc":
            fields |= {"transport": "ipc", "ip": str(directory / identity[:18])}
            fields |= {name: number for number, name in enumerate(PORTS, 1)}
        case "port0":
            fields |= dict.fromkeys(PORTS, 0)
        case "curve":
            fields |= dict.fromkeys(PORTS, 0) | curve_keys()
        case "handshake":
            fields |= {"registration_ip": ADDRESS, "registration_port": registrar.port, "kernel_id": identity}
    kernel = Kernel(file, directory.parent / "logs" / f"{identity}.log", fields)
    kernel.write_file()
    return kernel


class Registrar:
    """The launcher's end of the handshake of JEP 66, one for all kernels."""

    def __init__(self, context: zmq.Context):
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.port = self.socket.bind_to_random_port(f"tcp://{ADDRESS}")

    def accept(self, kernels: dict[str, Kernel]) -> Kernel:
        """Reads one registration, takes its ports and acknowledges it."""
        identity, delimiter, signature, content = self.socket.recv_multipart()
        ports = json.loads(content)
        kernel = kernels[ports.pop("kernel_id")]
        if delimiter != b"<IDS|MSG>" or signature != self.sign(kernel, content):
            raise ValueError(f"a registration that is not signed with its kernel's key: {content!r}")
        kernel.fields |= {name: int(ports[name]) for name in PORTS}
        self.socket.send_multipart([identity, b"<IDS|MSG>", self.sign(kernel, b"ACK"), b"ACK"])
        return kernel

    @staticmethod
    def sign(kernel: Kernel, frame: bytes) -> bytes:
        return hmac.new(kernel.fields["key"].encode(), frame, hashlib.sha256).hexdigest().encode()


@contextmanager
def new_home() -> Iterator[Path]:
    """A directory for the kernels of one run, short because addresses of ipc are paths of at most 107 bytes. It goes in the end."""
    home = Path(tempfile.mkdtemp(prefix="adr-", dir="/tmp"))
    (home / "logs").mkdir()
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


class RenamedFiles:
    """Says which files were moved into a directory, by inotify: that is how a rewritten connection file comes."""

    IN_CLOSE_WRITE = 0x8
    IN_MOVED_TO = 0x80

    def __init__(self, directory: Path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        # Other kernels than ours rewrite in place.
        mask = self.IN_MOVED_TO | self.IN_CLOSE_WRITE
        if self.fd < 0 or libc.inotify_add_watch(self.fd, bytes(directory), mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(directory))

    def read(self) -> list[str]:
        data, names = os.read(self.fd, 1 << 16), []
        while data:
            length = int.from_bytes(data[12:16], "little")
            names.append(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        return names

    def close(self) -> None:
        os.close(self.fd)
