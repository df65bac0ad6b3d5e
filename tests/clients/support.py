# SPDX-License-Identifier: BSD-3-Clause
"""Kernels under real Jupyter managers and clients, for the tests of this folder."""

import json
import os
import shutil
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_runtime_dir

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = Path(os.environ.get("ADRASTEA_PREFIX", ROOT / "build" / "prefix"))
BUILD = Path(os.environ.get("ADRASTEA_BUILD", ROOT / "build" / "release"))

# How long a test waits for what has to come. A limit for a hung kernel, not a measure: a good one is three decades faster.
WAIT_S = 20
# The manager asks a kernel to end and loses its patience after half of its shutdown_wait_time.
SHUTDOWN_S = 2.5

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


@dataclass
class Cell:
    """All that one execute_request led to."""

    reply: dict
    iopub: list

    @property
    def outputs(self):
        return [message for message in self.iopub if message["msg_type"] not in ("status", "execute_input")]

    def text(self, name="stdout"):
        return "".join(m["content"]["text"] for m in self.outputs if m["msg_type"] == "stream" and m["content"]["name"] == name)

    @property
    def value(self):
        values = [m["content"]["data"]["text/plain"] for m in self.outputs if m["msg_type"] == "execute_result"]
        assert len(values) <= 1, f"{len(values)} execute_results in one cell"
        return values[0] if values else None

    @property
    def status(self):
        return self.reply["content"]["status"]


def collect_iopub(client, msg_id, seen=()):
    """The IOPub messages of one request up to its idle, after those seen already; checks the order that the protocol promises."""
    messages = list(seen)
    while True:
        message = client.get_iopub_msg(timeout=WAIT_S)
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        messages.append(message)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    assert messages[0]["msg_type"] == "status" and messages[0]["content"]["execution_state"] == "busy", messages[0]
    states = [m["content"]["execution_state"] for m in messages if m["msg_type"] == "status"]
    assert states == ["busy", "idle"], states
    return messages


def collect_reply(client, msg_id):
    """The one reply to a request on shell."""
    while True:
        message = client.get_shell_msg(timeout=WAIT_S)
        if message["parent_header"].get("msg_id") == msg_id:
            return message


def collect(client, msg_id, seen=()):
    return Cell(iopub=collect_iopub(client, msg_id, seen), reply=collect_reply(client, msg_id))


def run(client, code, **options):
    """Executes a cell and waits for its end. allow_stdin is False unless asked for: nobody here types."""
    options.setdefault("allow_stdin", False)
    cell = collect(client, client.execute(code, **options))
    if not options.get("silent"):
        assert cell.iopub[1]["msg_type"] == "execute_input" or cell.status == "aborted", cell.iopub[1]
    return cell


def wait_for_output(client, msg_id, text):
    """Reads IOPub until a request has printed text; returns what it read of that request."""
    seen, printed = [], ""
    while text not in printed:
        message = client.get_iopub_msg(timeout=WAIT_S)
        if message["parent_header"].get("msg_id") == msg_id:
            seen.append(message)
            printed += message["content"]["text"] if message["msg_type"] == "stream" else ""
    return seen


def make_manager(name, **options):
    """With a connection file of its own, as servers make them: the manager's default for ipc is a path in the current
    directory, with numbers that two managers choose at the same time."""
    options.setdefault("connection_file", str(Path(jupyter_runtime_dir()) / f"kernel-{uuid.uuid4()}.json"))
    return KernelManager(kernel_name=name, **options)


def connect(manager):
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=WAIT_S)
    return client


def end(manager, **options):
    """Ends a kernel as Jupyter does and checks how it went: status 0, and the manager did not have to use force."""
    process = manager.provisioner.process
    start = time.monotonic()
    manager.shutdown_kernel(**options)
    took = time.monotonic() - start
    assert process.returncode == 0, f"exit status {process.returncode} after a shutdown_request"
    assert took < SHUTDOWN_S, f"the kernel took {took:.2f} s to end; the manager sends SIGTERM after {SHUTDOWN_S} s"


@contextmanager
def kernel(name, **options):
    """A running kernel: yields its manager and a client that is ready; ends it politely and checks that it obeyed."""
    manager = make_manager(name, **options)
    manager.start_kernel()
    client = None
    try:
        client = connect(manager)
        yield manager, client
    except BaseException:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        raise
    else:
        end(manager)
    finally:
        if client is not None:
            client.stop_channels()


def respecified(name, directory, **changes):
    """A copy of an installed kernelspec with other values; returns the KernelSpecManager that finds it by the same name."""
    target = directory / "kernels" / name
    shutil.copytree(PREFIX / "share" / "jupyter" / "kernels" / name, target)
    spec = json.loads((target / "kernel.json").read_text(encoding="utf-8"))
    spec.update(changes)
    (target / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return KernelSpecManager(kernel_dirs=[str(directory / "kernels")])


def ipc_files(connection):
    """The five socket files of a connection over ipc."""
    return [Path(f"{connection['ip']}-{connection[name]}") for name in PORTS]
