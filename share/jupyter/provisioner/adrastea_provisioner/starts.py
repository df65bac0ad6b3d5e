# SPDX-License-Identifier: BSD-3-Clause
"""The ways to start a kernel. Each writes the file that the kernel reads, and knows what tells that the kernel has bound.

All of them: (1) construct, (2) prepare() before the kernel's process is there, (3) poll `source`, call bound() when it is
readable, until that returns the connection, (4) close(), also when one of these has failed. One thread at a time.

Then the kernel is asked whether it answers: Answer is used in the same way.
"""

import errno
import hashlib
import hmac
import json
import os
import re
import socket
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import zmq
from jupyter_client.session import Session
from jupyter_core.paths import jupyter_runtime_dir
from zmq.utils.monitor import recv_monitor_message

from . import notify
from .connection import PORTS, Connection, chosen_ports, read_json, write_json

# The sockets' numbers over ipc, in a directory of their own; the registrar has the one after them.
IPC_NUMBERS = {name: number for number, name in enumerate(PORTS, 1)}
REGISTRAR_NUMBER = len(PORTS) + 1


class Start(Protocol):
    sources: tuple[Any, ...]
    """File descriptors' owners and ZeroMQ sockets, for zmq.Poller."""

    def prepare(self) -> None: ...

    def bound(self) -> Connection | None: ...

    def close(self) -> None: ...


class Ipc:
    """Sockets in a private directory, or where the user wants them. They are bound when all five files are there.

    Where the system has no more watches for this user, the heartbeat tells it: clients of a kernel that restarts know no other
    address, so there is no other way.
    """

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection, private: bool = True) -> None:
        self._file, self._content, self._connection, self._private = file, content, connection, private
        self._watch: notify.Watch | None = None
        self._beat: _Beat | None = None

    def prepare(self) -> None:
        directory = Path(self._connection.ip).parent
        if not self._private and not directory.is_dir():
            raise OSError(errno.ENOENT, "make the directory of KernelManager.ip first", str(directory))
        for path in self._connection.paths():
            if self._private:
                path.unlink(missing_ok=True)
            else:
                _unlink_stale(path)
        _write_unless_there(self._file, {**self._content, **self._connection.fields()})
        try:
            self._watch = notify.Watch(directory, notify.CREATED)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENOSPC):
                raise
            self._beat = _Beat(self._connection, self._content)
        self.sources = self._beat.sources if self._beat else (self._watch,)

    def bound(self) -> Connection | None:
        if self._beat:
            return self._connection if self._beat.heard() else None
        assert self._watch
        self._refuse_other_names(self._watch.take())
        return self._connection if all(path.is_socket() for path in self._connection.paths()) else None

    def _refuse_other_names(self, created: Iterable[str]) -> None:
        """Some kernels write an address as they do over tcp (IP:PORT): no client would find them.

        Errors: OSError. At a user's own path, others may have files of any name.
        """
        prefix = Path(self._connection.ip)
        numbers = "|".join(map(str, self._connection.ports.values()))
        for name in created if self._private else ():
            if re.fullmatch(rf"{re.escape(prefix.name)}[^-]?({numbers})", name) and prefix.with_name(name).is_socket():
                raise OSError(f"it has bound {prefix.with_name(name)}, and its clients look for names such as {prefix.name}-1")

    def close(self) -> None:
        for source in (self._watch, self._beat):
            if source:
                source.close()


class PortZero:
    """The kernel chooses, and rewrites its connection file when it is bound."""

    def __init__(self, file: Path, content: Mapping[str, Any], ip: str) -> None:
        self._file, self._content, self._ip = file, content, ip
        self._watch: notify.Watch | None = None

    def prepare(self) -> None:
        asked = Connection("tcp", self._ip, dict.fromkeys(PORTS, 0))
        write_json(self._file, {**self._content, **asked.fields()})
        self._watch = notify.Watch(self._file.parent, notify.WRITTEN | notify.MOVED_TO)
        self.sources = (self._watch,)

    def bound(self) -> Connection | None:
        assert self._watch
        happened = self._watch.take()
        if self._file.name not in happened and "" not in happened:
            return None
        # Half a file, of a kernel that writes it in place: its end comes as an event of its own.
        with suppress(OSError, ValueError):
            if ports := chosen_ports(read_json(self._file)):
                return Connection("tcp", self._ip, ports)
        return None

    def close(self) -> None:
        if self._watch:
            self._watch.close()


