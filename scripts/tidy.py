#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tidy.py <clang-tidy> <build-dir> [folder...]: clang-tidy on the project's sources below these folders, two at a time.

A file whose preprocessed text was found clean before, with the same checks, is not looked at again: the build directory
keeps a stamp for it.
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def preprocessed(entry):
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    del words[words.index("-o") : words.index("-o") + 2]
    words[words.index("-c")] = "-E"
    return subprocess.run(words, cwd=entry["directory"], capture_output=True, check=True).stdout


def check(tidy, build, entry, checks):
    """The findings in one file: empty when there are none."""
    try:
        key = hashlib.sha256(checks + preprocessed(entry)).hexdigest()
    except subprocess.CalledProcessError as error:
        return f"{entry['file']} does not compile:\n{error.stderr.decode()}"
    stamp = build / "tidy" / key
    if stamp.exists():
        return ""
    done = subprocess.run([tidy, "--quiet", "-p", build, entry["file"]], capture_output=True, text=True)
    if done.returncode == 0:
        stamp.touch()
        return ""
    return done.stdout or done.stderr


def main(tidy, build, folders):
    (build / "tidy").mkdir(exist_ok=True)
    below = tuple(str(ROOT / folder) + "/" for folder in folders)
    entries = [e for e in json.loads((build / "compile_commands.json").read_text()) if e["file"].startswith(below)]
    if not entries:
        sys.exit(f"tidy.py: {build}/compile_commands.json names no source below {', '.join(folders)}")
    version = subprocess.run([tidy, "--version"], capture_output=True, check=True).stdout
    checks = version + (ROOT / ".clang-tidy").read_bytes()
    wrong = 0
    with ThreadPoolExecutor(2) as pool:
        for findings in pool.map(lambda entry: check(tidy, build, entry, checks), entries):
            if findings:
                wrong += 1
                print(findings, flush=True)
    print(f"clang-tidy: {len(entries)} sources, {wrong} with findings")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3:]))
