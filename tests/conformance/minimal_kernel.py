#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The least that is a kernel: execute_request and kernel_info_request over tcp. All other types are optional in the protocol's text
(Messaging, Compatibility), and whatever this kernel does not handle it leaves alone. It is Python without IPython, shows no results, asks
for no input and knows neither comms nor the control channel. No MUST of jupyter-conformance may fail on it."""

import contextlib
import hmac
import json
import signal
import sys
import threading
import time
import traceback
import uuid
from datetime import datetime, timezone
from typing import Any

import zmq

DELIMITER = b"<IDS|MSG>"
SESSION = uuid.uuid4().hex
INFO = {
    "status": "ok", "protocol_version": "5.3", "implementation": "minimal", "implementation_version": "1", "banner": "minimal",
    "language_info": {"name": "python", "version": "3", "mimetype": "text/x-python", "file_extension": ".py"},
}  # fmt: skip


class Stream:
    """sys.stdout or sys.stderr while a cell runs."""

    def __init__(self, kernel: "Kernel", name: str, parent: dict[str, Any], silent: bool) -> None:
        self.kernel, self.name, self.parent, self.silent = kernel, name, parent, silent
        self.kept = ""
        self.flushed = 0.0

    def write(self, text: str) -> int:
        self.kept += text
        if not self.silent and time.monotonic() - self.flushed > 0.02 and self.kept.endswith("\n"):
            self.flush()
        return len(text)

    def flush(self) -> None:
        text, self.kept, self.flushed = self.kept, "", time.monotonic()
        if text and not self.silent:
            self.kernel.publish("stream", {"name": self.name, "text": text.encode(errors="replace").decode()}, self.parent)


class Kernel:
    def __init__(self, connection: dict[str, Any]) -> None:
        if connection["transport"] != "tcp":
            sys.exit(f"this kernel knows no transport but tcp: {connection['transport']}")
        self.key = connection["key"].encode()
        self.digest = connection.get("signature_scheme", "hmac-sha256").removeprefix("hmac-")
        hmac.new(self.key, b"", self.digest)  # ends a kernel that does not know the scheme
        self.context = zmq.Context()
        self.shell, self.iopub, self.control, self.stdin, self.heartbeat = (
            self.bind(kind, f"tcp://{connection['ip']}:{connection[name + '_port']}")
            for kind, name in (("ROUTER", "shell"), ("PUB", "iopub"), ("ROUTER", "control"), ("ROUTER", "stdin"), ("ROUTER", "hb"))
        )
        threading.Thread(target=self.beat, daemon=True).start()
        self.count = 0
        self.globals: dict[str, Any] = {"__name__": "__main__"}
        self.running = False  # user code, which asks for SIGINT
        self.interruptible = False  # user code runs at this moment, and not the kernel for it
        self.interrupted = False  # while it could not be
        self.publishing = threading.Lock()

    def beat(self) -> None:
        while True:
            with contextlib.suppress(zmq.Again):  # what noise on the socket leads to
                self.heartbeat.send_multipart(self.heartbeat.recv_multipart())

    def bind(self, kind: str, address: str) -> zmq.Socket:
        socket = self.context.socket(getattr(zmq, kind))
        socket.linger = 1000
        socket.sndhwm = 0
        if kind == "ROUTER":
            socket.router_handover = 1
        socket.bind(address)
        return socket

    def sign(self, frames: list[bytes]) -> bytes:
        return hmac.new(self.key, b"".join(frames), self.digest).hexdigest().encode() if self.key else b""

    def frames(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> list[bytes]:
        header = {
            "msg_id": uuid.uuid4().hex, "session": SESSION, "username": "kernel", "msg_type": kind, "version": "5.3",
            "date": datetime.now(timezone.utc).isoformat(),
        }  # fmt: skip
        parts = [json.dumps(part).encode() for part in (header, parent, {}, content)]
        return [DELIMITER, self.sign(parts), *parts]

    def publish(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        frames = [kind.encode(), *self.frames(kind, content, parent)]
        mine = threading.current_thread() is threading.main_thread()
        running, self.interruptible = self.interruptible, self.interruptible and not mine
        with self.publishing:
            self.iopub.send_multipart(frames)
        if not mine:
            return
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        self.interruptible = running

    def interrupt(self, *_: object) -> None:
        """One interrupt ends one cell, and never tears a message."""
        if self.interruptible:
            self.interruptible = False
            raise KeyboardInterrupt
        self.interrupted = self.interrupted or self.running

    def status(self, state: str, parent: dict[str, Any]) -> None:
        self.publish("status", {"execution_state": state}, parent)

    def read(self, frames: list[bytes]) -> tuple[list[bytes], dict[str, Any], dict[str, Any]]:
        at = frames.index(DELIMITER)
        signature, *parts = frames[at + 1 : at + 6]
        if self.key and not hmac.compare_digest(signature, self.sign(parts)):
            raise ValueError("a wrong signature")
        header, _, _, content = (json.loads(part) for part in parts)
        if not isinstance(header["msg_id"], str) or not isinstance(content, dict):
            raise TypeError("not a message")
        return frames[:at], header, content

    def run(self, code: str, parent: dict[str, Any], silent: bool) -> dict[str, Any]:
        streams = [Stream(self, name, parent, silent) for name in ("stdout", "stderr")]
        failure = None
        try:
            with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
                self.running = self.interruptible = True
                exec(compile(code, "<cell>", "exec"), self.globals)
            self.running = self.interruptible = False
        except (Exception, KeyboardInterrupt) as error:
            self.running = self.interruptible = self.interrupted = False
            lines = [line.encode(errors="replace").decode() for line in traceback.format_exception(error)]
            failure = {"ename": type(error).__name__, "evalue": str(error).encode(errors="replace").decode(), "traceback": lines}
        for stream in streams:
            stream.flush()
        if failure and not silent:
            self.publish("error", failure, parent)
        return {"status": "error", **failure} if failure else {"status": "ok", "payload": [], "user_expressions": {}}

    def execute(self, content: dict[str, Any], parent: dict[str, Any]) -> dict[str, Any]:
        code, silent = content["code"], content.get("silent", False)
        if not silent and content.get("store_history", True):
            self.count += 1
        if not silent:
            self.publish("execute_input", {"code": code, "execution_count": self.count}, parent)
        return self.run(code, parent, silent) | {"execution_count": self.count}

    def handle(self, frames: list[bytes]) -> None:
        identities, header, content = self.read(frames)
        handler = {"execute_request": self.execute, "kernel_info_request": lambda *_: INFO}.get(header["msg_type"])
        if handler is None:
            return
        self.status("busy", header)
        try:
            reply = handler(content, header)
        except Exception as error:
            reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": [], "execution_count": self.count}
        self.shell.send_multipart([*identities, *self.frames(header["msg_type"].replace("_request", "_reply"), reply, header)])
        self.status("idle", header)

    def serve(self) -> None:
        signal.signal(signal.SIGINT, self.interrupt)
        self.status("starting", {})
        while True:
            frames = self.shell.recv_multipart()
            try:
                self.handle(frames)
            except Exception as error:
                print("not handled:", repr(error), file=sys.__stderr__)


if __name__ == "__main__":
    with open(sys.argv[-1], encoding="utf-8") as file:
        Kernel(json.load(file)).serve()
