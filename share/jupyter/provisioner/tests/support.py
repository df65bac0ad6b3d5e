# SPDX-License-Identifier: BSD-3-Clause
"""Kernels, real and false, for the tests of this folder."""

import json
import os
import select
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets.config import Config

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
PREFIX = Path(os.environ.get("ADRASTEA_PREFIX", ROOT / "build" / "prefix"))

# How long a test waits for what has to come. A limit for what hangs, not a measure.
WAIT_S = 30


# What the fixtures know of a test: AdrasteaProvisioner's settings, and the managers that were made.
settings: dict[str, Any] = {}
managers: list[KernelManager] = []


def make_manager(name: str, **options: Any) -> KernelManager:
    options.setdefault("connection_file", str(Path(jupyter_runtime_dir()) / f"kernel-{uuid.uuid4()}.json"))
    options.setdefault("config", Config({"AdrasteaProvisioner": dict(settings)}))
    managers.append(KernelManager(kernel_name=name, **options))
    return managers[-1]


def false_kernel(directory: Path, behaviour: str, *arguments: str, name: str = "false", **fields: Any) -> KernelSpecManager:
    """A kernelspec whose program is false_kernel.py."""
    argv = [sys.executable, str(HERE / "false_kernel.py"), behaviour, "{connection_file}", *arguments]
    return specify(directory, name, {"argv": argv, "display_name": name, "language": "none", **fields})


def specify(directory: Path, name: str, spec: dict[str, Any]) -> KernelSpecManager:
    (directory / "kernels" / name).mkdir(parents=True)
    (directory / "kernels" / name / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return KernelSpecManager(kernel_dirs=[str(directory / "kernels")])


def installed(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = KernelSpecManager().get_kernel_spec(name).to_dict()
    return spec


def connect(manager: KernelManager) -> BlockingKernelClient:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=WAIT_S)
    return client


def printed(client: BlockingKernelClient, code: str) -> str:
    """What a cell printed; it must have gone well."""
    texts: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            texts.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=WAIT_S, output_hook=keep, allow_stdin=False)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(texts)


@contextmanager
def running(name: str, **options: Any) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = make_manager(name, **options)
    manager.start_kernel()
    client = None
    try:
        client = connect(manager)
        yield manager, client
    finally:
        if client is not None:
            client.stop_channels()
        manager.shutdown_kernel()


def descendants(ancestor: int) -> dict[int, str]:
    """The processes that come from this one and still run, with their command lines."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z":
            parents[int(path.name)], commands[int(path.name)] = int(parent), command
    found: dict[int, str] = {}
    level = {ancestor}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        found |= {pid: commands[pid] for pid in level}
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def await_end(pid: int, seconds: float) -> bool:
    """Whether a process, anybody's child, has ended within this time. Errors: ProcessLookupError when there is none."""
    process = os.pidfd_open(pid)
    try:
        return bool(select.select([process], [], [], seconds)[0])
    finally:
        os.close(process)
