# SPDX-License-Identifier: BSD-3-Clause
"""Programs that are kernels to their launcher only. Usage: false_kernel.py BEHAVIOUR CONNECTION_FILE [ARGUMENT]

die          says why on stderr and ends with status 3
killed       ends by a signal
silent       runs and binds nothing
tcp          binds what the file says, over tcp only; ends over anything else
deaf         binds what the file says and obeys nothing but SIGKILL
parent       binds, and has a child in its process group, whose number is in ARGUMENT
bare         like tcp, without SO_REUSEADDR
"""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import zmq

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def bind(content: dict) -> list[zmq.Socket]:
    sockets = []
    for name in PORTS:
        separator = ":" if content["transport"] == "tcp" else "-"
        sockets.append(zmq.Context.instance().socket(zmq.ROUTER))
        sockets[-1].bind(f"{content['transport']}://{content['ip']}{separator}{content[name]}")
    return sockets


def main(behaviour: str, file: str, *arguments: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if behaviour == "die":
        print("first line\nModuleNotFoundError: 100% of the language is missing", file=sys.stderr, flush=True)
        sys.exit(3)
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
    if behaviour not in ("silent", "bare"):
        sockets = bind(content)  # noqa: F841  they close with their last name
    while True:
        signal.pause()


main(*sys.argv[1:])
