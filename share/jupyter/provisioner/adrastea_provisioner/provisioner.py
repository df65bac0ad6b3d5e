# SPDX-License-Identifier: BSD-3-Clause
"""The provisioner: which way a kernel is started, what becomes of its process, and what is left of it."""

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.localinterfaces import localhost
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Bool, CaselessStrEnum, Float, Unicode

from . import notify
from .connection import PORTS, Connection, read_json
from .errors import KernelNotStarted, ending
from .ports import HeldPorts
from .private import PrivateDirectory, fits
from .starts import IPC_NUMBERS, Handshake, Ipc, PortZero, Start, Tcp
from .stderr import Stderr

# The first version whose kernels register when their connection file asks for it.
_HANDSHAKE_VERSION = (5, 6)
_STDERR_LINES = 20
# A child of the kernel that left its process group may hold the pipe for ever; what it has to say is not waited for.
_STDERR_PATIENCE_S = 0.5

T = TypeVar("T")


class _NotBound(Exception):
    """One way to start did not work. `what` completes "kernel x ..."."""

    def __init__(self, what: str, lines: list[str]) -> None:
        super().__init__(what)
        self.what, self.lines = what, lines


class AdrasteaProvisioner(LocalProvisioner):
    """Starts a kernel over the first transport that cannot collide and that the kernel knows, and waits until it has bound.

    Threads: the event loop of its manager; waiting is done in a thread of its own.
    """

    transport = CaselessStrEnum(
        ["auto", "ipc", "port0", "handshake", "tcp"],
        default_value="auto",
        config=True,
        help="""How kernels are started. auto: the first of the others that works. ipc: sockets in a private directory. port0:
        the kernel chooses its ports and rewrites its connection file. handshake: it chooses them and registers (JEP 66).
        tcp: ports that are held for the kernel until it has bound them.""",
    )
    patience = Float(60.0, config=True, help="Seconds that a kernel has to bind its sockets, each way that it is started.")
    directory = Unicode("", config=True, help="Where private directories are made. Default: the first that is short enough.")
    end_group = Bool(True, config=True, help="End the processes that a kernel leaves behind in its process group.")

    # What auto found out, for as long as this server runs: the way in which each kernel starts.
    _found: ClassVar[dict[tuple[str, ...], str]] = {}

    _content: dict[str, Any] | None = None
    """The connection file without addresses; None where jupyter_client's own start is used."""
    _restarts = False
    _ending = False
    _independent = False
    _private: PrivateDirectory | None = None
    _held: HeldPorts | None = None
    _stderr: Stderr | None = None
    _own_file: Path | None = None
    _started: Connection | None = None

    @property
    def _manager(self) -> Any:
        """The KernelManager whose kernel this is."""
        return self.parent

    # --- Before the start --------------------------------------------------------------------------------------------

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager = self._manager
        if not notify.supported():
            self.log.warning("%s is started as jupyter_client does it: the race-free ways need Linux 5.3", self._name())
            return await super().pre_launch(**kwargs)
        self._ending = False
        self._independent = bool(kwargs.get("independent", False))
        ports = {name: max(0, getattr(manager, name)) for name in PORTS}
        if self._started is None:
            self._asked_ports = ports
            self._asked_transport, self._asked_ip = manager.transport, manager.ip if manager.transport == "tcp" else localhost()
        manager.cache_ports = False  # or it would choose ports
        kwargs = await super().pre_launch(**kwargs)
        self._restarts = self._started is not None and 0 not in ports.values()
        content = read_json(Path(manager.connection_file))
        self._content = {name: value for name, value in content.items() if name not in ("transport", "ip", *PORTS)}
        return kwargs

    def _ways(self) -> list[str]:
        """What to try, in this order."""
        if self._restarts and self._started:
            return ["ipc" if self._started.transport == "ipc" else "tcp"]
        if any(self._asked_ports.values()):
            return ["tcp"]
        if self.transport != "auto":
            return [self.transport]
        ways = ["handshake"] if self._declares_handshake() else []
        if self._local_only():
            if self._make_private():
                ways.append("ipc")
            else:
                self.log.warning("%s does not start over ipc: no directory is short enough for its sockets", self._name())
        ways.append("tcp")
        known = self._found.get(self._spec_identity())
        return ways[ways.index(known) :] if known in ways else ways

    def _declares_handshake(self) -> bool:
        try:
            # jupyter_client before 8.8 has no such field.
            declared = getattr(self.kernel_spec, "kernel_protocol_version", "")
            version = tuple(int(part) for part in str(declared).split(".")[:2])
        except ValueError:
            return False
        return version >= _HANDSHAKE_VERSION

    def _local_only(self) -> bool:
        """Whether nobody asked for an address that other hosts reach."""
        ip = str(self._asked_ip)
        return ip.startswith("127.") or ip in (localhost(), "localhost", "::1")

    def _make_private(self) -> bool:
        if self._private is not None:
            return True
        temporary = (jupyter_runtime_dir(), os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir())
        for base in [Path(name) for name in ([self.directory] if self.directory else temporary) if name]:
            with suppress(OSError):
                if fits(base):
                    self._private = PrivateDirectory(base, outlives=self._independent)
                    return True
        return False

    def _start(self, way: str, content: Mapping[str, Any]) -> Start:
        """Errors: OSError when what it needs is not there."""
        file = Path(self._manager.connection_file)
        if self._restarts and self._started and self._started.transport == "ipc":
            return Ipc(file, content, self._started)
        if way == "port0":
            return PortZero(file, content, self._asked_ip)
        private = self._private.path if self._local_only() and self._make_private() and self._private else None
        if way == "handshake":
            return Handshake(file, content, self._asked_ip, private)
        if way == "ipc":
            if private is None:
                raise OSError("no directory is short enough for its sockets, or its address is not of this host alone")
            return Ipc(file, content, Connection("ipc", str(private / "k"), IPC_NUMBERS))
        return Tcp(file, content, Connection("tcp", self._asked_ip, self._hold_ports()))

    def _hold_ports(self) -> dict[str, int]:
        wanted = dict(self._started.ports) if self._restarts and self._started else self._asked_ports
        if self._held is None:
            try:
                self._held = HeldPorts(self._asked_ip, wanted)
            except OSError as error:
                if 0 in wanted.values():
                    raise
                # They are what the manager was told or what its clients know: the kernel says what it makes of them.
                self.log.warning("%s: cannot hold its ports: %s", self._name(), error)
                return wanted
        return self._held.ports

    # --- The start ---------------------------------------------------------------------------------------------------

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        if self._content is None:
            return await super().launch_kernel(cmd, **kwargs)
        ways = self._ways()
        try:
            for way, following in zip(ways, [*ways[1:], None], strict=True):
                try:
                    connection = await self._launch(way, cmd, kwargs)
                except _NotBound as failure:
                    if following is None or self._ending:
                        raise KernelNotStarted(self._explanation(failure)) from None
                    self.log.warning("%s %s; it is started over %s now", self._name(), failure.what, following)
                else:
                    if len(ways) > 1:
                        self._found[self._spec_identity()] = way
                    return self._adopt(connection)
        except BaseException:
            self._forget()
            raise
        raise AssertionError("no way to start a kernel")

    async def _launch(self, way: str, cmd: list[str], kwargs: dict[str, Any]) -> Connection:
        assert self._content is not None
        begin = time.monotonic()
        try:
            start = self._start(way, self._content)
            start.prepare()
        except (OSError, zmq.ZMQError) as error:
            raise _NotBound(f"cannot be started over {way}: {error}", []) from None
        waiting = None
        try:
            pid = await self._spawn(cmd, kwargs)
            waiting = _in_thread(lambda: _wait(start, pid, self.patience))
            connection = await asyncio.wrap_future(waiting)
        except BaseException:
            self._end_process()
            raise
        finally:
            if waiting is not None:
                waiting.exception()  # its thread uses what is closed now; the end of the process has ended it
            start.close()
        if isinstance(start, Handshake):
            self._own_file = start.own_file()
        if connection is not None:
            self.log.debug("%s has bound %s after %.0f ms", self._name(), connection, 1000 * (time.monotonic() - begin))
            return connection
        if start.known is not None and not _has_ended(pid):
            self.log.warning(
                "%s has not bound its sockets after %.0f s; its clients go on waiting", self._name(), self.patience
            )
            return start.known
        raise self._not_bound(way, time.monotonic() - begin)

    async def _spawn(self, cmd: list[str], kwargs: dict[str, Any]) -> int:
        # A kernel that outlives the server must not depend on a thread of it.
        self._stderr = None if self._independent or kwargs.get("stderr") is not None else Stderr()
        try:
            await super().launch_kernel(cmd, **(kwargs | {"stderr": self._stderr.writer} if self._stderr else kwargs))
        except OSError as error:
            raise KernelNotStarted(f"{self._name()} cannot be run: {error}.") from error
        finally:
            if self._stderr:
                self._stderr.close_writer()
        assert self.process is not None
        return int(self.process.pid)

    def _not_bound(self, way: str, seconds: float) -> _NotBound:
        """After the wait was in vain: ends what there is of the process and says how it was."""
        assert self.process is not None
        ended = _has_ended(self.process.pid)
        status = self._end_process()
        lines = self._stderr.last_lines(_STDERR_LINES, _STDERR_PATIENCE_S) if self._stderr else []
        if ended:
            return _NotBound(f"ended at its start over {way}, with {ending(status)} after {1000 * seconds:.0f} ms", lines)
        return _NotBound(f"did not bind its sockets over {way} within {seconds:.0f} s and was ended", lines)

    def _explanation(self, failure: _NotBound) -> str:
        if not failure.lines:
            return f"{self._name()} {failure.what}."
        return "\n    ".join([f"{self._name()} {failure.what}. Its last lines on stderr:", *failure.lines])

    def _adopt(self, connection: Connection) -> KernelConnectionInfo:
        """Makes the manager know what the file says, so that it finds nothing to correct in it."""
        manager = self._manager
        manager.transport, manager.ip = connection.transport, connection.ip
        for name, port in connection.ports.items():
            setattr(manager, name, port)
        self._started = connection
        if connection.transport == "ipc" and self._held:
            self._held.close()
            self._held = None
        self.connection_info = manager.get_connection_info()
        return self.connection_info

    def _forget(self) -> None:
        """After a failed start. Before a restart that failed there were clients, who get the same addresses at the next one."""
        if self._restarts:
            return
        self._manager.cleanup_connection_file()
        self._forget_addresses()
        self._release()

    def _forget_addresses(self) -> None:
        """The next start is a first one again."""
        manager = self._manager
        manager.transport, manager.ip = self._asked_transport, self._asked_ip
        for name, port in self._asked_ports.items():
            setattr(manager, name, port)
        self._started = None

    def _name(self) -> str:
        spec = self.kernel_spec
        return f"Kernel {Path(spec.resource_dir).name or spec.display_name!r} ({spec.argv[0] if spec.argv else 'no program'})"

    def _spec_identity(self) -> tuple[str, ...]:
        return (self.kernel_spec.resource_dir, *self.kernel_spec.argv)

    # --- The process -------------------------------------------------------------------------------------------------

    async def kill(self, restart: bool = False) -> None:
        self._ending = True  # a start that still waits for this process does not try another way
        await super().kill(restart=restart)

    async def terminate(self, restart: bool = False) -> None:
        self._ending = True
        await super().terminate(restart=restart)

    async def poll(self) -> int | None:
        process = self.process
        if process is not None and process.returncode is None and _has_ended(process.pid):
            self._reap(process)
        return await super().poll()

    def _end_process(self) -> int:
        """Ends the process, if there is one; returns its status."""
        process = self.process
        self.process = None
        return self._reap(process) if process is not None else 0

    def _reap(self, process: "subprocess.Popen[bytes]") -> int:
        """The group is ended before the process is reaped: until then its number cannot be another's."""
        if process.returncode is None:
            group = self.pgid == process.pid and (self.end_group or not _has_ended(process.pid))
            with suppress(ProcessLookupError):
                if group:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        return process.wait()

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart=restart)
        if self._own_file is not None:
            self._own_file.unlink(missing_ok=True)
            self._own_file = None
        if not restart:
            if self._started is not None:
                self._forget_addresses()
            self._release()
        elif self._started is not None and self._started.transport == "tcp" and self._held is None:
            with suppress(OSError):  # said at the start that follows
                self._held = HeldPorts(self._started.ip, self._started.ports)

    def _release(self) -> None:
        if self._private is not None:
            self._private.remove()
            self._private = None
        if self._held is not None:
            self._held.close()
            self._held = None


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it is not reaped here."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _wait(start: Start, pid: int, patience: float) -> Connection | None:
    """Where the kernel has bound; None when its process has ended, or nothing came of it in `patience` seconds."""
    deadline = time.monotonic() + patience
    process = os.pidfd_open(pid)
    try:
        poller = zmq.Poller()
        poller.register(process, zmq.POLLIN)
        poller.register(start.source, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = [source for source, _ in poller.poll(int(1000 * left) + 1)]
            if process in ready:
                return None
            if ready and (connection := start.bound()):
                return connection
        return None
    finally:
        os.close(process)


def _in_thread(work: Callable[[], T]) -> Future[T]:
    """A thread for each: a pool would let kernels that are slow to start keep others from starting."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    threading.Thread(target=run, name="kernel-start", daemon=True).start()
    return future
