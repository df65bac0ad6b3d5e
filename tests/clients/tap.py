# SPDX-License-Identifier: BSD-3-Clause
"""Validates every message that a Jupyter client in this process receives against testing/schemas.

envelope.json describes {header, parent_header, metadata}; the content has a schema of its message type's name. The tap reads
the frames themselves, before jupyter_client turns dates into objects or adapts anything.

As a program, `tap.py REPORT MODULE ARGUMENT...` runs a module (a Jupyter program) under the tap and writes the tap's report as
JSON when it ends.
"""

import atexit
import json
import runpy
import sys
import threading
from pathlib import Path

import jsonschema
from jupyter_client.session import Session

SCHEMAS = Path(__file__).resolve().parents[2] / "testing" / "schemas"


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


class Tap:
    """Counts and judges messages; safe to feed from several threads."""

    def __init__(self, directory=SCHEMAS):
        self._lock = threading.Lock()
        self._validators = {path.stem: self._load(path) for path in sorted(directory.glob("*.json"))}
        if "envelope" not in self._validators:
            raise FileNotFoundError(f"no envelope.json in {directory}")
        self.count = 0
        self.types = set()
        self.invalid = []

    @staticmethod
    def _load(path):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft7Validator.check_schema(schema)
        return jsonschema.Draft7Validator(schema)

    def feed(self, frames):
        """Judges the frames [signature, header, parent_header, metadata, content, buffers...] of one message."""
        try:
            header, parent, metadata, content = (json.loads(frame, parse_constant=_no_constant) for frame in frames[1:5])
            message_type = header["msg_type"]
            faults = self._faults(message_type, header, parent, metadata, content)
        except (ValueError, KeyError, TypeError) as error:
            message_type, faults = "?", [f"not a message: {error!r} in {frames!r:.500}"]
        with self._lock:
            self.count += 1
            self.types.add(message_type)
            self.invalid += [f"{message_type}: {fault}" for fault in faults]

    def _faults(self, message_type, header, parent, metadata, content):
        envelope = {"header": header, "parent_header": parent, "metadata": metadata}
        errors = list(self._validators["envelope"].iter_errors(envelope))
        if message_type in self._validators:
            errors += self._validators[message_type].iter_errors(content)
        else:
            return ["a message type without a schema"]
        return [f"at {error.json_path}: {error.message[:400]}" for error in errors]

    def take(self):
        """Returns the violations since the last call."""
        with self._lock:
            taken, self.invalid = self.invalid, []
        return taken

    def add(self, report):
        """Adds the report of a tap in another process."""
        with self._lock:
            self.count += report["count"]
            self.types |= set(report["types"])
            self.invalid += report["invalid"]

    def report(self):
        return {"count": self.count, "types": sorted(self.types), "invalid": self.invalid}

    def install(self):
        """Puts the tap into jupyter_client: every client of the process decodes through Session.deserialize."""
        original = Session.deserialize

        def deserialize(session, msg_list, content=True, copy=True):
            frames = [part if isinstance(part, bytes) else bytes(part.bytes) for part in msg_list]
            message = original(session, msg_list, content=content, copy=copy)
            if content:  # without it this is a look at the header of a message that is decoded again later
                self.feed(frames)
            return message

        Session.deserialize = deserialize


def main():
    report, module, *arguments = sys.argv[1:]
    tap = Tap()
    tap.install()
    atexit.register(lambda: Path(report).write_text(json.dumps(tap.report()), encoding="utf-8"))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
