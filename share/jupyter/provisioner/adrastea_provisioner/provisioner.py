# SPDX-License-Identifier: BSD-3-Clause
"""The provisioner: which way a kernel is started, what becomes of its process, and what is left of it."""

import asyncio
import atexit
import difflib
import itertools
import math
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.localinterfaces import localhost
from jupyter_client.multikernelmanager import MultiKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Bool, CaselessStrEnum, Float, TraitError, Unicode

from . import notify
from .connection import PORTS, Connection, read_json, remove_unfinished
from .errors import KernelNotStarted, WrongSetting, ending
from .guard import end_detached, guard, ticks
from .ports import HeldPorts
from .private import PrivateDirectory
from .starts import IPC_NUMBERS, SILENCE_S, Answer, Handshake, Ipc, PortZero, Start, Tcp
from .stderr import Stderr

# The first version whose kernels register when their connection file asks for it.
_HANDSHAKE_VERSION = (5, 6)
_STDERR_LINES = 20
# A child of the kernel that left its process group may hold the pipe for ever; what it has to say is not waited for.
_STDERR_PATIENCE_S = 0.5
# A kernel that has said that one of its ports is in use has so long to end or to bind it after all.
_IN_USE_PATIENCE_S = 1.0
# How often a kernel is started on new ports because one of its ports was stolen.
_NEW_PORTS = 5
# So many starts in a row at which a way failed are no chance: it is not tried any more.
_FAILURES = 2
_IN_USE = re.compile(r"address (is )?(already )?in use|EADDRINUSE", re.IGNORECASE)

# The program, or a part of it, is not installed.
_INCOMPLETE = re.compile(
    r"ModuleNotFoundError|No module named|error while loading shared libraries|symbol lookup error|command not found"
    r"|there is no package called"
)
# What a kernel may say that does not know how it is to be connected; over the next transport it may start.
_OF_CONNECTIONS = re.compile(
    r"ipc|tcp|transport|address|argument|bind|\bports?\b|_port|socket|connect|endpoint|regist|protocol|zmq|zeromq|handshake"
    r"|support|json|key",
    re.IGNORECASE,
)
_DETACHED = (
    ": its command has detached itself, and what it left in the background was ended, for it cannot be supervised;"
    " the command has to run as long as the kernel"
)
_PERHAPS_DETACHED = "; if its command has detached it (as docker run -d), that has to run as long as the kernel"
# Whose kernels rewrite their connection file when they have chosen their ports; nothing in a kernelspec says so.
_REWRITING = re.compile(r"\bipykernel(_launcher)?\b|\badrastea-\w+$")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Sign(Protocol[T_co]):
    """What tells that a kernel has come so far: a Start or an Answer."""

    @property
    def sources(self) -> tuple[Any, ...]: ...

    def bound(self) -> T_co | None: ...

    def ask(self) -> tuple[Any, ...]: ...


class _NotStarted(Exception):
    """One way to start did not work. `what` completes "kernel x ...", `status` is a kernel's that ended by itself.

    `detached`: its command has gone, and the kernel is in the background.
    """

    def __init__(self, what: str, lines: list[str], status: int | None = None, detached: bool = False) -> None:
        super().__init__(what)
        self.what, self.lines, self.status, self.detached = what, lines, status, detached

    def ends_every_way(self, earlier: "_NotStarted | None") -> bool:
        """Whether a kernel cannot be supervised, lacks a part, or ended just as it did the way before, of something else than its connection."""
        if self.detached:
            return True
        if self.status is None or self.status <= 0 or not self.lines:
            return False
        missing = [at for at, line in enumerate(self.lines) if _INCOMPLETE.search(line)]
        # A shell or a plugin may lack something and go on: then the kernel complains of its connection afterwards.
        if missing and not any(_OF_CONNECTIONS.search(line) for line in self.lines[missing[-1] + 1 :]):
            return True
        if earlier is None or earlier.status != self.status or any(_OF_CONNECTIONS.search(line) for line in self.lines):
            return False
        return _without_numbers(earlier.lines) == _without_numbers(self.lines)


