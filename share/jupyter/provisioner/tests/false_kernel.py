# SPDX-License-Identifier: BSD-3-Clause
"""Programs that are kernels to their launcher only. Usage: false_kernel.py BEHAVIOUR CONNECTION_FILE [ARGUMENT]

die          says why on stderr and ends with status 3
killed       ends by a signal
silent       runs and binds nothing; writes its number to ARGUMENT, if there is one
colon        writes all addresses as those of tcp: over ipc, its sockets have other names than its clients look for
late         binds what the file says, then says why it ends, with status 3
brittle      binds what the file says; if that is not tcp, it ends by a signal then
mute         binds what the file says, and answers nothing
without      binds what the file says but the ports that ARGUMENT names
rebound      like without, and binds its shell anew when its launcher has come to it
unlucky      says that an address is in use, and ends; the second time, when the file ARGUMENT is there, it is tcp
once         says that memory is short, and ends; the second time, when the file ARGUMENT is there, it goes on
doomed       says that it cannot any more, and ends, when the file ARGUMENT is there; or else it is tcp
hesitant     binds nothing when the file ARGUMENT is there, writes its number to it, and ends when it is interrupted; or else
             it is tcp
tcp          binds what the file says, over tcp only; ends over anything else
deaf         binds what the file says and obeys nothing but SIGKILL
parent       binds, and has a child in its process group, whose number is in ARGUMENT
family       like parent, with a child deaf to SIGTERM; ends by itself soon after its launcher
bare         like tcp, without SO_REUSEADDR

Those that go on answer whatever comes on shell with the same.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import zmq

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def bind(content: dict, ipc_separator: str, names: tuple[str, ...] = PORTS) -> list[zmq.Socket]:
    sockets = []
    for name in names:
        separator = ":" if content["transport"] == "tcp" else ipc_separator
        sockets.append(zmq.Context.instance().socket(zmq.XPUB if name == "iopub_port" else zmq.ROUTER))
        sockets[-1].bind(f"{content['transport']}://{content['ip']}{separator}{content[name]}")
    return sockets


def bind_for_a_moment(content: dict) -> None:
    """The shell, until somebody has connected."""
    with zmq.Context() as context:
        shell = context.socket(zmq.ROUTER)
        connected = shell.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        separator = ":" if content["transport"] == "tcp" else "-"
        shell.bind(f"{content['transport']}://{content['ip']}{separator}{content['shell_port']}")
        connected.recv_multipart()
        connected.close()
        shell.close(linger=0)


def echo(socket: zmq.Socket) -> None:
    while True:
        socket.send_multipart(socket.recv_multipart())


def end_with_launcher() -> None:
    launcher = os.pidfd_open(int(os.environ["JPY_PARENT_PID"]))
    select.select([launcher], [], [])
    os._exit(0)


def main(behaviour: str, file: str, *arguments: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if behaviour == "die":
        print("first line\nModuleNotFoundError: 100% of the language is missing", file=sys.stderr, flush=True)
        sys.exit(3)
    if behaviour == "unlucky":
        if not Path(arguments[0]).exists():
            Path(arguments[0]).touch()
            sys.exit("bind: Address already in use")
        behaviour = "tcp"
    if behaviour == "once" and not Path(arguments[0]).exists():
        Path(arguments[0]).touch()
        sys.exit("out of memory")
    if behaviour == "doomed":
        if Path(arguments[0]).exists():
            sys.exit("cannot any more")
        behaviour = "tcp"
    if behaviour == "hesitant":
        if Path(arguments[0]).exists():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            Path(arguments[0]).write_text(str(os.getpid()), encoding="utf-8")
            signal.pause()
        behaviour = "tcp"
    if behaviour == "killed":
        signal.raise_signal(signal.SIGABRT)
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    if behaviour in ("tcp", "bare") and content["transport"] != "tcp":
        sys.exit(f"transport {content['transport']} is not known")
    if behaviour == "bare":
        held = [socket.socket() for _ in PORTS]
        for listener, name in zip(held, PORTS, strict=True):
            listener.bind((content["ip"], content[name]))
            listener.listen()
    elif behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif behaviour == "parent":
        child = subprocess.Popen(["sleep", "1000"])
        Path(arguments[0]).write_text(str(child.pid), encoding="utf-8")
    elif behaviour == "family":
        subprocess.Popen(["sh", "-c", "trap '' TERM HUP; sleep 1000"])
        threading.Thread(target=end_with_launcher, daemon=True).start()
    elif behaviour == "silent" and arguments:
        Path(arguments[0]).write_text(str(os.getpid()), encoding="utf-8")
    names = tuple(name for name in PORTS if behaviour not in ("without", "rebound") or name not in arguments[0].split())
    sockets = bind(content, ":" if behaviour == "colon" else "-", names) if behaviour not in ("silent", "bare", "rebound") else []
    if behaviour == "rebound":
        others = bind(content, "-", tuple(name for name in names if name != "shell_port"))
        bind_for_a_moment(content)
        sockets = [*bind(content, "-", ("shell_port",)), *others]
    if behaviour == "brittle" and content["transport"] != "tcp":
        signal.raise_signal(signal.SIGABRT)
    if behaviour == "late":
        sockets[0].poll()  # until it is asked for the first time
        print("first line\nthe language cannot be loaded", file=sys.stderr, flush=True)
        os._exit(3)
    if sockets and behaviour != "mute":
        threading.Thread(target=echo, args=(sockets[0],), daemon=True).start()
    while True:
        signal.pause()


main(*sys.argv[1:])
