#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Starts many kernels at once while another program takes every port that it can get, in each way of agreeing on addresses.

Prints a table. Status 0 when the promise held: every kernel answers and leaves nothing, except that in the mode tcp, where the
launcher has let go of the ports before the kernel binds them, a kernel may end at once with status 1 and a line that says which
port was taken. Times are figures and judge nothing; a kernel hangs when nothing comes for 30 s and one more for each kernel.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from kernels import ADDRESS, PORTS, Kernel, Registrar, RenamedFiles, group_lives, kernel_argv, make_kernel, new_home
from kernels import MODES as BARE_MODES
from report import Machine, milliseconds, replace_block, table

# What jupyter_client does with the provisioner, left to its own choice and over tcp, where ports can be stolen.
THROUGH = {"provisioner": "auto", "provisioner-tcp": "tcp"}
MODES = (*BARE_MODES, *THROUGH)

IN_USE = re.compile(r"address (already )?in use", re.IGNORECASE)
CLEAR_LINE = re.compile(r"cannot bind the \w+ channel to tcp://127\.0\.0\.1:\d+: Address already in use .*; another program has it")
HEADS = ["mode", "kernels", "answered", "ended early", "of these: port taken", "hung", "spawn → reply p50 / p99 (ms)",
         "spawn → early end p50 / max (ms)", "processes left", "files left", "sockets left"]


@dataclass
class Round:
    """One mode, N kernels."""

    mode: str
    kernels: list[Kernel]
    hung: list[Kernel] = field(default_factory=list)
    bad_ends: list[str] = field(default_factory=list)
    processes_left: int = 0
    files_left: list[str] = field(default_factory=list)
    sockets_left: list[str] = field(default_factory=list)

    @property
    def answered(self) -> list[Kernel]:
        return [kernel for kernel in self.kernels if kernel.answered_s is not None]

    @property
    def failed(self) -> list[Kernel]:
        return [kernel for kernel in self.kernels if kernel.ended_s is not None]

    def row(self) -> list[object]:
        collisions = sum(bool(IN_USE.search(kernel.log.read_text(errors="replace"))) for kernel in self.failed)
        return [self.mode, len(self.kernels), len(self.answered), len(self.failed), collisions, len(self.hung),
                milliseconds([kernel.answered_s for kernel in self.answered], 50, 99),
                milliseconds([kernel.ended_s for kernel in self.failed], 50, 100), self.processes_left, len(self.files_left),
                len(self.sockets_left)]

    def broken_promises(self) -> list[str]:
        found = [f"{kernel.file.name} hung" for kernel in self.hung] + self.bad_ends
        for kernel in self.failed if self.mode not in THROUGH else []:
            status = kernel.process.returncode
            if self.mode != "tcp" or status != 1 or not CLEAR_LINE.search(kernel.last_line):
                found.append(f"{kernel.file.name} ended with status {status}: {kernel.last_line}")
        found += [f"{name} was left behind" for name in self.files_left + self.sockets_left]
        if self.processes_left:
            found.append(f"{self.processes_left} processes were left behind")
        return [f"{self.mode}, {len(self.kernels)} kernels: {line}" for line in found]