class _EndedWhenAwaited:
    """The task of a start, for who ends the kernel: a server waits for the start before that, and nobody else does."""

    def __init__(self, task: "asyncio.Task[None]", give_up: Callable[[], None]) -> None:
        self._task, self._give_up = task, give_up

    def __await__(self) -> Generator[Any, None, None]:
        self._give_up()
        return self._task.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def _without_numbers(lines: list[str]) -> list[str]:
    """Times, processes and addresses are others at each start."""
    return [re.sub(r"0x[0-9a-fA-F]+|\d+", "#", line) for line in lines]


class AdrasteaProvisioner(LocalProvisioner):
    """Starts a kernel over the first transport that cannot collide and that the kernel knows, and waits until it answers.

    Threads: the event loop of its manager; waiting is done in a thread of its own.
    """

    transport = CaselessStrEnum(
        ["auto", "ipc", "port0", "handshake", "tcp"],
        default_value="auto",
        config=True,
        help="""How kernels are started. auto: the first of the others that can be had and works. ipc: sockets in a private
        directory. port0: the kernel chooses its ports and rewrites its connection file. handshake: it chooses them and
        registers (JEP 66). tcp: ports that are held for the kernel until it has bound them.""",
    )
    patience = Float(60.0, config=True, help="Seconds that a kernel has to bind its sockets, each way that it is started.")
    directory = Unicode("", config=True, help="Where private directories are made. Default: the first that is short enough.")
    end_group = Bool(True, config=True, help="End the processes that a kernel leaves behind in its process group.")
    answer = Bool(True, config=True, help="Wait until a kernel answers; what it says when it ends before that is in the error.")
    guard = Bool(True, config=True, help="End the kernels, and remove the files, of a launcher that is killed.")

    # What auto found out, for as long as this server runs: at how many starts in a row a way failed and a later one did not.
    _failed: ClassVar[Counter[tuple[tuple[str, ...], str]]] = Counter()

    _content: dict[str, Any] | None = None
    """The connection file without addresses; None where jupyter_client's own start is used."""
    _is_restart = False
    _restarts = False
    """Whether it is one at the same addresses."""
    _ending = False
    _independent = False
    _private: PrivateDirectory | None = None
    _no_private = ""
    """Why there is none."""
    _held: HeldPorts | None = None
    _stderr: Stderr | None = None
    _own_file: Path | None = None
    _started: Connection | None = None
    _begun, _served_at = 0.0, math.inf
    """The kernel's processes were started between these ticks; later ones are of its user."""
    _hide_restart: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, **kwargs: Any) -> None:
        try:
            self._refuse_unknown(set(kwargs) - {"kernel_id", "kernel_spec", "parent"})
            super().__init__(**kwargs)
        except TraitError as error:
            self.kernel_spec, self.kernel_id, self.parent = (kwargs[name] for name in ("kernel_spec", "kernel_id", "parent"))
            self._forget_in_server()
            where = f"c.AdrasteaProvisioner in the configuration, or config in {self.kernel_spec.resource_dir}/kernel.json"
            raise WrongSetting(f"{self._name()} was not started: {str(error).rstrip('.')}; it is set by {where}.") from error

    def _refuse_unknown(self, settings: Iterable[str]) -> None:
        """Those of a kernelspec come as arguments, of which traitlets takes any."""
        known = sorted(self.trait_names(config=True))
        for name in sorted(set(settings).difference(known)):
            close = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            raise TraitError(f"{name!r} is no setting of AdrasteaProvisioner ({hint})")

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
        if self._is_restart and self._is_given_up():
            self._restarts = False
            guard.expect_no_more(Path(manager.connection_file))
            self._forget()
            raise KernelNotStarted(f"{self._name()} is not restarted, for it was shut down meanwhile.")
        self._independent = bool(kwargs.get("independent", False))
        ports = {name: max(0, getattr(manager, name)) for name in PORTS}
        if self._started is None:
            self._asked_ports = ports
            self._asked_transport, self._asked_address = manager.transport, manager.ip
            self._asked_ip = manager.ip if manager.transport == "tcp" else localhost()
            default_prefixes = ("kernel-ipc", os.path.splitext(manager.connection_file)[0] + "-ipc")
            self._asked_prefix = manager.ip if manager.transport == "ipc" and manager.ip not in default_prefixes else None
        if not self._asked_ip:
            self._refuse("KernelManager.ip is empty; set it to an address, such as 127.0.0.1")
        if not self.patience > 0:  # nor is NaN
            self._refuse(f"AdrasteaProvisioner.patience is {self.patience:g}; set it to more than 0 seconds, such as 60")
        manager.cache_ports = False  # or it would choose ports
        if not manager.connection_file:  # jupyter_client would choose a name when it makes the file: the guard is to know it before
            manager.connection_file = os.path.join(tempfile.gettempdir(), f"kernel-{uuid.uuid4()}.json")
        self._expect()
        try:
            kwargs = await super().pre_launch(**kwargs)
        except BaseException as error:
            guard.expect_no_more(Path(manager.connection_file))
            self._forget_in_server()
            if not isinstance(error, OSError):
                raise
            self._resume_restarter()
            raise KernelNotStarted(f"{self._name()} was not started: its connection file cannot be written: {error}.") from error
        if self._independent:
            # Of the launcher's own launcher, whose end is no more to it than its own.
            kwargs["env"].pop("JPY_PARENT_PID", None)
        self._restarts = self._started is not None and 0 not in ports.values()
        content = read_json(Path(manager.connection_file))
        self._content = {name: value for name, value in content.items() if name not in ("transport", "ip", *PORTS)}
        return kwargs

    def _refuse(self, why: str) -> NoReturn:
        """A setting that no kernel can be started with."""
        self._forget_in_server()
        raise KernelNotStarted(f"{self._name()} was not started: {why}.")

    def _ways(self) -> list[str]:
        """What to try, in this order."""
        if self._restarts and self._started:
            return ["ipc" if self._started.transport == "ipc" else "tcp"]
        if self._asked_prefix:
            return ["ipc"]
        if any(self._asked_ports.values()):
            return ["tcp"]
        if self.transport != "auto":
            return [self.transport]
        ways = ["handshake"] if self._declares_handshake() else []
        if self._local_only():
            if self._make_private():
                ways.append("ipc")
            else:
                self.log.warning("%s does not start over ipc: %s", self._name(), self._no_private)
        if "ipc" not in ways and self._is_known_to_rewrite():
            ways.append("port0")
        ways.append("tcp")
        spec = self._spec_identity()
        return [way for way in ways if self._failed[spec, way] < _FAILURES or way == ways[-1]]

    def _declares_handshake(self) -> bool:
        try:
            # jupyter_client before 8.8 has no such field.
            declared = getattr(self.kernel_spec, "kernel_protocol_version", "")
            version = tuple(int(part) for part in str(declared).split(".")[:2])
        except ValueError:
            return False
        return version >= _HANDSHAKE_VERSION

    def _is_known_to_rewrite(self) -> bool:
        """Whether it tells its launcher so which ports it has chosen. One that does not cannot be told from one that is slow."""
        return any(_REWRITING.search(word) for word in self.kernel_spec.argv)

    def _local_only(self) -> bool:
        """Whether nobody asked for an address that other hosts reach."""
        ip = str(self._asked_ip)
        return ip.startswith("127.") or ip in (localhost(), "localhost", "::1")

    def _make_private(self) -> bool:
        if self._private is not None:
            return True
        reasons = []
        for base in self._private_bases():
            try:
                self._private = PrivateDirectory(base, outlives=self._independent)
            except OSError as error:
                reasons.append(str(error))
            else:
                self._expect()
                return True
        self._no_private = f"no private directory can be made: {'; '.join(reasons)}"
        return False

    def _private_bases(self) -> list[Path]:
        """Absolute ones: the kernel's working directory is another."""
        if self.directory:
            return [Path(os.path.abspath(os.path.expanduser(self.directory)))]
        return [Path(name) for name in (jupyter_runtime_dir(), os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if name]

    def _start(self, way: str, content: Mapping[str, Any]) -> Start:
        """Errors: OSError when what it needs is not there."""
        file = Path(self._manager.connection_file)
        if self._restarts and self._started and self._started.transport == "ipc":
            if self._private:
                self._private.renew()
            return Ipc(file, content, self._started, private=self._asked_prefix is None)
        if self._asked_prefix:
            return Ipc(file, content, Connection("ipc", self._asked_prefix, self._ipc_numbers()), private=False)
        if way == "port0":
            return PortZero(file, content, self._asked_ip)
        if way == "tcp":
            return Tcp(file, content, Connection("tcp", self._asked_ip, self._hold_ports()))
        private = self._private.path if self._local_only() and self._make_private() and self._private else None
        if way == "handshake":
            return Handshake(file, content, self._asked_ip, private)
        if private is None:
            raise OSError(self._no_private if self._local_only() else f"{self._asked_ip} is an address of other hosts, too")
        return Ipc(file, content, Connection("ipc", str(private / "k"), IPC_NUMBERS))

    def _ipc_numbers(self) -> dict[str, int]:
        """At an address of the user's own: the numbers that were asked for, and for the others those that nothing has."""
        asked = set(self._asked_ports.values())
        free = (n for n in itertools.count(1) if n not in asked and not os.path.lexists(f"{self._asked_prefix}-{n}"))
        return {name: port or next(free) for name, port in self._asked_ports.items()}

    def _hold_ports(self) -> dict[str, int]:
        wanted = dict(self._started.ports) if self._restarts and self._started else self._asked_ports
        if not self._restarts:
            self._let_go()  # of those of an earlier start: new ones were asked for
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
        atexit.register(self._end_with_launcher, os.getpid())
        try:
            self._show_in_server()
            with _interrupts() as interrupted:
                connection = await self._launch_somehow(self._ways(), cmd, kwargs)
            if interrupted:
                raise KeyboardInterrupt
            return self._adopt(connection)
        except BaseException as error:
            self._end_process()
            self._forget()
            if isinstance(error, KernelNotStarted):
                self._resume_restarter()
            raise
        finally:
            self._hide_restart()
            atexit.unregister(self._end_with_launcher)
            guard.expect_no_more(Path(self._manager.connection_file))

    def _end_with_launcher(self, launcher: int) -> None:
        """As it ends during a start, which nobody goes on with. Not with a fork of it."""
        if os.getpid() == launcher and not self._independent:
            self._restarts = False
            self._end_process()
            self._forget()
            guard.expect_no_more(Path(self._manager.connection_file))

    async def _launch_somehow(self, ways: list[str], cmd: list[str], kwargs: dict[str, Any]) -> Connection:
        earlier: _NotStarted | None = None
        for way, following in zip(ways, [*ways[1:], None], strict=True):
            try:
                connection = await self._launch_on_new_ports(way, cmd, kwargs)
            except _NotStarted as failure:
                if following is None or self._is_unwanted() or failure.ends_every_way(earlier):
                    raise KernelNotStarted(self._explanation(failure)) from None
                earlier = failure
                self.log.warning("%s %s; it is started over %s now", self._name(), failure.what, following)
            else:
                self._learn(ways[: ways.index(way)], way)
                return connection
        raise AssertionError("no way to start a kernel")

    def _learn(self, failed: list[str], worked: str) -> None:
        spec = self._spec_identity()
        self._failed.update((spec, way) for way in failed)
        del self._failed[spec, worked]

    async def _launch_on_new_ports(self, way: str, cmd: list[str], kwargs: dict[str, Any]) -> Connection:
        """Again on other ports, as long as it is for stolen ones that the kernel ends."""
        for _ in range(_NEW_PORTS):
            try:
                return await self._launch(way, cmd, kwargs)
            except _NotStarted as failure:
                stolen = self._stolen(way, failure)
                if not stolen or self._is_unwanted():
                    raise
                self.log.warning(
                    "%s %s: another program took %s; it is started on new ports now", self._name(), failure.what, stolen
                )
        return await self._launch(way, cmd, kwargs)

    def _stolen(self, way: str, failure: _NotStarted) -> str:
        """The ports that others took between our choice and the kernel's bind; nothing where new ones would not help."""
        if not self._may_have_new_ports(way) or self._held is None:
            return ""
        taken = [f"{name} {self._held.ports[name]}" for name in self._held.taken()]
        self._let_go()
        if taken:
            return ", ".join(taken)
        # Whoever had it may have let go of it again.
        return "one of its ports" if any(_IN_USE.search(line) for line in failure.lines) else ""

    def _may_have_new_ports(self, way: str) -> bool:
        return way == "tcp" and not self._restarts and not any(self._asked_ports.values())

    def _says_in_use(self, lines: list[str]) -> bool:
        """Whether a kernel has complained of one of its ports: some of them live on without it, mute."""
        ports = self._held.ports.values() if self._held is not None else ()
        numbers = re.compile(rf":({'|'.join(map(str, ports))})\b")
        return bool(ports) and any(_IN_USE.search(line) and numbers.search(line) for line in lines)

    async def _launch(self, way: str, cmd: list[str], kwargs: dict[str, Any]) -> Connection:
        assert self._content is not None
        begin = time.monotonic()
        self._begun, self._served_at = math.floor(ticks()), math.inf
        try:
            start = self._start(way, self._content)
        except (OSError, zmq.ZMQBaseError) as error:
            raise _NotStarted(f"cannot be started over {way}: {error}", []) from None
        try:
            start.prepare()
            if isinstance(start, Handshake):
                self._own_file = start.own_file()
            # Some kernels whose port is taken go on without it, mute: better not to start them.
            if way == "tcp" and not self._restarts and self._held is not None and (port := self._held.listened_on()):
                raise _NotStarted(f"was not started over tcp, for somebody listens on its {port}", [])
            process = await self._spawn(way, cmd, kwargs)
            connection = await self._await_sign(start, process.pid, self._stderr.alarm if self._stderr else None)
        except (OSError, zmq.ZMQBaseError) as error:
            self._end_process()
            raise _NotStarted(f"cannot be started over {way}: {error}", []) from None
        except BaseException:
            self._end_process()
            raise
        finally:
            start.close()
            if self._stderr:
                self._stderr.stop_watching()
        if connection is None:
            raise self._failure(way, process, time.monotonic() - begin, bound=False)
        self.log.debug("%s has bound %s after %.0f ms", self._name(), connection, 1000 * (time.monotonic() - begin))
        if self.answer:
            await self._await_answer(way, connection, process, begin)
        return connection

    async def _await_answer(self, way: str, connection: Connection, process: "subprocess.Popen[bytes]", begin: float) -> None:
        assert self._content is not None
        answer = Answer(connection, self._content)
        try:
            answer.prepare()
            answered = await self._await_sign(answer, process.pid)
        except BaseException:
            self._end_process()
            raise
        finally:
            answer.close()
        if answered:
            self.log.debug("%s has answered after %.0f ms", self._name(), 1000 * (time.monotonic() - begin))
        elif _has_ended(process.pid):
            raise self._failure(way, process, time.monotonic() - begin, bound=True)
        else:
            self.log.warning("%s has not answered after %.0f s; its clients go on waiting", self._name(), self.patience)

    async def _await_sign(self, sign: _Sign[T], pid: int, alarm: int | None = None) -> T | None:
        waiting = _in_thread(lambda: _wait(sign, pid, self.patience, alarm))
        try:
            return await asyncio.wrap_future(waiting)
        except BaseException:
            self._end_process()  # which ends the thread, too
            raise
        finally:
            waiting.exception()  # its thread uses what is closed now

    async def _spawn(self, way: str, cmd: list[str], kwargs: dict[str, Any]) -> "subprocess.Popen[bytes]":
        # A kernel that outlives the server must not depend on a thread of it.
        self._stderr = None
        if not self._independent and kwargs.get("stderr") is None:
            self._stderr = Stderr(self._says_in_use if self._may_have_new_ports(way) else None)
        self._expect()
        try:
            await super().launch_kernel(cmd, **(kwargs | {"stderr": self._stderr.writer} if self._stderr else kwargs))
        except OSError as error:
            raise KernelNotStarted(f"{self._name()} cannot be run: {error}.") from error
        finally:
            if self._stderr:
                self._stderr.close_writer()
        process: subprocess.Popen[bytes] | None = self.process
        assert process is not None
        self._tell_guard(process.pid)
        return process

    def _is_guarded(self) -> bool:
        return self.guard and not self._independent

    def _guarded_paths(self) -> list[Path]:
        paths = [Path(self._manager.connection_file)]
        paths += [self._private.path] if self._private else []
        paths += [self._own_file] if self._own_file else []
        return paths

    def _expect(self) -> None:
        """The guard knows of every file before, or as soon as, it is there."""
        if self._is_guarded():
            guard.expect(Path(self._manager.connection_file), self._guarded_paths())

    def _tell_guard(self, pid: int) -> None:
        if self._is_guarded():
            guard.add(pid, self._guarded_paths(), self.end_group)

    def _failure(self, way: str, process: "subprocess.Popen[bytes]", seconds: float, bound: bool) -> _NotStarted:
        """After the wait was in vain: ends what there is of the process and says how it was.

        Somebody who ends the kernel meanwhile may have reaped it and forgotten its process.
        """
        ended = _has_ended(process.pid)
        left = self._end_process()
        status = process.wait()
        lines = self._stderr.last_lines(_STDERR_LINES, _STDERR_PATIENCE_S) if self._stderr else []
        if ended:
            when = "after it had bound its sockets" if bound else "at its start"
            what = f"ended {when} over {way}, with {ending(status)} after {1000 * seconds:.0f} ms"
            # Otherwise it may just have no word for a transport that it does not know.
            detached = status == 0 and left
            return _NotStarted(what + (_DETACHED if detached else ""), lines, status, detached)
        if self._stderr and self._stderr.alarmed:
            return _NotStarted(f"found one of its ports in use over {way} and was ended after {1000 * seconds:.0f} ms", lines)
        what = f"did not bind its sockets over {way} within its patience of {self.patience:g} s and was ended"
        return _NotStarted(what, lines)

    def _explanation(self, failure: _NotStarted) -> str:
        what = failure.what + (_PERHAPS_DETACHED if failure.status == 0 and not failure.detached else "")
        if not failure.lines:
            return f"{self._name()} {what}."
        return "\n    ".join([f"{self._name()} {what}. Its last lines on stderr:", *failure.lines])

    def _adopt(self, connection: Connection) -> KernelConnectionInfo:
        """Makes the manager know what the file says, so that it finds nothing to correct in it."""
        manager = self._manager
        manager.transport, manager.ip = connection.transport, connection.ip
        for name, port in connection.ports.items():
            setattr(manager, name, port)
        self._started, self._served_at = connection, ticks()
        if connection.transport == "ipc":
            self._let_go()
        self.connection_info = manager.get_connection_info()
        return self.connection_info

    def _forget(self) -> None:
        """After a failed start. Before a restart that failed there were clients, who get the same addresses at the next one."""
        if self._restarts:
            return
        self._manager.cleanup_connection_file()
        self._forget_addresses()
        self._release()
        self._forget_in_server()

    def _resume_restarter(self) -> None:
        """jupyter_client stops it before a restart, and starts it again when the kernel's process is there.

        The failure counts as one of its attempts: after the last one it says that the kernel is dead.
        """
        restarter = getattr(self._manager, "_restarter", None)
        if restarter is not None and self._is_restart and not self._is_unwanted():
            restarter._restarting = True
            restarter.start()

    def _forget_in_server(self) -> None:
        """jupyter_client (8.9, MultiKernelManager) keeps a kernel whose start failed among those that start.

        At its end a server asks these to end, too; then one that is not there keeps it from ending.
        """
        server = self._manager.parent
        starting = getattr(server, "_pending_kernels", None)
        if isinstance(starting, dict) and (not self._is_restart or self.kernel_id not in getattr(server, "_kernels", {})):
            starting.pop(self.kernel_id, None)

    def _show_in_server(self) -> None:
        """While a kernel starts or restarts: a server that ends meanwhile asks all that it knows to end, and must be able to.

        jupyter_server refuses to end a kernel that it does not list yet, and would then never end: it is not to know of this
        one, which the guard ends. One that restarts is listed; the server waits for it where it is pending.
        """
        server = self._manager.parent
        if self._is_restart:
            self._show_restart()
        elif getattr(server, "use_pending_kernels", False):  # it is listed
            if task := server._pending_kernels.get(self.kernel_id):
                server._pending_kernels[self.kernel_id] = _EndedWhenAwaited(task, self._give_up)
        elif getattr(type(server), "_async_shutdown_kernel", None) is not MultiKernelManager._async_shutdown_kernel:
            self._forget_in_server()

    def _give_up(self) -> None:
        """A kernel that has not started yet, and need not any more."""
        if self._started is None:
            self._ending = True
            self._end_process()

    def _show_restart(self) -> None:
        """As pending, from the old process's end on until the new one has started, or until the task that restarts it ends."""
        pending, task = getattr(self._manager.parent, "_pending_kernels", None), asyncio.current_task()
        if not isinstance(pending, dict) or self.kernel_id in pending or task is None:
            return
        shown = pending[self.kernel_id] = task.get_loop().create_future()

        def hide(_: object = None) -> None:
            if pending.get(self.kernel_id) is shown:
                del pending[self.kernel_id]
            if not shown.done():  # who waited for it may have been cancelled
                shown.set_result(None)

        self._hide_restart = hide
        task.add_done_callback(hide)

    def _forget_addresses(self) -> None:
        """The next start is a first one again."""
        manager = self._manager
        manager.transport, manager.ip = self._asked_transport, self._asked_address
        for name, port in self._asked_ports.items():
            setattr(manager, name, port)
        self._started = None

    def _name(self) -> str:
        spec = self.kernel_spec
        return f"Kernel {Path(spec.resource_dir).name or spec.display_name!r} ({spec.argv[0] if spec.argv else 'no program'})"

    def _spec_identity(self) -> tuple[str, ...]:
        return (self.kernel_spec.resource_dir, *self.kernel_spec.argv)

    # --- The process -------------------------------------------------------------------------------------------------

    def _is_given_up(self) -> bool:
        """Whether its server knows it no more.

        At a shutdown after a restart that failed, jupyter_client forgets the kernel and does nothing else; its restarter goes on.
        """
        kernels = getattr(self._manager.parent, "_kernels", None)
        return isinstance(kernels, dict) and self._manager not in kernels.values()

    def _is_unwanted(self) -> bool:
        """Whether somebody ends the kernel that is starting; it may end at the first, polite request."""
        return self._ending or bool(self._manager.shutting_down)

    async def shutdown_requested(self, restart: bool = False) -> None:
        if restart:
            self._show_restart()
        await super().shutdown_requested(restart=restart)

    async def kill(self, restart: bool = False) -> None:
        if restart:
            self._show_restart()
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

    def _end_process(self) -> bool:
        """Ends the process, if there is one, and removes the file of its own; also one that it was about to replace it by.

        Whether anything of it was left elsewhere than in its process group.
        """
        process, left = self.process, False
        self.process = None
        if process is not None:
            self._reap(process)
            left = self._end_detached()
            guard.remove(process.pid)
            for file in [Path(self._manager.connection_file), *([self._own_file] if self._own_file else [])]:
                remove_unfinished(file)
        self._remove_own_file()
        return left

    def _end_detached(self) -> bool:
        """What the command has started in a session of its own: behind a wrapper, that is the kernel."""
        return end_detached(Path(self._manager.connection_file), self._begun, self._served_at)

    def _remove_own_file(self) -> None:
        if self._own_file is not None:
            with suppress(OSError):  # where it could not be written, either
                self._own_file.unlink()
            self._own_file = None

    def _reap(self, process: "subprocess.Popen[bytes]") -> None:
        """The group is ended before the process is reaped: until then its number cannot be another's."""
        if process.returncode is None:
            group = self.pgid == process.pid and (self.end_group or not _has_ended(process.pid))
            with suppress(ProcessLookupError):
                if group:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        process.wait()

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart=restart)
        self._is_restart = restart
        if self._started is not None and self.process is None:
            self._end_detached()
        if not restart:
            guard.expect_no_more(Path(self._manager.connection_file))
        elif self._started is not None:
            self._expect()  # the next start is to find the file
        if self.pid is not None:
            guard.remove(self.pid)
        self._remove_own_file()
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
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it is not reaped here."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _wait(sign: _Sign[T], pid: int, patience: float, alarm: int | None = None) -> T | None:
    """What the sign says; None when the process has ended, or nothing came of it in `patience` seconds.

    After the alarm, patience is short, and the kernel is not asked: it may serve without one of its sockets.
    """
    deadline, alarmed = time.monotonic() + patience, False
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:  # ended, and reaped by somebody who asked whether it lives
        return None
    try:
        poller = zmq.Poller()
        poller.register(process, zmq.POLLIN)
        for source in (*sign.sources, *([] if alarm is None else [alarm])):
            poller.register(source, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = [source for source, _ in poller.poll(int(1000 * min(left, SILENCE_S)) + 1)]
            if process in ready:
                return None
            if alarm in ready:
                ready.remove(alarm)
                poller.unregister(alarm)
                deadline = min(deadline, time.monotonic() + _IN_USE_PATIENCE_S)
                alarmed = True
            if ready and (said := sign.bound()):
                return said
            if not alarmed:
                for source in sign.ask():
                    poller.register(source, zmq.POLLIN)
        return None
    finally:
        os.close(process)


_interruptible: "dict[asyncio.Task[Any], list[int]]" = {}
"""The starts in the main thread, and the interrupts that came during each."""


def _interrupt(number: int, _frame: object) -> None:
    for task, signals in list(_interruptible.items()):
        signals.append(number)
        task.get_loop().call_soon_threadsafe(task.cancel)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Ctrl-C in a blocking start_kernel() ends the start before it is a KeyboardInterrupt.

    As Python has it, the interrupt would leave the event loop and the start where they are, with a process that nobody knows.
    Yields the signals that came. Where somebody else handles them, or in other threads than the main one, nothing is done.
    """
    signals: list[int] = []
    task = asyncio.current_task()
    ours = threading.current_thread() is threading.main_thread()
    if not ours or task is None or signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, _interrupt):
        yield signals
        return
    _interruptible[task] = signals
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield signals
    except asyncio.CancelledError:
        # It stops the event loop: the last of those that are interrupted raises it, so that the others come to their end.
        if signals and not any(others for other, others in _interruptible.items() if other is not task):
            raise KeyboardInterrupt from None
        raise
    finally:
        del _interruptible[task]
        if not _interruptible and signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


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
