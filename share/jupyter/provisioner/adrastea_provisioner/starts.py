# SPDX-License-Identifier: BSD-3-Clause
"""The ways to start a kernel. Each writes the file that the kernel reads, and knows what tells that the kernel has bound.

All of them: (1) construct, (2) prepare() before the kernel's process is there, (3) poll `source`, call bound() when it is
readable, until that returns the connection, (4) close(). One thread at a time.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import zmq
from jupyter_core.paths import jupyter_runtime_dir
from zmq.utils.monitor import recv_monitor_message

from . import notify
from .connection import PORTS, Connection, chosen_ports, read_json, write_json

# The sockets' numbers over ipc, in a directory of their own; the registrar has the one after them.
IPC_NUMBERS = {name: number for number, name in enumerate(PORTS, 1)}
REGISTRAR_NUMBER = len(PORTS) + 1


class Start(Protocol):
    source: Any
    """A file descriptor's owner or a ZeroMQ socket, for zmq.Poller."""
    known: Connection | None
    """Where the kernel will be, however long it takes."""

    def prepare(self) -> None: ...

    def bound(self) -> Connection | None: ...

    def close(self) -> None: ...


class Ipc:
    """Sockets in a private directory. They are bound when all five files are there."""

    known: Connection | None = None

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection) -> None:
        self._file, self._content, self._connection = file, content, connection

    def prepare(self) -> None:
        for path in self._connection.paths():
            path.unlink(missing_ok=True)
        _write_unless_there(self._file, {**self._content, **self._connection.fields()})
        self.source = notify.Watch(Path(self._connection.ip).parent, notify.CREATED)

    def bound(self) -> Connection | None:
        self.source.take()
        return self._connection if all(path.is_socket() for path in self._connection.paths()) else None

    def close(self) -> None:
        self.source.close()


class PortZero:
    """The kernel chooses, and rewrites its connection file when it is bound."""

    known: Connection | None = None

    def __init__(self, file: Path, content: Mapping[str, Any], ip: str) -> None:
        self._file, self._content, self._ip = file, content, ip

    def prepare(self) -> None:
        asked = Connection("tcp", self._ip, dict.fromkeys(PORTS, 0))
        write_json(self._file, {**self._content, **asked.fields()})
        self.source = notify.Watch(self._file.parent, notify.WRITTEN | notify.MOVED_TO)

    def bound(self) -> Connection | None:
        if not self.source.take() & {self._file.name, ""}:
            return None
        # Half a file, of a kernel that writes it in place: its end comes as an event of its own.
        with suppress(OSError, ValueError):
            if ports := chosen_ports(read_json(self._file)):
                return Connection("tcp", self._ip, ports)
        return None

    def close(self) -> None:
        self.source.close()


class Tcp:
    """Ports of the launcher's choice. A connection to the heartbeat, which libzmq tries until it is there, tells that it is."""

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection) -> None:
        self._file, self._content, self._connection = file, content, connection
        self.known: Connection | None = connection
        self._context = zmq.Context()

    def prepare(self) -> None:
        _write_unless_there(self._file, {**self._content, **self._connection.fields()})
        heartbeat = self._context.socket(zmq.REQ)
        heartbeat.linger = 0
        heartbeat.ipv6 = ":" in self._connection.ip
        heartbeat.reconnect_ivl = 10
        if "curve_publickey" in self._content:
            heartbeat.curve_serverkey = heartbeat.curve_publickey = self._content["curve_publickey"].encode()
            heartbeat.curve_secretkey = self._content["curve_secretkey"].encode()
        self.source = heartbeat.get_monitor_socket(zmq.EVENT_CONNECTED)
        heartbeat.connect(_endpoint("tcp", self._connection.ip, self._connection.ports["hb_port"]))
        self._heartbeat = heartbeat

    def bound(self) -> Connection | None:
        recv_monitor_message(self.source)
        return self._connection

    def close(self) -> None:
        self._heartbeat.disable_monitor()
        self._context.destroy(linger=0)


class Handshake:
    """The kernel chooses and reports what it has bound (JEP 66).

    `directory` is where the sockets are over ipc; None means tcp on `ip`.
    """

    known: Connection | None = None

    def __init__(self, file: Path, content: Mapping[str, Any], ip: str, directory: Path | None) -> None:
        self._file, self._content = file, content
        self._transport, self._ip = ("ipc", str(directory / "k")) if directory else ("tcp", ip)
        self._kernel_id = str(uuid.uuid4())  # not the manager's: the kernel names a file of its own after it
        self._context = zmq.Context()

    def prepare(self) -> None:
        self.source = self._context.socket(zmq.ROUTER)
        self.source.ipv6 = ":" in self._ip
        port = REGISTRAR_NUMBER
        if self._transport == "ipc":
            self.source.bind(_endpoint("ipc", self._ip, port))
        else:
            port = self.source.bind_to_random_port(_endpoint("tcp", self._ip))
        kept = ("key", "signature_scheme", "kernel_name", "jupyter_session", "curve_publickey", "curve_secretkey")
        write_json(
            self._file,
            {
                **{name: self._content[name] for name in kept if name in self._content},
                "kernel_id": self._kernel_id,
                "transport": self._transport,
                "ip": self._ip,
                "registration_ip": self._ip,
                "registration_port": port,
            },
        )

    def bound(self) -> Connection | None:
        """Takes a registration, acknowledges it, and puts a connection file where the registration file was."""
        identity, *frames = self.source.recv_multipart()
        ports = self._read(frames)
        if ports is None:
            return None
        connection = Connection(self._transport, self._ip, ports)
        write_json(self._file, {**self._content, **connection.fields()})
        acknowledgement = b"ACK"
        self.source.send_multipart([identity, b"<IDS|MSG>", self._sign(acknowledgement), acknowledgement])
        return connection

    def own_file(self) -> Path:
        """The connection file that the kernel makes for other clients; a kernel that is killed leaves it."""
        return Path(jupyter_runtime_dir()) / f"kernel-{self._kernel_id}.json"

    def close(self) -> None:
        self.source.close(linger=1000)
        self._context.term()

    def _read(self, frames: list[bytes]) -> dict[str, int] | None:
        """None for everything that does not come from this kernel: over tcp anybody on this host can write here."""
        if len(frames) != 3 or frames[0] != b"<IDS|MSG>" or not hmac.compare_digest(frames[1], self._sign(frames[2])):
            return None
        try:
            content = json.loads(frames[2])
        except ValueError:
            return None
        if not isinstance(content, dict) or content.get("kernel_id") != self._kernel_id:
            return None
        return chosen_ports(content)

    def _sign(self, content: bytes) -> bytes:
        if not self._content["key"]:
            return b""
        digest = self._content["signature_scheme"].removeprefix("hmac-")
        return hmac.new(self._content["key"].encode(), content, getattr(hashlib, digest)).hexdigest().encode()


def _endpoint(transport: str, ip: str, port: int | None = None) -> str:
    if transport == "ipc":
        return f"ipc://{ip}-{port}"
    host = f"[{ip}]" if ":" in ip else ip
    return f"tcp://{host}" if port is None else f"tcp://{host}:{port}"


def _write_unless_there(file: Path, content: Mapping[str, Any]) -> None:
    """A restarted kernel finds its file untouched: other clients may be reading it."""
    with suppress(OSError, ValueError):
        if read_json(file) == content:
            return
    write_json(file, content)