class Storm:
    """Launches one round and follows it by events: a reply, a registration, a rewritten file, the end of a process."""

    def __init__(self, mode: str, count: int, argv: list[str], directory: Path):
        self.argv, self.directory, self.patience_s = argv, directory, 30.0 + count
        self.context = zmq.Context()
        self.context.max_sockets = 4 * count + 100
        self.registrar = Registrar(self.context) if mode == "handshake" else None
        self.renamed = RenamedFiles(directory) if mode in ("port0", "curve") else None
        self.round = Round(mode, [])
        self.by_id: dict[str, Kernel] = {}
        self.waiting: dict[int, Kernel] = {}  # by the descriptor of its process
        self.poller = zmq.Poller()
        self.actions: dict[object, object] = {}
        for _ in range(count):
            self.launch()

    def watch(self, source: object, action: object) -> None:
        self.poller.register(source, zmq.POLLIN)
        self.actions[source] = action

    def unwatch(self, source: object) -> None:
        if self.actions.pop(source, None) is not None:
            self.poller.unregister(source)

    def launch(self) -> None:
        kernel = make_kernel(self.round.mode, self.directory, self.registrar)
        kernel.start(self.argv)
        self.round.kernels.append(kernel)
        self.by_id[kernel.file.stem.removeprefix("kernel-")] = kernel
        pidfd = os.pidfd_open(kernel.process.pid)
        self.waiting[pidfd] = kernel
        self.watch(pidfd, lambda: self.ended(pidfd))

    def until_all_answered(self) -> None:
        if self.registrar:
            self.watch(self.registrar.socket, lambda: self.ask(self.registrar.accept(self.by_id)))
        elif self.renamed:
            self.watch(self.renamed.fd, self.rewritten)
        else:
            for kernel in self.round.kernels:
                self.ask(kernel)
        self.follow(lambda: len(self.round.answered) + len(self.round.failed) == len(self.round.kernels))
        self.round.hung = [kernel for kernel in self.round.kernels if kernel.answered_s is None and kernel.ended_s is None]
        for kernel in self.round.hung:
            kernel.kill()

    def follow(self, done: object) -> None:
        deadline = time.monotonic() + self.patience_s
        while not done() and (left := deadline - time.monotonic()) > 0:
            for source, _ in self.poller.poll(1000 * left):
                if source in self.actions:
                    self.actions[source]()

    def rewritten(self) -> None:
        for name in self.renamed.read():
            kernel = self.by_id.get(name.removesuffix(".json").removeprefix("kernel-"))
            if kernel is not None and not kernel.sockets and kernel.take_chosen_ports():
                self.ask(kernel)

    def ask(self, kernel: Kernel) -> None:
        shell = kernel.connect(self.context, zmq.DEALER, "shell_port")
        session = kernel.session
        session.send(shell, "kernel_info_request")
        self.watch(shell, lambda: self.replied(kernel, shell, session))

    def replied(self, kernel: Kernel, shell: zmq.Socket, session: object) -> None:
        """The signature says that it is this kernel and no other."""
        _, frames = session.feed_identities(shell.recv_multipart())
        if session.deserialize(frames)["msg_type"] == "kernel_info_reply":
            kernel.answered_s = time.monotonic() - kernel.spawned
        self.unwatch(shell)

    def ended(self, pidfd: int) -> None:
        kernel = self.waiting.pop(pidfd)
        self.unwatch(pidfd)
        os.close(pidfd)
        status = kernel.process.wait()
        if kernel in self.round.hung:
            return
        if kernel.answered_s is None:
            kernel.ended_s = time.monotonic() - kernel.spawned
            for shell in kernel.sockets:
                self.unwatch(shell)
        elif status != 0:
            self.round.bad_ends.append(f"{kernel.file.name} answered and ended with status {status}: {kernel.last_line}")

    def shut_down(self) -> None:
        alive = set(map(id, self.waiting.values()))
        for kernel in self.round.answered:
            if id(kernel) in alive:
                kernel.session.send(kernel.connect(self.context, zmq.DEALER, "control_port"), "shutdown_request", {"restart": False})
        self.follow(lambda: not self.waiting)
        for kernel in self.waiting.values():
            self.round.bad_ends.append(f"{kernel.file.name} did not end after a shutdown_request")

    def count_leftovers(self) -> None:
        own = {kernel.file.name for kernel in self.round.kernels}
        self.round.processes_left = sum(group_lives(kernel.process.pid) for kernel in self.round.kernels)
        self.round.files_left, self.round.sockets_left = left_in(self.directory, own)

    def close(self) -> None:
        for kernel in self.round.kernels:
            kernel.kill()
        for pidfd in self.waiting:
            os.close(pidfd)
        if self.renamed:
            self.renamed.close()
        self.context.destroy(linger=0)


def left_in(directory: Path, own: set[str]) -> tuple[list[str], list[str]]:
    """Files but the launcher's own; and sockets: their files, and those that a process has bound still, with a file or without.

    A TCP socket needs a process, and these are counted.
    """
    there = [path for path in directory.rglob("*") if path.name not in own]
    bound = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    sockets = {str(path) for path in there if path.is_socket()} | set(re.findall(re.escape(str(directory)) + r"/\S+", bound))
    return sorted(str(path) for path in there if not path.is_socket()), sorted(sockets)