class Tcp:
    """Ports of the launcher's choice. The heartbeat, to which libzmq connects as soon as it is there, tells that it is."""

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection) -> None:
        self._file, self._content, self._connection = file, content, connection
        self._beat: _Beat | None = None

    def prepare(self) -> None:
        _write_unless_there(self._file, {**self._content, **self._connection.fields()})
        self._beat = _Beat(self._connection, self._content)
        self.sources = self._beat.sources

    def bound(self) -> Connection | None:
        return self._connection if self._beat and self._beat.heard() else None

    def close(self) -> None:
        if self._beat:
            self._beat.close()


class _Beat:
    """The heartbeat of a kernel that is expected at an address.

    A listener alone tells nothing: another program may have the address. ZeroMQ's handshake does, and an echo where the kernel's
    protocol is so old that it has none.
    """

    def __init__(self, connection: Connection, content: Mapping[str, Any]) -> None:
        self._context = zmq.Context()
        self._heartbeat = self._context.socket(zmq.REQ)
        self._heartbeat.linger = 0
        self._heartbeat.ipv6 = ":" in connection.ip
        self._heartbeat.reconnect_ivl = 10
        _encrypt(self._heartbeat, content)
        self._monitor = self._heartbeat.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._heartbeat.connect(_endpoint(connection.transport, connection.ip, connection.ports["hb_port"]))
        self._heartbeat.send(b"ping")
        self.sources = (self._monitor, self._heartbeat)

    def heard(self) -> bool:
        if self._monitor.poll(0):
            recv_monitor_message(self._monitor)
            return True
        return bool(self._heartbeat.poll(0))

    def close(self) -> None:
        self._heartbeat.disable_monitor()
        self._context.destroy(linger=0)


class Handshake:
    """The kernel chooses and reports what it has bound (JEP 66).

    `directory` is where the sockets are over ipc; None means tcp on `ip`.
    """

    def __init__(self, file: Path, content: Mapping[str, Any], ip: str, directory: Path | None) -> None:
        self._file, self._content = file, content
        self._transport, self._ip = ("ipc", str(directory / "k")) if directory else ("tcp", ip)
        self._kernel_id = str(uuid.uuid4())  # not the manager's: the kernel names a file of its own after it
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None

    def prepare(self) -> None:
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.ipv6 = ":" in self._ip
        self.sources = (self._socket,)
        port = REGISTRAR_NUMBER
        if self._transport == "ipc":
            self._socket.bind(_endpoint("ipc", self._ip, port))
        else:
            port = self._socket.bind_to_random_port(_endpoint("tcp", self._ip))
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
        assert self._socket
        identity, *frames = self._socket.recv_multipart()
        ports = self._read(frames)
        if ports is None:
            return None
        connection = Connection(self._transport, self._ip, ports)
        write_json(self._file, {**self._content, **connection.fields()})
        acknowledgement = b"ACK"
        self._socket.send_multipart([identity, b"<IDS|MSG>", self._sign(acknowledgement), acknowledgement])
        return connection

    def own_file(self) -> Path:
        """The connection file that the kernel makes for other clients; a kernel that is killed leaves it."""
        return Path(jupyter_runtime_dir()) / f"kernel-{self._kernel_id}.json"

    def close(self) -> None:
        if self._socket:
            self._socket.close(linger=1000)
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


class Answer:
    """A request to a kernel that has bound: whatever comes back on shell says that it serves."""

    def __init__(self, connection: Connection, content: Mapping[str, Any]) -> None:
        self._connection, self._content = connection, content
        self._context = zmq.Context()

    def prepare(self) -> None:
        shell = self._context.socket(zmq.DEALER)
        shell.linger = 0
        shell.ipv6 = ":" in self._connection.ip
        _encrypt(shell, self._content)
        ip = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._connection.ip, self._connection.ip)
        shell.connect(_endpoint(self._connection.transport, ip, self._connection.ports["shell_port"]))
        key, scheme = self._content["key"].encode(), self._content["signature_scheme"]
        Session(key=key, signature_scheme=scheme).send(shell, "kernel_info_request")
        self.sources = (shell,)

    def bound(self) -> bool:
        return True

    def close(self) -> None:
        self._context.destroy(linger=0)


def _encrypt(client: zmq.Socket[bytes], content: Mapping[str, Any]) -> None:
    """Where the kernel is to encrypt. Its clients may have any keys: its own are there already."""
    if "curve_publickey" in content:
        client.curve_serverkey = client.curve_publickey = content["curve_publickey"].encode()
        client.curve_secretkey = content["curve_secretkey"].encode()


def _unlink_stale(path: Path) -> None:
    """A socket on which nobody listens. Errors: OSError where somebody does, or where it is another kind of file."""
    if not path.is_symlink() and not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            if path.is_socket():
                probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))


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
