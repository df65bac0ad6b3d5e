# SPDX-License-Identifier: BSD-3-Clause
"""The ways to start a kernel. Each writes the file that the kernel reads, and knows what tells that the kernel has bound.

All of them: (1) construct, (2) prepare() before the kernel's process is there, (3) poll `sources`, call bound() when one is
readable, until that returns the connection, and ask() after that and every SILENCE_S, (4) close(), also when one of these has
failed. One thread at a time.

Then the kernel is asked whether it answers: Answer is used in the same way.
"""

import errno
import hashlib
import hmac
import json
import math
import os
import re
import socket
import time
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
# No client can do without these. A kernel without the others can be asked whether it serves.
_ASKABLE = {"shell_port": zmq.DEALER, "iopub_port": zmq.SUB}
# A kernel that has bound these and shows so long nothing else is asked: most have a heartbeat, which they bind last.
SILENCE_S = 0.5


class Start(Protocol):
    sources: tuple[Any, ...]
    """File descriptors' owners and ZeroMQ sockets, for zmq.Poller."""

    def prepare(self) -> None: ...

    def bound(self) -> Connection | None: ...

    def ask(self) -> tuple[Any, ...]:
        """Asks a kernel whether it serves, where that is due. More sources."""
        ...

    def close(self) -> None: ...


class Ipc:
    """Sockets in a private directory, or where the user wants them. They are bound when all five files are there.

    Some kernels have fewer: then their life tells it. So it does where the system has no more watches for this user: clients of a
    kernel that restarts know no other address, so there is no other way.
    """

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection, private: bool = True) -> None:
        self._file, self._content, self._connection, self._private = file, content, connection, private
        self._watch: notify.Watch | None = None
        self._life: _Life | None = None
        self._ask_at = math.inf

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
            self._life = _Life(self._connection, self._content)
        self.sources = self._life.sources if self._life else (self._watch,)

    def bound(self) -> Connection | None:
        if self._life and self._life.shows():
            return self._connection
        if not self._watch:
            return None
        self._refuse_other_names(self._watch.take())
        return self._connection if all(path.is_socket() for path in self._connection.paths()) else None

    def ask(self) -> tuple[Any, ...]:
        if self._life:
            self._life.ask()
        elif not all(Path(f"{self._connection.ip}-{self._connection.ports[name]}").is_socket() for name in _ASKABLE):
            self._ask_at = math.inf
        elif self._ask_at == math.inf:
            self._ask_at = time.monotonic() + SILENCE_S
        elif time.monotonic() >= self._ask_at:
            self._life = _Life(self._connection, self._content, silence=0)
            return self._life.sources
        return ()

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
        for source in (self._watch, self._life):
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

    def ask(self) -> tuple[Any, ...]:
        return ()

    def close(self) -> None:
        if self._watch:
            self._watch.close()


class Tcp:
    """Ports of the launcher's choice. The kernel's life tells that they are bound."""

    def __init__(self, file: Path, content: Mapping[str, Any], connection: Connection) -> None:
        self._file, self._content, self._connection = file, content, connection
        self._life: _Life | None = None

    def prepare(self) -> None:
        _write_unless_there(self._file, {**self._content, **self._connection.fields()})
        self._life = _Life(self._connection, self._content)
        self.sources = self._life.sources

    def bound(self) -> Connection | None:
        return self._connection if self._life and self._life.shows() else None

    def ask(self) -> tuple[Any, ...]:
        if self._life:
            self._life.ask()
        return ()

    def close(self) -> None:
        if self._life:
            self._life.close()


class _Life:
    """The signs of life of a kernel that is expected at an address.

    A listener alone tells nothing: another program may have the address. ZeroMQ's handshake with the heartbeat does, and an echo
    where the kernel's protocol is so old that it has none. Some kernels have no heartbeat: whatever comes back on shell says that
    such a kernel serves.
    """

    def __init__(self, connection: Connection, content: Mapping[str, Any], silence: float = SILENCE_S) -> None:
        self._content = content
        self._silence, self._ask_at = silence, math.inf
        self._context = zmq.Context()
        self._heartbeat = _client(self._context, zmq.REQ, connection, content)
        self._heartbeat.reconnect_ivl = 10
        self._hears = _connect_watched(self._heartbeat, connection, "hb_port")
        self._heartbeat.send(b"ping")
        others = {name: _client(self._context, kind, connection, content) for name, kind in _ASKABLE.items()}
        self._monitors = [_connect_watched(client, connection, name) for name, client in others.items()]
        self._unbound = set(self._monitors)
        self._shell = others["shell_port"]
        self._clients = (self._heartbeat, *others.values())
        self.sources = (self._hears, self._heartbeat, self._shell, *self._monitors)

    def shows(self) -> bool:
        for monitor in self._monitors:
            while monitor.poll(0):  # more than once, where a socket is bound anew: what is not read here wakes who polls for ever
                recv_monitor_message(monitor)
                self._unbound.discard(monitor)
                self._ask_at = time.monotonic() + self._silence
        return bool(self._hears.poll(0) or self._heartbeat.poll(0) or self._shell.poll(0))

    def ask(self) -> None:
        """Again where a socket was bound anew: the one before may have taken the request with it."""
        if not self._unbound and time.monotonic() >= self._ask_at:
            self._ask_at = math.inf
            _ask(self._shell, self._content)

    def close(self) -> None:
        for client in self._clients:
            client.disable_monitor()
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

    def ask(self) -> tuple[Any, ...]:
        return ()

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
        shell = _client(self._context, zmq.DEALER, self._connection, self._content)
        shell.connect(_reached_at(self._connection, "shell_port"))
        _ask(shell, self._content)
        self.sources = (shell,)

    def bound(self) -> bool:
        return True

    def ask(self) -> tuple[Any, ...]:
        return ()

    def close(self) -> None:
        self._context.destroy(linger=0)


def _client(context: zmq.Context[Any], kind: int, connection: Connection, content: Mapping[str, Any]) -> "zmq.Socket[bytes]":
    """Where the kernel is to encrypt, so does this. Its clients may have any keys: its own are there already."""
    client: zmq.Socket[bytes] = context.socket(kind)
    client.linger = 0
    client.ipv6 = ":" in connection.ip
    if "curve_publickey" in content:
        client.curve_serverkey = client.curve_publickey = content["curve_publickey"].encode()
        client.curve_secretkey = content["curve_secretkey"].encode()
    return client


def _connect_watched(client: "zmq.Socket[bytes]", connection: Connection, port: str) -> "zmq.Socket[bytes]":
    """What tells that the other end speaks ZeroMQ."""
    monitor: zmq.Socket[bytes] = client.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    client.connect(_reached_at(connection, port))
    return monitor


def _ask(shell: "zmq.Socket[bytes]", content: Mapping[str, Any]) -> None:
    Session(key=content["key"].encode(), signature_scheme=content["signature_scheme"]).send(shell, "kernel_info_request")


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


def _reached_at(connection: Connection, port: str) -> str:
    ip = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(connection.ip, connection.ip)
    return _endpoint(connection.transport, ip, connection.ports[port])


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
