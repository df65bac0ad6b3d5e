# SPDX-License-Identifier: BSD-3-Clause
"""Connections: five ports of one transport, in a file that only its owner reads."""

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


@dataclass(frozen=True)
class Connection:
    """Where a kernel's five sockets are. Over ipc `ip` is a path and the ports are its endings."""

    transport: str
    ip: str
    ports: Mapping[str, int]

    def fields(self) -> dict[str, Any]:
        return {"transport": self.transport, "ip": self.ip, **self.ports}

    def paths(self) -> list[Path]:
        """The socket files of a connection over ipc."""
        return [Path(f"{self.ip}-{port}") for port in self.ports.values()]


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replaces the file in one step: a kernel or a client that reads it meanwhile sees the old or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(path)


def remove_unfinished(path: Path) -> None:
    """What a kernel that was killed has not got to rename to `path`, by the name that our kernels use."""
    with suppress(OSError):
        for other in path.parent.iterdir():
            if other.name.startswith(f"{path.name}.") and other.suffix == ".tmp":
                other.unlink(missing_ok=True)


def chosen_ports(content: Mapping[str, Any], highest: int = 65535) -> dict[str, int] | None:
    """The five ports where all of them are chosen; they may be numbers or text."""
    ports: dict[str, int] = {}
    for name in PORTS:
        try:
            ports[name] = int(content[name])
        except (KeyError, TypeError, ValueError):
            return None
    complete = all(0 < port <= highest for port in ports.values()) and len(set(ports.values())) == len(PORTS)
    return ports if complete else None