@contextmanager
def port_thief():
    """Yields a list that holds, afterwards, how many ports were taken in a second."""
    thief = subprocess.Popen([sys.executable, Path(__file__).with_name("port_thief.py")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    rate: list[float] = []
    start = time.monotonic()
    try:
        if thief.stdout.readline() != "ready\n":
            raise SystemExit("the port thief does not start")
        yield rate
    finally:
        output, _ = thief.communicate()
        rate.append(int(output or 0) / (time.monotonic() - start))
    if thief.returncode != 0 or not rate[0]:
        raise SystemExit("the port thief failed: there was no storm")


def through_provisioner(name: str, mode: str, count: int, directory: Path) -> Round:
    """The package of the provisioner is needed by these modes only."""
    import through  # noqa: PLC0415

    kernels = through.start_all(name, directory, THROUGH[mode], count)
    done = Round(mode, [one.kernel for one in kernels], bad_ends=[one.fault for one in kernels if one.fault])
    groups = [one.kernel.process.pid for one in kernels if one.kernel.process]
    through.end_all(kernels)
    done.processes_left = sum(map(group_lives, groups))
    done.files_left, done.sockets_left = left_in(directory, set())
    return done


def one_round(mode: str, count: int, name: str, home: Path) -> tuple[Round, float]:
    argv, directory = kernel_argv(name), home / f"{mode}-{count}"
    directory.mkdir(mode=0o700)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(directory)
    if mode in THROUGH:
        with port_thief() as rate:
            done = through_provisioner(name, mode, count, directory)
        return done, rate[0]
    with port_thief() as rate:
        storm = Storm(mode, count, argv, directory)
        try:
            storm.until_all_answered()
            storm.shut_down()
            storm.count_leftovers()
        finally:
            storm.close()
    return storm.round, rate[0]


def refusals(argv: list[str], home: Path) -> list[float]:
    """How long a kernel that is alone takes to end when one of its ports is taken, for each port several times."""
    taken = socket.socket()
    taken.bind((ADDRESS, 0))
    took = []
    with taken:
        for port in PORTS * 4:
            kernel = make_kernel("tcp", home / "logs")
            kernel.fields[port] = taken.getsockname()[1]
            kernel.write_file()
            kernel.start(argv)
            if kernel.process.wait(60) != 1:
                raise SystemExit(f"a kernel whose {port} is taken ends with status {kernel.process.returncode}: {kernel.last_line}")
            took.append(time.monotonic() - kernel.spawned)
    return took


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/storm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", metavar="N", nargs="*", type=int, default=[20, 100, 200], help="kernels at once (20 100 200)")
    parser.add_argument("--kernel", default="lua", help="a kernelspec: lua, echo, or another's for comparison")
    parser.add_argument("--modes", default=",".join(MODES), help=f"some of {','.join(MODES)}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table into this page, between its marks")
    chosen = parser.parse_args()
    chosen.modes = chosen.modes.split(",")
    if unknown := set(chosen.modes) - set(MODES):
        parser.error(f"unknown mode {', '.join(sorted(unknown))}")
    if not chosen.counts or min(chosen.counts) < 1:
        parser.error("N must be 1 or more")
    return chosen


def main() -> int:
    chosen = options()
    rounds, rates = [], []
    machine = Machine()
    with new_home() as home:
        for count in chosen.counts:
            for mode in chosen.modes:
                done, rate = one_round(mode, count, chosen.kernel, home)
                print(" | ".join(map(str, done.row())), flush=True)
                rounds.append(done.row())
                rates.append((rate, done.broken_promises()))
        alone = refusals(kernel_argv(chosen.kernel), home) if "tcp" in chosen.modes else []
    broken = [line for _, lines in rates for line in lines]
    slowest = min(rate for rate, _ in rates)
    text = (f"{machine.describe()}, kernel `{chosen.kernel}`; the other program took at least {slowest:,.0f} ports a second:\n\n"
            + table(HEADS, rounds))
    if alone:
        text += (f"\n\nA kernel that starts alone and whose port is taken, each of the five in turn, has ended "
                 f"{milliseconds(alone, 50, 100)} ms (p50 / max) after its spawn.")
    print(f"\n{text}\n")
    if chosen.markdown:
        replace_block(chosen.markdown, "starts", text)
    print("\n".join(line[:300] for line in broken[:20]) if broken else f"storm: the promise held in {len(rounds)} rounds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
