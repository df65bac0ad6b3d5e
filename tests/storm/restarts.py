#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Restarts one kernel in place again and again: the same connection file, ports and keys; killed and asked to end in turn.

Two clients stay connected all the time. While the kernel is down each of them asks it to execute a cell and, on shell and on
control, who it is. Status 0 when after every restart each of these requests got exactly one reply, each client its welcome on
IOPub, and each cell that was sent after the welcomes all of its messages at both clients, once and in order. Of the cells that
were sent while the kernel was down a client may miss the first messages on IOPub, since its subscription may come later than its
request; never later ones, and none may come twice.
"""

import argparse
import os
import signal
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from kernels import Kernel, curve_keys, group_lives, kernel_argv, make_kernel, new_home, steady_ports
from report import Machine, milliseconds, replace_block, table
from zmq.utils.monitor import recv_monitor_message

MODES = ("tcp", "ipc", "curve")
CLIENTS = 2
PATIENCE_S = 60  # for what has to come; a kernel that hangs ends the program
CELL = ["busy", "execute_input", "stream", "idle"]
INFO = ["busy", "idle"]
SHUTDOWN = ["busy", "shutdown_reply", "idle"]
HEADS = ["mode", "restarts", "replies to requests sent while down", "welcomes", "whole cells sent afterwards", "doubled or out of order",
         "spawn → replies p50 / p99 / max (ms)", "spawn → outputs p50 / p99 / max (ms)", "left over"]


class Broken(Exception):
    """The promise was not kept."""


class Client:
    """Stays connected while kernels come and go, and writes down everything that it gets."""

    def __init__(self, kernel: Kernel, context: zmq.Context):
        self.session = kernel.session
        identity = self.session.bsession
        self.shell = kernel.connect(context, zmq.DEALER, "shell_port", identity)
        self.control = kernel.connect(context, zmq.DEALER, "control_port", identity)
        self.iopub = kernel.connect(context, zmq.SUB, "iopub_port")
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self.monitors = [one.get_monitor_socket(events) for one in (self.shell, self.control, self.iopub)]
        self.connected: set[zmq.Socket] = set()  # by their monitors
        self.welcomes = 0
        self.seen: set[str] = set()
        self.replies: dict[str, list[str]] = defaultdict(list)  # by the request's msg_id
        self.outputs: dict[str, list[str]] = defaultdict(list)

    def sources(self) -> dict:
        return {self.shell: self.take_reply, self.control: self.take_reply, self.iopub: self.take_output,
                **dict.fromkeys(self.monitors, self.take_event)}

    def send(self, channel: zmq.Socket, msg_type: str, content: dict | None = None) -> str:
        return self.session.send(channel, msg_type, content or {})["header"]["msg_id"]

    def execute(self, text: str) -> str:
        return self.send(self.shell, "execute_request", {"code": f'print("{text}")', "silent": False, "store_history": True,
                                                         "user_expressions": {}, "allow_stdin": False, "stop_on_error": True})

    def take_event(self, monitor: zmq.Socket) -> None:
        if recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED:
            self.connected.discard(monitor)
        else:
            self.connected.add(monitor)

    def take_reply(self, channel: zmq.Socket) -> None:
        message = self.receive(channel)
        self.replies[message["parent_header"]["msg_id"]].append(message["msg_type"])

    def take_output(self, channel: zmq.Socket) -> None:
        message = self.receive(channel)
        if message["msg_type"] == "iopub_welcome":
            self.welcomes += 1
        elif parent := message["parent_header"].get("msg_id"):
            state = message["content"].get("execution_state")
            self.outputs[parent].append(state if message["msg_type"] == "status" else message["msg_type"])

    def receive(self, channel: zmq.Socket) -> dict:
        _, frames = self.session.feed_identities(channel.recv_multipart())
        message = self.session.deserialize(frames)
        if message["msg_id"] in self.seen:
            raise Broken(f"{message['msg_type']} came twice with the same msg_id")
        self.seen.add(message["msg_id"])
        return message


@dataclass
class Figures:
    mode: str
    rounds: int = 0
    replies_s: list[float] = field(default_factory=list)
    outputs_s: list[float] = field(default_factory=list)
    down: list[tuple[Client, str, list[str]]] = field(default_factory=list)
    up: list[tuple[str, list[str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left: int = 0

    def row(self, clients: list[Client]) -> list[object]:
        answered = sum(len(client.replies[request]) for client, request, _ in self.down)
        cells = [request for request, expected in self.up if expected is CELL]
        whole = sum(client.outputs[request] == CELL for request in cells for client in clients)
        return [self.mode, self.rounds, f"{answered} of {len(self.down)}", f"{sum(c.welcomes - 1 for c in clients)} of {CLIENTS * self.rounds}",
                f"{whole} of {CLIENTS * len(cells)}", len(self.faults), milliseconds(self.replies_s, 50, 99, 100),
                milliseconds(self.outputs_s, 50, 99, 100), self.left]


class Restarts:
    """One kernel and its clients in one mode."""

    def __init__(self, mode: str, argv: list[str], directory: Path):
        self.argv, self.directory = argv, directory
        self.context = zmq.Context()
        self.kernel = make_kernel("ipc" if mode == "ipc" else "port0", directory)
        if mode != "ipc":
            self.kernel.fields |= steady_ports()
        if mode == "curve":
            self.kernel.fields |= curve_keys()
        self.kernel.write_file()
        self.figures = Figures(mode)
        self.kernel.start(argv)
        self.clients = [Client(self.kernel, self.context) for _ in range(CLIENTS)]
        self.poller = zmq.Poller()
        self.actions: dict[zmq.Socket, object] = {}
        for client in self.clients:
            self.actions |= client.sources()
        for source in self.actions:
            self.poller.register(source, zmq.POLLIN)

    def follow(self, what: str, done: object, alive: bool = True) -> None:
        """Reads what comes until done(). While the kernel has to live, its end is an error and is not waited out."""
        pidfd = os.pidfd_open(self.kernel.process.pid) if alive else None
        if alive:
            self.poller.register(pidfd, zmq.POLLIN)
        deadline = time.monotonic() + PATIENCE_S
        try:
            while not done():
                events = self.poller.poll(max(0, 1000 * (deadline - time.monotonic())))
                for source, _ in events:
                    if source in self.actions:
                        self.actions[source](source)
                if not events or [source for source, _ in events] == [pidfd]:
                    raise Broken(f"{what} did not come: {self.kernel.last_line or 'nothing on stderr'}")
        finally:
            if alive:
                self.poller.unregister(pidfd)
                os.close(pidfd)

    def wait_until_welcome(self) -> None:
        """Then nothing of what a cell publishes is missed; and what ends a connection is known to end it."""
        self.follow("a welcome", lambda: all(client.welcomes == 1 + self.figures.rounds for client in self.clients))
        self.follow("a connection", lambda: all(len(client.connected) == 3 for client in self.clients))

    def end_kernel(self, kill: bool) -> None:
        asked = []
        if kill:
            self.kernel.process.send_signal(signal.SIGKILL)
        else:
            client = self.clients[0]
            request = client.send(client.control, "shutdown_request", {"restart": True})
            asked.append(request)
        status = self.kernel.process.wait(PATIENCE_S)
        if status != (-signal.SIGKILL if kill else 0):
            raise Broken(f"the kernel ended with status {status}: {self.kernel.last_line}")
        # Only then is what is sent kept for the next kernel, instead of being lost with this one's connection.
        self.follow("the end of a connection", lambda: not any(client.connected for client in self.clients), alive=False)
        self.figures.up += [(request, SHUTDOWN) for request in asked]
        self.follow("the end's messages", lambda: self.complete(asked, self.clients[:1]), alive=False)

    def ask_while_down(self) -> list[tuple[Client, str, list[str]]]:
        asked = []
        for client in self.clients:
            asked.append((client, client.execute("sent while down"), CELL))
            asked.append((client, client.send(client.shell, "kernel_info_request"), INFO))
            asked.append((client, client.send(client.control, "kernel_info_request"), INFO))
        return asked

    def complete(self, requests: list[str], senders: list[Client]) -> bool:
        """Whether each request, one of each sender, has its reply, and its idle at every client."""
        return (all("idle" in client.outputs[request] for client in self.clients for request in requests)
                and all(sender.replies[request] for sender, request in zip(senders, requests, strict=False)))

    def check_cells(self) -> list[tuple[str, list[str]]]:
        cells = [client.execute("sent while up") for client in self.clients]
        self.follow("a cell's messages", lambda: self.complete(cells, self.clients))
        return [(cell, CELL) for cell in cells]

    def restart(self, kill: bool) -> None:
        self.end_kernel(kill)
        asked = self.ask_while_down()
        self.kernel.start(self.argv)
        self.figures.rounds += 1
        self.figures.down += asked
        self.follow("a reply", lambda: all(client.replies[request] for client, request, _ in asked))
        self.figures.replies_s.append(time.monotonic() - self.kernel.spawned)
        self.wait_until_welcome()
        self.figures.up += self.check_cells()
        self.figures.outputs_s.append(time.monotonic() - self.kernel.spawned)

    def run(self, rounds: int) -> None:
        self.wait_until_welcome()
        self.figures.up += self.check_cells()
        for number in range(rounds):
            self.restart(kill=number % 2 == 0)
        self.end_kernel(kill=False)

    def judge(self) -> None:
        """Of everything that came, so that what came late is seen too."""
        faults = self.figures.faults
        for client, request, expected in self.figures.down:
            if len(client.replies[request]) != 1:
                faults.append(f"{len(client.replies[request])} replies to one request")
            for got in (one.outputs[request] for one in self.clients):
                if got != expected[len(expected) - len(got):]:
                    faults.append(f"{got} is not the end of {expected}")
        for request, expected in self.figures.up:
            faults += [f"{one.outputs[request]} instead of {expected}" for one in self.clients if one.outputs[request] != expected]
            if sum(len(client.replies[request]) for client in self.clients) != 1:
                faults.append("not one reply to one request")
        left = [path.name for path in self.directory.iterdir() if path != self.kernel.file]
        self.figures.left = len(left) + group_lives(self.kernel.process.pid)
        faults += [f"{name} was left behind" for name in left]

    def close(self) -> None:
        self.kernel.kill()
        self.context.destroy(linger=0)


def run_mode(mode: str, rounds: int, argv: list[str], home: Path) -> tuple[list[object], list[str]]:
    directory = home / mode
    directory.mkdir(mode=0o700)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(directory)
    restarts = Restarts(mode, argv, directory)
    try:
        restarts.run(rounds)
        restarts.judge()
    except Broken as broken:
        restarts.judge()
        restarts.figures.faults.insert(0, f"restart {restarts.figures.rounds}: {broken}")
    finally:
        restarts.close()
    return restarts.figures.row(restarts.clients), [f"{mode}: {fault}" for fault in restarts.figures.faults]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/storm restart", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", metavar="ROUNDS", nargs="?", type=int, default=1000, help="restarts in each mode (1000)")
    parser.add_argument("--kernel", default="lua", help="a kernelspec in which print(\"text\") prints: lua, echo")
    parser.add_argument("--modes", default=",".join(MODES), help=f"some of {','.join(MODES)}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table into this page, between its marks")
    chosen = parser.parse_args()
    chosen.modes = chosen.modes.split(",")
    if unknown := set(chosen.modes) - set(MODES):
        parser.error(f"unknown mode {', '.join(sorted(unknown))}")
    if chosen.rounds < 1:
        parser.error("ROUNDS must be 1 or more")
    return chosen


def main() -> int:
    chosen = options()
    argv = kernel_argv(chosen.kernel)
    rows, faults = [], []
    machine = Machine()
    with new_home() as home:
        for mode in chosen.modes:
            row, found = run_mode(mode, chosen.rounds, argv, home)
            print(" | ".join(map(str, row)), flush=True)
            rows.append(row)
            faults += found
    text = (f"{machine.describe()}, kernel `{chosen.kernel}`, {CLIENTS} clients. The ports are below those that the system gives away, so\n"
            f"that nobody gets one by chance while the kernel is down:\n\n{table(HEADS, rows)}")
    print(f"\n{text}\n")
    if chosen.markdown:
        replace_block(chosen.markdown, "restarts", text)
    print("\n".join(faults[:20]) if faults else f"storm restart: the promise held in {len(rows)} modes")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
